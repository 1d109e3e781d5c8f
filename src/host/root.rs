//! The examined root: every path is opened beneath it, through one descriptor, and never leaves it through a link.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, fstat};

use crate::model::{FileKind, Meta, RootedPath};

/// Symbolic links followed for one path before it counts as a loop; the kernel's own limit (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// Deepest path whose directories are remembered, each by way of the one above: a deeper one, which some file may name to harm
/// us, is resolved without them and without recursion.
const MAX_DEPTH: usize = 64;

/// A directory taken as `/`. For the running system it *is* `/`; for an image it is where that is mounted.
#[derive(Debug)]
pub struct Root {
    dir: OwnedFd,
    live: bool,
    /// Where each directory is that was on the way to a path. Half of a scan's system calls would ask that again.
    directories: RefCell<HashMap<RootedPath, Result<RootedPath, PathProblem>>>,
}

/// Why a path could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathProblem {
    /// It, or a directory on the way, does not exist.
    Missing,
    /// More than 40 symbolic links.
    Loop,
    /// Anything else the kernel says.
    Os(Errno),
}

impl std::fmt::Display for PathProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("does not exist"),
            Self::Loop => f.write_str("its symbolic links form a loop"),
            Self::Os(Errno::EACCES | Errno::EPERM) => f.write_str("permission denied"),
            Self::Os(errno) => f.write_str(errno.desc()),
        }
    }
}

impl From<Errno> for PathProblem {
    fn from(errno: Errno) -> Self {
        match errno {
            // ENOTDIR: a component of the way is a file, so nothing can exist beneath it. EXDEV cannot occur (IN_ROOT).
            Errno::ENOENT | Errno::ENOTDIR => Self::Missing,
            Errno::ELOOP => Self::Loop,
            other => Self::Os(other),
        }
    }
}

impl Root {
    /// Opens `path` as the root. `live`: whether it is the running system's own `/`.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn open(path: &Path, live: bool) -> io::Result<Self> {
        let dir = nix::fcntl::open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { dir, live, directories: RefCell::default() })
    }

    /// Whether it is the running system's own `/`.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// Opens `path` beneath the root. Symbolic links resolve inside the root, absolute ones and `..` too; the magic
    /// links of `/proc` do not resolve at all (openat2(2), `RESOLVE_IN_ROOT`, `RESOLVE_NO_MAGICLINKS`). Never blocks on
    /// a FIFO, never becomes the controlling terminal of anything.
    ///
    /// # Errors
    /// As [`PathProblem`] says.
    pub fn open_file(&self, path: &RootedPath) -> Result<OwnedFd, PathProblem> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        // O_NOATIME is allowed to the owner and to CAP_FOWNER only; without it the access time moves, which is no change
        // of the host's that matters, but it is quieter not to.
        match self.open_with(path, flags | OFlag::O_NOATIME) {
            Err(PathProblem::Os(Errno::EPERM)) => self.open_with(path, flags),
            other => other,
        }
    }

    /// Whether the regular file at `path` begins with `magic`.
    ///
    /// # Errors
    /// As [`PathProblem`] says.
    pub fn begins_with(&self, path: &RootedPath, magic: &[u8]) -> Result<bool, PathProblem> {
        let fd = self.open_file(path)?;
        let mut start = vec![0; magic.len()];
        let got = nix::sys::uio::pread(&fd, &mut start, 0)?;
        Ok(got == magic.len() && start == magic)
    }

    /// The extended attribute `security.capability` of the file at `path`; `None` if it has none.
    ///
    /// # Errors
    /// As [`PathProblem`] says.
    pub fn capabilities(&self, path: &RootedPath) -> Result<Option<Vec<u8>>, PathProblem> {
        // The longest form has 24 bytes (capabilities(7)).
        let file = self.open_file(path)?;
        Ok(super::syscall::extended_attribute(file.as_fd(), c"security.capability", 64)?)
    }

    /// The inode at `path`, the last component followed too.
    ///
    /// # Errors
    /// As [`PathProblem`] says.
    pub fn stat(&self, path: &RootedPath) -> Result<Meta, PathProblem> {
        let fd = self.open_with(path, OFlag::O_PATH | OFlag::O_CLOEXEC)?;
        Ok(meta(&fstat(fd)?))
    }

    /// The canonical form of `path`: no component is a symbolic link. Links resolve inside the root. The directories on the
    /// way are resolved once for the life of this root.
    ///
    /// # Errors
    /// As [`PathProblem`] says; `Missing` also where the path ends in a dangling link.
    pub fn canonical(&self, path: &RootedPath) -> Result<RootedPath, PathProblem> {
        self.find(path).map(|(path, _)| path)
    }

    /// The same, with the inode that stands there.
    ///
    /// # Errors
    /// As [`PathProblem`] says.
    pub fn find(&self, path: &RootedPath) -> Result<(RootedPath, Meta), PathProblem> {
        if let Some(parent) = path.parent()
            && is_remembered(path)
        {
            let direct = self.directory(&parent)?.join(path.file_name()).ok_or(PathProblem::Os(Errno::EINVAL))?;
            let meta = self.lstat(&direct)?;
            if meta.kind != FileKind::Symlink {
                return Ok((direct, meta));
            }
        }
        let real = self.resolve(path)?;
        let meta = self.lstat(&real)?;
        Ok((real, meta))
    }

    /// The canonical form of a directory's path, asked once.
    fn directory(&self, path: &RootedPath) -> Result<RootedPath, PathProblem> {
        if path.parent().is_none() {
            return Ok(path.clone());
        }
        if let Some(known) = self.directories.borrow().get(path) {
            return known.clone();
        }
        let real = self.canonical(path);
        self.directories.borrow_mut().insert(path.clone(), real.clone());
        real
    }

    /// The canonical form of `path`. Where its directory is remembered only the last component is asked for, and what that
    /// leads to if it is a link.
    fn resolve(&self, path: &RootedPath) -> Result<RootedPath, PathProblem> {
        let (mut done, mut todo) = match path.parent() {
            Some(parent) if is_remembered(path) => (self.directory(&parent)?, vec![path.file_name().to_vec()]),
            _ => (RootedPath::root(), path.components().rev().map(<[u8]>::to_vec).collect()),
        };
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == b"." || part.is_empty() {
                continue;
            }
            if part == b".." {
                done = done.parent().unwrap_or_else(RootedPath::root);
                continue;
            }
            let next = done.join(&part).ok_or(PathProblem::Os(Errno::EINVAL))?;
            match self.read_link(&next)? {
                None => done = next,
                Some(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(PathProblem::Loop);
                    }
                    if target.first() == Some(&b'/') {
                        done = RootedPath::root();
                    }
                    todo.extend(target.split(|b| *b == b'/').rev().map(<[u8]>::to_vec));
                }
            }
        }
        Ok(done)
    }

    /// Where the symbolic link at `path` points, unresolved; `None` if it is something else. `path`'s directory must be
    /// canonical.
    ///
    /// # Errors
    /// As [`PathProblem`] says.
    pub fn read_link(&self, path: &RootedPath) -> Result<Option<Vec<u8>>, PathProblem> {
        let fd = self.open_with(path, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)?;
        if meta(&fstat(&fd)?).kind != FileKind::Symlink {
            return Ok(None);
        }
        Ok(Some(nix::fcntl::readlinkat(fd.as_fd(), "")?.as_bytes().to_vec()))
    }

    /// The names in the directory at `path`, sorted, at most `limit`; the flag says that there were more.
    ///
    /// # Errors
    /// As [`PathProblem`] says.
    pub fn list(&self, path: &RootedPath, limit: usize) -> Result<(Vec<Vec<u8>>, bool), PathProblem> {
        let fd = self.open_with(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)?;
        let mut names = Vec::new();
        let mut more = false;
        for entry in nix::dir::Dir::from_fd(fd)?.iter() {
            let name = entry?.file_name().to_bytes().to_vec();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == limit {
                more = true;
                break;
            }
            names.push(name);
        }
        names.sort_unstable();
        Ok((names, more))
    }

    /// The inode at `path` itself, a symbolic link not followed.
    ///
    /// # Errors
    /// As [`PathProblem`] says.
    pub fn lstat(&self, path: &RootedPath) -> Result<Meta, PathProblem> {
        let fd = self.open_with(path, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)?;
        Ok(meta(&fstat(fd)?))
    }

    fn open_with(&self, path: &RootedPath, flags: OFlag) -> Result<OwnedFd, PathProblem> {
        let how =
            OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        // EAGAIN: a rename raced with a `..` of the resolution; the kernel asks us to try again (openat2(2)).
        for _ in 0..64 {
            match openat2(self.dir.as_fd(), OsStr::from_bytes(path.relative()), how) {
                Err(Errno::EAGAIN) => {}
                Err(Errno::ENOSYS) => return self.open_by_steps(path, flags),
                other => return Ok(other?),
            }
        }
        Err(PathProblem::Os(Errno::EAGAIN))
    }

    /// The same for kernels before 5.6 (RHEL 8), which lack openat2(2): one component at a time, each opened with
    /// `O_NOFOLLOW` relative to the one before, links read and resolved by us.
    fn open_by_steps(&self, path: &RootedPath, flags: OFlag) -> Result<OwnedFd, PathProblem> {
        let step = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let follow_last = !flags.contains(OFlag::O_NOFOLLOW);
        let mut todo: Vec<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
        todo.reverse();
        // The directories opened so far, so that `..` goes back without asking the file system where that is.
        let mut dirs: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    dirs.pop();
                    continue;
                }
                _ => {}
            }
            let here = dirs.last().map_or_else(|| self.dir.as_fd(), AsFd::as_fd);
            let fd = nix::fcntl::openat(here, OsStr::from_bytes(&part), step, Mode::empty())?;
            let is_link = meta(&fstat(&fd)?).kind == FileKind::Symlink;
            if is_link && (follow_last || !todo.is_empty()) {
                links += 1;
                if links > MAX_LINKS {
                    return Err(PathProblem::Loop);
                }
                let target = nix::fcntl::readlinkat(fd.as_fd(), "")?;
                if target.as_bytes().first() == Some(&b'/') {
                    dirs.clear();
                }
                todo.extend(target.as_bytes().split(|b| *b == b'/').rev().map(<[u8]>::to_vec));
                continue;
            }
            dirs.push(fd);
        }
        let last = dirs.pop();
        let fd = last.as_ref().map_or_else(|| self.dir.as_fd(), AsFd::as_fd);
        if flags.contains(OFlag::O_PATH) {
            return Ok(fd.try_clone_to_owned().map_err(|_| Errno::EMFILE)?);
        }
        reopen(fd, flags)
    }
}

/// Whether the directories of `path` are remembered.
fn is_remembered(path: &RootedPath) -> bool {
    path.components().nth(MAX_DEPTH).is_none()
}

/// Opens for reading what an `O_PATH` descriptor names. Through `/proc/self/fd`: the one magic link that is our own.
fn reopen(fd: BorrowedFd<'_>, flags: OFlag) -> Result<OwnedFd, PathProblem> {
    let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(nix::fcntl::open(name.as_str(), flags - OFlag::O_NOFOLLOW, Mode::empty())?)
}

/// What stat(2) said, in our words.
pub(crate) fn meta(stat: &FileStat) -> Meta {
    use nix::libc::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG};
    Meta {
        kind: match stat.st_mode & S_IFMT {
            S_IFREG => FileKind::Regular,
            S_IFDIR => FileKind::Directory,
            S_IFLNK => FileKind::Symlink,
            S_IFIFO => FileKind::Fifo,
            S_IFBLK | S_IFCHR => FileKind::Device,
            _ => FileKind::Socket,
        },
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        nlink: stat.st_nlink,
        mtime: stat.st_mtime,
        ctime: stat.st_ctime,
        dev: stat.st_dev,
        ino: stat.st_ino,
    }
}
