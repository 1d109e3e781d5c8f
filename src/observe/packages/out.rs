//! Where the readers of package databases put what they find, and the one way in which they read.

use crate::facts::package::Reading;
use crate::facts::{KeptArchive, ObservationGap, PackageFacts};
use crate::formats::problem::Problems;
use crate::host::root::{PathProblem, Root};
use crate::host::snapshot::{ReadProblem, Snapshot};
use crate::model::{Check, Gap, RootedPath, Subject};

/// The answer so far.
#[derive(Default)]
pub(super) struct Out {
    pub(super) facts: PackageFacts,
    pub(super) gaps: Vec<ObservationGap>,
    /// Signed metadata of packages that own code, for the state directory to keep.
    pub(super) evidence: Vec<Vec<u8>>,
    /// Files of archives for the state directory to keep.
    pub(super) archive: KeptArchive,
}

/// The largest file of a database that is read, in bytes; dpkg's own largest, `status`, has some 5 MB on a machine with
/// everything installed.
const LIMIT: u64 = 64 << 20;

impl Out {
    /// The content of a database's file; `None` if it is not there, or, with a gap, if it cannot be read.
    pub(super) fn read(&mut self, root: &Root, path: &RootedPath) -> Option<Snapshot> {
        match Snapshot::read(root, path, LIMIT) {
            Ok(snapshot) => Some(snapshot),
            Err(ReadProblem::Path(PathProblem::Missing)) => None,
            Err(problem) => {
                self.gap(Subject::file(path), format!("the package database cannot be read here: {problem}"));
                None
            }
        }
    }

    /// The names in a database's directory; `None` if it is not there, or, with a gap, if it cannot be listed whole.
    pub(super) fn list(&mut self, root: &Root, path: &RootedPath) -> Option<Vec<Vec<u8>>> {
        /// Names in one directory; `info` holds some six for each package.
        const NAMES: usize = 500_000;
        match root.list(path, NAMES) {
            Ok((names, false)) => Some(names),
            Ok((names, true)) => {
                self.gap(Subject::file(path), format!("holds more than {NAMES} names, the rest was not read"));
                Some(names)
            }
            Err(PathProblem::Missing) => None,
            Err(problem) => {
                self.gap(Subject::file(path), format!("the package database cannot be listed here: {problem}"));
                None
            }
        }
    }

    /// Notes what a parser did not understand of `path`.
    pub(super) fn problems(&mut self, path: &RootedPath, problems: &Problems) {
        if !problems.is_empty() {
            self.gap(Subject::file(path), format!("the package database is not understood here: {problems}"));
        }
    }

    /// How much of a database was read, if the answer's gaps since then are its.
    pub(super) fn reading_since(&self, gaps_before: usize) -> Reading {
        let new = self.gaps.get(gaps_before..).unwrap_or_default();
        if new.iter().any(|observed| observed.gap.mandatory) { Reading::Part } else { Reading::Whole }
    }

    /// Notes a gap that the answer of `provenance` depends on, once.
    pub(super) fn gap(&mut self, subject: Subject, reason: String) {
        self.gap_if(true, subject, reason);
    }

    /// Notes a gap, once; `mandatory`: whether the answer depends on it.
    pub(super) fn gap_if(&mut self, mandatory: bool, subject: Subject, reason: String) {
        let gap = ObservationGap { check: Check::Provenance, gap: Gap { subject, reason, mandatory } };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }
}

/// A path known to be good: absolute, no NUL.
pub(super) fn path(text: &str) -> RootedPath {
    RootedPath::new(text).unwrap_or_else(RootedPath::root)
}
