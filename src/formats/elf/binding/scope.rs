//! Where ld.so looks for a symbol: the program with all it needs, breadth first, then what came with the same dlopen(3).
//!
//! Scopes follow from `DT_NEEDED` alone. So a library that was preloaded or injected is in nobody's scope, and a word that
//! leads to it is bound wrongly, whatever the loader was told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::tables::Tables;

/// One file in a process, in the order of the loader's list; the program is the first.
#[derive(Clone, Debug)]
pub struct Module<'a> {
    /// Its tables; `None` if it has none, or none that we understand.
    pub tables: Option<&'a Tables>,
    /// Names by which it may be needed, beside its `DT_SONAME`: the last part of its path, and the path.
    pub names: Vec<Vec<u8>>,
}

/// The scopes of every module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// The program, what is preloaded for all, and what they need.
    pub global: Vec<usize>,
    /// For each module outside the global scope those that it may have been loaded with, itself first. More than one if
    /// several brought it: which came first is not known.
    pub local: BTreeMap<usize, Vec<Vec<usize>>>,
}

/// The scopes of `modules`; `preloaded` are those that `/etc/ld.so.preload` names.
#[must_use]
pub fn scopes(modules: &[Module<'_>], preloaded: &[usize]) -> Scopes {
    let named = by_name(modules);
    let first: Vec<usize> = std::iter::once(0).chain(preloaded.iter().copied()).collect();
    let global = if modules.is_empty() { Vec::new() } else { closure(modules, &named, &first) };
    let inside: BTreeSet<usize> = global.iter().copied().collect();
    let mut local: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
    for root in (0..modules.len()).filter(|module| !inside.contains(module)) {
        let group = closure(modules, &named, &[root]);
        for member in group.iter().filter(|member| !inside.contains(member)) {
            local.entry(*member).or_default().push(group.clone());
        }
    }
    Scopes { global, local }
}

/// The first module of each name.
fn by_name<'a>(modules: &'a [Module<'_>]) -> BTreeMap<&'a [u8], usize> {
    let mut named: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (index, module) in modules.iter().enumerate() {
        let soname = module.tables.and_then(|tables| tables.soname.as_deref());
        for name in soname.into_iter().chain(module.names.iter().map(Vec::as_slice)) {
            named.entry(name).or_insert(index);
        }
    }
    named
}

/// `first` and what they need, breadth first (`_dl_map_object_deps` of glibc, elf/dl-deps.c).
fn closure(modules: &[Module<'_>], named: &BTreeMap<&[u8], usize>, first: &[usize]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut queue: VecDeque<usize> = VecDeque::new();
    queue.extend(first.iter().copied().filter(|module| seen.insert(*module)));
    while let Some(module) = queue.pop_front() {
        found.push(module);
        let needed = modules.get(module).and_then(|module| module.tables).map(|tables| tables.needed.as_slice());
        for name in needed.unwrap_or_default() {
            queue.extend(named.get(name.as_slice()).copied().filter(|module| seen.insert(*module)));
        }
    }
    found
}
