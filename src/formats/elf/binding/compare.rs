//! Words of memory against the rule for each: the file's own word, unless the loader had to write another.

use super::super::view::Segment;
use super::plan::{Likely, Place, Plan, Resolved, Rule, Slot};
use super::scope::Module;
use super::tables::Tables;

/// `DT_DEBUG`: where the loader's list is told.
const DT_DEBUG: u64 = 21;
/// Tags whose value the loader makes an address of this process (`elf_get_dynamic_info` of glibc, elf/get-dynamic-info.h):
/// `DT_PLTGOT`, `DT_HASH`, `DT_STRTAB`, `DT_SYMTAB`, `DT_RELA`, `DT_JMPREL`, `DT_RELR`, `DT_VERSYM`, `DT_GNU_HASH`, and the
/// two of thread-local descriptors.
const ADDRESSES: [u64; 11] = [3, 4, 5, 6, 7, 23, 36, 0x6fff_fff0, 0x6fff_fef5, 0x6fff_fef6, 0x6fff_fef7];
/// The greatest number of a module, and distance in thread-local storage.
const TLS_NUMBER: u64 = 1 << 31;
/// Functions that glibc takes from the vdso (sysdeps/unix/sysv/linux/x86: time.c, gettimeofday.c; dl-vdso-setup.h), as they
/// are named there.
const FROM_VDSO: [(&[u8], [&[u8]; 2]); 4] = [
    (b"time", [b"__vdso_time", b"__kernel_time"]),
    (b"gettimeofday", [b"__vdso_gettimeofday", b"__kernel_gettimeofday"]),
    (b"clock_gettime", [b"__vdso_clock_gettime", b"__kernel_clock_gettime"]),
    (b"getcpu", [b"__vdso_getcpu", b"__kernel_getcpu"]),
];
/// The C library, some of whose own words its resolvers set before they are made read-only (`attribute_relro`).
const C_LIBRARY: &[u8] = b"libc.so.6";

/// Where everything lies in one process.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The bias of each module.
    pub biases: &'a [u64],
    /// The loader's place among the modules.
    pub loader: Option<usize>,
    /// The address of each module's entry in the loader's list.
    pub entries: &'a [u64],
    /// Bias and tables of the vdso.
    pub vdso: Option<(u64, &'a Tables)>,
    /// Where code of any module lies, as [`code`] says.
    pub code: &'a [(u64, u64)],
}

/// Where code of these modules lies, for [`Layout::code`].
#[must_use]
pub fn code(modules: &[Module<'_>], biases: &[u64]) -> Vec<(u64, u64)> {
    let of = |(module, bias): (&Module<'_>, &u64)| {
        let loads = module.tables.map(|tables| tables.loads.as_slice()).unwrap_or_default();
        let ends = |load: &Segment| {
            let (start, end) = (load.address.wrapping_add(*bias), load.memory_end().wrapping_add(*bias));
            (start, if end < start { u64::MAX } else { end })
        };
        loads.iter().filter(|load| load.is_code()).map(ends).collect::<Vec<_>>()
    };
    let mut all: Vec<(u64, u64)> = modules.iter().zip(biases).flat_map(of).collect();
    all.sort_unstable();
    // Ranges that overlap become one, so that the last that begins before an address tells.
    all.dedup_by(|next, last| {
        let joined = next.0 <= last.1;
        last.1 = if joined { last.1.max(next.1) } else { last.1 };
        joined
    });
    all
}

/// A word that holds something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Its address in the file.
    pub address: u64,
    /// The symbol that is bound there, 0 for none.
    pub symbol: u32,
    /// What it holds.
    pub actual: u64,
    /// What it may hold; none where that is a matter of kind (a function of the loader, a small number).
    pub expected: Vec<u64>,
    /// Whether there is a rule for it at all: a strong symbol without definition has none.
    pub known: bool,
}

/// What a resolver function was seen to have returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Result {
    /// Address of the word in its file.
    pub address: u64,
    /// The symbol that is bound there, 0 for none.
    pub symbol: u32,
    /// The resolver.
    pub resolver: Place,
    /// Distance of the result from the bias of the module of the resolver.
    pub target: u64,
}

/// What one module's words show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Words compared.
    pub words: u64,
    /// How many of them are bound to symbols.
    pub symbols: u64,
    /// Those that hold something else.
    pub mismatches: Vec<Mismatch>,
    /// Results of resolvers, to be held against those of others.
    pub results: Vec<Result>,
}

/// Compares `memory`, the watched words of module `index` in the order of [`Tables::watched`], 8 bytes each.
#[must_use]
pub fn compare(modules: &[Module<'_>], plan: &Plan, index: usize, memory: &[u8], layout: &Layout<'_>) -> Compared {
    let mut compared = Compared::default();
    let Some(tables) = modules.get(index).and_then(|module| module.tables) else { return compared };
    let judge = Judge { modules, plan, layout, index, tables };
    let slots = plan.slots.get(index).map(Vec::as_slice).unwrap_or_default();
    compared.symbols = plan.symbols.get(index).copied().unwrap_or(0);
    let bases: Vec<u64> = std::iter::once(0).chain(layout.biases.iter().copied()).collect();
    let mut likely = plan.likely.get(index).map(Vec::as_slice).unwrap_or_default();
    let mut memory = memory.as_chunks::<8>().0;
    for words in &tables.watched {
        let count = words.words.len().min(likely.len()).min(memory.len());
        let ((own, others), (theirs, rest)) = (likely.split_at(count), memory.split_at(count));
        (likely, memory) = (others, rest);
        compared.words = compared.words.saturating_add(u64::try_from(count).unwrap_or(0));
        let mut next = 0;
        while let Some(at) = first_other(own, theirs, next, &bases) {
            next = at.saturating_add(1);
            let (Some(likely), Some(actual)) = (own.get(at), theirs.get(at)) else { break };
            let actual = u64::from_le_bytes(*actual);
            let address = u64::try_from(at).unwrap_or(u64::MAX).saturating_mul(8).saturating_add(words.address);
            match usize::try_from(likely.slot).ok().and_then(|slot| slots.get(slot)) {
                Some(slot) => judge.slot(slot, actual, &mut compared),
                None => {
                    let expected = expected(likely, &bases);
                    judge.word(address, words.words.get(at).copied(), expected, actual, &mut compared);
                }
            }
        }
    }
    compared
}

/// The first word from `next` on that is not what it most likely is. Nearly all are, and there are millions: a loop of its own,
/// so that nothing but the comparison is in it.
#[inline(never)]
fn first_other(own: &[Likely], theirs: &[[u8; 8]], next: usize, bases: &[u64]) -> Option<usize> {
    let (own, theirs) = (own.get(next..)?, theirs.get(next..)?);
    let is_other = |(likely, actual): (&Likely, &[u8; 8])| expected(likely, bases) != Some(u64::from_le_bytes(*actual));
    own.iter().zip(theirs).position(is_other)?.checked_add(next)
}

/// What the word most likely holds, if that can be said.
fn expected(likely: &Likely, bases: &[u64]) -> Option<u64> {
    let base = bases.get(usize::try_from(likely.base).ok()?)?;
    Some(base.wrapping_add(likely.value))
}

struct Judge<'a> {
    modules: &'a [Module<'a>],
    plan: &'a Plan,
    layout: &'a Layout<'a>,
    index: usize,
    tables: &'a Tables,
}

impl Judge<'_> {
    fn bias(&self) -> u64 {
        self.layout.biases.get(self.index).copied().unwrap_or(0)
    }

    fn value(&self, place: Place) -> Option<u64> {
        match place.module {
            None => Some(place.value),
            Some(module) => Some(self.layout.biases.get(usize::try_from(module).ok()?)?.wrapping_add(place.value)),
        }
    }

    /// Whether the value is the address of code of this module.
    fn is_code_of(&self, module: usize, value: u64) -> bool {
        let bias = self.layout.biases.get(module).copied();
        let tables = self.modules.get(module).and_then(|module| module.tables);
        bias.zip(tables).is_some_and(|(bias, tables)| tables.is_code(value.wrapping_sub(bias)))
    }

    /// Whether it is the address of any code: of a module, or of the vdso.
    fn is_code(&self, value: u64) -> bool {
        let before = self.layout.code.partition_point(|code| code.0 <= value);
        let code = before.checked_sub(1).and_then(|last| self.layout.code.get(last));
        code.is_some_and(|code| value < code.1) || self.is_vdso(value)
    }

    fn is_vdso(&self, value: u64) -> bool {
        self.layout.vdso.is_some_and(|(bias, tables)| tables.is_code(value.wrapping_sub(bias)))
    }

    /// A word that no relocation names, with what the file holds there and what is expected of it.
    fn word(&self, address: u64, file: Option<u64>, expected: Option<u64>, actual: u64, compared: &mut Compared) {
        if !file.is_some_and(|file| self.may_differ(address, file, actual)) {
            let (symbol, known, expected) = (0, true, expected.into_iter().collect());
            compared.mismatches.push(Mismatch { address, symbol, actual, expected, known });
        }
    }

    fn slot(&self, slot: &Slot, actual: u64, compared: &mut Compared) {
        let places = match &slot.rule {
            Rule::Exactly(place) => std::slice::from_ref(place),
            Rule::OneOf(places) => places,
            _ => &[],
        };
        let good = match &slot.rule {
            Rule::Exactly(_) | Rule::OneOf(_) => places.iter().any(|place| self.value(*place) == Some(actual)),
            Rule::Resolved(resolved) => return self.resolved(slot, resolved, actual, compared),
            Rule::TlsNumber => actual < TLS_NUMBER || actual.wrapping_neg() < TLS_NUMBER,
            Rule::LoaderCode => self.layout.loader.is_some_and(|loader| self.is_code_of(loader, actual)),
            Rule::Argument => !self.is_code(actual),
            Rule::Unresolved => false,
        };
        if !good {
            let (address, symbol) = (slot.address, slot.symbol);
            let known = slot.rule != Rule::Unresolved;
            let expected = places.iter().filter_map(|place| self.value(*place)).collect();
            compared.mismatches.push(Mismatch { address, symbol, actual, expected, known });
        }
    }

    fn resolved(&self, slot: &Slot, resolved: &Resolved, actual: u64, compared: &mut Compared) {
        let unbound = resolved.unbound.and_then(|place| self.value(place));
        if actual == 0 && resolved.may_be_null || unbound == Some(actual) {
            return;
        }
        let defining = resolved.resolver.module.and_then(|module| usize::try_from(module).ok());
        if let Some(bias) =
            defining.filter(|module| self.is_code_of(*module, actual)).and_then(|module| self.layout.biases.get(module))
        {
            compared.results.push(Result {
                address: slot.address,
                symbol: slot.symbol,
                resolver: resolved.resolver,
                target: actual.wrapping_sub(*bias),
            });
        } else if !self.is_from_vdso(&resolved.name, actual) {
            compared.mismatches.push(Mismatch {
                address: slot.address,
                symbol: slot.symbol,
                actual,
                expected: unbound.into_iter().collect(),
                known: true,
            });
        }
    }

    /// Whether the value is the function of the vdso that stands for the symbol; for one without a name, any of them.
    fn is_from_vdso(&self, name: &[u8], value: u64) -> bool {
        let Some((bias, tables)) = self.layout.vdso else { return false };
        let wanted = FROM_VDSO.iter().filter(|(own, _)| name.is_empty() || *own == name).flat_map(|(_, names)| names);
        let wanted: Vec<&[u8]> = wanted.copied().collect();
        tables.symbols.iter().any(|symbol| {
            !symbol.is_undefined()
                && symbol.value.wrapping_add(bias) == value
                && tables.name(symbol.name).is_some_and(|name| wanted.contains(&name))
        })
    }

    /// Words that no relocation names and that the loader writes all the same.
    fn may_differ(&self, address: u64, file: u64, actual: u64) -> bool {
        let (start, size) = self.tables.dynamic;
        if let Some(at) = address.checked_sub(start).filter(|at| *at < size) {
            let index = usize::try_from(at / 16).unwrap_or(usize::MAX);
            let tag = self.tables.tags.get(index).map(|entry| entry.0).filter(|_| at % 16 == 8);
            return match tag {
                Some(DT_DEBUG) => self.is_data_of_loader(actual),
                Some(tag) => ADDRESSES.contains(&tag) && actual == file.wrapping_add(self.bias()),
                None => false,
            };
        }
        if let Some(header) = self.tables.plt_got
            && let Some(at) = address.checked_sub(header).filter(|at| *at < 24)
        {
            // The loader's entry for this file, and the function that binds late (`elf_machine_runtime_setup`).
            return match at {
                8 => self.layout.entries.get(self.index) == Some(&actual),
                16 => self.layout.loader.is_some_and(|loader| self.is_code_of(loader, actual)),
                _ => false,
            };
        }
        let loader = self.layout.loader;
        let own = loader == Some(self.index) || self.tables.soname.as_deref() == Some(C_LIBRARY);
        // The loader and the C library set their own read-only words; functions among them are their own or each other's.
        own && (!self.is_code(actual)
            || self.is_vdso(actual)
            || self.is_code_of(self.index, actual)
            || loader.is_some_and(|loader| self.is_code_of(loader, actual))
            || loader == Some(self.index) && self.is_taken_over(actual))
    }

    fn is_data_of_loader(&self, value: u64) -> bool {
        let Some(loader) = self.layout.loader else { return false };
        let bias = self.layout.biases.get(loader).copied().unwrap_or(0);
        let tables = self.modules.get(loader).and_then(|module| module.tables);
        tables.is_some_and(|tables| tables.holds(value.wrapping_sub(bias))) && !self.is_code(value)
    }

    /// Whether the value is where a module defines one of the functions that the loader takes over from the program.
    fn is_taken_over(&self, value: u64) -> bool {
        self.plan.taken_over.iter().any(|place| self.value(*place) == Some(value))
    }
}
