//! One file, opened once, read once: the bytes that are digested are the bytes that are parsed.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::sys::uio::pread;

use super::root::{PathProblem, Root, meta};
use crate::model::{FileKind, Meta, RootedPath};

/// How often a file is read that changes while it is read.
const TRIES: usize = 3;

/// Bytes that [`Snapshot::any_part`] looks at together: they stay in the second-level cache between reading and looking.
const PART: usize = 256 << 10;

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
    /// truncated kills the reader, one that is written to is read twice differently. A file that changed meanwhile is read
    /// anew, a few times: another link to it is a change too (inode(7), `st_ctime`).
    ///
    /// # Errors
    /// As [`ReadProblem`] says.
    pub fn read(root: &Root, path: &RootedPath, limit: u64) -> Result<Self, ReadProblem> {
        for _ in 1..TRIES {
            match Self::from_fd(root.open_file(path)?, limit) {
                Err(ReadProblem::Changed) => {}
                other => return other,
            }
        }
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
        let before = readable(&fd, limit)?;
        let mut bytes = Vec::new();
        let size = usize::try_from(before.size).map_err(|_| ReadProblem::Os(Errno::EFBIG))?;
        bytes.try_reserve_exact(size).map_err(|_| ReadProblem::Os(Errno::ENOMEM))?;
        let mut file = File::from(fd);
        match file.by_ref().take(before.size).read_to_end(&mut bytes) {
            Ok(n) if n < size => return Err(ReadProblem::Changed),
            Ok(_) => {}
            Err(error) => return Err(ReadProblem::Os(Errno::from_raw(error.raw_os_error().unwrap_or_default()))),
        }
        unchanged(&file, &before)?;
        Ok(Self { bytes, meta: before })
    }

    /// The first bytes of the file behind `fd`, at most `length`; fewer if it has not so many. Leaves its position alone.
    ///
    /// # Errors
    /// [`ReadProblem::Os`] with what pread(2) says.
    pub fn beginning(fd: &OwnedFd, length: usize) -> Result<Vec<u8>, ReadProblem> {
        let mut bytes = vec![0; length];
        let read = pread(fd, &mut bytes, 0).map_err(ReadProblem::Os)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Whether `found` says so of any part of the regular file behind `fd`, asked part by part from the first to the last;
    /// neighbours share `shared` bytes. Needs [`PART`] bytes of memory whatever the file's size, and leaves the
    /// descriptor's position alone.
    ///
    /// # Errors
    /// As [`ReadProblem`] says; the same files are refused as by [`Snapshot::from_fd`].
    pub fn any_part(
        fd: &OwnedFd,
        limit: u64,
        shared: usize,
        mut found: impl FnMut(&[u8]) -> bool,
    ) -> Result<bool, ReadProblem> {
        let before = readable(fd, limit)?;
        let mut buffer = vec![0; usize::try_from(before.size).map_or(PART, |size| size.clamp(1, PART))];
        let (mut kept, mut offset) = (0, 0);
        loop {
            let free = buffer.get_mut(kept..).unwrap_or_default();
            let read = match pread(fd, free, offset) {
                Ok(read) => read,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(ReadProblem::Os(errno)),
            };
            let filled = kept + read;
            if read > 0 && found(buffer.get(..filled).unwrap_or_default()) {
                return Ok(true);
            }
            offset += i64::try_from(read).unwrap_or(i64::MAX);
            if read == 0 || u64::try_from(offset).is_ok_and(|read| read >= before.size) {
                break;
            }
            kept = filled.min(shared);
            buffer.copy_within(filled - kept..filled, 0);
        }
        unchanged(fd, &before)?;
        Ok(false)
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

/// The inode behind `fd`, if it is a regular file of at most `limit` bytes.
fn readable(fd: &OwnedFd, limit: u64) -> Result<Meta, ReadProblem> {
    let meta = meta(&fstat(fd).map_err(ReadProblem::Os)?);
    match meta.kind {
        FileKind::Regular if meta.size > limit => Err(ReadProblem::TooLarge { size: meta.size, limit }),
        FileKind::Regular => Ok(meta),
        other => Err(ReadProblem::NotRegular(other)),
    }
}

/// Fails if what lies behind `fd` is not what it was.
fn unchanged(fd: impl AsFd, before: &Meta) -> Result<(), ReadProblem> {
    let after = meta(&fstat(fd).map_err(ReadProblem::Os)?);
    let same =
        (after.size, after.mtime, after.ctime, after.ino) == (before.size, before.mtime, before.ctime, before.ino);
    if same { Ok(()) } else { Err(ReadProblem::Changed) }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "makes a file to read")]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_stands_and_nothing_is_read_beyond_the_limit() {
        let word = b"OpenSSH_";
        let file = |content: &[u8]| {
            let file = tempfile::tempfile().unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, content, 0).unwrap();
            OwnedFd::from(file)
        };
        let finds = |fd: &OwnedFd| {
            Snapshot::any_part(fd, 1 << 20, word.len() - 1, |part| part.windows(word.len()).any(|w| w == word))
        };
        let mut content = vec![b'O'; 2 * PART + 100];
        assert_eq!(finds(&file(&content)), Ok(false));
        for at in (PART - 20..PART + 20).chain([0, content.len() - word.len()]) {
            content.fill(b'O');
            content[at..at + word.len()].copy_from_slice(word);
            let fd = file(&content);
            assert_eq!(finds(&fd), Ok(true), "at {at}");
            assert_eq!(Snapshot::from_fd(fd, 1 << 20).unwrap().bytes(), content, "its position was moved");
        }
        assert_eq!(finds(&file(b"")), Ok(false));
        let large = ReadProblem::TooLarge { size: (1 << 20) + 1, limit: 1 << 20 };
        assert_eq!(finds(&file(&vec![0; (1 << 20) + 1])), Err(large));
    }
}
