//! Asks a TPM 2.0 to sign what it knows of this boot together with a digest of ours: one command, TPM2_Quote (TPM 2.0 Library, part 3,
//! section 18.4; structures in part 2). The key must be there already, restricted and without a password, at a persistent handle.
//!
//! What such a quote proves: that this TPM, in a boot with these measurements, was handed this digest. Not that what was digested
//! is true: who is root hands over what he likes.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The resource manager of the kernel: other programs' sessions stay what they are.
pub const DEVICE: &str = "/dev/tpmrm0";

/// `TPM_ST_SESSIONS`, and the code of the command (part 2, tables 19 and 12).
const SESSIONS: u16 = 0x8002;
const QUOTE: u32 = 0x0000_0158;

/// `TPM_RS_PW`: authorised by a password, here the empty one (part 1, section 19.4).
const PASSWORD: u32 = 0x4000_0009;

/// `TPM_ALG_NULL` (the key's own scheme) and `TPM_ALG_SHA256`.
const NULL: u16 = 0x0010;
const SHA256: u16 = 0x000b;

/// Registers 0 to 7, which firmware and boot loader extend (TCG PC Client Platform Firmware Profile, section 3.3.4).
const REGISTERS: [u8; 3] = [0xff, 0, 0];

/// No answer of a TPM is longer (`TPM_PT_MAX_RESPONSE_SIZE` of the PC Client profile).
const MAX_ANSWER: usize = 4096;

/// Longest wait; RSA on a slow chip takes about a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the TPM signed, and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// `TPMS_ATTEST`.
    pub message: Vec<u8>,
    /// `TPMT_SIGNATURE`.
    pub signature: Vec<u8>,
}

/// Has the TPM at `device`, a device or a socket of an emulator's, sign `digest` with the key at `handle`.
///
/// # Errors
/// What the kernel says; `InvalidData` if the answer is a refusal, with the TPM's code, or none at all, or about another digest.
pub fn quote(device: &Path, handle: u32, digest: &[u8; 32]) -> io::Result<Quoted> {
    let answer = if std::fs::metadata(device)?.file_type().is_socket() {
        let socket = UnixStream::connect(device)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        exchange(socket, &command(handle, digest))?
    } else {
        exchange(OpenOptions::new().read(true).write(true).open(device)?, &command(handle, digest))?
    };
    let quoted = read(&answer)?;
    // A TPM that signed something else is none that anybody should rely on.
    if !quoted.message.windows(digest.len()).any(|window| window == digest) {
        return Err(bad("the TPM signed another digest"));
    }
    Ok(quoted)
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

fn exchange(mut tpm: impl Read + Write, command: &[u8]) -> io::Result<Vec<u8>> {
    // A device takes a command, and gives an answer, in one piece.
    tpm.write_all(command)?;
    let mut answer = vec![0; MAX_ANSWER];
    let mut got = 0;
    loop {
        let read = tpm.read(answer.get_mut(got..).unwrap_or_default())?;
        got = got.saturating_add(read);
        let size = answer.get(2..6).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
        if got >= 10 && got >= size as usize {
            answer.truncate(got);
            return Ok(answer);
        }
        if read == 0 {
            return Err(bad("the TPM's answer ends too early"));
        }
    }
}

fn command(handle: u32, digest: &[u8; 32]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&QUOTE.to_be_bytes());
    body.extend_from_slice(&handle.to_be_bytes());
    // One session: handle, no nonce, no attributes, no password.
    body.extend_from_slice(&9_u32.to_be_bytes());
    body.extend_from_slice(&PASSWORD.to_be_bytes());
    body.extend_from_slice(&[0; 5]);
    body.extend_from_slice(&32_u16.to_be_bytes());
    body.extend_from_slice(digest);
    body.extend_from_slice(&NULL.to_be_bytes());
    // One bank.
    body.extend_from_slice(&1_u32.to_be_bytes());
    body.extend_from_slice(&SHA256.to_be_bytes());
    body.push(3);
    body.extend_from_slice(&REGISTERS);
    let size = u32::try_from(body.len()).unwrap_or(0).saturating_add(6);
    let mut command = SESSIONS.to_be_bytes().to_vec();
    command.extend_from_slice(&size.to_be_bytes());
    command.extend_from_slice(&body);
    command
}

fn read(answer: &[u8]) -> io::Result<Quoted> {
    let short = || bad("the TPM's answer ends too early");
    let number = |at: usize| -> io::Result<usize> {
        let bytes = answer.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
        Ok(u32::from_be_bytes(bytes) as usize)
    };
    let code = number(6)?;
    if code != 0 {
        return Err(bad(&format!("the TPM refuses: response code {code:#x}")));
    }
    // After the header, the size of what follows it: a message with its length, then the signature.
    let end = number(10)?.saturating_add(14);
    let length =
        answer.get(14..16).and_then(|bytes| bytes.try_into().ok()).map(u16::from_be_bytes).ok_or_else(short)?;
    let middle = usize::from(length).saturating_add(16);
    let message = answer.get(16..middle).ok_or_else(short)?.to_vec();
    let signature = answer.get(middle..end).ok_or_else(short)?.to_vec();
    // `TPM_GENERATED_VALUE` and `TPM_ST_ATTEST_QUOTE`: made by a TPM, and a quote.
    if !message.starts_with(&[0xff, b'T', b'C', b'G', 0x80, 0x18]) || signature.is_empty() {
        return Err(bad("the TPM's answer is no quote"));
    }
    Ok(Quoted { message, signature })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with this code, message and signature.
    fn answer(code: u32, message: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut body = (message.len() as u16).to_be_bytes().to_vec();
        body.extend_from_slice(message);
        body.extend_from_slice(signature);
        let mut whole = SESSIONS.to_be_bytes().to_vec();
        whole.extend_from_slice(&(body.len() as u32 + 14 + 5).to_be_bytes());
        whole.extend_from_slice(&code.to_be_bytes());
        whole.extend_from_slice(&(body.len() as u32).to_be_bytes());
        whole.extend_from_slice(&body);
        whole.extend_from_slice(&[0; 5]);
        whole
    }

    #[test]
    fn answers_are_taken_apart_or_refused() {
        let message = b"\xffTCG\x80\x18 and more";
        let whole = answer(0, message, b"signature");
        assert_eq!(read(&whole).unwrap(), Quoted { message: message.to_vec(), signature: b"signature".to_vec() });
        assert!(read(&answer(0x18b, b"", b"")).unwrap_err().to_string().contains("0x18b"));
        assert!(read(&answer(0, b"\xffTCG\x80\x17", b"x")).is_err(), "a certification is no quote");
        for end in 0..whole.len() - 5 {
            assert!(read(&whole[..end]).is_err(), "cut at {end}");
        }
    }
}
