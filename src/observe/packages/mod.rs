//! Which packages own the files looked at, and what their databases record of them.
//!
//! One file per package system. Reads only what the question needs: no index is kept, nothing is written.

mod aliases;
mod alternatives;
mod archive;
mod dpkg;
mod elsewhere;
mod keys;
mod managed;
mod manifest;
mod out;
mod rpm;
mod status_d;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::facts::history::KeptVersion;
use crate::facts::{FileFacts, FileTable, KeptArchive, Look, ObservationGap, PackageFacts, Role};
use crate::host::root::Root;
use crate::model::manifest::Manifest;
use crate::model::{FileKind, RootedPath, Subject, Timestamp};

use aliases::Aliases;
use out::Out;

/// What package databases said.
#[derive(Debug)]
pub struct Answer {
    /// The records.
    pub facts: PackageFacts,
    /// What of them could not be read.
    pub gaps: Vec<ObservationGap>,
    /// Signed metadata of the packages that own code of the surface, if it is to be remembered.
    pub evidence: Vec<Vec<u8>>,
    /// The files of archives that the records rest on, if they are to be remembered.
    pub archive: KeptArchive,
}

/// What is at hand beside the root.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aids<'a> {
    /// Key files of the operator's, by name, beside those that the root holds.
    pub keyrings: &'a [(String, Vec<u8>)],
    /// Directories with packages and the signed lists that name them.
    pub archives: &'a [PathBuf],
    /// Whether what apt keeps on the root itself is passed over.
    pub without_own_archive: bool,
    /// Manifests of the site, each with where it was read from.
    pub manifests: &'a [(String, Manifest)],
    /// Where earlier scans left signed metadata, if what is found is to be remembered.
    pub state: Option<&'a Path>,
}

/// The records of every file in `files` (its canonical paths), from every package database beneath `root`.
#[must_use]
pub fn observe(root: &Root, files: &FileTable, aids: Aids<'_>) -> Answer {
    let mut out = Out::default();
    let asked = Asked::new(root, files, aids, &mut out);
    for path in asked.paths() {
        out.facts.records.entry(path.clone()).or_default();
    }
    let readers = [
        dpkg::observe,
        status_d::observe,
        archive::observe,
        rpm::observe,
        manifest::observe,
        managed::observe,
        alternatives::observe,
        elsewhere::observe,
    ];
    for read in readers {
        // A parser's panic costs what that reader would have said, never the scan.
        if catch_unwind(AssertUnwindSafe(|| read(&asked, &mut out))).is_err() {
            let reason = "the content of a package database makes our reader fail: treat it as hostile".to_owned();
            out.gap(Subject::Host, reason);
        }
    }
    Answer { facts: out.facts, gaps: out.gaps, evidence: out.evidence, archive: out.archive }
}

/// A piece of signed metadata that was kept.
pub struct Kept {
    /// Since when.
    pub since: Timestamp,
    /// Whether exactly this is in the database now.
    pub is_installed: bool,
    /// As it was in the database then.
    pub metadata: Vec<u8>,
}

/// Of the signed metadata that was `kept` what speaks of `paths`; and how much of it was damaged.
#[must_use]
pub fn earlier(
    root: &Root,
    files: &FileTable,
    keyrings: &[(String, Vec<u8>)],
    kept: impl Iterator<Item = Kept>,
    paths: &BTreeSet<RootedPath>,
) -> (Vec<KeptVersion>, usize) {
    // What cannot be read here was told of when the databases were asked.
    let mut out = Out::default();
    let asked = Asked::new(root, files, Aids { keyrings, ..Aids::default() }, &mut out);
    rpm::versions(&asked, kept, paths, &mut out)
}

/// The question: which files, beneath which root.
struct Asked<'a> {
    root: &'a Root,
    files: &'a FileTable,
    aids: Aids<'a>,
    aliases: Aliases,
    /// Files that are not there keep the path they were asked by, `/lib/…` perhaps: by their normal path.
    by_normal: BTreeMap<RootedPath, &'a RootedPath>,
}

impl<'a> Asked<'a> {
    fn new(root: &'a Root, files: &'a FileTable, aids: Aids<'a>, out: &mut Out) -> Self {
        let aliases = Aliases::observe(root, out);
        let normal = files.files.keys().map(|path| (aliases.normalise(path), path));
        let by_normal = normal.filter(|(normal, path)| normal != *path).collect();
        Self { root, files, aids, aliases, by_normal }
    }

    /// Whether signed metadata is wanted as it is.
    const fn remembers(&self) -> bool {
        self.aids.state.is_some()
    }

    /// The path under which the file with this normal path was looked at.
    fn file(&self, normal: &RootedPath) -> Option<&'a RootedPath> {
        let canonical = self.files.files.get_key_value(normal).map(|(path, _)| path);
        canonical.or_else(|| self.by_normal.get(normal).copied())
    }

    /// The paths whose owner is asked for. Of a directory nobody records a digest and every package lists some, so that
    /// it counts only where a file of the surface was expected or a rule looks at the directory itself.
    fn paths(&self) -> impl Iterator<Item = &'a RootedPath> + use<'a> {
        self.files.files.iter().filter(|(_, file)| is_asked(file)).map(|(path, _)| path)
    }

    /// The path under which the file with this normal path was looked at, if its owner is asked for.
    fn path(&self, normal: &RootedPath) -> Option<&'a RootedPath> {
        self.file(normal).filter(|path| self.files.files.get(*path).is_some_and(is_asked))
    }

    /// The files of code that are there.
    fn code(&self) -> impl Iterator<Item = &'a RootedPath> + use<'a> {
        let present = self.files.files.iter().filter(|(_, file)| file.meta().is_some());
        present.filter(|(_, file)| file.roles.iter().any(|role| role.is_code())).map(|(path, _)| path)
    }

    /// Whether this is one of them.
    fn is_code(&self, path: &RootedPath) -> bool {
        self.files.files.get(path).is_some_and(|file| file.roles.iter().any(|role| role.is_code()))
    }

    /// The files of code that have no record so far.
    fn orphans(&self, out: &Out) -> Vec<&'a RootedPath> {
        self.code().filter(|path| out.facts.records.get(*path).is_none_or(Vec::is_empty)).collect()
    }

    /// Whether there are any.
    fn has_orphans(&self, out: &Out) -> bool {
        !self.orphans(out).is_empty()
    }
}

fn is_asked(file: &FileFacts) -> bool {
    file.meta().is_none_or(|meta| meta.kind != FileKind::Directory)
        || file.roles.iter().any(|role| role.in_surface())
        || (file.roles.contains(&Role::Indicator) && file.looks.contains(&Look::Inode))
}
