//! One open rpm database of any of its three forms.

use std::collections::BTreeSet;

use crate::formats::rpm::{DatabaseProblem, Each, bdb, ndb, sqlite};
use crate::host::paged::PagedFile;
use crate::host::root::{PathProblem, Root};
use crate::host::snapshot::ReadProblem;
use crate::model::{RootedPath, Subject};
use crate::observe::packages::out::Out;

/// The form of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// SQLite, with a write-ahead log.
    Sqlite,
    /// rpm's own.
    Ndb,
    /// Berkeley DB.
    Bdb,
}

impl Form {
    /// Newest first.
    pub(super) const ALL: [Self; 3] = [Self::Sqlite, Self::Ndb, Self::Bdb];

    /// Name of the file with the headers.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Sqlite => "rpmdb.sqlite",
            Self::Ndb => "Packages.db",
            Self::Bdb => "Packages",
        }
    }

    /// Its name in sentences.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite's form",
            Self::Ndb => "rpm's own form",
            Self::Bdb => "Berkeley DB's form",
        }
    }
}

/// The largest database that is read, in bytes; one of 5,000 packages has some 500 MB.
const LIMIT: u64 = 4 << 30;

/// An open database.
pub(super) struct OpenDatabase {
    form: Form,
    path: RootedPath,
    file: PagedFile,
    log: Option<(RootedPath, PagedFile)>,
}

impl OpenDatabase {
    /// Opens it; `None`, with a gap, if that fails.
    pub(super) fn open(root: &Root, form: Form, path: &RootedPath, out: &mut Out) -> Option<Self> {
        let mut open = |path: &RootedPath| match PagedFile::open(root, path, LIMIT) {
            Ok(file) => Some(file),
            Err(ReadProblem::Path(PathProblem::Missing)) => None,
            Err(problem) => {
                out.gap(Subject::file(path), format!("the package database cannot be read here: {problem}"));
                None
            }
        };
        let file = open(path)?;
        let log =
            (form == Form::Sqlite).then(|| path.parent()?.join([form.file().as_bytes(), b"-wal"].concat())).flatten();
        let log = log.and_then(|path| open(&path).map(|log| (path, log)));
        Some(Self { form, path: path.clone(), file, log })
    }

    /// The file with the headers.
    pub(super) const fn file(&self) -> &RootedPath {
        &self.path
    }

    /// Calls `each` with the headers that the index names for files of these names; `false` where we read no index.
    pub(super) fn hinted(&self, names: &BTreeSet<&[u8]>, each: Each<'_>) -> Result<bool, DatabaseProblem> {
        if self.form != Form::Sqlite {
            return Ok(false);
        }
        self.with_sqlite(|database| {
            let mut numbers = BTreeSet::new();
            for name in names {
                let Some(hints) = database.hints(name)? else { return Ok(false) };
                numbers.extend(hints);
            }
            for number in numbers {
                if let Some(blob) = database.package(number)? {
                    each(blob);
                }
            }
            Ok(true)
        })
    }

    /// Calls `each` with every header.
    pub(super) fn packages(&self, each: Each<'_>) -> Result<(), DatabaseProblem> {
        let read = |offset, length| self.file.read(offset, length);
        match self.form {
            Form::Sqlite => self.with_sqlite(|database| database.packages(each)),
            Form::Ndb => ndb::packages(&read, each),
            Form::Bdb => bdb::packages(&read, each),
        }
    }

    /// A gap, if something was written while we read: no lock is taken.
    pub(super) fn note_changes(&self, out: &mut Out) {
        let log = self.log.as_ref().map(|(path, log)| (path, log));
        for (path, file) in std::iter::once((&self.path, &self.file)).chain(log) {
            if !file.is_unchanged() {
                out.gap(Subject::file(path), "the package database changed while it was read: scan again".to_owned());
            }
        }
    }

    fn with_sqlite<T>(
        &self,
        ask: impl FnOnce(&mut sqlite::Database<'_>) -> Result<T, DatabaseProblem>,
    ) -> Result<T, DatabaseProblem> {
        let read = |offset, length| self.file.read(offset, length);
        let in_log = |offset, length| self.log.as_ref().and_then(|(_, log)| log.read(offset, length));
        let log: Option<crate::formats::rpm::Read<'_>> = self.log.is_some().then_some(&in_log);
        ask(&mut sqlite::Database::open(&read, log)?)
    }
}
