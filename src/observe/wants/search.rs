//! One library name → the file that this root's loader would open for it.
//!
//! glibc (elf/dl-load.c, `_dl_map_object`): `DT_RPATH` of the object that asks and of those that loaded it, unless it
//! has `DT_RUNPATH`; `LD_LIBRARY_PATH`, which belongs to a process and is not known here; `DT_RUNPATH` of the object;
//! the cache; the default directories. musl (ldso/dynlink.c, `load_library`): `DT_RUNPATH`, or else `DT_RPATH`, of the
//! object and of those that loaded it; then its path list.
//!
//! Which variant for certain processors is taken depends on the machine. All that exist are answers.

use std::collections::BTreeSet;

use super::loader::{Family, Known, Loader, entries, is_directory, physical};
use crate::facts::{FileState, FileTable, Look, Role, Want};
use crate::formats::elf::ElfRecord;
use crate::model::text::{escape, unescape};
use crate::model::{FileKind, RootedPath};

/// What the loader would open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It would open one of these.
    Found {
        /// By the names the loader uses: variants for certain processors first, the one for all last.
        paths: Vec<RootedPath>,
        /// Why another file may come before them, if one may.
        doubt: Option<String>,
    },
    /// These paths have to be looked at first.
    Pending(Vec<Want>),
    /// None; where it was searched, for a reader.
    Missing(String),
    /// It cannot be told, and why.
    Unknown(String),
}

/// An object that asks for libraries: its record, and the directory that `$ORIGIN` stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) record: &'a ElfRecord,
    pub(super) origin: &'a RootedPath,
}

/// Searches `name` for the first of `chain`, which was loaded by the second, and so on to the program.
pub(super) fn search(files: &FileTable, loader: &Loader, chain: &[Asker<'_>], name: &[u8]) -> Resolution {
    let mut search = Search { files, loader, name, found: Vec::new(), wants: BTreeSet::new(), lost: Vec::new() };
    let Some(asker) = chain.first() else { return Resolution::Unknown("nobody asks for it".into()) };
    if name.contains(&b'/') {
        search.by_path(asker);
        return search.answer("there");
    }
    match loader.family {
        Family::Glibc => search.glibc(asker, chain),
        Family::Musl => search.musl(chain),
    };
    search.answer("its search path, the loader's cache and the default directories")
}

/// Whether to look further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Next,
    Stop,
}

struct Search<'a> {
    files: &'a FileTable,
    loader: &'a Loader<'a>,
    name: &'a [u8],
    found: Vec<RootedPath>,
    wants: BTreeSet<Want>,
    lost: Vec<String>,
}

impl Search<'_> {
    fn answer(self, searched: &str) -> Resolution {
        if !self.wants.is_empty() {
            Resolution::Pending(self.wants.into_iter().collect())
        } else if !self.found.is_empty() {
            Resolution::Found { paths: self.found, doubt: self.lost.into_iter().next() }
        } else if let Some(reason) = self.lost.into_iter().next() {
            Resolution::Unknown(reason)
        } else {
            Resolution::Missing(format!("it is not in {searched}"))
        }
    }

    fn glibc(&mut self, asker: &Asker<'_>, chain: &[Asker<'_>]) -> Step {
        if asker.record.runpath.is_none() {
            for object in chain.iter().filter(|object| object.record.runpath.is_none()) {
                if self.list(object, object.record.rpath.as_deref()) == Step::Stop {
                    return Step::Stop;
                }
            }
        }
        if self.list(asker, asker.record.runpath.as_deref()) == Step::Stop {
            return Step::Stop;
        }
        let no_defaults = asker.record.without_default_directories();
        for (path, for_all) in self.loader.cached(self.name) {
            // `-z nodeflib`: what the cache says of the default directories does not count either.
            let is_default = path.parent().is_some_and(|parent| self.loader.directories.contains(&parent));
            if !(no_defaults && is_default) && self.candidate(path) == Step::Stop && for_all {
                return Step::Stop;
            }
        }
        if no_defaults {
            return Step::Next;
        }
        for directory in &self.loader.directories {
            if self.directory(directory) == Step::Stop {
                return Step::Stop;
            }
        }
        Step::Next
    }

    fn musl(&mut self, chain: &[Asker<'_>]) -> Step {
        for object in chain {
            let list = object.record.runpath.as_deref().or(object.record.rpath.as_deref());
            if self.list(object, list) == Step::Stop {
                return Step::Stop;
            }
        }
        for directory in &self.loader.directories {
            let Some(path) = directory.join(self.name) else { continue };
            if self.candidate(path) == Step::Stop {
                return Step::Stop;
            }
        }
        Step::Next
    }

    /// A name with a slash is opened as it is (`$ORIGIN` expanded).
    fn by_path(&mut self, asker: &Asker<'_>) {
        for path in expand(self.name, asker.origin, self.loader) {
            if path.first() != Some(&b'/') {
                self.lost.push(format!("`{}` is relative to the directory a process starts in", escape(&path)));
                return;
            }
            match physical(self.files, &path) {
                Known::Here(path) => {
                    self.candidate(path);
                }
                Known::Pending(want) => {
                    self.wants.insert(want);
                }
                Known::Absent => {}
                Known::Lost(reason) => self.lost.push(reason),
            }
        }
    }

    /// A search path, `:` between its parts.
    fn list(&mut self, object: &Asker<'_>, list: Option<&str>) -> Step {
        // An empty list is none; an empty part of a list is the current directory.
        let Some(list) = list.and_then(unescape).filter(|list| !list.is_empty()) else { return Step::Next };
        for part in list.split(|byte| *byte == b':') {
            for path in expand(part, object.origin, self.loader) {
                if path.first() != Some(&b'/') {
                    self.lost.push(format!(
                        "a search path contains `{}`, relative to the directory a process starts in",
                        escape(&path)
                    ));
                    continue;
                }
                let step = match physical(self.files, &path) {
                    Known::Here(directory) => self.directory(&directory),
                    Known::Pending(want) => self.pending(want),
                    Known::Absent => Step::Next,
                    Known::Lost(reason) => {
                        self.lost.push(reason);
                        Step::Next
                    }
                };
                if step == Step::Stop {
                    return Step::Stop;
                }
            }
        }
        Step::Next
    }

    /// One directory of glibc's: its variants, then the file itself. A directory that is not there has neither.
    fn directory(&mut self, directory: &RootedPath) -> Step {
        match is_directory(self.files, directory) {
            Known::Here(()) => {}
            Known::Pending(want) => return self.pending(want),
            Known::Absent => return Step::Next,
            Known::Lost(reason) => {
                self.lost.push(reason);
                return Step::Next;
            }
        }
        if self.loader.family == Family::Glibc {
            self.hwcaps(directory);
            self.combinations(directory, self.loader.legacy_names());
        }
        match directory.join(self.name) {
            Some(path) => self.candidate(path),
            None => Step::Next,
        }
    }

    /// Files of our name in any subdirectory of `glibc-hwcaps` (glibc 2.33 and later). Newer loaders know names that older
    /// ones do not, so all that are there count.
    fn hwcaps(&mut self, directory: &RootedPath) {
        let Some(hwcaps) = directory.join("glibc-hwcaps") else { return };
        match entries(self.files, &hwcaps) {
            Known::Here(names) => {
                let paths: Vec<RootedPath> =
                    names.iter().filter_map(|name| hwcaps.join(name)?.join(self.name)).collect();
                for path in paths {
                    self.candidate(path);
                }
            }
            Known::Pending(want) => {
                self.wants.insert(want);
            }
            Known::Absent => {}
            Known::Lost(reason) => self.lost.push(reason),
        }
    }

    /// Files of our name in subdirectories called `names`, and in those of later names within those of earlier ones (glibc
    /// before 2.37).
    fn combinations(&mut self, directory: &RootedPath, names: &[&str]) {
        let mut rest = names;
        while let [name, later @ ..] = rest {
            rest = later;
            let Some(subdirectory) = directory.join(name) else { continue };
            match is_directory(self.files, &subdirectory) {
                Known::Here(()) => {}
                Known::Pending(want) => {
                    self.wants.insert(want);
                    continue;
                }
                Known::Absent => continue,
                Known::Lost(reason) => {
                    self.lost.push(reason);
                    continue;
                }
            }
            self.combinations(&subdirectory, later);
            if let Some(path) = subdirectory.join(self.name) {
                self.candidate(path);
            }
        }
    }

    /// One path: stop if the loader would open it, or if we have to look at it before we can tell.
    fn candidate(&mut self, path: RootedPath) -> Step {
        let pending = || Want { path: path.clone(), role: Role::Probe, look: Look::Binary };
        let Some(file) = self.files.get(&path) else { return self.pending(pending()) };
        match &file.state {
            FileState::Missing => return Step::Next,
            FileState::Unknown(reason) => {
                self.lost.push(format!("`{path}`: {reason}"));
                return Step::Next;
            }
            FileState::Present(meta) if meta.kind != FileKind::Regular => return Step::Next,
            FileState::Present(_) => {}
        }
        if !file.looks.contains(&Look::Binary) {
            return self.pending(pending());
        }
        // The loader passes over files of another class or machine; at anything that is no ELF file it stops.
        if file.elf.as_ref().is_some_and(|record| !self.loader.takes(record)) {
            return Step::Next;
        }
        if !self.found.contains(&path) {
            self.found.push(path);
        }
        Step::Stop
    }

    fn pending(&mut self, want: Want) -> Step {
        self.wants.insert(want);
        Step::Stop
    }
}

/// `text` with `$ORIGIN`, `$LIB` and `$PLATFORM` (ld.so(8), "Dynamic string tokens") expanded; several where a token has
/// several values, none where it has none here (glibc drops such a part).
fn expand(text: &[u8], origin: &RootedPath, loader: &Loader) -> Vec<Vec<u8>> {
    let mut results: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        let (plain, tail) = rest.split_at(at);
        results.iter_mut().for_each(|result| result.extend_from_slice(plain));
        let (token, after) = token(tail.get(1..).unwrap_or_default());
        let values: Vec<Vec<u8>> = match token {
            b"ORIGIN" => vec![origin.as_bytes().to_vec()],
            b"LIB" if loader.family == Family::Glibc => loader.lib.clone().into_iter().collect(),
            b"PLATFORM" if loader.family == Family::Glibc => {
                loader.platforms().iter().map(|name| name.as_bytes().to_vec()).collect()
            }
            _ => vec![b"$".to_vec()],
        };
        let is_token = matches!(token, b"ORIGIN" | b"LIB" | b"PLATFORM");
        rest = if is_token { after } else { tail.get(1..).unwrap_or_default() };
        results = results
            .iter()
            .flat_map(|result| values.iter().map(move |value| [result.as_slice(), value.as_slice()].concat()))
            // A path cannot have many tokens and mean it.
            .take(64)
            .collect();
    }
    results.iter_mut().for_each(|result| result.extend_from_slice(rest));
    results
}

/// The name after a `$`, with or without braces, and what follows it.
fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let (body, braces) = match text.strip_prefix(b"{") {
        Some(body) => (body, true),
        None => (text, false),
    };
    let end = body.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(body.len());
    let (name, after) = body.split_at(end);
    match (braces, after.strip_prefix(b"}")) {
        (false, _) => (name, after),
        (true, Some(after)) => (name, after),
        (true, None) => (b"", text),
    }
}
