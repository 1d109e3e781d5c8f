//! What the processes of SSH servers execute: their executable mappings, the files behind them (see [`super::mapped`]), their
//! pages (see [`super::pages`]) and how these files are bound to each other (see [`super::bindings`]). Neither heap nor stack
//! is read.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::facts::process::Mapping;
use crate::facts::{ProcessFacts, RootFacts, ServerFacts, preload};
use crate::formats::elf::binding::Tables;
use crate::formats::elf::placement::{self, Placed, Shows};
use crate::formats::proc::maps::{self, Map};
use crate::formats::proc::{auxv, stat, status};
use crate::host::process::{Proc, ProcProblem, Process, page_size};
use crate::host::root::Root;
use crate::knowledge::Knowledge;
use crate::model::{Meta, RootedPath, text};

use super::bindings::{self, Binder, Loaded, Situation, Unready};
use super::identify::MAX_MAPS;
use super::mapped::{Files, Mapped};
use super::pages::{self, Region};
use super::vdso::Vdso;

/// Largest `stat`, `status` and `auxv`.
const MAX_SMALL: usize = 64 << 10;
/// How often a process may change its mappings while they are looked at before we give up.
const ATTEMPTS: usize = 3;
/// How often its loader may be found at work, and how long it is then left alone: the nth time n times as long, less than
/// 150 milliseconds in all.
const NAPS: u32 = 16;
const NAP: Duration = Duration::from_millis(1);
/// Processes of one server whose maps are read to know which files they have in common.
const FEW: usize = 4;

/// Fills `facts.processes` with the processes of all servers but user servers. Files must have been looked at before:
/// a mapped inode that is one of them is not read again, any other is read and searched. If `deep`, every page of code and
/// read-only data is read from memory, not only those that the kernel copied.
pub fn observe(
    root: &Root,
    proc: &Proc,
    knowledge: &Knowledge,
    tables: Vec<(Meta, Rc<Tables>)>,
    deep: bool,
    facts: &mut RootFacts,
) {
    let files = Files::new(root, knowledge, facts, tables);
    let preloaded = preload::libraries(facts);
    let binder = Binder::default();
    let mut observer = Observer { root, proc, files, preloaded, binder, vdso: Vdso::default(), number: 0, deep };
    let mut processes = Vec::new();
    for server in facts.servers.iter().filter(|server| !server.user_server) {
        for (at, pid) in server.pids.iter().enumerate() {
            observer.number = processes.len();
            let mut seen = match proc.process(*pid) {
                Ok(process) => observer.process(&process),
                Err(problem) => Err(problem),
            }
            .unwrap_or_else(|problem| missing(*pid, problem));
            seen.server.clone_from(&server.label);
            seen.listener = at == 0;
            processes.push(seen);
        }
    }
    for (number, redirected) in observer.binder.disagreements() {
        if let Some(binding) = processes.get_mut(number).and_then(|process| process.binding.as_mut()) {
            bindings::add(binding, redirected);
        }
    }
    processes.sort_by_key(|process| (process.pid, process.starttime));
    facts.processes = processes;
}

struct Observer<'a> {
    root: &'a Root,
    proc: &'a Proc,
    files: Files<'a>,
    preloaded: Vec<Vec<u8>>,
    binder: Binder,
    vdso: Vdso,
    /// How many processes were looked at before this one.
    number: usize,
    deep: bool,
}

/// The inode numbers of the files that processes of these servers execute, of a few processes of each.
#[must_use]
pub fn mapped_inodes(proc: &Proc, servers: &[ServerFacts]) -> BTreeSet<u64> {
    let mut inodes = BTreeSet::new();
    for pid in servers.iter().filter(|server| !server.user_server).flat_map(|server| server.pids.iter().take(FEW)) {
        let Ok(maps) = proc.process(*pid).map_err(Problem::from).and_then(|process| maps(&process)) else { continue };
        inodes.extend(maps.iter().filter(|map| map.executable()).map(|map| map.inode));
    }
    inodes
}

/// What is known of a process that could not be looked at.
fn missing(pid: i32, problem: ProcProblem) -> ProcessFacts {
    let gone = problem == ProcProblem::Gone;
    ProcessFacts { pid, gone, problem: (!gone).then(|| problem.to_string()), ..ProcessFacts::default() }
}

impl Observer<'_> {
    fn process(&mut self, process: &Process) -> Result<ProcessFacts, ProcProblem> {
        let mut facts = missing(process.pid(), ProcProblem::Gone);
        let Some(stat) = stat::parse(&process.read("stat", MAX_SMALL)?).filter(|stat| !stat.is_dead()) else {
            return Err(ProcProblem::Gone);
        };
        facts.starttime = stat.starttime;
        let status = status::parse(&process.read("status", MAX_SMALL)?);
        facts.uid = status.map_or(0, |status| status.uids.first().copied().unwrap_or_default());
        facts.tracer = status.map_or(0, |status| status.tracer);
        facts.gone = false;
        if status.is_none() {
            facts.problem = Some("its `status` is malformed".to_owned());
        }
        facts.exe = process.link("exe").ok().map(|exe| text::escape(exe.strip_suffix(b" (deleted)").unwrap_or(&exe)));
        match self.memory(process, &mut facts) {
            Ok(()) => {}
            Err(Problem::Proc(ProcProblem::Gone)) => facts.gone = true,
            Err(Problem::Proc(problem)) => facts.problem = Some(format!("its memory map cannot be read: {problem}")),
            Err(Problem::Malformed) => facts.problem = Some("its memory map is malformed".to_owned()),
            Err(Problem::Unsteady) => facts.problem = Some("its memory map changed while it was looked at".to_owned()),
        }
        // A zombie still has files in proc, but empty ones.
        let now = process.read("stat", MAX_SMALL).ok().and_then(|bytes| stat::parse(&bytes));
        if now.is_none_or(|now| now.is_dead() || now.starttime != stat.starttime) {
            facts.gone = true;
        }
        Ok(facts)
    }

    /// The executable mappings and their pages, looked at between two equal readings of the map.
    fn memory(&mut self, process: &Process, facts: &mut ProcessFacts) -> Result<(), Problem> {
        let mut naps = NAPS;
        let mut attempts = ATTEMPTS;
        loop {
            let vector = process.read("auxv", MAX_SMALL)?;
            let bytes = process.read("maps", MAX_MAPS)?;
            let before = parsed(&bytes)?;
            let seen = self.look(process, &before, &vector, naps == 0, facts);
            let after = process.read("maps", MAX_MAPS)?;
            if after == bytes || code(&before).eq(code(&parsed(&after)?)) {
                match seen {
                    Ok(()) => return Ok(()),
                    Err(Unready::Proc(problem)) => return Err(problem.into()),
                    // It has just been started, or loads a module: a matter of milliseconds.
                    Err(Unready::Loading) if naps > 0 => {
                        std::thread::sleep(NAP * (NAPS - naps + 1));
                        naps -= 1;
                        continue;
                    }
                    Err(Unready::Loading) => return Err(Problem::Unsteady),
                }
            }
            attempts -= 1;
            if attempts == 0 {
                return Err(Problem::Unsteady);
            }
        }
    }

    fn look(
        &mut self,
        process: &Process,
        maps: &[Map],
        vector: &[u8],
        last: bool,
        facts: &mut ProcessFacts,
    ) -> Result<(), Unready> {
        let entry = auxv::entry(vector);
        let mut loaded = Vec::new();
        let mut regions = Vec::new();
        let mut relocated = BTreeSet::new();
        facts.mappings.clear();
        for map in maps.iter().filter(|map| map.executable()) {
            let (name, deleted) = self.name(map);
            let mapped = (map.inode != 0).then(|| self.files.look(process, map, &name));
            let in_place = mapped.as_ref().and_then(|mapped| {
                let first = relocated.insert((map.device, map.inode, mapped.relocates_code));
                let biases = biases(maps, map, mapped);
                if first {
                    let load = |bias: &u64| Loaded { path: name.clone(), bias: *bias, mapped: mapped.clone() };
                    loaded.extend(biases.iter().map(load));
                }
                lay_out(maps, map, mapped, &biases, first, &mut regions)
            });
            facts.mappings.push(Mapping {
                start: map.start,
                end: map.end,
                permissions: String::from_utf8_lossy(&map.permissions).into_owned(),
                offset: map.offset,
                path: text::escape(&name),
                deleted,
                entry: entry.is_some_and(|entry| map.holds(entry)),
                in_place,
                content: mapped.map(|mapped| mapped.content),
            });
        }
        let mut pages = pages::observe(process, &self.files, &regions, self.deep)?;
        if relocated.iter().any(|(_, _, relocates)| *relocates) {
            let reason = "one of its files asks the loader to change its code (`DT_TEXTREL`), so that changed code in \
                          memory says nothing";
            pages.problems.push(reason.to_owned());
        }
        facts.pages = Some(pages);
        facts.vdso = self.vdso.compare(self.proc, process, maps)?;
        let situation = Situation { maps, loaded, entry, loader: auxv::loader(vector), preloaded: &self.preloaded };
        let seen = self.binder.observe(self.number, self.proc, process, situation, &self.vdso)?;
        if seen.is_amiss() && !last {
            return Err(Unready::Loading);
        }
        facts.binding = Some(self.binder.keep(seen));
        Ok(())
    }

    /// The kernel's ` (deleted)` taken off, unless a file is really named so.
    fn name(&self, map: &Map) -> (Vec<u8>, bool) {
        let (name, deleted) = map.name();
        let literal = || RootedPath::new(&map.path).and_then(|path| self.root.stat(&path).ok());
        if deleted && literal().is_some_and(|meta| meta.ino == map.inode) {
            return (map.path.clone(), false);
        }
        (name.to_vec(), deleted)
    }
}

/// Whether `map`, an executable mapping of the file loaded by these `biases`, shows code of it in its place. Adds to `regions` the parts of it that
/// nobody may have written to; if it is the `first` of its file, those of the file's other mappings too. Mappings that the
/// file wants written, or that are writable now, are left alone: what is read-only after relocation is among them.
fn lay_out<'m>(
    maps: &'m [Map],
    map: &'m Map,
    mapped: &Mapped,
    biases: &[u64],
    first: bool,
    regions: &mut Vec<Region<'m>>,
) -> Option<bool> {
    let parts = |map| placement::parts(&mapped.loads, biases, page_size(), place(map));
    let fixed = |map: &Map| !map.writable() && map.permissions[3] == b'p' && !mapped.relocates_code;
    let mut add = |map: &'m Map, at| regions.push(Region { map, name: map.name().0, at });
    if mapped.loads.is_empty() {
        if fixed(map) {
            add(map, place(map));
        }
        return None;
    }
    let shown = parts(map);
    if fixed(map) {
        shown.iter().filter(|part| part.shows != Shows::Written).for_each(|part| add(map, part.at));
    }
    if first {
        for other in of_file(maps, map).filter(|other| fixed(other) && !other.executable()) {
            let still = |shows| matches!(shows, Shows::Code | Shows::ReadOnly);
            parts(other).iter().filter(|part| still(part.shows)).for_each(|part| add(other, part.at));
        }
    }
    let is_code = |shows| matches!(shows, Shows::Code | Shows::Written);
    (!map.writable()).then(|| shown.iter().all(|part| is_code(part.shows)))
}

fn place(map: &Map) -> Placed {
    Placed { start: map.start, end: map.end, offset: map.offset }
}

/// The mappings of the same file.
fn of_file<'m>(maps: &'m [Map], map: &Map) -> impl Iterator<Item = &'m Map> {
    let file = (map.device, map.inode);
    maps.iter().filter(move |other| (other.device, other.inode) == file)
}

/// The distances by which the file behind `map` was loaded.
fn biases(maps: &[Map], map: &Map, mapped: &Mapped) -> Vec<u64> {
    let all: Vec<Placed> = of_file(maps, map).map(place).collect();
    placement::biases(&mapped.loads, page_size(), &all)
}

enum Problem {
    Proc(ProcProblem),
    Malformed,
    Unsteady,
}

impl From<ProcProblem> for Problem {
    fn from(problem: ProcProblem) -> Self {
        Self::Proc(problem)
    }
}

fn maps(process: &Process) -> Result<Vec<Map>, Problem> {
    parsed(&process.read("maps", MAX_MAPS)?)
}

fn parsed(bytes: &[u8]) -> Result<Vec<Map>, Problem> {
    let maps = maps::parse(bytes).ok_or(Problem::Malformed)?;
    // A process without any mapping has ended, or never had memory of its own.
    if maps.is_empty() {
        return Err(Problem::Proc(ProcProblem::Gone));
    }
    Ok(maps)
}

/// What has to stay as it is while it is looked at: files that cannot be written to, and whatever can be executed. The heap
/// of a process that works comes and goes.
fn code(maps: &[Map]) -> impl Iterator<Item = &Map> {
    maps.iter().filter(|map| map.executable() || map.inode != 0 && !map.writable())
}
