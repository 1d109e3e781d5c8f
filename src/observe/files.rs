//! Looks at wanted paths: resolves each inside the root, reads its content at most once, and records what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Instant;

use super::parse::{self, Keep};
use crate::facts::{FileFacts, FileState, FileTable, Look, Role, Want};
use crate::formats::elf::binding::Tables;
use crate::host::root::{PathProblem, Root};
use crate::host::snapshot::Snapshot;
use crate::knowledge::Knowledge;
use crate::model::{Algorithm, Digest, FileKind, Meta, RootedPath, text};

/// Largest program whose content is read, in bytes, unless [`Looker::read_up_to`] says otherwise. OpenSSH's largest library,
/// libcrypto, has 5 MB.
const MAX_BINARY: u64 = 256 << 20;
/// Largest configuration file that is kept as text, in bytes.
const MAX_TEXT: u64 = 16 << 20;
/// Names taken from one directory.
const MAX_ENTRIES: usize = 65_536;

/// Content that is held at once, so that its MD5 can be taken side by side, in bytes; a file may be larger. Small heaps have
/// the largest library waited for alone: MD5 of a Debian 12 surface takes 33 ms in heaps of 6 MiB, 25 in heaps of 10.
const HELD: usize = 10 << 20;

/// Looks at paths beneath one root and remembers what it resolved.
pub struct Looker<'a> {
    root: &'a Root,
    knowledge: &'a Knowledge,
    deadline: Option<Instant>,
    /// Largest program that is read, in bytes.
    largest: u64,
    bytes_read: u64,
    held: Vec<Held>,
    mapped: BTreeSet<u64>,
    tables: Vec<(Meta, Rc<Tables>)>,
}

/// Content that was read and not yet looked at.
struct Held {
    /// Canonical.
    path: RootedPath,
    look: Look,
    snapshot: Snapshot,
}

/// The deadline passed before every wanted path was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeUp {
    /// How many were not.
    pub left: usize,
}

impl<'a> Looker<'a> {
    /// A looker that has seen nothing yet.
    #[must_use]
    pub const fn new(root: &'a Root, knowledge: &'a Knowledge, deadline: Option<Instant>) -> Self {
        let largest = MAX_BINARY;
        Self {
            root,
            knowledge,
            deadline,
            largest,
            bytes_read: 0,
            held: Vec::new(),
            mapped: BTreeSet::new(),
            tables: Vec::new(),
        }
    }

    /// From now on reads programs of at most so many bytes. Each is held in memory whole.
    pub const fn read_up_to(&mut self, largest: u64) {
        self.largest = largest;
    }

    /// From now on keeps the dynamic loader's tables of files with these inode numbers, since processes map them.
    pub fn keep_tables_of(&mut self, inodes: BTreeSet<u64>) {
        self.mapped = inodes;
    }

    /// The tables kept so far, each with the inode that it was read from.
    pub fn take_tables(&mut self) -> Vec<(Meta, Rc<Tables>)> {
        std::mem::take(&mut self.tables)
    }

    /// Content bytes read so far.
    #[must_use]
    pub const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Fulfils `wants`, recording in `table`; `seen` is called after each path. Returns whether anything new was learned,
    /// so that a caller who asks again after `false` knows that nobody will ever want more.
    ///
    /// # Errors
    /// When the deadline passes.
    pub fn fulfil(
        &mut self,
        wants: Vec<Want>,
        table: &mut FileTable,
        seen: &mut dyn FnMut(&RootedPath),
    ) -> Result<bool, TimeUp> {
        let mut by_path: BTreeMap<RootedPath, (BTreeSet<Role>, BTreeSet<Look>)> = BTreeMap::new();
        for want in wants {
            let known = table.get(&want.path);
            if known.is_some_and(|file| file.roles.contains(&want.role) && file.looks.contains(&want.look)) {
                continue;
            }
            let (roles, looks) = by_path.entry(want.path).or_default();
            roles.insert(want.role);
            looks.insert(want.look);
        }
        let wanted = by_path.len();
        for (done, (path, (roles, looks))) in by_path.into_iter().enumerate() {
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.look_at_held(table);
                return Err(TimeUp { left: wanted.saturating_sub(done) });
            }
            self.look(&path, &roles, &looks, table);
            if self.held.iter().map(|held| held.snapshot.bytes().len()).sum::<usize>() >= HELD {
                self.look_at_held(table);
            }
            seen(&path);
        }
        self.look_at_held(table);
        Ok(wanted > 0)
    }

    /// Takes further digests of files that were read already: packages may record one by a function that is not among
    /// those always taken. The file is read again, and the digest counts only if the content is still the same; where it
    /// is not, the file stays without it.
    pub fn digest_further(&mut self, wanted: &BTreeMap<RootedPath, BTreeSet<Algorithm>>, table: &mut FileTable) {
        for (path, algorithms) in wanted {
            let Some(file) = table.files.get_mut(path) else { continue };
            let Some(known) = file.digest(Algorithm::Sha256).copied() else { continue };
            let missing: Vec<Algorithm> = algorithms.iter().copied().filter(|a| file.digest(*a).is_none()).collect();
            if missing.is_empty() {
                continue;
            }
            let Ok(snapshot) = Snapshot::read(self.root, path, MAX_BINARY) else { continue };
            self.bytes_read += snapshot.meta().size;
            if Digest::of(Algorithm::Sha256, snapshot.bytes()) == known {
                file.digests.extend(missing.iter().map(|algorithm| Digest::of(*algorithm, snapshot.bytes())));
            }
        }
    }

    fn look(&mut self, path: &RootedPath, roles: &BTreeSet<Role>, looks: &BTreeSet<Look>, table: &mut FileTable) {
        // What cannot be resolved is recorded under the path as asked.
        let (real, found) = match self.root.find(path) {
            Ok((real, meta)) => (real, Ok(meta)),
            Err(problem) => (path.clone(), Err(problem)),
        };
        if real != *path {
            table.links.insert(path.clone(), real.clone());
        }
        let file = table.files.entry(real.clone()).or_insert_with(|| {
            FileFacts::new(match found {
                Ok(meta) => FileState::Present(meta),
                Err(problem) => self.unresolved(&real, &problem),
            })
        });
        file.roles.extend(roles);
        if let Some(kind) = file.meta().map(|meta| meta.kind) {
            for look in looks.difference(&file.looks.clone()) {
                if let Some(snapshot) = see(self.root, &real, kind, *look, self.largest, file) {
                    self.bytes_read += u64::try_from(snapshot.bytes().len()).unwrap_or(u64::MAX);
                    self.held.push(Held { path: real.clone(), look: *look, snapshot });
                }
            }
        }
        file.looks.extend(looks);
    }

    fn look_at_held(&mut self, table: &mut FileTable) {
        let held = std::mem::take(&mut self.held);
        let contents: Vec<&[u8]> = held.iter().map(|held| held.snapshot.bytes()).collect();
        let md5s = Digest::md5_of_each(&contents);
        for (held, md5) in held.iter().zip(md5s) {
            if let Some(file) = table.files.get_mut(&held.path) {
                let mapped = self.mapped.contains(&held.snapshot.meta().ino);
                let tables = record(held, md5, self.knowledge, mapped, file);
                self.tables.extend(tables.map(|tables| (held.snapshot.meta().clone(), Rc::from(tables))));
            }
        }
    }

    /// A symbolic link that dangles or loops is there, though what it names is not.
    fn unresolved(&self, path: &RootedPath, problem: &PathProblem) -> FileState {
        match (self.root.lstat(path), problem) {
            (Ok(meta), PathProblem::Loop) if meta.kind == FileKind::Symlink => FileState::Unknown(problem.to_string()),
            (_, PathProblem::Missing) => FileState::Missing,
            _ => FileState::Unknown(problem.to_string()),
        }
    }
}

/// Looks at what stands at the canonical `path`; its content, if that is wanted and can be read.
fn see(
    root: &Root,
    path: &RootedPath,
    kind: FileKind,
    look: Look,
    largest: u64,
    file: &mut FileFacts,
) -> Option<Snapshot> {
    let limit = match look {
        Look::Inode => return None,
        Look::Entries => {
            if kind == FileKind::Directory {
                match root.list(path, MAX_ENTRIES) {
                    Ok((names, more)) => {
                        file.entries = Some(names.iter().map(|name| text::escape(name)).collect());
                        if more {
                            file.problem =
                                Some(format!("has more than {MAX_ENTRIES} entries, the rest was not looked at"));
                        }
                    }
                    Err(problem) => file.problem = Some(problem.to_string()),
                }
            }
            return None;
        }
        Look::Text | Look::Redacted | Look::PublicKeys => MAX_TEXT,
        Look::Binary => largest,
    };
    match Snapshot::read(root, path, limit) {
        Ok(snapshot) => Some(snapshot),
        Err(problem) => {
            file.problem = Some(problem.to_string());
            None
        }
    }
}

/// Records what the content says. SHA-256 is the evidence, MD5 is what dpkg records, SHA-1 what indicators were published
/// as. Of a file that processes map it hands out what the dynamic loader works with.
fn record(held: &Held, md5: Digest, knowledge: &Knowledge, mapped: bool, file: &mut FileFacts) -> Option<Box<Tables>> {
    let bytes = held.snapshot.bytes();
    // The inode that was read, should somebody have replaced the file since it was first looked at.
    file.state = FileState::Present(held.snapshot.meta().clone());
    file.digests = vec![Digest::of(Algorithm::Sha256, bytes), md5, Digest::of(Algorithm::Sha1, bytes)];
    if held.look == Look::Text {
        file.text = Some(bytes.into());
    } else if held.look == Look::Redacted {
        file.text = Some(parse::redacted(&held.path, bytes).into());
    } else if held.look == Look::PublicKeys {
        file.keys = Some(parse::public_keys(bytes).into());
    } else {
        let parsed = parse::binary(bytes, knowledge, if mapped { Keep::Tables } else { Keep::Record });
        file.elf = parsed.elf;
        file.hits = parsed.hits;
        file.problem = parsed.problem;
        return parsed.tables;
    }
    None
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test makes the tree it looks at")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> RootedPath {
        RootedPath::new(text).unwrap()
    }

    #[test]
    fn a_program_is_read_as_long_as_it_is_no_larger_than_asked() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("program"), b"#!/x").unwrap();
        let root = Root::open(dir.path(), false).unwrap();
        let knowledge = Knowledge::new("2026-01-01", Vec::new());
        let check = |largest, read: bool| {
            let mut looker = Looker::new(&root, &knowledge, None);
            looker.read_up_to(largest);
            let mut table = FileTable::default();
            looker.fulfil(vec![want("/program", Look::Binary)], &mut table, &mut |_| {}).unwrap();
            let file = &table.files[&path("/program")];
            assert_eq!((file.hits.is_some(), file.problem.is_none()), (read, read), "{file:?}");
        };
        check(4, true);
        check(3, false);
    }

    fn want(text: &str, look: Look) -> Want {
        Want { path: path(text), role: Role::Probe, look }
    }

    fn look(dir: &std::path::Path, wants: &[Want]) -> FileTable {
        let root = Root::open(dir, false).unwrap();
        let knowledge = Knowledge::new("2026-01-01", Vec::new());
        let mut looker = Looker::new(&root, &knowledge, None);
        let mut table = FileTable::default();
        assert!(looker.fulfil(wants.to_vec(), &mut table, &mut |_| {}).unwrap());
        assert!(!looker.fulfil(wants.to_vec(), &mut table, &mut |_| {}).unwrap(), "asked again, it looked again");
        table
    }

    #[test]
    fn a_file_is_found_through_links_and_stands_under_its_canonical_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/lib")).unwrap();
        std::fs::write(dir.path().join("usr/lib/a"), "abc").unwrap();
        symlink("usr/lib", dir.path().join("lib")).unwrap();
        symlink("/lib/a", dir.path().join("usr/b")).unwrap();
        let table = look(dir.path(), &[want("/usr/b", Look::Binary), want("/lib/a", Look::Inode)]);
        assert_eq!(table.canonical(&path("/usr/b")), Some(&path("/usr/lib/a")));
        let file = table.get(&path("/lib/a")).unwrap();
        assert_eq!(file.digest(Algorithm::Sha256), Some(&Digest::of(Algorithm::Sha256, b"abc")));
        assert_eq!(table.files.len(), 1);
    }

    #[test]
    fn paths_of_any_depth_are_resolved() {
        let dir = tempfile::tempdir().unwrap();
        let deep = "/d".repeat(70);
        std::fs::create_dir_all(dir.path().join(&deep[1..])).unwrap();
        std::fs::write(dir.path().join(&deep[1..]).join("f"), "abc").unwrap();
        symlink(&deep, dir.path().join("link")).unwrap();
        let (file, hostile) = (format!("{deep}/f"), "/a".repeat(2000));
        let wants = [&file, "/link/f", &hostile, &"/a".repeat(100_000)].map(|at| want(at, Look::Binary));
        let table = look(dir.path(), &wants);
        assert_eq!(table.canonical(&path("/link/f")), Some(&path(&file)));
        assert!(table.get(&path(&file)).unwrap().digest(Algorithm::Sha256).is_some());
        assert_eq!(table.get(&path(&hostile)).unwrap().state, FileState::Missing);
    }

    #[test]
    fn what_is_no_file_is_said_and_nothing_outside_the_root_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&dir.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        symlink("../../../../../../etc/passwd", dir.path().join("up")).unwrap();
        symlink("/proc/self/root/etc/passwd", dir.path().join("magic")).unwrap();
        let sparse = std::fs::File::create(dir.path().join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        let wants: Vec<Want> =
            ["/fifo", "/loop", "/up", "/magic", "/sparse", "/none"].iter().map(|at| want(at, Look::Binary)).collect();
        let table = look(dir.path(), &wants);
        let problem = |at: &str| table.get(&path(at)).unwrap().problem.clone().unwrap_or_default();
        assert_eq!(problem("/fifo"), "is a FIFO, a regular file was expected");
        assert!(problem("/sparse").contains("more than the limit"));
        assert!(matches!(table.get(&path("/loop")).unwrap().state, FileState::Unknown(_)));
        for at in ["/up", "/magic", "/none"] {
            assert_eq!(table.get(&path(at)).unwrap().state, FileState::Missing, "{at}");
        }
    }

    #[test]
    fn a_deadline_says_how_much_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path(), false).unwrap();
        let knowledge = Knowledge::new("2026-01-01", Vec::new());
        let mut looker = Looker::new(&root, &knowledge, Some(Instant::now()));
        let wants = vec![want("/a", Look::Inode), want("/b", Look::Inode)];
        assert_eq!(looker.fulfil(wants, &mut FileTable::default(), &mut |_| {}), Err(TimeUp { left: 2 }));
    }
}
