//! A file that is read in parts, at any offset: a database too large to be held whole.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::root::{Root, meta};
use super::snapshot::ReadProblem;
use crate::model::{FileKind, Meta, RootedPath};

/// Parts kept in memory, and the largest that is: the upper levels of a tree are read again and again.
const MAX_KEPT: usize = 512;
const MAX_KEPT_SIZE: usize = 16 << 10;

/// An open regular file. Takes no lock: [`PagedFile::is_unchanged`] says afterwards whether all parts are of one moment.
#[derive(Debug)]
pub struct PagedFile {
    fd: OwnedFd,
    meta: Meta,
    kept: RefCell<BTreeMap<(u64, usize), Vec<u8>>>,
    bytes_read: Cell<u64>,
}

impl PagedFile {
    /// Opens the regular file at `path`, if it has at most `limit` bytes: one full of holes is as large as it likes.
    ///
    /// # Errors
    /// As [`ReadProblem`] says.
    pub fn open(root: &Root, path: &RootedPath, limit: u64) -> Result<Self, ReadProblem> {
        let fd = root.open_file(path)?;
        let meta = meta(&fstat(&fd).map_err(ReadProblem::Os)?);
        if meta.kind != FileKind::Regular {
            return Err(ReadProblem::NotRegular(meta.kind));
        }
        if meta.size > limit {
            return Err(ReadProblem::TooLarge { size: meta.size, limit });
        }
        Ok(Self { fd, meta, kept: RefCell::default(), bytes_read: Cell::new(0) })
    }

    /// The `length` bytes at `offset`; `None` if the file does not reach that far or cannot be read there.
    #[must_use]
    pub fn read(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        // Asked before memory is reserved: lengths come from the file itself.
        let end = offset.checked_add(u64::try_from(length).ok()?)?;
        if end > self.meta.size {
            return None;
        }
        if let Some(kept) = self.kept.borrow().get(&(offset, length)) {
            return Some(kept.clone());
        }
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.checked_add(u64::try_from(filled).ok()?)?;
            match nix::sys::uio::pread(&self.fd, rest, i64::try_from(at).ok()?) {
                Ok(0) => return None,
                Ok(n) => filled = filled.checked_add(n)?,
                Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
        self.bytes_read.set(self.bytes_read.get().saturating_add(u64::try_from(length).unwrap_or(u64::MAX)));
        let mut kept = self.kept.borrow_mut();
        if length <= MAX_KEPT_SIZE && kept.len() < MAX_KEPT {
            kept.insert((offset, length), bytes.clone());
        }
        Some(bytes)
    }

    /// The inode as it was opened.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Bytes read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.get()
    }

    /// Whether size and times are still those of the opening.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        let now = fstat(&self.fd).map(|stat| meta(&stat));
        now.is_ok_and(|now| (now.size, now.mtime, now.ctime) == (self.meta.size, self.meta.mtime, self.meta.ctime))
    }
}
