//! The system calls that `nix` has no safe form of.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

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

/// The words of a `struct bpf_link_info` or `struct bpf_prog_info` (linux/bpf.h), as many of them as are asked for.
pub(super) type BpfInfo = [u64; 16];

/// Commands of bpf(2), `enum bpf_cmd`.
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;
const BPF_LINK_GET_NEXT_ID: libc::c_int = 31;

/// One command whose attributes are three 32-bit words: ids and flags, no pointers.
fn bpf(command: libc::c_int, attributes: &mut [u32; 3]) -> Result<i32, Errno> {
    // SAFETY: the kernel reads and writes at most the twelve bytes that it is told of, and these commands take no pointer
    // from them.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size_of::<[u32; 3]>()) };
    Errno::result(result).map(|result| i32::try_from(result).unwrap_or(-1))
}

/// The id of the BPF link after `id`; 0 asks for the first.
///
/// # Errors
/// `ENOENT` after the last, `EPERM` without CAP_SYS_ADMIN, `EINVAL` before Linux 5.8.
pub(super) fn next_bpf_link(id: u32) -> Result<u32, Errno> {
    let mut attributes = [id, 0, 0];
    bpf(BPF_LINK_GET_NEXT_ID, &mut attributes).map(|_| attributes[1])
}

/// The BPF link with this id.
///
/// # Errors
/// As [`next_bpf_link`]; `ENOENT` if it is gone.
pub(super) fn open_bpf_link(id: u32) -> Result<OwnedFd, Errno> {
    bpf_object(BPF_LINK_GET_FD_BY_ID, id)
}

/// The BPF program with this id.
///
/// # Errors
/// As [`open_bpf_link`].
pub(super) fn open_bpf_program(id: u32) -> Result<OwnedFd, Errno> {
    bpf_object(BPF_PROG_GET_FD_BY_ID, id)
}

fn bpf_object(command: libc::c_int, id: u32) -> Result<OwnedFd, Errno> {
    let fd = bpf(command, &mut [id, 0, 0])?;
    // SAFETY: the kernel has just made the descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What the kernel says of a BPF object. `name` takes the text that word `at` of it points to; its length goes into the first
/// half of word `length_at`.
///
/// # Errors
/// As bpf(2) says for `BPF_OBJ_GET_INFO_BY_FD`; `ENOSPC` if the text is longer.
pub(super) fn bpf_info(object: BorrowedFd<'_>, name: Option<(usize, usize, &mut [u8])>) -> Result<BpfInfo, Errno> {
    let mut info: BpfInfo = [0; 16];
    if let Some((at, length_at, name)) = name {
        let length = u32::try_from(name.len()).map_err(|_| Errno::EINVAL)?.to_ne_bytes();
        let [a, b, c, d] = length;
        *info.get_mut(at).ok_or(Errno::EINVAL)? = name.as_mut_ptr().expose_provenance() as u64;
        *info.get_mut(length_at).ok_or(Errno::EINVAL)? = u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0]);
    }
    let fd = u32::try_from(object.as_raw_fd()).map_err(|_| Errno::EBADF)?.to_ne_bytes();
    let size = u32::try_from(size_of::<BpfInfo>()).map_err(|_| Errno::EINVAL)?.to_ne_bytes();
    let first = [fd, size].concat();
    let first = u64::from_ne_bytes(first.try_into().map_err(|_| Errno::EINVAL)?);
    let mut attributes = [first, info.as_mut_ptr().expose_provenance() as u64];
    // SAFETY: `info` and `name` are ours and live until the call returns; the kernel writes no more than the sizes that it is
    // told of, the pointers lie where `struct bpf_link_info` has them for the kind of link that the caller was told before,
    // and a kernel that means anything else by these words finds zeros or refuses.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, attributes.as_mut_ptr(), size_of_val(&attributes))
    };
    Errno::result(result).map(|_| info)
}

/// A descriptor of the process `pid`, which must be one and no further thread of one (pidfd_open(2)).
///
/// # Errors
/// `ESRCH` if there is none, `EINVAL` or `ENOENT` for a thread, `ENOSYS` before Linux 5.3.
pub(super) fn pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: the call takes two numbers and no pointer.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made the descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
