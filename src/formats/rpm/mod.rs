//! rpm: the header blob of an installed package, what of it is signed, and the databases that hold the blobs.
//!
//! Written after the format itself (rpm's `docs/manual/format_header.md`, `lib/header.cc`, `lib/backend/ndb`) and SQLite's
//! and Berkeley DB's published page layouts, because rpm's own library trusts what we must not: it accepts a header whose
//! signature tags were removed.

pub mod bdb;
pub mod files;
pub mod header;
pub mod ndb;
pub mod package;
pub mod requires;
pub mod signature;
pub mod sqlite;
pub mod tag;
pub mod version;

/// Reads from a database file: offset and length in bytes; `None` where the file does not reach or cannot be read. The
/// caller decides what stands behind it: a descriptor, or bytes of a test.
pub type Read<'a> = &'a dyn Fn(u64, usize) -> Option<Vec<u8>>;

/// The largest header that is taken from a database, in bytes. rpm allows 256 MiB (`HEADER_DATA_MAX`, lib/header.cc); a
/// kernel's development files, 20,000 of them, need 4 MiB, and a forged length must not cost more memory than that much.
pub const MAX_BLOB: usize = 32 << 20;

/// Bytes of headers that one walk through a database hands out: slots and items of a forged database can all lead to the
/// same large blob. A workstation with 5,000 packages has some 300 MiB.
const MAX_TOTAL: u64 = 1 << 30;

/// What is left of [`MAX_TOTAL`].
struct Budget(u64);

impl Budget {
    const fn new() -> Self {
        Self(MAX_TOTAL)
    }

    /// Takes a blob of `length` bytes, found at `offset`, from it.
    fn take(&mut self, length: usize, offset: u64) -> Result<(), DatabaseProblem> {
        let left = u64::try_from(length).ok().and_then(|length| self.0.checked_sub(length));
        self.0 = left.ok_or(DatabaseProblem { offset, what: "its headers together are larger than any database's" })?;
        Ok(())
    }
}

/// Why a database cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseProblem {
    /// Offset in the file, in bytes, at which it was noticed.
    pub offset: u64,
    /// What is wrong there, one clause.
    pub what: &'static str,
}

impl std::fmt::Display for DatabaseProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "offset {}: {}", self.offset, self.what)
    }
}

/// Calls back with each header blob of a database in turn; `false` ends the walk.
pub type Each<'a> = &'a mut dyn FnMut(Vec<u8>) -> bool;
