//! Reads a file past the page cache, so that what lies on its medium can be held against what everybody reads (open(2),
//! `O_DIRECT`).

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::process::{ProcProblem, Process};

/// What every file system's blocks divide: buffer, offset and length must be multiples of theirs.
const BLOCK: usize = 4096;
/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// File systems whose medium is another machine's, or a program's: what lies there may be newer than the cache without anything
/// being wrong (linux/magic.h; statfs(2); Lustre's lustre_user.h; for GPFS and BeeGFS coreutils' stat.c).
const ELSEWHERE: [u32; 12] = [
    0x6969,      // NFS
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x1983_0326, // BeeGFS
    0x00c3_6400, // Ceph
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x517b,      // SMB
    0x5346_414f, // AFS
    0x6b41_4653, // kAFS
    0x0102_1997, // 9P
    0x6573_5546, // FUSE
];

/// The content of the inode that `process` maps at `start..end`, if it has at most `limit` bytes; `None` if its file system
/// cannot be read past the cache (it is in memory, or compressed), or its medium is another machine's.
///
/// # Errors
/// As [`ProcProblem`] says.
pub fn mapped(process: &Process, start: u64, end: u64, limit: u64) -> Result<Option<Vec<u8>>, ProcProblem> {
    match process.open_mapped_direct(start, end) {
        Ok(fd) if is_elsewhere(&fd)? => Ok(None),
        Ok(fd) => content(&fd, limit),
        Err(ProcProblem::Os(Errno::EINVAL)) => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn is_elsewhere(fd: &OwnedFd) -> Result<bool, ProcProblem> {
    let kind = nix::sys::statfs::fstatfs(fd)?.filesystem_type().0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "magic numbers have 32 bits"
    )]
    let kind = kind as u32;
    Ok(ELSEWHERE.contains(&kind))
}

fn content(fd: &OwnedFd, limit: u64) -> Result<Option<Vec<u8>>, ProcProblem> {
    let size = u64::try_from(fstat(fd)?.st_size).unwrap_or(0);
    let capacity = usize::try_from(size).ok().filter(|_| size <= limit);
    let capacity = capacity.ok_or(ProcProblem::TooLong(usize::try_from(limit).unwrap_or(usize::MAX)))?;
    let mut content = Vec::with_capacity(capacity);
    let mut buffer = vec![0_u8; CHUNK + BLOCK];
    let first = buffer.as_ptr().align_offset(BLOCK);
    let aligned = buffer.get_mut(first..first.saturating_add(CHUNK)).ok_or(Errno::ENOMEM)?;
    while content.len() < capacity {
        let offset = i64::try_from(content.len()).map_err(|_| Errno::EFBIG)?;
        match nix::sys::uio::pread(fd, aligned, offset) {
            Ok(0) => return Err(ProcProblem::Os(Errno::EIO)),
            Ok(n) => content.extend_from_slice(aligned.get(..n).unwrap_or_default()),
            Err(Errno::EINTR) => {}
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
    content.truncate(capacity);
    Ok(Some(content))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test opens a file of its own")]
mod tests {
    use super::*;

    /// The test program lies on some medium, or on a file system that says that it cannot be read so.
    #[test]
    fn what_lies_on_the_medium_is_what_everybody_reads() {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = std::env::current_exe().unwrap();
        let mut options = std::fs::OpenOptions::new();
        match options.read(true).custom_flags(nix::libc::O_DIRECT).open(&path) {
            Ok(file) => {
                let read = content(&file.into(), 1 << 40).unwrap();
                assert!(read.is_none_or(|read| read == std::fs::read(&path).unwrap()));
            }
            Err(error) => assert_eq!(error.raw_os_error(), Some(nix::libc::EINVAL)),
        }
        let file = std::fs::File::open(&path).unwrap();
        assert_eq!(content(&file.into(), 10), Err(ProcProblem::TooLong(10)));
    }
}
