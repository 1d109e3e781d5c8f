//! Asks a network namespace for its sockets (sock_diag(7)). Understands nothing of question and answer but where an answer ends.
//!
//! Only a thread of our own enters the namespace, and it ends with the question. The kernel loads the module that answers for
//! a kind of socket when it is first asked; whoever asks should know that there is such a socket.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// Room for one part of an answer; the kernel sends at most 32 KiB at once (`NLMSG_GOODSIZE`, `max_recvmsg_len`).
const PART: usize = 64 << 10;
/// Largest answer.
const MAX_ANSWER: usize = 4 << 20;

/// The answer to `question` in `namespace` (an open `/proc/PID/ns/net`; `None` for our own), up to the part for which `is_end`
/// says that it is the last, or to where the kernel has no more to say.
///
/// # Errors
/// What setns(2) (`EPERM` without CAP_SYS_ADMIN), socket(2), send(2) or recv(2) say.
pub fn ask(namespace: Option<OwnedFd>, question: &[u8], is_end: fn(&[u8]) -> bool) -> Result<Vec<u8>, Errno> {
    let Some(namespace) = namespace else { return talk(question, is_end) };
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            talk(question, is_end)
        });
        asker.join().unwrap_or(Err(Errno::ECANCELED))
    })
}

fn talk(question: &[u8], is_end: fn(&[u8]) -> bool) -> Result<Vec<u8>, Errno> {
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    send(netlink.as_raw_fd(), question, MsgFlags::empty())?;
    let mut answer = Vec::new();
    let mut part = vec![0; PART];
    while answer.len() < MAX_ANSWER {
        match recv(netlink.as_raw_fd(), &mut part, MsgFlags::MSG_DONTWAIT) {
            Ok(0) | Err(Errno::EAGAIN) => break,
            Ok(length) => {
                let part = part.get(..length).unwrap_or_default();
                answer.extend_from_slice(part);
                if is_end(part) {
                    break;
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(answer)
}
