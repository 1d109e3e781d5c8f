//! The door to `/proc`: processes and the kernel's tables. Understands no format: see `formats::proc`.
//!
//! A process is reached through a descriptor of its directory `/proc/PID`, opened once. The kernel ties that descriptor to
//! the process and not to the number: when the process has ended, every look through it fails (ESRCH), even if the number
//! has been given to another. So nothing here can speak of two processes by mistake.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::root::meta;
use super::window::Window;
use crate::model::Meta;

/// Descriptors of one process that are looked at; Linux's own default limit for one process is `fs.nr_open`, 1,048,576.
const MAX_DESCRIPTORS: usize = 1 << 20;
/// Largest `fdinfo` of a descriptor: a link to many places names each.
const MAX_DESCRIBED: usize = 1 << 20;
/// Places of memory read by one system call: at most `IOV_MAX` of limits.h.
const MAX_PLACES: usize = 1024;
/// First read of a proc file; most are shorter.
const CHUNK: usize = 4096;

/// A mounted proc(5) file system.
#[derive(Debug)]
pub struct Proc {
    dir: OwnedFd,
    /// Whether system calls mean the same processes by the numbers that stand here: it is of our own pid namespace.
    ours: bool,
}

/// One process.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    dir: OwnedFd,
    ours: bool,
}

/// Why something of a process could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcProblem {
    /// The process has ended, or what was asked for is not there.
    Gone,
    /// The kernel refuses: ptrace(2), "Ptrace access mode checking".
    Denied,
    /// Longer than the limit, in bytes or entries.
    TooLong(usize),
    /// Anything else the kernel says.
    Os(Errno),
}

impl From<Errno> for ProcProblem {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOENT | Errno::ESRCH => Self::Gone,
            Errno::EACCES | Errno::EPERM => Self::Denied,
            other => Self::Os(other),
        }
    }
}

impl std::fmt::Display for ProcProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone => f.write_str("is gone"),
            Self::Denied => f.write_str("permission denied"),
            Self::TooLong(limit) => write!(f, "is longer than the limit of {limit}"),
            Self::Os(errno) => f.write_str(errno.desc()),
        }
    }
}

impl Proc {
    /// Opens the proc file system mounted at `path`.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let dir = nix::fcntl::open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        // Process 1 of a proc file system is that of its namespace.
        let namespace = |of: &str| link(&dir, &format!("{of}/ns/pid"));
        let ours = namespace("1").is_ok_and(|first| namespace("self") == Ok(first));
        Ok(Self { dir, ours })
    }

    /// The process ids in it, sorted. Threads are not listed.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn pids(&self) -> Result<Vec<i32>, ProcProblem> {
        let mut pids: Vec<i32> = Vec::new();
        for entry in list(&self.dir, ".")?.iter() {
            pids.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<i32>().ok()));
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// Whether it is of our own pid namespace, so that numbers of processes mean the same here and in system calls.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.ours
    }

    /// The names in it, in no order.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn names(&self) -> Result<Vec<Vec<u8>>, ProcProblem> {
        let mut names = Vec::new();
        for entry in list(&self.dir, ".")?.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name.first() != Some(&b'.') {
                names.push(name.to_vec());
            }
        }
        Ok(names)
    }

    /// The process `pid`.
    ///
    /// # Errors
    /// [`ProcProblem::Gone`] if there is none.
    pub fn process(&self, pid: i32) -> Result<Process, ProcProblem> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = openat(self.dir.as_fd(), pid.to_string().as_str(), flags, Mode::empty())?;
        Ok(Process { pid, dir, ours: self.ours })
    }

    /// The content of a table such as `net/unix`, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, ProcProblem> {
        read(&self.dir, name, limit)
    }

    /// Where a link such as `self/ns/pid` points.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn link(&self, name: &str) -> Result<Vec<u8>, ProcProblem> {
        link(&self.dir, name)
    }
}

impl Process {
    /// Its id.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// The content of one of its files (`stat`, `maps`, `net/tcp` …), at most `limit` bytes.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, ProcProblem> {
        read(&self.dir, name, limit)
    }

    /// Where one of its links (`exe`, `cwd`, `ns/mnt` …) points, as the kernel prints it.
    ///
    /// # Errors
    /// As [`ProcProblem`] says; `exe` of a kernel thread is [`ProcProblem::Gone`].
    pub fn link(&self, name: &str) -> Result<Vec<u8>, ProcProblem> {
        link(&self.dir, name)
    }

    /// The inode that one of its links (`exe`, `root`) leads to, even if its name is gone.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn stat(&self, name: &str) -> Result<Meta, ProcProblem> {
        Ok(meta(&fstatat(self.dir.as_fd(), name, AtFlags::empty())?))
    }

    /// What its descriptors are open on, as the kernel prints it: `socket:[5001]`, `/dev/null`, `anon_inode:[eventpoll]`.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn descriptors(&self) -> Result<Vec<Vec<u8>>, ProcProblem> {
        let mut dir = list(&self.dir, "fd")?;
        let names = dir.as_fd().try_clone_to_owned().map_err(|_| Errno::EMFILE)?;
        let mut targets = Vec::new();
        for entry in dir.iter() {
            let entry = entry?;
            if entry.file_name().to_bytes().first() == Some(&b'.') {
                continue;
            }
            if targets.len() == MAX_DESCRIPTORS {
                return Err(ProcProblem::TooLong(MAX_DESCRIPTORS));
            }
            match nix::fcntl::readlinkat(names.as_fd(), entry.file_name()) {
                Ok(target) => targets.push(target.as_bytes().to_vec()),
                // It was closed since.
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(targets)
    }

    /// What the kernel says of those descriptors (`fdinfo` of proc(5)) that are open on one of `targets`.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn described(&self, targets: &[&[u8]]) -> Result<Vec<Vec<u8>>, ProcProblem> {
        let mut dir = list(&self.dir, "fd")?;
        let names = dir.as_fd().try_clone_to_owned().map_err(|_| Errno::EMFILE)?;
        let mut told = Vec::new();
        for entry in dir.iter().take(MAX_DESCRIPTORS) {
            let entry = entry?;
            let target = nix::fcntl::readlinkat(names.as_fd(), entry.file_name()).unwrap_or_default();
            if targets.contains(&target.as_bytes()) {
                let name = entry.file_name().to_string_lossy();
                told.extend(read(&self.dir, &format!("fdinfo/{name}"), MAX_DESCRIBED));
            }
        }
        Ok(told)
    }

    /// Opens for reading the very inode that is mapped at `start..end`, deleted or in another mount namespace too. Needs
    /// CAP_CHECKPOINT_RESTORE (Linux 5.9) or CAP_SYS_ADMIN in the first user namespace, and ptrace access.
    ///
    /// # Errors
    /// As [`ProcProblem`] says; `Gone` also where nothing is mapped so (any more).
    pub fn open_mapped(&self, start: u64, end: u64) -> Result<OwnedFd, ProcProblem> {
        self.open(&format!("map_files/{start:x}-{end:x}"))
    }

    /// The same, to be read past the page cache.
    ///
    /// # Errors
    /// As [`Self::open_mapped`]; `Os(EINVAL)` where the file system knows no such reading.
    pub fn open_mapped_direct(&self, start: u64, end: u64) -> Result<OwnedFd, ProcProblem> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_DIRECT;
        Ok(openat(self.dir.as_fd(), format!("map_files/{start:x}-{end:x}").as_str(), flags, Mode::empty())?)
    }

    /// Opens for reading what one of its links leads to: `exe`, even if its name is gone.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn open(&self, name: &str) -> Result<OwnedFd, ProcProblem> {
        // O_NONBLOCK: a device may be mapped, and opening one may wait.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        Ok(openat(self.dir.as_fd(), name, flags, Mode::empty())?)
    }

    /// Opens one of its files that are read at any place: `mem`, whose offsets are addresses, or `pagemap`. It belongs to the
    /// program that runs now: after execve(2) it is empty.
    ///
    /// # Errors
    /// As [`ProcProblem`] says.
    pub fn window(&self, name: &str) -> Result<Window, ProcProblem> {
        self.open(name).map(Window::new)
    }

    /// Reads memory at many `places`, address and length in bytes, one after the other into `bytes` (process_vm_readv(2)); far
    /// quicker than through a window. By its nature it goes by the number of the process: what was read counts if the
    /// process is still there afterwards, as any later look through this handle tells.
    ///
    /// # Errors
    /// As [`ProcProblem`] says; `Denied` where the number may mean another process to the system call, `Os(EFAULT)` if not all
    /// of it could be read: a window may be able to, and tells what it is about.
    pub fn read_memory(&self, places: &[(u64, usize)], bytes: &mut Vec<u8>) -> Result<(), ProcProblem> {
        if !self.ours {
            return Err(ProcProblem::Denied);
        }
        bytes.resize(places.iter().map(|place| place.1).sum(), 0);
        let mut rest = bytes.as_mut_slice();
        for places in places.chunks(MAX_PLACES) {
            let remote = |(address, length): &(u64, usize)| {
                let base = usize::try_from(*address).map_err(|_| Errno::EFAULT)?;
                Ok(RemoteIoVec { base, len: *length })
            };
            let remote: Vec<RemoteIoVec> = places.iter().map(remote).collect::<Result<_, Errno>>()?;
            let (part, others) = rest.split_at_mut(places.iter().map(|place| place.1).sum());
            let length = part.len();
            let mut local = [std::io::IoSliceMut::new(part)];
            if process_vm_readv(Pid::from_raw(self.pid), &mut local, &remote)? < length {
                return Err(ProcProblem::Os(Errno::EFAULT));
            }
            rest = others;
        }
        Ok(())
    }

    /// The inode that is mapped at `start..end`.
    ///
    /// # Errors
    /// As [`Self::open_mapped`].
    pub fn stat_mapped(&self, start: u64, end: u64) -> Result<Meta, ProcProblem> {
        self.stat(&format!("map_files/{start:x}-{end:x}"))
    }
}

/// Bytes of a page of memory; 4096 where the system does not say.
#[must_use]
pub fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0).unwrap_or(4096)
}

/// Clock ticks of a second, in which start times of processes count; 100 where the system does not say.
#[must_use]
pub fn clock_ticks() -> u64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
    ticks.and_then(|ticks| u64::try_from(ticks).ok()).filter(|ticks| *ticks > 0).unwrap_or(100)
}

fn list(dir: &OwnedFd, name: &str) -> Result<nix::dir::Dir, ProcProblem> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(nix::dir::Dir::openat(dir.as_fd(), name, flags, Mode::empty())?)
}

fn link(dir: &OwnedFd, name: &str) -> Result<Vec<u8>, ProcProblem> {
    Ok(nix::fcntl::readlinkat(dir.as_fd(), OsStr::new(name))?.as_bytes().to_vec())
}

/// Files of proc have no size: read until the end.
fn read(dir: &OwnedFd, name: &str, limit: usize) -> Result<Vec<u8>, ProcProblem> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let fd = openat(dir.as_fd(), name, flags, Mode::empty())?;
    let mut bytes = vec![0; CHUNK.min(limit)];
    let mut filled = 0;
    loop {
        if filled == bytes.len() {
            if filled >= limit {
                return Err(ProcProblem::TooLong(limit));
            }
            bytes.resize(filled.saturating_mul(2).min(limit), 0);
        }
        match nix::unistd::read(&fd, bytes.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proc() -> Proc {
        Proc::open(Path::new("/proc")).unwrap()
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(proc().pids().unwrap().contains(&pid));
        let own = proc().process(pid).unwrap();
        assert_eq!(own.pid(), pid);
        let exe = std::env::current_exe().unwrap();
        assert_eq!(own.link("exe").unwrap(), exe.as_os_str().as_bytes());
        assert!(own.read("maps", 1 << 20).unwrap().windows(4).any(|w| w == b"r-xp"));
        assert_eq!(own.read("maps", 10), Err(ProcProblem::TooLong(10)));
        assert_eq!(own.read("no such file", 10), Err(ProcProblem::Gone));
    }

    #[test]
    fn sockets_stand_among_the_descriptors() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        let inode = nix::sys::stat::fstat(&listener).unwrap().st_ino;
        let wanted = format!("socket:[{inode}]").into_bytes();
        assert!(proc().process(pid).unwrap().descriptors().unwrap().contains(&wanted));
    }

    #[test]
    fn memory_at_many_places_is_read_at_once() {
        let marker = *b"here it lies, twice";
        let mut own = proc().process(i32::try_from(std::process::id()).unwrap()).unwrap();
        // Process 1 may refuse to tell its namespace; ours it is all the same.
        own.ours = true;
        let address = u64::try_from(marker.as_ptr().addr()).unwrap();
        let mut bytes = Vec::new();
        own.read_memory(&[(address, 4), (address + 8, 4), (address, 1)], &mut bytes).unwrap();
        assert_eq!(bytes, b"herelies".iter().chain(b"h").copied().collect::<Vec<u8>>());
        let problem = own.read_memory(&[(address, 4), (8, 8)], &mut bytes);
        assert_eq!(problem, Err(ProcProblem::Os(Errno::EFAULT)));
        own.ours = false;
        assert_eq!(own.read_memory(&[(address, 4)], &mut bytes), Err(ProcProblem::Denied));
    }

    /// The descriptor speaks of the process that was opened, or of none.
    #[test]
    fn an_ended_process_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = proc().process(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(process.read("stat", 4096).is_ok());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(process.read("stat", 4096), Err(ProcProblem::Gone));
        assert_eq!(process.link("exe"), Err(ProcProblem::Gone));
        assert_eq!(process.descriptors(), Err(ProcProblem::Gone));
    }
}
