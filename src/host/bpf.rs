//! The kernel's BPF links and the names of their programs (bpf(2)), as raw words: see `formats::bpf` for what they mean. Asking
//! changes nothing; a kernel without BPF, or one that refuses, says so.

use std::os::fd::AsFd as _;

use nix::errno::Errno;

use super::syscall;

/// Links that are looked at; a host with several agents has some hundred.
const MAX_LINKS: usize = 4096;
/// Longest path of a probed file (`PATH_MAX`).
const MAX_PATH: usize = 4096;

/// What the kernel says of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLink {
    /// `struct bpf_link_info` of linux/bpf.h in words of the machine.
    pub info: [u64; 16],
    /// The text that it points to, ended by NUL; empty where none was asked for.
    pub name: Vec<u8>,
}

/// Where `struct bpf_link_info` keeps a pointer and its length, in words from its beginning.
pub type NamePlace = (usize, usize);

/// All links, in the order of their ids. `place` says for the first look at one where its text is asked for; `None` for one
/// that is passed over.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `EINVAL` or `ENOSYS` where the kernel knows no links, `EMFILE` if there are too many.
pub fn links(place: impl Fn(&[u64; 16]) -> Option<NamePlace>) -> Result<Vec<RawLink>, Errno> {
    let mut links = Vec::new();
    let mut id = 0;
    for _ in 0..MAX_LINKS {
        id = match syscall::next_bpf_link(id) {
            Ok(id) => id,
            Err(Errno::ENOENT) => return Ok(links),
            Err(errno) => return Err(errno),
        };
        // It may have gone since.
        let Ok(link) = syscall::open_bpf_link(id) else { continue };
        let Ok(info) = syscall::bpf_info(link.as_fd(), None) else { continue };
        let Some((at, length_at)) = place(&info) else { continue };
        let mut name = vec![0; MAX_PATH];
        match syscall::bpf_info(link.as_fd(), Some((at, length_at, &mut name))) {
            Ok(info) => links.push(RawLink { info, name }),
            Err(_) => links.push(RawLink { info, name: Vec::new() }),
        }
    }
    Err(Errno::EMFILE)
}

/// `struct bpf_prog_info` of the program with this id; `None` if it is gone or may not be looked at.
#[must_use]
pub fn program(id: u32) -> Option<[u64; 16]> {
    let program = syscall::open_bpf_program(id).ok()?;
    syscall::bpf_info(program.as_fd(), None).ok()
}
