//! Which SSH server a program is, by reading it: a file beneath the root, or what a process really executes.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::OwnedFd;

use crate::formats::proc::maps::Map;
use crate::formats::proc::{auxv, maps};
use crate::formats::program::{self, Program};
use crate::host::process::{ProcProblem, Process};
use crate::host::root::Root;
use crate::host::snapshot::{ReadProblem, Snapshot};
use crate::model::{FileKind, Identity, Meta, RootedPath, text};

/// Largest program that is read to tell what it is. Servers are below 2 MiB; the largest daemons of a node, written in Go,
/// stay below this.
const MAX_PROGRAM: u64 = 256 << 20;
/// Largest `/proc/PID/maps`: the default limit of 65,530 mappings (`vm.max_map_count`) at some 150 bytes each.
pub const MAX_MAPS: usize = 16 << 20;
/// Largest `/proc/PID/auxv`: it has some 25 entries of 16 bytes.
const MAX_AUXV: usize = 8192;

/// Reads programs, each inode once: two hundred connections are four hundred processes of two programs.
#[derive(Debug, Default)]
pub struct Identifier {
    known: HashMap<Identity, Option<Program>>,
}

/// What a process executes.
#[derive(Debug)]
pub struct Executable {
    /// The path that the kernel shows for the mapping with the entry point, without ` (deleted)`.
    pub path: Vec<u8>,
    /// Whether ` (deleted)` stood there.
    pub deleted: bool,
    /// Its inode.
    pub meta: Meta,
    /// What it is; `None` if no SSH server.
    pub program: Option<Program>,
    /// Libraries that its C library loaded by itself (see [`loaded`]).
    pub loaded: Vec<RootedPath>,
}

/// Why that could not be found out.
#[derive(Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The process has ended.
    Gone,
    /// One sentence.
    Because(String),
}

impl From<ProcProblem> for Unknown {
    fn from(problem: ProcProblem) -> Self {
        match problem {
            ProcProblem::Gone => Self::Gone,
            other => Self::Because(format!("its memory map cannot be read: {other}")),
        }
    }
}

impl Identifier {
    /// The file at `path`, which should be canonical.
    ///
    /// # Errors
    /// As [`ReadProblem`] says.
    pub fn file(&mut self, root: &Root, path: &RootedPath) -> Result<Option<Program>, ReadProblem> {
        let meta = root.stat(path)?;
        if let Some(known) = self.known.get(&meta.identity()) {
            return Ok(known.clone());
        }
        Ok(self.read(root.open_file(path)?)?.1)
    }

    /// The file at `path`, which something would start, but for programs of Go: where one of those serves SSH, it is found when
    /// it listens.
    ///
    /// # Errors
    /// As [`ReadProblem`] says.
    pub fn planned(&mut self, root: &Root, path: &RootedPath) -> Result<Option<Program>, ReadProblem> {
        let fd = root.open_file(path)?;
        let meta = Snapshot::meta_of(&fd)?;
        if let Some(known) = self.known.get(&meta.identity()) {
            return Ok(known.clone());
        }
        if meta.kind != FileKind::Regular {
            return Err(ReadProblem::NotRegular(meta.kind));
        }
        // Not remembered: of a process that listens the note would be no answer.
        if program::is_of_go(&Snapshot::beginning(&fd, program::BEGINNING)?) {
            return Ok(None);
        }
        Ok(self.read(fd)?.1)
    }

    /// What `process` executes: the file mapped where its entry point lies, and not what `/proc/PID/exe` says, which a
    /// process may set (prctl(2), `PR_SET_MM_EXE_FILE`). A program that unpacked itself into anonymous memory has no file
    /// there; of it, `exe` is the best there is.
    ///
    /// # Errors
    /// As [`Unknown`] says.
    pub fn process(&mut self, process: &Process) -> Result<Executable, Unknown> {
        let bytes = process.read("maps", MAX_MAPS)?;
        let maps = maps::parse(&bytes).ok_or_else(|| Unknown::Because("its memory map is malformed".to_owned()))?;
        let entry = auxv::entry(&process.read("auxv", MAX_AUXV)?);
        let map = maps.iter().find(|map| map.inode != 0 && entry.is_some_and(|entry| map.holds(entry)));
        let (fd, name, deleted) = match map {
            Some(map) => {
                let (name, deleted) = map.name();
                let fd = match process.open_mapped(map.start, map.end) {
                    // Without CAP_CHECKPOINT_RESTORE: `exe` may be opened by whoever may trace, if it is the same inode.
                    Err(ProcProblem::Denied) if process.stat("exe").is_ok_and(|meta| meta.ino == map.inode) => {
                        process.open("exe")
                    }
                    other => other,
                }?;
                (fd, name.to_vec(), deleted)
            }
            None => {
                let link = process.link("exe")?;
                let (name, deleted) = match link.strip_suffix(b" (deleted)") {
                    Some(name) => (name.to_vec(), true),
                    None => (link, false),
                };
                (process.open("exe")?, name, deleted)
            }
        };
        let (meta, program) = self
            .open(fd)
            .map_err(|problem| Unknown::Because(format!("its program `{}` {problem}", text::escape(&name))))?;
        Ok(Executable { path: name, deleted, meta, program, loaded: loaded(&maps) })
    }

    /// What lies behind this descriptor, read unless it was before.
    fn open(&mut self, fd: OwnedFd) -> Result<(Meta, Option<Program>), ReadProblem> {
        let meta = Snapshot::meta_of(&fd)?;
        match self.known.get(&meta.identity()) {
            Some(known) => Ok((meta, known.clone())),
            None => self.read(fd),
        }
    }

    /// Most programs of a host hold no word of SSH; those are passed over piece by piece, since daemons of a hundred
    /// megabytes are nothing unusual.
    fn read(&mut self, fd: OwnedFd) -> Result<(Meta, Option<Program>), ReadProblem> {
        let (meta, program) = if Snapshot::any_part(&fd, MAX_PROGRAM, program::SHARED, program::may_be_server)? {
            let snapshot = Snapshot::from_fd(fd, MAX_PROGRAM)?;
            (snapshot.meta().clone(), program::identify(snapshot.bytes()))
        } else {
            (Snapshot::meta_of(&fd)?, None)
        };
        self.known.insert(meta.identity(), program.clone());
        Ok((meta, program))
    }
}

/// What glibc loads without any configuration that names it: `libgcc_s.so.1` beside it (pthread_cancel(3), unwinding), and
/// the converters in the `gconv` directory beside it (iconv(3), locales). Files elsewhere that are named so do not count.
fn loaded(maps: &[Map]) -> Vec<RootedPath> {
    let files = || maps.iter().filter(|map| map.executable() && map.inode != 0 && !map.name().1);
    let paths = || files().filter_map(|map| RootedPath::new(&map.path));
    let libc: BTreeSet<RootedPath> =
        paths().filter(|path| path.file_name() == b"libc.so.6").filter_map(|path| path.parent()).collect();
    let beside = |path: &RootedPath| {
        path.parent().is_some_and(|directory| {
            (path.file_name().starts_with(b"libgcc_s.so.") && libc.contains(&directory))
                || (directory.file_name() == b"gconv" && directory.parent().is_some_and(|above| libc.contains(&above)))
        })
    };
    let found: BTreeSet<RootedPath> = paths().filter(beside).collect();
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_beside_the_c_library_are_its_own() {
        let line = |path: &str| format!("0-1 r-xp 0 fe:00 9 {path}\n");
        let text: String = [
            "/lib/x/libc.so.6",
            "/lib/x/libgcc_s.so.1",
            "/lib/x/gconv/UTF-16.so",
            "/tmp/libgcc_s.so.1",
            "/tmp/gconv/UTF-16.so",
            "/lib/x/gconv/GONE.so (deleted)",
        ]
        .map(line)
        .concat();
        let found: Vec<String> =
            loaded(&maps::parse(text.as_bytes()).unwrap()).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["/lib/x/gconv/UTF-16.so", "/lib/x/libgcc_s.so.1"]);
    }
}
