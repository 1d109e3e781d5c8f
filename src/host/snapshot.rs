//! One file, opened once, read once: the bytes that are digested are the bytes that are parsed.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::root::{PathProblem, Root, meta};
use crate::model::{FileKind, Meta, RootedPath};

/// The content and inode of one file at one moment.
#[derive(Debug)]
pub struct Snapshot {
    bytes: Vec<u8>,
    meta: Meta,
}

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadProblem {
    /// The path could not be opened.
    Path(PathProblem),
    /// It is no regular file.
    NotRegular(FileKind),
    /// It is larger than the limit, both in bytes.
    TooLarge {
        /// As fstat(2) says.
        size: u64,
        /// As the caller said.
        limit: u64,
    },
    /// It changed between the first byte and the last.
    Changed,
    /// read(2) failed.
    Os(Errno),
}

impl std::fmt::Display for ReadProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(problem) => problem.fmt(f),
            Self::NotRegular(kind) => write!(f, "is {}, a regular file was expected", kind.words()),
            Self::TooLarge { size, limit } => write!(f, "has {size} bytes, more than the limit of {limit}"),
            Self::Changed => f.write_str("changed while it was read"),
            Self::Os(errno) => write!(f, "could not be read: {}", errno.desc()),
        }
    }
}

impl From<PathProblem> for ReadProblem {
    fn from(problem: PathProblem) -> Self {
        Self::Path(problem)
    }
}

impl Snapshot {
    /// Reads the regular file at `path` whole, if it has at most `limit` bytes. Never maps it: a mapped file that is
    /// truncated kills the reader, one that is written to is read twice differently.
    ///
    /// # Errors
    /// As [`ReadProblem`] says.
    pub fn read(root: &Root, path: &RootedPath, limit: u64) -> Result<Self, ReadProblem> {
        Self::from_fd(root.open_file(path)?, limit)
    }

    /// What is behind a descriptor, without reading it.
    ///
    /// # Errors
    /// [`ReadProblem::Os`] with what fstat(2) says.
    pub fn meta_of(fd: &OwnedFd) -> Result<Meta, ReadProblem> {
        Ok(meta(&fstat(fd).map_err(ReadProblem::Os)?))
    }

    /// The same for a descriptor that is open already (`/proc/PID/map_files`).
    ///
    /// # Errors
    /// As [`ReadProblem`] says.
    pub fn from_fd(fd: OwnedFd, limit: u64) -> Result<Self, ReadProblem> {
        let before = meta(&fstat(&fd).map_err(ReadProblem::Os)?);
        if before.kind != FileKind::Regular {
            return Err(ReadProblem::NotRegular(before.kind));
        }
        if before.size > limit {
            return Err(ReadProblem::TooLarge { size: before.size, limit });
        }
        let mut bytes = Vec::new();
        let size = usize::try_from(before.size).map_err(|_| ReadProblem::Os(Errno::EFBIG))?;
        bytes.try_reserve_exact(size).map_err(|_| ReadProblem::Os(Errno::ENOMEM))?;
        let mut file = File::from(fd);
        match file.by_ref().take(before.size).read_to_end(&mut bytes) {
            Ok(n) if n < size => return Err(ReadProblem::Changed),
            Ok(_) => {}
            Err(error) => return Err(ReadProblem::Os(Errno::from_raw(error.raw_os_error().unwrap_or_default()))),
        }
        let after = meta(&fstat(&file).map_err(ReadProblem::Os)?);
        if (after.size, after.mtime, after.ctime, after.ino) != (before.size, before.mtime, before.ctime, before.ino) {
            return Err(ReadProblem::Changed);
        }
        Ok(Self { bytes, meta: before })
    }

    /// The content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The inode.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }
}
