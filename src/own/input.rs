//! Reads what somebody hands to us: stored facts, whole or not at all.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The content of `path`, or of standard input for `-`; FIFOs are fine.
///
/// # Errors
/// What the kernel says; `InvalidData` if there are more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if path.as_os_str() == "-" { bounded(io::stdin().lock(), limit) } else { bounded(File::open(path)?, limit) }
}

fn bounded(input: impl io::Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = input.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if read as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_limit_and_not_beyond() {
        assert_eq!(bounded(&b"abc"[..], 3).unwrap(), b"abc");
        assert_eq!(bounded(&b"abcd"[..], 3).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
