//! The files that processes map: known already by their inode, or read through `map_files`. Each inode is read once.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::facts::RootFacts;
use crate::facts::process::MappedContent;
use crate::formats::elf::binding::Tables;
use crate::formats::elf::{ElfRecord, Rule, Segment};
use crate::formats::proc::maps::Map;
use crate::host::process::{ProcProblem, Process};
use crate::host::root::Root;
use crate::host::snapshot::Snapshot;
use crate::host::window::Window;
use crate::knowledge::Knowledge;
use crate::model::{Algorithm, Digest, Identity, Meta, RootedPath};

use super::parse::{self, Keep};

/// Largest mapped file that is read; the largest library that a login ever loads is below 40 MiB.
const MAX_FILE: u64 = 256 << 20;

/// A mapped file.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// What it holds.
    pub content: MappedContent,
    /// Its `PT_LOAD` segments; none if it is no ELF file or could not be read.
    pub loads: Rc<[Segment]>,
    /// What the dynamic loader works with; absent for a file that is not for it, or for a machine whose rules are not known.
    pub tables: Option<Rc<Tables>>,
    /// Whether it has a dynamic table.
    pub dynamic: bool,
    /// Whether it names a dynamic loader that is to start it.
    pub interpreted: bool,
    /// Whether it asks the loader to change its code (`DT_TEXTREL`), so that a copy of a page of code means nothing.
    pub relocates_code: bool,
}

impl Mapped {
    fn new(content: MappedContent, elf: Option<&ElfRecord>) -> Self {
        let loads = elf.map(|elf| elf.segments.iter().filter(|segment| segment.kind == 1).copied().collect());
        let changes_code = |elf: &ElfRecord| elf.anomalies.iter().any(|anomaly| anomaly.rule == Rule::TextRelocations);
        Self {
            content,
            loads: loads.unwrap_or_default(),
            tables: None,
            dynamic: elf.is_some_and(|elf| elf.dynamic),
            interpreted: elf.is_some_and(|elf| elf.interpreter.is_some()),
            relocates_code: elf.is_some_and(changes_code),
        }
    }

    fn unreadable(reason: impl Into<String>) -> Self {
        Self::new(MappedContent::Unreadable(reason.into()), None)
    }
}

/// All of them that were met.
pub struct Files<'a> {
    root: &'a Root,
    knowledge: &'a Knowledge,
    known: HashMap<Identity, Mapped>,
    /// Whose tables were asked for in vain.
    without: HashSet<Identity>,
}

impl<'a> Files<'a> {
    /// None yet but those that were looked at by their path, some with `tables`. Of several names of one inode the first
    /// counts.
    #[must_use]
    pub fn new(root: &'a Root, knowledge: &'a Knowledge, facts: &RootFacts, tables: Vec<(Meta, Rc<Tables>)>) -> Self {
        let mut known = HashMap::new();
        for (path, file) in &facts.files.files {
            if let Some(meta) = file.meta()
                && file.digest(Algorithm::Sha256).is_some()
            {
                let mapped = || Mapped::new(MappedContent::SameInode(path.clone()), file.elf.as_deref());
                known.entry(meta.identity()).or_insert_with(mapped);
            }
        }
        for (meta, tables) in tables {
            if let Some(mapped) = known.get_mut(&meta.identity()) {
                mapped.tables = Some(tables);
            }
        }
        Self { root, knowledge, known, without: HashSet::new() }
    }

    /// The file behind `map`, whose path without ` (deleted)` is `name`. The inode is taken from the descriptor: the device
    /// number in `maps` is another one on btrfs and overlayfs.
    pub fn look(&mut self, process: &Process, map: &Map, name: &[u8]) -> Mapped {
        let meta = match process.stat_mapped(map.start, map.end) {
            Ok(meta) => meta,
            Err(ProcProblem::Denied) => return self.by_path(map, name),
            Err(problem) => return Mapped::unreadable(problem.to_string()),
        };
        let identity = meta.identity();
        if let Some(mapped) = self.known.get(&identity) {
            if mapped.tables.is_some() || !mapped.dynamic || self.without.contains(&identity) {
                return mapped.clone();
            }
            return self.with_tables(process, map, identity);
        }
        let fd = match process.open_mapped(map.start, map.end) {
            Ok(fd) => fd,
            Err(ProcProblem::Denied) => return self.by_path(map, name),
            Err(problem) => return Mapped::unreadable(problem.to_string()),
        };
        match Snapshot::from_fd(fd, MAX_FILE) {
            Ok(snapshot) => {
                let parsed = parse::binary(snapshot.bytes(), self.knowledge, Keep::Tables);
                let content = MappedContent::Other {
                    sha256: Digest::of(Algorithm::Sha256, snapshot.bytes()),
                    hits: parsed.hits,
                    unlinked: snapshot.meta().nlink == 0,
                };
                let mut mapped = Mapped::new(content, parsed.elf.as_deref());
                mapped.tables = parsed.tables.map(Rc::from);
                self.known.insert(snapshot.meta().identity(), mapped.clone());
                mapped
            }
            Err(problem) => Mapped::unreadable(problem.to_string()),
        }
    }

    /// A file whose content is known and whose tables were not kept, because no process was seen to map it at first: it is
    /// read again, and counts if it is still the same.
    fn with_tables(&mut self, process: &Process, map: &Map, identity: Identity) -> Mapped {
        let fd = process.open_mapped(map.start, map.end).ok();
        let snapshot = fd.and_then(|fd| Snapshot::from_fd(fd, MAX_FILE).ok());
        let same = snapshot.filter(|snapshot| snapshot.meta().identity() == identity);
        let tables = same.and_then(|snapshot| parse::tables(snapshot.bytes())).map(Rc::new);
        if tables.is_none() {
            self.without.insert(identity);
        }
        match self.known.get_mut(&identity) {
            Some(mapped) => {
                mapped.tables = tables;
                mapped.clone()
            }
            None => Mapped::unreadable("it changed while it was looked at"),
        }
    }

    /// Opens the file behind `map` for reading at any place.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn window(&self, process: &Process, map: &Map, name: &[u8]) -> Result<Window, ProcProblem> {
        match process.open_mapped(map.start, map.end) {
            Ok(fd) => Ok(Window::new(fd)),
            Err(ProcProblem::Denied) => {
                let path = RootedPath::new(name).ok_or(ProcProblem::Denied)?;
                let window = Window::new(self.root.open_file(&path).map_err(|_| ProcProblem::Denied)?);
                let same = window.meta().is_ok_and(|meta| is_same(map, &meta));
                same.then_some(window).ok_or(ProcProblem::Denied)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Without the capability to open mapped inodes: the file at that path, if `maps` names its device and inode.
    fn by_path(&self, map: &Map, name: &[u8]) -> Mapped {
        let meta = RootedPath::new(name).and_then(|path| self.root.stat(&path).ok());
        let known = meta.filter(|meta| is_same(map, meta)).and_then(|meta| self.known.get(&meta.identity()));
        known
            .filter(|mapped| matches!(mapped.content, MappedContent::SameInode(_)))
            .cloned()
            .unwrap_or_else(|| Mapped::unreadable("the mapped file cannot be opened without CAP_CHECKPOINT_RESTORE"))
    }
}

/// Whether `maps` names this inode and its device.
fn is_same(map: &Map, meta: &Meta) -> bool {
    meta.ino == map.inode && (nix::sys::stat::major(meta.dev), nix::sys::stat::minor(meta.dev)) == map.device
}
