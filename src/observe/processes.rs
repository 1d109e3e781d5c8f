//! What the processes of SSH servers execute. Only the inodes that are mapped executable are read, never memory: neither
//! heap nor stack.

use std::collections::HashMap;

use crate::facts::process::{MappedContent, Mapping};
use crate::facts::{ProcessFacts, RootFacts};
use crate::formats::proc::maps::{self, Map};
use crate::formats::proc::{auxv, stat, status};
use crate::host::process::{Proc, ProcProblem, Process};
use crate::host::root::Root;
use crate::host::snapshot::Snapshot;
use crate::knowledge::Knowledge;
use crate::model::{Algorithm, Digest, Meta, RootedPath, text};

use super::identify::MAX_MAPS;
use super::parse;

/// Largest mapped file that is read; the largest library that a login ever loads is below 40 MiB.
const MAX_FILE: u64 = 256 << 20;
/// Largest `stat`, `status` and `auxv`.
const MAX_SMALL: usize = 64 << 10;
/// How often a process may change its mappings while they are looked at before we give up.
const ATTEMPTS: usize = 3;

/// Fills `facts.processes` with the processes of all servers but user servers. Files must have been looked at before:
/// a mapped inode that is one of them is not read again, any other is read and searched.
pub fn observe(root: &Root, proc: &Proc, knowledge: &Knowledge, facts: &mut RootFacts) {
    let mut observer = Observer { root, knowledge, known: known(facts), read: HashMap::new() };
    let mut processes = Vec::new();
    for server in facts.servers.iter().filter(|server| !server.user_server) {
        for (at, pid) in server.pids.iter().enumerate() {
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
    processes.sort_by_key(|process| (process.pid, process.starttime));
    facts.processes = processes;
}

/// A file at one moment: same inode, same times, same content.
type Identity = (u64, u64, u64, i64, i64);

fn identity(meta: &Meta) -> Identity {
    (meta.dev, meta.ino, meta.size, meta.mtime, meta.ctime)
}

/// The files whose content was digested. Of several names of one inode the first.
fn known(facts: &RootFacts) -> HashMap<Identity, RootedPath> {
    let mut known = HashMap::new();
    for (path, file) in &facts.files.files {
        if let Some(meta) = file.meta()
            && file.digest(Algorithm::Sha256).is_some()
        {
            known.entry(identity(meta)).or_insert_with(|| path.clone());
        }
    }
    known
}

struct Observer<'a> {
    root: &'a Root,
    knowledge: &'a Knowledge,
    known: HashMap<Identity, RootedPath>,
    read: HashMap<Identity, MappedContent>,
}

/// What is known of a process that could not be looked at.
fn missing(pid: i32, problem: ProcProblem) -> ProcessFacts {
    let gone = problem == ProcProblem::Gone;
    ProcessFacts {
        pid,
        starttime: 0,
        uid: 0,
        server: String::new(),
        listener: false,
        exe: None,
        mappings: Vec::new(),
        tracer: 0,
        gone,
        problem: (!gone).then(|| problem.to_string()),
    }
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
        match self.mappings(process) {
            Ok(mappings) => facts.mappings = mappings,
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

    /// The executable mappings, looked at between two equal readings of the map.
    fn mappings(&mut self, process: &Process) -> Result<Vec<Mapping>, Problem> {
        let entry = auxv::entry(&process.read("auxv", MAX_SMALL)?);
        let mut before = executable(process)?;
        for _ in 0..ATTEMPTS {
            let mappings = before.iter().map(|map| self.mapping(process, map, entry)).collect();
            let after = executable(process)?;
            if before == after {
                return Ok(mappings);
            }
            before = after;
        }
        Err(Problem::Unsteady)
    }

    fn mapping(&mut self, process: &Process, map: &Map, entry: Option<u64>) -> Mapping {
        let (name, deleted) = self.name(map);
        Mapping {
            start: map.start,
            end: map.end,
            permissions: String::from_utf8_lossy(&map.permissions).into_owned(),
            offset: map.offset,
            path: text::escape(&name),
            deleted,
            entry: entry.is_some_and(|entry| map.holds(entry)),
            content: (map.inode != 0).then(|| self.content(process, map, &name)),
        }
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

    /// The inode is taken from the descriptor: the device number in `maps` is another one on btrfs and overlayfs.
    fn content(&mut self, process: &Process, map: &Map, name: &[u8]) -> MappedContent {
        let fd = match process.open_mapped(map.start, map.end) {
            Ok(fd) => fd,
            Err(ProcProblem::Denied) => return self.by_path(map, name),
            Err(problem) => return MappedContent::Unreadable(problem.to_string()),
        };
        let snapshot = match process.stat_mapped(map.start, map.end) {
            Ok(meta) => {
                let key = identity(&meta);
                if let Some(path) = self.known.get(&key) {
                    return MappedContent::SameInode(path.clone());
                }
                if let Some(content) = self.read.get(&key) {
                    return content.clone();
                }
                Snapshot::from_fd(fd, MAX_FILE)
            }
            Err(problem) => return MappedContent::Unreadable(problem.to_string()),
        };
        match snapshot {
            Ok(snapshot) => {
                let content = MappedContent::Other {
                    sha256: Digest::of(Algorithm::Sha256, snapshot.bytes()),
                    hits: parse::binary(snapshot.bytes(), self.knowledge).hits,
                    unlinked: snapshot.meta().nlink == 0,
                };
                self.read.insert(identity(snapshot.meta()), content.clone());
                content
            }
            Err(problem) => MappedContent::Unreadable(problem.to_string()),
        }
    }

    /// Without the capability to open mapped inodes: the file at that path, if `maps` names its device and inode.
    fn by_path(&self, map: &Map, name: &[u8]) -> MappedContent {
        let meta = RootedPath::new(name).and_then(|path| self.root.stat(&path).ok());
        let same = meta.filter(|meta| {
            meta.ino == map.inode && (nix::sys::stat::major(meta.dev), nix::sys::stat::minor(meta.dev)) == map.device
        });
        match same.and_then(|meta| self.known.get(&identity(&meta))) {
            Some(path) => MappedContent::SameInode(path.clone()),
            None => {
                MappedContent::Unreadable("the mapped file cannot be opened without CAP_CHECKPOINT_RESTORE".to_owned())
            }
        }
    }
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

fn executable(process: &Process) -> Result<Vec<Map>, Problem> {
    let mut maps = maps::parse(&process.read("maps", MAX_MAPS)?).ok_or(Problem::Malformed)?;
    // A process without any mapping has ended, or never had memory of its own.
    if maps.is_empty() {
        return Err(Problem::Proc(ProcProblem::Gone));
    }
    maps.retain(Map::executable);
    Ok(maps)
}
