//! journald's native protocol (systemd, JOURNAL_NATIVE_PROTOCOL.md): one datagram for an entry, or a sealed memory file
//! where that is too long for one.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

/// Where journald listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// Hands one entry to the journald at `socket`. It acknowledges nothing: success means that it is in the socket's queue,
/// where it survives a restart of journald, but not of the host.
///
/// # Errors
/// What the kernel says: `NotFound`, `ConnectionRefused` without a journald.
pub fn send(socket: &Path, entry: &[u8]) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    sender.connect(socket)?;
    match sender.send(entry) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMSGSIZE | Errno::ENOBUFS)) => {
            in_memory_file(&sender, entry)
        }
        Err(error) => Err(error),
    }
}

fn in_memory_file(sender: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    let memory = memfd_create("sshproof-journal", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC)?;
    let mut file = File::from(memory);
    file.write_all(entry)?;
    // journald takes only what nobody can change any more.
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    let descriptors: [RawFd; 1] = [file.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    sendmsg(sender.as_raw_fd(), &[IoSlice::new(&[])], &rights, MsgFlags::empty(), None::<&UnixAddr>)?;
    Ok(())
}

/// An entry of these fields. A value with a newline is written with its length before it, as the protocol asks.
#[must_use]
pub fn entry(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            out.push(b'\n');
            out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            out.push(b'=');
        }
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_as_the_protocol_has_them() {
        assert_eq!(entry(&[("A", "x"), ("B", "y\nz")]), b"A=x\nB\n\x03\0\0\0\0\0\0\0y\nz\n");
    }

    #[test]
    fn long_ones_come_as_a_sealed_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let receiver = UnixDatagram::bind(&path).unwrap();
        send(&path, b"A=x\n").unwrap();
        let mut bytes = [0; 16];
        assert_eq!(receiver.recv(&mut bytes).unwrap(), 4);
        send(&path, &vec![b'x'; 4 << 20]).unwrap();
        assert_eq!(receiver.recv(&mut bytes).unwrap(), 0, "the datagram carries a descriptor and nothing else");
    }

    #[test]
    fn nobody_there() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(send(&dir.path().join("socket"), b"A=x\n").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
