//! The system calls that `nix` has no safe form of.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

/// The extended attribute `name` of the open file; `None` if it has none, or if its file system knows no such attributes.
///
/// # Errors
/// What fgetxattr(2) says; `ERANGE` for one of more than `limit` bytes.
pub(super) fn extended_attribute(file: BorrowedFd<'_>, name: &CStr, limit: usize) -> Result<Option<Vec<u8>>, Errno> {
    let mut value = vec![0_u8; limit];
    // SAFETY: the descriptor is open and `name` ends in NUL for as long as the borrows last; the kernel writes at most
    // `value.len()` bytes to `value`.
    let length = unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    match Errno::result(length) {
        Ok(length) => {
            value.truncate(usize::try_from(length).unwrap_or(0));
            Ok(Some(value))
        }
        Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(None),
        Err(errno) => Err(errno),
    }
}
