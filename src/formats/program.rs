//! Tells from an executable's bytes whether it is an SSH server, and which: by the protocol banner and the messages that
//! only a server's code holds, never by its name. Markers were taken from Debian's OpenSSH 9.2 and 10.0, Dropbear 2022.83
//! and TinySSH 20230101. Whoever builds his own server can leave them out; such a program is not recognised here.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use crate::model::{RootedPath, text};

/// Longest path or version that is taken from a program.
const MAX_STRING: usize = 4096;

/// What a program says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Which server it is.
    pub implementation: Implementation,
    /// Which part of it.
    pub part: Part,
    /// Version as it announces it, `OpenSSH_9.2p1 Debian-2+deb12u10`, escaped; empty if none was found.
    pub version: String,
    /// Configuration file compiled in.
    pub config: Option<RootedPath>,
    /// Paths of `sshd-session` and `sshd-auth` compiled in (OpenSSH 9.8 and 10.0 split them off).
    pub parts: Vec<RootedPath>,
}

/// Which server a program is, told by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Implementation {
    /// OpenSSH's `sshd`, or a build of it (HPN-SSH, GSI-OpenSSH).
    OpenSsh,
    /// Dropbear.
    Dropbear,
    /// TinySSH.
    TinySsh,
    /// It holds an SSH protocol banner and is none of the others; or its program could not be read.
    Unknown,
}

/// Which part of a server a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It listens, or is started by inetd.
    Server,
    /// OpenSSH's `sshd-session` (since 9.8): one connection.
    Session,
    /// OpenSSH's `sshd-auth` (since 10.0): one connection before authentication.
    Auth,
}

const MARKERS: [&[u8]; 10] = [
    b"OpenSSH_",
    b"Server listening on ",
    b"sshd-session should not be executed directly",
    b"sshd-auth should not be executed directly",
    b"/sshd_config\0",
    b"/sshd-session\0",
    b"/sshd-auth\0",
    b"SSH-2.0-dropbear",
    b"Dropbear server v",
    b"SSH-2.0-",
];
const TINYSSH: &[u8] = b"SSH-2.0-tinyssh";

static AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(MARKERS.iter().copied().chain([TINYSSH]))
        .expect("eleven short literals fit any automaton")
});

/// Words of which every program that [`identify`] recognises holds one.
const NEEDED: [&[u8]; 2] = [b"OpenSSH_", b"SSH-2.0-"];
/// Bytes that neighbouring parts of a file must share for [`may_be_server`] to miss nothing: one less than such a word has.
pub const SHARED: usize = 7;

static FINDERS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| NEEDED.map(Finder::new));

/// Whether a program of which `part` is a part can be one that [`identify`] recognises. Parts may be searched one after the
/// other, each beginning with the last [`SHARED`] bytes of the one before; that costs a tenth of [`identify`], which needs
/// the whole file.
#[must_use]
pub fn may_be_server(part: &[u8]) -> bool {
    FINDERS.iter().any(|finder| finder.find(part).is_some())
}

/// Where Go's linker puts its note: before the code, which begins at the second page.
pub const BEGINNING: usize = 4096;

/// Whether a program that begins with `beginning` was linked by Go, by its note (`cmd/link`: owner `Go`, type 4, the id of the
/// build). None of the servers that [`identify`] tells by name is written in Go, and Go's daemons are the largest of a node.
/// Anybody can put such a note into his file: that may save work, it may not clear anything.
#[must_use]
pub fn is_of_go(beginning: &[u8]) -> bool {
    let beginning = beginning.get(..BEGINNING).unwrap_or(beginning);
    let is_note = |note: &[u8]| matches!(note, [4, 0, 0, 0, _, _, _, _, 4, 0, 0, 0, b'G', b'o', 0, 0]);
    beginning.starts_with(b"\x7fELF") && beginning.windows(16).any(is_note)
}

/// What SSH server the program whose file content is `bytes` is; `None` if it shows no sign of being one. Clients and key
/// tools are none.
#[must_use]
pub fn identify(bytes: &[u8]) -> Option<Program> {
    let mut seen = [false; MARKERS.len() + 1];
    let mut version: &[u8] = b"";
    let mut config = None;
    let mut parts = Vec::new();
    for found in AUTOMATON.find_iter(bytes) {
        let index = found.pattern().as_usize();
        if let Some(flag) = seen.get_mut(index) {
            *flag = true;
        }
        match index {
            0 => {
                let banner = string_from(bytes, found.start());
                if is_version(banner, found.len()) && banner.len() > version.len() {
                    version = banner;
                }
            }
            4 if config.is_none() => config = path_until(bytes, found.end()),
            5 | 6 => parts.extend(path_until(bytes, found.end())),
            7 => version = string_from(bytes, found.start()),
            _ => {}
        }
    }
    let [openssh, listens, session, auth, _, _, _, dropbear, dropbear_server, other, tinyssh] = seen;
    let (implementation, part) = match () {
        () if openssh && session => (Implementation::OpenSsh, Part::Session),
        () if openssh && auth => (Implementation::OpenSsh, Part::Auth),
        () if openssh && listens && config.is_some() => (Implementation::OpenSsh, Part::Server),
        () if dropbear && dropbear_server => (Implementation::Dropbear, Part::Server),
        () if tinyssh => (Implementation::TinySsh, Part::Server),
        () if other => (Implementation::Unknown, Part::Server),
        () => return None,
    };
    if implementation != Implementation::OpenSsh {
        config = None;
        parts.clear();
    }
    parts.sort_unstable();
    parts.dedup();
    Some(Program { implementation, part, version: text::escape(version), config, parts })
}

/// A banner rather than one of the patterns that name other versions' bugs (`OpenSSH_7.0*,OpenSSH_7.1*`).
fn is_version(banner: &[u8], prefix: usize) -> bool {
    banner.get(prefix).is_some_and(u8::is_ascii_digit) && !banner.iter().any(|b| matches!(b, b'*' | b',' | b'%'))
}

/// The printable bytes from `start` up to the next that is not.
fn string_from(bytes: &[u8], start: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or_default();
    let rest = rest.get(..MAX_STRING).unwrap_or(rest);
    let end = rest.iter().position(|b| !matches!(b, b' '..=b'~')).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// The absolute path whose terminating NUL lies just before `end`: printable bytes back to the one that is not.
fn path_until(bytes: &[u8], end: usize) -> Option<RootedPath> {
    let stop = end.checked_sub(1)?;
    let before = bytes.get(stop.saturating_sub(MAX_STRING)..stop)?;
    let start = before.iter().rposition(|b| !matches!(b, b' '..=b'~')).map_or(0, |at| at.saturating_add(1));
    RootedPath::new(before.get(start..)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(content: &[u8], expected: Option<(Implementation, Part, &str)>) {
        let program = identify(content);
        assert!(program.is_none() || may_be_server(content));
        let seen = program.as_ref().map(|p| (p.implementation, p.part, p.version.as_str()));
        assert_eq!(seen, expected);
    }

    #[test]
    fn servers_are_told_by_content() {
        use Implementation::{Dropbear, OpenSsh, TinySsh, Unknown};
        let sshd = b"\0OpenSSH_9.2\0OpenSSH_9.2p1 Debian-2\0OpenSSH_7.0*,OpenSSH_7.1*,OpenSSH_7.2*,OpenSSH_7.3*\0\
                     /opt/x/etc/sshd_config\0Server listening on %s port %s.\0/usr/lib/openssh/sshd-session\0";
        check(sshd, Some((OpenSsh, Part::Server, "OpenSSH_9.2p1 Debian-2")));
        let program = identify(sshd).unwrap();
        assert_eq!(program.config, RootedPath::new("/opt/x/etc/sshd_config"));
        assert_eq!(program.parts, [RootedPath::new("/usr/lib/openssh/sshd-session").unwrap()]);
        check(
            b"OpenSSH_10.0p2\0sshd-auth should not be executed directly\0",
            Some((OpenSsh, Part::Auth, "OpenSSH_10.0p2")),
        );
        check(
            b"SSH-2.0-dropbear_2022.83\0Dropbear server v%s",
            Some((Dropbear, Part::Server, "SSH-2.0-dropbear_2022.83")),
        );
        check(b"SSH-2.0-tinyssh_20230101", Some((TinySsh, Part::Server, "")));
        check(b"SSH-2.0-Go", Some((Unknown, Part::Server, "")));
    }

    #[test]
    fn programs_of_go_are_told_by_their_note() {
        let note = [b"\x7fELF".as_slice(), &[4, 0, 0, 0, 83, 0, 0, 0, 4, 0, 0, 0, b'G', b'o', 0, 0]].concat();
        assert!(is_of_go(&note));
        let gnu = [b"\x7fELF".as_slice(), &[4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0]].concat();
        assert!(!is_of_go(&gnu) && !is_of_go(note.get(1..).unwrap()) && !is_of_go(b""));
        assert!(!is_of_go(&[b"\x7fELF".as_slice(), &[0; BEGINNING], note.get(4..).unwrap()].concat()));
    }

    #[test]
    fn clients_and_others_are_not() {
        check(b"OpenSSH_9.2p1 Debian-2\0/etc/ssh/ssh_config\0", None);
        check(b"SSH-2.0-dropbear_2022.83\0", None);
        check(b"Server listening on \0/etc/ssh/sshd_config\0", None);
        check(b"", None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0usize..11) {
            let marker = MARKERS.get(at).copied().unwrap_or(TINYSSH);
            let content = [&bytes, marker, &bytes].concat();
            prop_assert!(identify(&content).is_none() || may_be_server(&content));
        }
    }
}
