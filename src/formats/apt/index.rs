//! `Packages` of an archive: a stanza for each package, of which a few are wanted among tens of thousands.

use crate::formats::deb822;
use crate::model::{Algorithm, Digest};

/// The longest stanza, in bytes; those with thousands of `Provides` have some 200,000.
const MAX_STANZA: usize = 1 << 20;
/// Stanzas taken from one index.
const MAX_FOUND: usize = 100_000;

/// What an index says of one version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// Its version.
    pub version: Vec<u8>,
    /// Its architecture, `all` perhaps.
    pub architecture: Vec<u8>,
    /// Where its file lies beneath the top of the archive.
    pub file: Vec<u8>,
    /// Size of that file in bytes.
    pub size: u64,
    /// SHA-256 of that file.
    pub sha256: Digest,
}

/// Looks for packages in an index that comes piece by piece.
pub struct Search<'a> {
    wanted: &'a dyn Fn(&[u8]) -> bool,
    rest: Vec<u8>,
    found: Vec<Entry>,
}

impl<'a> Search<'a> {
    /// `wanted`: whether the package of this name is looked for.
    #[must_use]
    pub const fn new(wanted: &'a dyn Fn(&[u8]) -> bool) -> Self {
        Self { wanted, rest: Vec::new(), found: Vec::new() }
    }

    /// Takes the next piece; false if this is no index.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        self.rest.extend_from_slice(piece);
        let mut done = 0;
        // The two line ends of a stanza may come in two pieces: what is not ended stays.
        while let Some(rest) = self.rest.get(done..)
            && let Some(at) = memchr::memmem::find(rest, b"\n\n")
        {
            let end = done.saturating_add(at).saturating_add(1);
            let stanza = self.rest.get(done..end).unwrap_or_default();
            let entry = entry(stanza, self.wanted);
            self.found.extend(entry.filter(|_| self.found.len() < MAX_FOUND));
            done = end.saturating_add(1);
        }
        self.rest.drain(..done.min(self.rest.len()));
        self.rest.len() <= MAX_STANZA
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Vec<Entry> {
        let last = entry(&self.rest, self.wanted);
        self.found.extend(last);
        self.found
    }
}

fn entry(stanza: &[u8], wanted: &dyn Fn(&[u8]) -> bool) -> Option<Entry> {
    // The name stands first in every index that there is: sixty thousand stanzas are passed over by that line alone.
    let stanza = stanza.trim_ascii_start();
    let first = stanza.strip_prefix(b"Package:")?;
    let name = first.get(..memchr::memchr(b'\n', first)?)?.trim_ascii();
    if !wanted(name) {
        return None;
    }
    let stanza = deb822::stanzas(stanza).next()?;
    let text = |name: &[u8]| std::str::from_utf8(stanza.get(name)?).ok();
    Some(Entry {
        name: name.to_vec(),
        version: stanza.get(b"Version")?.to_vec(),
        architecture: stanza.get(b"Architecture")?.to_vec(),
        file: stanza.get(b"Filename")?.to_vec(),
        size: text(b"Size")?.parse().ok()?,
        sha256: Digest::from_hex(Algorithm::Sha256, text(b"SHA256")?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_packages_are_found_whatever_the_pieces() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let stanza = |name: &str, more: &str| {
            format!(
                "Package: {name}\nVersion: 1:2-3\nArchitecture: amd64\nDescription: one\n two\n{more}Filename: pool/{name}.deb\n\
                 Size: 7\nSHA256: {}\n",
                digest.hex()
            )
        };
        // A stanza cannot name another package in the continuation of a field, nor lack its digest.
        let text = [
            stanza("openssh-client", ""),
            stanza("openssh-server", " Package: sudo\n"),
            "Package: sudo\nVersion: 1\n".to_owned(),
            stanza("libc6", ""),
        ]
        .join("\n");
        for piece in [1, 3, 64, 10_000] {
            let wanted = |name: &[u8]| name == b"openssh-server" || name == b"libc6" || name == b"sudo";
            let mut search = Search::new(&wanted);
            assert!(text.as_bytes().chunks(piece).all(|piece| search.push(piece)));
            let found = search.finish();
            let names: Vec<_> = found.iter().map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect();
            assert_eq!(names, ["openssh-server", "libc6"]);
            assert_eq!(
                (found[0].size, found[0].sha256, found[0].file.as_slice()),
                (7, digest, b"pool/openssh-server.deb".as_slice())
            );
        }
        let mut search = Search::new(&|_| true);
        assert!(!search.push(&vec![b'a'; MAX_STANZA + 1]));
    }
}
