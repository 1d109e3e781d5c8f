//! The files of dpkg's database, one parser each, after the man pages of dpkg 1.21 and its source where those are silent.
//!
//! Nothing in them is signed: whoever is root on the host can have written all of it. Every parser takes bytes of any
//! content, returns what it understood beside its problems, and carries on after a line it does not understand.

pub mod alternatives;
pub mod diversions;
pub mod list;
pub mod md5sums;
pub mod pam_auth_update;
pub mod statoverride;
pub mod status;
pub mod ucf;

use crate::model::{Algorithm, Digest};

/// An MD5 digest in hexadecimal.
pub(crate) fn md5(hex: &[u8]) -> Option<Digest> {
    Digest::from_hex(Algorithm::Md5, std::str::from_utf8(hex).ok()?)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "the test counts its own input")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::deb822;
    use crate::formats::problem::Problems;
    use crate::model::RootedPath;

    /// Well-formed files of every kind, to be damaged.
    const SEEDS: &[&[u8]] = &[
        b"Package: a\nStatus: install ok installed\nConffiles:\n /etc/x d41d8cd98f00b204e9800998ecf8427e obsolete\n\nPackage: b\n",
        b"d41d8cd98f00b204e9800998ecf8427e  usr/sbin/sshd\nd41d8cd98f00b204e9800998ecf8427e  etc/x\n",
        b"/.\n/usr\n/usr/sbin\n/usr/sbin/sshd\n",
        b"/usr/bin/ssh\n/usr/bin/ssh.real\n:\n/a\n/b\nc\n",
        b"root root 4755 /usr/bin/x\n#0 #0 755 /a b\n",
        b"auto\n/usr/bin/awk\nnawk\n/usr/bin/nawk\n\n/usr/bin/mawk\n5\n/usr/bin/mawk\n\n",
        b"e6fd6e8e29210c5678181f33177d5433  /etc/ssh/sshd_config\nopenssh-server \t /etc/ssh/sshd_config\n",
        b"# here are the per-package modules (the \"Primary\" block)\n# here's the fallback if no module succeeds\n",
    ];

    /// A seed with a few bytes overwritten, removed or inserted; or anything at all.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..8);
        let mutated = (prop::sample::select(SEEDS), edits).prop_map(|(seed, edits)| {
            let mut bytes = seed.to_vec();
            for (at, byte, kind) in edits {
                let at = at.index(bytes.len().max(1));
                match kind {
                    0 => bytes.insert(at.min(bytes.len()), byte),
                    1 if at < bytes.len() => bytes[at] = byte,
                    _ if at < bytes.len() => drop(bytes.remove(at)),
                    _ => {}
                }
            }
            bytes
        });
        prop_oneof![3 => mutated, 1 => prop::collection::vec(any::<u8>(), 0..300)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the bytes, every parser comes back, and what it returns is part of what it was given.
        #[test]
        fn no_parser_is_stopped_by_its_input(bytes in damaged()) {
            for stanza in deb822::stanzas(&bytes) {
                let mut problems = Problems::default();
                for field in stanza.fields(&mut problems) {
                    prop_assert_eq!(stanza.get(field.name), Some(field.value));
                    prop_assert!(field.line >= stanza.line());
                }
                prop_assert!(problems.first.len() <= Problems::KEPT);
            }
            let (entries, _) = status::parse(&bytes);
            for entry in &entries {
                prop_assert!(status::is_name(entry.name));
                let _ = (entry.state(), entry.conffiles());
            }
            let (sums, _) = md5sums::parse(&bytes);
            prop_assert!(sums.iter().all(|sum| !sum.path.is_empty() && !sum.path.starts_with(b"/")));
            let (diversions, _) = diversions::parse(&bytes);
            let lines = bytes.iter().filter(|b| **b == b'\n').count() + 1;
            prop_assert!(diversions.len() * 3 <= lines);
            let (overrides, _) = statoverride::parse(&bytes);
            prop_assert!(overrides.iter().all(|entry| entry.mode <= 0o7777));
            let (group, _) = alternatives::parse(&bytes);
            prop_assert!(group.choices.iter().all(|choice| choice.len() == group.links.len()));
            let _ = (ucf::parse_hashfile(&bytes), ucf::parse_registry(&bytes), ucf::history(&bytes).count());
            if let Some(kept) = pam_auth_update::without_blocks(&bytes) {
                prop_assert!(kept.len() <= bytes.len());
                prop_assert_eq!(pam_auth_update::without_blocks(&kept), Some(kept.clone()), "cutting twice cuts no more");
            }
        }

        /// A path is found in a list exactly when it stands there as a line of its own, or another of the same name does.
        #[test]
        fn lists_are_searched_like_line_by_line(bytes in damaged(), name in "[a-z]{0,4}(\\.so)?") {
            let Some(path) = RootedPath::new(format!("/usr/sbin/{name}x")) else { return Ok(()) };
            let list = [bytes.as_slice(), b"\n/usr/sbin/", name.as_bytes(), b"x\n/", name.as_bytes(), b"y"].concat();
            let found = list::Wanted::new([&path]).find(&list);
            let by_hand: Vec<&[u8]> = list
                .split(|b| *b == b'\n')
                .filter(|line| line.rsplit(|b| *b == b'/').next() == Some(path.file_name()))
                .collect();
            prop_assert_eq!(found, by_hand);
        }
    }
}
