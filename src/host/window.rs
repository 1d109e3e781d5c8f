//! An open file that is read at any place: the memory of a process, its page tables, a file that it maps.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::process::ProcProblem;
use super::root::meta;
use crate::model::Meta;

/// Reads at offsets; keeps nothing.
#[derive(Debug)]
pub struct Window {
    fd: OwnedFd,
}

impl Window {
    /// Of a descriptor that is open for reading.
    #[must_use]
    pub const fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Fills `buffer` from `offset` on as far as there are bytes, and says how far.
    ///
    /// # Errors
    /// As [`ProcProblem`] says; what is not mapped in `mem` is `Os(EIO)`.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, ProcProblem> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = u64::try_from(filled).ok().and_then(|filled| offset.checked_add(filled));
            let at = at.and_then(|at| i64::try_from(at).ok()).ok_or(ProcProblem::Os(Errno::EOVERFLOW))?;
            match nix::sys::uio::pread(&self.fd, rest, at) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(filled)
    }

    /// The `length` bytes at `offset`, all of them.
    ///
    /// # Errors
    /// As [`Self::read_at`]; [`ProcProblem::Gone`] if there are fewer: a process that ended has no memory.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, ProcProblem> {
        let mut bytes = vec![0; length];
        if self.read_at(offset, &mut bytes)? < length {
            return Err(ProcProblem::Gone);
        }
        Ok(bytes)
    }

    /// The inode.
    ///
    /// # Errors
    /// What fstat(2) says.
    pub fn meta(&self) -> Result<Meta, ProcProblem> {
        Ok(meta(&fstat(&self.fd)?))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::process::Proc;
    use super::*;

    #[test]
    fn own_memory_is_read_where_it_lies() {
        let marker = *b"here it lies";
        let own = Proc::open(Path::new("/proc")).unwrap().process(i32::try_from(std::process::id()).unwrap()).unwrap();
        let memory = own.window("mem").unwrap();
        let address = u64::try_from(marker.as_ptr().addr()).unwrap();
        assert_eq!(memory.read(address, marker.len()).unwrap(), marker);
        assert_eq!(memory.read(0, 1), Err(ProcProblem::Os(Errno::EIO)));
        assert!(memory.read(u64::MAX, 2).is_err());
    }
}
