//! Which files a program's process consists of: its loader, the closure of what it needs, what ld.so.preload adds, and the
//! closures of PAM and NSS modules, each resolved as this root's own loader would.
//!
//! Pure: it looks at what is known of files, and wishes for more where that does not suffice. `LD_LIBRARY_PATH` and
//! `LD_PRELOAD` belong to processes, not to files; `checks::live` compares what is really mapped.

use std::collections::{BTreeMap, BTreeSet};

use super::loader::{Family, Known, Loader, text};
use super::search::{Asker, Resolution, search};
use crate::facts::{FileFacts, FileTable, Look, ObservationGap, Role, RootFacts, Want, preload};
use crate::formats::elf::ElfRecord;
use crate::model::text::unescape;
use crate::model::{Check, Gap, RootedPath, Subject};

/// Objects in one process at most; the largest real ones have some hundred.
const OBJECT_LIMIT: usize = 4096;

/// What has to be looked at next, so that the closure of every code file is known. Empty of news when all is.
#[must_use]
pub fn wants(root: &RootFacts) -> Vec<Want> {
    Walk::over(root).wants.into_iter().collect()
}

/// What is needed and cannot be found, or not be told, once nothing new is wanted.
#[must_use]
pub fn gaps(root: &RootFacts) -> Vec<ObservationGap> {
    let gaps = Walk::over(root).gaps;
    gaps.into_iter().map(|gap| ObservationGap { check: Check::Provenance, gap }).collect()
}

/// The files that the process of each program consists of, by the program's canonical path: its loader, preloaded and
/// needed libraries, canonical, without the program itself and without modules.
#[must_use]
pub fn closures(root: &RootFacts) -> BTreeMap<RootedPath, BTreeSet<RootedPath>> {
    Walk::over(root).closures
}

/// What the loader of one program would open.
#[derive(Debug)]
pub struct Resolver<'a> {
    files: &'a FileTable,
    loader: Loader<'a>,
    record: &'a ElfRecord,
    origin: RootedPath,
}

impl<'a> Resolver<'a> {
    /// The resolver of `object`, a program.
    ///
    /// # Errors
    /// Why it cannot be told, or not yet, what the program's loader would open.
    pub fn of(root: &'a RootFacts, object: &'a RootedPath) -> Result<Self, Resolution> {
        let files = &root.files;
        let Some((path, record)) = program(files, object) else {
            let want = Want { path: object.clone(), role: Role::Probe, look: Look::Binary };
            return Err(Resolution::Pending(vec![want]));
        };
        let Some(interpreter) = interpreter(record) else {
            return Err(Resolution::Unknown(format!("`{path}` has no dynamic loader")));
        };
        let mut wants = BTreeSet::new();
        let Some(loader) = Loader::find(files, &interpreter, record, &mut wants) else {
            return Err(Resolution::Pending(wants.into_iter().collect()));
        };
        Ok(Self { files, loader, record, origin: path.parent().unwrap_or_else(RootedPath::root) })
    }

    /// What it would open for `soname`.
    #[must_use]
    pub fn resolve(&self, soname: &[u8]) -> Resolution {
        search(self.files, &self.loader, &[Asker { record: self.record, origin: &self.origin }], soname)
    }
}

/// What the loader of `object`, a program, would open for `soname`.
#[must_use]
pub fn resolve(root: &RootFacts, object: &RootedPath, soname: &[u8]) -> Resolution {
    Resolver::of(root, object).map_or_else(|answer| answer, |resolver| resolver.resolve(soname))
}

/// The canonical path and record of `object`, if it was read and is ELF.
fn program<'a>(files: &'a FileTable, object: &'a RootedPath) -> Option<(&'a RootedPath, &'a ElfRecord)> {
    Some((files.canonical(object)?, files.get(object)?.elf.as_deref()?))
}

fn interpreter(record: &ElfRecord) -> Option<RootedPath> {
    record.interpreter.as_ref().and_then(|path| RootedPath::new(unescape(path)?))
}

/// One object in a process.
#[derive(Clone, Debug)]
struct Object<'a> {
    record: &'a ElfRecord,
    /// Canonical.
    path: &'a RootedPath,
    /// The directory it was found in, as the loader spells it.
    origin: RootedPath,
    /// The object that asked for it.
    asked_by: Option<usize>,
}

/// Objects loaded so far, and the names by which the loader knows them.
#[derive(Clone, Debug, Default)]
struct Process<'a> {
    objects: Vec<Object<'a>>,
    names: BTreeSet<Vec<u8>>,
}

/// One pass over all programs and modules.
struct Walk<'a> {
    root: &'a RootFacts,
    wants: BTreeSet<Want>,
    gaps: BTreeSet<Gap>,
    closures: BTreeMap<RootedPath, BTreeSet<RootedPath>>,
    /// Files reached from a program.
    reached: BTreeSet<&'a RootedPath>,
}

impl<'a> Walk<'a> {
    fn over(root: &'a RootFacts) -> Self {
        let mut walk = Self {
            root,
            wants: BTreeSet::new(),
            gaps: BTreeSet::new(),
            closures: BTreeMap::new(),
            reached: BTreeSet::new(),
        };
        let code = || root.files.files.iter().filter_map(|(path, file)| Some((path, file, file.elf.as_deref()?)));
        let is = |file: &FileFacts, roles: &[Role]| roles.iter().any(|role| file.roles.contains(role));
        let mut servers = Vec::new();
        for (path, file, record) in code() {
            if !is(file, &[Role::Server, Role::Client, Role::Helper]) {
                continue;
            }
            walk.reached.insert(path);
            let Some(interpreter) = interpreter(record) else {
                if record.interpreter.is_some() || !record.needed.is_empty() {
                    let reason = "it needs libraries, and names no loader by an absolute path that could find them";
                    walk.gaps.insert(Gap::mandatory(Subject::file(path), reason));
                }
                continue;
            };
            let Some(loader) = Loader::find(&root.files, &interpreter, record, &mut walk.wants) else { continue };
            let process = walk.program(&loader, path, record);
            if is(file, &[Role::Server]) {
                servers.push((loader, process));
            }
        }
        for (path, file, record) in code() {
            if !is(file, &[Role::PamModule, Role::NssModule]) {
                continue;
            }
            walk.reached.insert(path);
            for (loader, process) in servers.iter().filter(|(loader, _)| loader.takes(record)) {
                walk.module(loader, process.clone(), path, record);
            }
        }
        walk.strays(servers.first().map(|(loader, _)| loader));
        walk
    }

    /// Code that no program here reaches (a module without a server, a library wanted for itself): its own needs.
    fn strays(&mut self, loader: Option<&Loader>) {
        let Some(loader) = loader else { return };
        for (path, file) in &self.root.files.files {
            let Some(record) = file.elf.as_deref() else { continue };
            let is_code = file.roles.iter().any(|role| role.is_code()) && !file.roles.contains(&Role::Loader);
            if is_code && !self.reached.contains(path) && loader.takes(record) {
                self.reached.insert(path);
                self.module(loader, Process::default(), path, record);
            }
        }
    }

    fn program(&mut self, loader: &Loader, path: &'a RootedPath, record: &'a ElfRecord) -> Process<'a> {
        for problem in &loader.problems {
            self.gaps.insert(Gap::mandatory(Subject::file(&loader.path), problem.clone()));
        }
        let mut process = Process::default();
        process.add_names(None, record);
        process.names.insert(loader.path.as_bytes().to_vec());
        process.names.insert(loader.path.file_name().to_vec());
        process.names.extend(loader.soname.clone());
        let origin = path.parent().unwrap_or_else(RootedPath::root);
        process.objects.push(Object { record, path, origin, asked_by: None });
        for name in self.preloads(loader) {
            self.load(loader, &mut process, 0, &name, Need::Optional);
        }
        self.load_needed(loader, &mut process, 0);
        let mut closure: BTreeSet<RootedPath> = process.objects.iter().skip(1).map(|o| o.path.clone()).collect();
        closure.extend(self.root.files.canonical(&loader.path).cloned());
        self.closures.insert(path.clone(), closure);
        process
    }

    /// A module loaded by dlopen(3) into a process that holds `process` already.
    fn module(&mut self, loader: &Loader, mut process: Process<'a>, path: &'a RootedPath, record: &'a ElfRecord) {
        let index = process.objects.len();
        process.add_names(Some(path.file_name()), record);
        let origin = path.parent().unwrap_or_else(RootedPath::root);
        process.objects.push(Object { record, path, origin, asked_by: (index > 0).then_some(0) });
        self.load_needed(loader, &mut process, index);
    }

    /// What the objects from `first` on need, breadth first (glibc, elf/dl-deps.c).
    fn load_needed(&mut self, loader: &Loader, process: &mut Process<'a>, first: usize) {
        let mut index = first;
        while let Some(record) = process.objects.get(index).map(|object| object.record) {
            for (names, need) in [(&record.also_loads, Need::Optional), (&record.needed, Need::Required)] {
                for name in names.iter().filter_map(|name| unescape(name)) {
                    self.load(loader, process, index, &name, need);
                }
            }
            index += 1;
        }
    }

    fn load(&mut self, loader: &Loader, process: &mut Process<'a>, asked_by: usize, name: &[u8], need: Need) {
        if process.names.contains(name) || loader.is_itself(name) || process.objects.len() >= OBJECT_LIMIT {
            return;
        }
        let files = &self.root.files;
        let chain = process.chain(asked_by);
        let askers: Vec<Asker<'_>> =
            chain.iter().map(|object| Asker { record: object.record, origin: &object.origin }).collect();
        let Some(subject) = chain.first().map(|object| Subject::file(object.path)) else { return };
        let shown = crate::model::text::escape(name);
        let gap = |reason: &str| Gap::mandatory(subject.clone(), format!("needs `{shown}`, and {reason}"));
        match search(files, loader, &askers, name) {
            Resolution::Pending(wants) => self.wants.extend(wants),
            Resolution::Missing(reason) | Resolution::Unknown(reason) => {
                if need == Need::Required {
                    self.gaps.insert(gap(&reason));
                }
            }
            Resolution::Found { paths, doubt } => {
                self.gaps.extend(doubt.map(|reason| gap(&reason)));
                process.names.insert(name.to_vec());
                for path in paths {
                    self.wants.insert(Want { path: path.clone(), role: Role::Library, look: Look::Binary });
                    self.add(process, &path, asked_by);
                }
            }
        }
    }

    fn add(&mut self, process: &mut Process<'a>, path: &RootedPath, asked_by: usize) {
        let files = &self.root.files;
        let Some(file) = files.get(path) else { return };
        let Some((canonical, _)) = files.canonical(path).and_then(|path| files.files.get_key_value(path)) else {
            return;
        };
        self.reached.insert(canonical);
        if let Some(record) = file.elf.as_deref() {
            process.add_names(None, record);
            let origin = path.parent().unwrap_or_else(RootedPath::root);
            process.objects.push(Object { record, path: canonical, origin, asked_by: Some(asked_by) });
        }
    }

    /// The libraries that `/etc/ld.so.preload` adds to every process (ld.so(8); glibc, elf/rtld.c, `do_preload`): names
    /// separated by blanks or colons, with comments. musl has no such file.
    fn preloads(&mut self, loader: &Loader) -> Vec<Vec<u8>> {
        let Some(path) = RootedPath::new("/etc/ld.so.preload").filter(|_| loader.family == Family::Glibc) else {
            return Vec::new();
        };
        match text(&self.root.files, &path, Role::LoaderConfig) {
            Known::Pending(want) => {
                self.wants.insert(want);
                Vec::new()
            }
            Known::Absent => Vec::new(),
            Known::Lost(reason) => {
                self.gaps.insert(Gap::mandatory(Subject::file(&path), reason));
                Vec::new()
            }
            Known::Here(list) => preload::names(list),
        }
    }
}

/// Whether a program starts without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Required,
    /// ld.so goes on: preloaded libraries, filters, auditors.
    Optional,
}

impl<'a> Process<'a> {
    fn add_names(&mut self, name: Option<&[u8]>, record: &ElfRecord) {
        self.names.extend(name.map(<[u8]>::to_vec));
        self.names.extend(record.soname.as_ref().and_then(|name| unescape(name)));
    }

    /// The object at `index`, the one that asked for it, and so on to the program.
    fn chain(&self, index: usize) -> Vec<&Object<'a>> {
        let mut chain = Vec::new();
        let mut next = Some(index);
        while let Some(object) = next.and_then(|index| self.objects.get(index)) {
            chain.push(object);
            // Only an object loaded earlier can have asked, so this ends.
            next = object.asked_by;
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::facts::FileState;
    use crate::model::{FileKind, Meta};

    /// A root with one program that needs `libx.so.1`, the loader's files looked at and absent.
    fn root(interpreter: Option<&str>) -> RootFacts {
        let (mode, uid, gid, size, nlink) = (0o755, 0, 0, 0, 1);
        let kind = FileKind::Regular;
        let meta = Meta { kind, mode, uid, gid, size, nlink, mtime: 0, ctime: 0, dev: 0, ino: 0 };
        let mut program = FileFacts::new(FileState::Present(meta));
        program.roles.insert(Role::Server);
        program.looks.insert(Look::Binary);
        program.elf = Some(Box::new(ElfRecord {
            machine: 62,
            bits: 64,
            interpreter: interpreter.map(str::to_owned),
            needed: vec!["libx.so.1".into()],
            ..ElfRecord::default()
        }));
        let mut root = RootFacts::default();
        root.files.files.insert(RootedPath::new("/sbin/sshd").unwrap(), program);
        for _ in 0..16 {
            for want in wants(&root) {
                root.files.files.entry(want.path).or_insert_with(|| FileFacts::new(FileState::Missing));
            }
        }
        root
    }

    #[test]
    fn what_cannot_be_resolved_is_a_gap() {
        let check = |interpreter, expected: &[&str]| {
            let reasons: Vec<String> = gaps(&root(interpreter)).into_iter().map(|gap| gap.gap.reason).collect();
            assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
            for (reason, start) in reasons.iter().zip(expected) {
                assert!(reason.starts_with(start), "{reason}");
            }
        };
        check(None, &["it needs libraries"]);
        check(Some("ld.so"), &["it needs libraries"]);
        check(Some("/lib64/ld-linux-x86-64.so.2"), &["this loader does not exist", "needs `libx.so.1`"]);
        check(Some("/lib/ld-musl-x86_64.so.1"), &["this loader does not exist", "needs `libx.so.1`"]);
    }
}
