//! Whether the words by which the files of a process find each other hold what the dynamic loader had to write there.
//!
//! The rule is `formats::elf::binding`'s. Read from memory are the words it wants compared (what is read-only after relocation,
//! global offset tables), and the public 40 bytes of each entry in the loader's own list, which begins at `DT_DEBUG`: its
//! order is the order of scopes. The list lies among the loader's data; nothing else of that is read.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::mapped::Mapped;
use super::vdso::Vdso;
use crate::facts::binding::{BindingFacts, Redirected};
use crate::formats::elf::binding::{
    Compared, Layout, Mismatch, Module, Place, Plan, Tables, code, compare, plan, scopes,
};
use crate::formats::proc::linkmap;
use crate::formats::proc::maps::Map;
use crate::host::process::{Proc, ProcProblem, Process};
use crate::host::window::Window;
use crate::model::text;

/// Entries followed in the loader's list; a process with more is not judged.
const MAX_ENTRIES: usize = 4096;
/// Redirected words kept of one process.
const MAX_REDIRECTED: usize = 64;
/// Words kept for each result of a resolver: those that hold another are fewer.
const ENOUGH: usize = 64;
/// Definitions shown as expected.
const MAX_EXPECTED: usize = 4;
/// What the sonames of glibc's loaders begin with: `ld-linux-x86-64.so.2`, `ld-linux-aarch64.so.1`.
const GLIBC: &[u8] = b"ld-linux";
/// Bytes of a `struct r_debug`.
const BEHIND: u64 = 40;
/// Further lists followed, of namespaces made by dlmopen(3): glibc has room for fifteen (`DL_NNS`).
const MAX_NAMESPACES: usize = 15;
/// `DT_DEBUG`.
const DT_DEBUG: u64 = 21;

/// A file as it lies in one process.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its path without ` (deleted)`.
    pub path: Vec<u8>,
    /// What is added to its addresses.
    pub bias: u64,
    /// The file.
    pub mapped: Mapped,
}

/// What is needed to know of a process beside its memory.
pub struct Situation<'a> {
    /// All its mappings.
    pub maps: &'a [Map],
    /// The files it executes, each as often as it is loaded.
    pub loaded: Vec<Loaded>,
    /// The program's entry point.
    pub entry: Option<u64>,
    /// Where the dynamic loader lies.
    pub loader: Option<u64>,
    /// Names in `/etc/ld.so.preload`.
    pub preloaded: &'a [Vec<u8>],
}

/// Why a process cannot be judged now.
#[derive(Debug)]
pub enum Unready {
    /// It ended, or its memory cannot be read.
    Proc(ProcProblem),
    /// Its loader is at work.
    Loading,
}

impl From<ProcProblem> for Unready {
    fn from(problem: ProcProblem) -> Self {
        Self::Proc(problem)
    }
}

/// By the tables of all files in order, their plan; processes of one server share it.
type Plans = HashMap<Vec<usize>, Rc<Plan>>;
/// By the file and place of a resolver, each result with the words that hold it.
type Results = BTreeMap<(usize, u64), BTreeMap<u64, Vec<Held>>>;

/// A word that holds a resolver's result.
#[derive(Debug)]
struct Held {
    process: usize,
    redirected: Redirected,
}

/// What a resolver has returned.
#[derive(Debug)]
struct Returned {
    /// Its file and place.
    resolver: (usize, u64),
    target: u64,
    held: Held,
}

/// One look at one process.
#[derive(Debug)]
pub struct Seen {
    /// What was seen.
    pub facts: BindingFacts,
    results: Vec<Returned>,
}

impl Seen {
    /// Whether something is amiss. A module that is being loaded looks so for a moment: ld.so calls its list consistent
    /// before it has relocated what is new in it (`dl_open_worker_begin` of glibc, elf/dl-open.c).
    #[must_use]
    pub fn is_amiss(&self) -> bool {
        let facts = &self.facts;
        !facts.redirected.is_empty()
            || !facts.unprotected.is_empty()
            || !facts.unlisted.is_empty()
            || !facts.unmapped.is_empty()
    }
}

/// Compares process after process and remembers what they share.
#[derive(Default)]
pub struct Binder {
    plans: Plans,
    results: Results,
    /// The tables that plans and results speak of by their address.
    kept: Vec<Rc<Tables>>,
    /// Room for the words of all files of a process and for those of one, used again and again.
    words: Vec<u8>,
    single: Vec<u8>,
}

impl Binder {
    /// Looks at the process that will stand at place `number` among the facts.
    ///
    /// # Errors
    /// As [`Unready`] says. Everything else that fails is a problem within the facts.
    pub fn observe(
        &mut self,
        number: usize,
        proc: &Proc,
        process: &Process,
        situation: Situation<'_>,
        vdso: &Vdso,
    ) -> Result<Seen, Unready> {
        let mut seen = Seen { facts: BindingFacts::default(), results: Vec::new() };
        let Seen { facts, results } = &mut seen;
        let Some(at) = program(&situation) else {
            facts.problems.push("the file with its entry point is not known".to_owned());
            return Ok(seen);
        };
        let Some(main) = situation.loaded.get(at) else { return Ok(seen) };
        if !main.mapped.dynamic {
            return Ok(seen);
        }
        let Some(tables) = main.mapped.tables.clone() else {
            facts.problems.push("the rules of the loader of its machine are not known".to_owned());
            return Ok(seen);
        };
        let memory = process.window("mem")?;
        let (order, entries) = if main.mapped.interpreted {
            listed(&memory, &situation, main.bias, &tables, facts)?
        } else {
            (vec![at], Vec::new())
        };
        let files: Vec<&Loaded> = order.iter().filter_map(|index| situation.loaded.get(*index)).collect();
        let names = |file: &&Loaded| {
            let last = file.path.rsplit(|b| *b == b'/').next().unwrap_or_default();
            vec![last.to_vec(), file.path.clone()]
        };
        let modules: Vec<Module<'_>> =
            files.iter().map(|file| Module { tables: file.mapped.tables.as_deref(), names: names(file) }).collect();
        let preloaded = |module: &Module<'_>| module.names.iter().any(|name| situation.preloaded.contains(name));
        let numbered = modules.iter().enumerate().skip(1);
        let preloaded: Vec<usize> = numbered.filter(|(_, module)| preloaded(module)).map(|(index, _)| index).collect();
        let key: Vec<usize> = files.iter().map(|file| address_of(file.mapped.tables.as_ref())).collect();
        let plan = self.plan(key, &files, &modules, &preloaded);
        for problem in &plan.problems {
            facts.problems.push(problem.clone());
        }
        let biases: Vec<u64> = files.iter().map(|file| file.bias).collect();
        let loader = match situation.loader {
            Some(base) => files.iter().position(|file| file.bias == base),
            None => Some(0),
        };
        let soname = loader.and_then(|loader| files.get(loader)?.mapped.tables.as_ref()?.soname.as_deref());
        if situation.loader.is_some() && !soname.is_some_and(|soname| soname.starts_with(GLIBC)) {
            facts.problems.push("its loader is none whose rules are known: not that of glibc".to_owned());
            return Ok(seen);
        }
        let vdso = Vdso::address(situation.maps).zip(vdso.tables(proc));
        let code = code(&modules, &biases);
        let layout = Layout { biases: &biases, loader, entries: &entries, vdso, code: &code };
        facts.modules = u32::try_from(files.len()).unwrap_or(u32::MAX);
        let place =
            Whereabouts { files: &files, maps: situation.maps, results: &self.results, known: RefCell::default() };
        let places: Vec<(u64, usize)> = files.iter().flat_map(|file| watched(file)).collect();
        let mut at_once = match process.read_memory(&places, &mut self.words) {
            Ok(()) => self.words.as_slice(),
            Err(_) => &[],
        };
        for (index, file) in files.iter().enumerate() {
            let Some(tables) = &file.mapped.tables else {
                let path = text::escape(&file.path);
                facts.problems.push(format!("the dynamic tables of `{path}` are not known"));
                continue;
            };
            protected(file, tables, situation.maps, facts);
            let own;
            (own, at_once) = at_once.split_at(size(tables).min(at_once.len()));
            let words = match read(&memory, file.bias, tables, own, &mut self.single) {
                Ok(words) => words,
                Err(ProcProblem::Gone) => return Err(ProcProblem::Gone.into()),
                Err(problem) => {
                    let path = text::escape(&file.path);
                    facts.problems.push(format!("the relocated words of `{path}` cannot be read: {problem}"));
                    continue;
                }
            };
            let compared = compare(&modules, &plan, index, words, &layout);
            results.extend(take(number, file, tables, compared, &files, &place, facts));
        }
        Ok(seen)
    }

    /// Keeps what resolvers returned in a process whose last look this was.
    pub fn keep(&mut self, seen: Seen) -> BindingFacts {
        for Returned { resolver, target, held } in seen.results {
            let words = self.results.entry(resolver).or_default().entry(target).or_default();
            // Of the many that agree a count would do; the words themselves matter of the few that do not.
            if words.len() < ENOUGH {
                words.push(held);
            }
        }
        seen.facts
    }

    fn plan(&mut self, key: Vec<usize>, files: &[&Loaded], modules: &[Module<'_>], preloaded: &[usize]) -> Rc<Plan> {
        if let Some(plan) = self.plans.get(&key) {
            return Rc::clone(plan);
        }
        self.kept.extend(files.iter().filter_map(|file| file.mapped.tables.clone()));
        let plan = Rc::new(plan(modules, &scopes(modules, preloaded)));
        self.plans.insert(key, Rc::clone(&plan));
        plan
    }

    /// Resolvers return the same in every process: the processor is the same. Of results that differ, all but the most
    /// frequent are redirected; where none is, all. Returns them with the places of their processes.
    #[must_use]
    pub fn disagreements(self) -> Vec<(usize, Redirected)> {
        let mut found = Vec::new();
        for targets in self.results.into_values().filter(|targets| targets.len() > 1) {
            let most = targets.values().map(Vec::len).max().unwrap_or(0);
            let alone = targets.values().filter(|held| held.len() == most).count() == 1;
            let good: Vec<String> = targets
                .values()
                .filter(|held| held.len() == most)
                .filter_map(|held| Some(held.first()?.redirected.leads_to.clone()))
                .take(MAX_EXPECTED)
                .collect();
            for held in targets.into_values().filter(|held| !alone || held.len() < most).flatten() {
                found.push((held.process, Redirected { expected: good.clone(), ..held.redirected }));
            }
        }
        found
    }
}

fn take(
    number: usize,
    file: &Loaded,
    tables: &Tables,
    compared: Compared,
    files: &[&Loaded],
    place: &Whereabouts<'_>,
    facts: &mut BindingFacts,
) -> Vec<Returned> {
    let mut results = Vec::new();
    facts.words += compared.words;
    facts.symbols += compared.symbols;
    for mismatch in compared.mismatches {
        add(facts, place.redirected(file, tables, &mismatch));
    }
    for result in compared.results {
        let Place { module: Some(module), value } = result.resolver else { continue };
        let Some(defining) = usize::try_from(module).ok().and_then(|module| files.get(module)) else { continue };
        let resolver = (address_of(defining.mapped.tables.as_ref()), value);
        let same = place.results.get(&resolver).and_then(|targets| targets.get(&result.target));
        if same.is_some_and(|held| held.len() >= ENOUGH) {
            continue;
        }
        let mismatch = Mismatch {
            address: result.address,
            symbol: result.symbol,
            actual: result.target.wrapping_add(defining.bias),
            expected: Vec::new(),
            known: true,
        };
        let held = Held { process: number, redirected: place.redirected(file, tables, &mismatch) };
        results.push(Returned { resolver, target: result.target, held });
    }
    results
}

/// Adds one, or counts it.
pub fn add(facts: &mut BindingFacts, redirected: Redirected) {
    if facts.redirected.len() < MAX_REDIRECTED {
        facts.redirected.push(redirected);
    } else {
        facts.more += 1;
    }
}

fn address_of(tables: Option<&Rc<Tables>>) -> usize {
    tables.map_or(0, |tables| Rc::as_ptr(tables).addr())
}

/// The file that holds the entry point.
fn program(situation: &Situation<'_>) -> Option<usize> {
    let entry = situation.entry?;
    let holds = |file: &Loaded| file.mapped.loads.iter().any(|load| load.holds(entry.wrapping_sub(file.bias)));
    situation.loaded.iter().position(holds)
}

/// Walks the loader's list: the files in its order, and the address of each one's entry.
fn listed(
    memory: &Window,
    situation: &Situation<'_>,
    bias: u64,
    tables: &Tables,
    facts: &mut BindingFacts,
) -> Result<(Vec<usize>, Vec<u64>), Unready> {
    let index = tables.tags.iter().position(|entry| entry.0 == DT_DEBUG);
    let offset = index.and_then(|index| u64::try_from(index).ok()).map(|index| index * 16 + 8);
    let Some(offset) = offset else {
        facts.problems.push("its program does not say where the loader's list is (no `DT_DEBUG`)".to_owned());
        return Ok(by_address(situation));
    };
    let mut word = [0; 8];
    fill(memory, bias.wrapping_add(tables.dynamic.0).wrapping_add(offset), &mut word)?;
    let mut address = u64::from_le_bytes(word);
    if address == 0 {
        return Err(Unready::Loading);
    }
    let mut bytes = [0; linkmap::SIZE];
    fill(memory, address, &mut bytes)?;
    let debug = linkmap::debug(&bytes);
    if !debug.consistent || debug.first == 0 {
        return Err(Unready::Loading);
    }
    let mut list = List { memory, situation, order: Vec::new(), entries: Vec::new() };
    list.walk(debug.first, facts)?;
    let List { order, entries, .. } = list;
    let mut known = order.clone();
    for _ in 0..MAX_NAMESPACES {
        // `struct r_debug_extended` of glibc 2.35 has a pointer to the next one behind it.
        if debug.version < 2 {
            break;
        }
        let mut word = [0; 8];
        fill(memory, address.wrapping_add(BEHIND), &mut word)?;
        address = u64::from_le_bytes(word);
        if address == 0 {
            break;
        }
        fill(memory, address, &mut bytes)?;
        let mut further = List { memory, situation, order: Vec::new(), entries: Vec::new() };
        further.walk(linkmap::debug(&bytes).first, facts)?;
        if !further.order.is_empty() {
            facts.problems.push("files in further namespaces of its loader (dlmopen) are not compared".to_owned());
        }
        known.extend(further.order);
    }
    for (index, file) in situation.loaded.iter().enumerate() {
        if file.mapped.tables.is_some() && !known.contains(&index) {
            facts.unlisted.push(text::escape(&file.path));
        }
    }
    Ok((order, entries))
}

/// One list of the loader: the files in its order, and the address of each one's entry.
struct List<'a> {
    memory: &'a Window,
    situation: &'a Situation<'a>,
    order: Vec<usize>,
    entries: Vec<u64>,
}

impl List<'_> {
    fn walk(&mut self, first: u64, facts: &mut BindingFacts) -> Result<(), ProcProblem> {
        let place = |file: &Loaded| {
            let tables = file.mapped.tables.as_ref()?;
            Some((file.bias, file.bias.wrapping_add(tables.dynamic.0)))
        };
        let vdso = self.situation.maps.iter().find(|map| map.path == b"[vdso]");
        let mut next = first;
        let mut seen = 0;
        while next != 0 {
            seen += 1;
            if seen > MAX_ENTRIES {
                facts.problems.push("the loader's list has no end".to_owned());
                break;
            }
            let mut bytes = [0; linkmap::SIZE];
            match fill(self.memory, next, &mut bytes) {
                Ok(()) => {}
                Err(ProcProblem::Gone) => return Err(ProcProblem::Gone),
                Err(problem) => {
                    facts.problems.push(format!("the loader's list cannot be followed to its end: {problem}"));
                    break;
                }
            }
            let entry = linkmap::entry(&bytes);
            let file = |file: &Loaded| place(file) == Some((entry.bias, entry.dynamic));
            match self.situation.loaded.iter().position(file) {
                Some(index) if self.order.contains(&index) => {}
                Some(index) => {
                    self.order.push(index);
                    self.entries.push(next);
                }
                None if vdso.is_some_and(|vdso| vdso.holds(entry.dynamic)) => {}
                None => facts.unmapped.push(entry.dynamic),
            }
            next = entry.next;
        }
        facts.unmapped.truncate(MAX_REDIRECTED);
        Ok(())
    }
}

/// Without the list: the program first, the others by their addresses.
fn by_address(situation: &Situation<'_>) -> (Vec<usize>, Vec<u64>) {
    let first = program(situation);
    let others = (0..situation.loaded.len()).filter(|index| Some(*index) != first);
    (first.into_iter().chain(others).collect(), Vec::new())
}

fn fill(memory: &Window, address: u64, buffer: &mut [u8]) -> Result<(), ProcProblem> {
    if memory.read_at(address, buffer)? < buffer.len() {
        return Err(ProcProblem::Gone);
    }
    Ok(())
}

/// Where the words of a file lie that are compared, and how many bytes each time.
fn watched(file: &Loaded) -> impl Iterator<Item = (u64, usize)> {
    let words = file.mapped.tables.iter().flat_map(|tables| &tables.watched);
    words.map(|words| (file.bias.wrapping_add(words.address), words.words.len() * 8))
}

/// Bytes of all of them.
fn size(tables: &Tables) -> usize {
    tables.watched.iter().map(|words| words.words.len() * 8).sum()
}

/// The words of one file that are compared: those that were read with all the others, or read now into `bytes`.
fn read<'b>(
    memory: &Window,
    bias: u64,
    tables: &Tables,
    at_once: &'b [u8],
    bytes: &'b mut Vec<u8>,
) -> Result<&'b [u8], ProcProblem> {
    if at_once.len() == size(tables) {
        return Ok(at_once);
    }
    bytes.resize(size(tables), 0);
    let mut rest = bytes.as_mut_slice();
    for words in &tables.watched {
        let (part, others) = rest.split_at_mut(words.words.len() * 8);
        fill(memory, bias.wrapping_add(words.address), part)?;
        rest = others;
    }
    Ok(bytes)
}

/// What is read-only after relocation must not be writable by now.
fn protected(file: &Loaded, tables: &Tables, maps: &[Map], facts: &mut BindingFacts) {
    let Some((start, end)) = tables.relro else { return };
    let (start, end) = (file.bias.wrapping_add(start), file.bias.wrapping_add(end));
    if maps.iter().any(|map| map.writable() && map.start < end && start < map.end) {
        facts.unprotected.push(text::escape(&file.path));
    }
}

/// Names places in a process.
struct Whereabouts<'a> {
    files: &'a [&'a Loaded],
    maps: &'a [Map],
    /// What resolvers returned in other processes.
    results: &'a Results,
    /// Named already: a resolver's result is met in many words.
    known: RefCell<HashMap<u64, String>>,
}

impl Whereabouts<'_> {
    fn redirected(&self, file: &Loaded, tables: &Tables, mismatch: &Mismatch) -> Redirected {
        Redirected {
            path: text::escape(&file.path),
            address: file.bias.wrapping_add(mismatch.address),
            symbol: symbol(tables, mismatch.symbol),
            actual: mismatch.actual,
            leads_to: self.name(mismatch.actual),
            expected: mismatch.expected.iter().take(MAX_EXPECTED).map(|value| self.name(*value)).collect(),
            known: mismatch.known,
        }
    }

    /// `/usr/lib/libz.so.1+0x1040 (inflate)`, `[heap]`, `anonymous memory rwxp`, or the number.
    fn name(&self, value: u64) -> String {
        self.known.borrow_mut().entry(value).or_insert_with(|| self.search(value)).clone()
    }

    fn search(&self, value: u64) -> String {
        for file in self.files {
            let Some(tables) = &file.mapped.tables else { continue };
            let address = value.wrapping_sub(file.bias);
            if tables.holds(address) {
                let defined = tables.symbols.iter().find(|symbol| !symbol.is_undefined() && symbol.value == address);
                let name = defined.and_then(|symbol| tables.name(symbol.name)).map(text::escape);
                let name = name.map(|name| format!(" (`{name}`)")).unwrap_or_default();
                return format!("`{}`+{address:#x}{name}", text::escape(&file.path));
            }
        }
        match self.maps.iter().find(|map| map.holds(value)) {
            Some(map) if map.path.is_empty() => {
                format!("anonymous memory {} at {value:#x}", String::from_utf8_lossy(&map.permissions))
            }
            Some(map) => format!("`{}` at {value:#x}", text::escape(map.name().0)),
            None => format!("{value:#x}"),
        }
    }
}

fn symbol(tables: &Tables, index: u32) -> String {
    let Some(name) = tables.symbol(index).filter(|_| index != 0).and_then(|symbol| tables.name(symbol.name)) else {
        return String::new();
    };
    let version = tables.version(index).map(|version| format!("@{}", text::escape(&version.name)));
    format!("{}{}", text::escape(name), version.unwrap_or_default())
}
