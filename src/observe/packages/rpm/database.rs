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
        let mut open = |path: &RootedPath| match PagedFile::open(root, path) {
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

    /// The headers that the index names for files of these names; `None` where we read no index.
    pub(super) fn hinted(&self, names: &BTreeSet<&[u8]>) -> Result<Option<Vec<Vec<u8>>>, DatabaseProblem> {
        if self.form != Form::Sqlite {
            return Ok(None);
        }
        self.with_sqlite(|database| {
            let mut numbers = BTreeSet::new();
            for name in names {
                let Some(hints) = database.hints(name)? else { return Ok(None) };
                numbers.extend(hints);
            }
            let mut blobs = Vec::new();
            for number in numbers {
                blobs.extend(database.package(number)?);
            }
            Ok(Some(blobs))
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
