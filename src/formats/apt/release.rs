//! `Release` of an archive, the text inside `InRelease`: the SHA-256 of each of its indices
//! (<https://wiki.debian.org/DebianRepository/Format>).

use std::collections::BTreeMap;

use crate::formats::deb822;
use crate::model::{Algorithm, Digest};

/// What it says of one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Indices, by their paths beneath the directory of the file. MD5 and SHA-1, which old archives list too, count for nothing.
#[must_use]
pub fn indices(text: &[u8]) -> BTreeMap<&[u8], Listed> {
    /// Debian's own list has some 800.
    const MAX: usize = 50_000;
    let Some(table) = deb822::stanzas(text).next().and_then(|stanza| stanza.get(b"SHA256")) else {
        return BTreeMap::new();
    };
    let lines = table.split(|byte| *byte == b'\n').take(MAX);
    lines
        .filter_map(|line| {
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let hex = std::str::from_utf8(words.next()?).ok()?;
            let sha256 = Digest::from_hex(Algorithm::Sha256, hex)?;
            let size = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
            Some((words.next()?, Listed { sha256, size }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strong_digests_alone_are_read() {
        let empty = Digest::of(Algorithm::Sha256, b"");
        let text = format!(
            "Suite: stable\nMD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 weak\nSHA256:\n {} 0  main/binary-amd64/Packages\n nonsense\n",
            empty.hex()
        );
        let found = indices(text.as_bytes());
        let expected = (b"main/binary-amd64/Packages".as_slice(), Listed { sha256: empty, size: 0 });
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [expected]);
        assert!(indices(b"Suite: stable\n").is_empty());
    }
}
