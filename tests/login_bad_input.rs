//! Input of the login proof that is broken or hostile: sshd's and PAM's files with unknown words, without end, without
//! sense. Each is told with its file and line, none is proved, nothing panics.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::BTreeMap;

use common::case::{Case, Root};
use sshproof::login::pam::{Files, Seen};
use sshproof::login::prove::{self, Outcome, World};
use sshproof::login::tree::{Names, Tree};
use sshproof::model::report::Proof;
use sshproof::model::{Meta, RootedPath};

const SSHD: &str = "/etc/ssh/sshd_config";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/50-site.conf";
const PAM: &str = "/etc/pam.d/sshd";
const PAM_DROP_IN: &str = "/etc/pam.d/site";

/// What is said where one file is bad.
enum Says {
    /// sshd itself refuses the configuration, with this.
    Refused(&'static str),
    /// Nothing can be told, because of this.
    Unknown(&'static str),
    /// It reads the same as without: nothing is wrong with it.
    Proved,
}

/// A proved scenario with another file in it, or with one that cannot be read.
struct Broken {
    root: Root,
    unreadable: BTreeMap<RootedPath, &'static str>,
}

impl Files for Broken {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        match self.unreadable.get(path) {
            Some(reason) => Seen::Opaque((*reason).to_owned()),
            None => self.root.text(path),
        }
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        self.root.inode(path)
    }
}

impl Tree for Broken {
    fn names(&self, path: &RootedPath) -> Names {
        self.root.names(path)
    }
}

/// A scenario that is proved: key and one-time code, in files that are easy to break.
fn whole() -> Case {
    let mut case = Case::all().into_iter().find(|case| case.name == "03_key_and_otp").unwrap();
    let main = [&b"Include /etc/ssh/sshd_config.d/*.conf\n"[..], &text(&case, SSHD)].concat();
    put(&mut case, SSHD, &main);
    put(&mut case, DROP_IN, b"# site\n");
    case
}

fn put(case: &mut Case, path: &str, text: &[u8]) {
    case.root.texts.0.insert(RootedPath::new(path).unwrap(), text.to_vec());
}

fn text(case: &Case, path: &str) -> Vec<u8> {
    case.root.texts.0[&RootedPath::new(path).unwrap()].clone()
}

fn prove(case: &Case, unreadable: &[(&str, &'static str)]) -> Outcome {
    let unreadable = unreadable.iter().map(|(path, reason)| (RootedPath::new(path).unwrap(), *reason)).collect();
    let tree = Broken { root: case.root.clone(), unreadable };
    prove::prove(&case.server(), World { tree: &tree, ..case.world() }, &case.policy())
}

fn shown(outcome: &Outcome) -> String {
    let refusals: Vec<String> = outcome.refusals.iter().map(ToString::to_string).collect();
    format!("{:?} closed {} refused {refusals:#?} unknown {:#?}", outcome.proof, outcome.closed, outcome.unknowns)
}

fn check(name: &str, outcome: &Outcome, says: &Says) {
    let shown = format!("{name}: {}", shown(outcome));
    match says {
        Says::Proved => assert_eq!(outcome.proof, Proof::Proved, "{shown}"),
        Says::Refused(wanted) => {
            assert_eq!(outcome.proof, Proof::Unknown, "{shown}");
            assert!(outcome.refusals.iter().any(|problem| problem.to_string().contains(wanted)), "{wanted}\n{shown}");
        }
        Says::Unknown(wanted) => {
            assert_eq!(outcome.proof, Proof::Unknown, "{shown}");
            assert!(outcome.unknowns.iter().any(|reason| reason.contains(wanted)), "{wanted}\n{shown}");
        }
    }
}

#[test]
fn bad_sshd_config_is_told_with_its_place() {
    let whole = whole();
    check("whole", &prove(&whole, &[]), &Says::Proved);
    let main = text(&whole, SSHD);
    let crlf: Vec<u8> = main
        .iter()
        .flat_map(|byte| if *byte == b'\n' { &b"\r\n"[..] } else { std::slice::from_ref(byte) })
        .copied()
        .collect();
    let large = b"# a comment of some length, again and again\n".repeat(240_000);
    let blocks: String = (0..20_000).map(|number| format!("Match User x{number}\nMaxAuthTries 3\n")).collect();
    let rows: [(&str, &str, Vec<u8>, Says); 15] = [
        (
            "unknown keyword",
            DROP_IN,
            b"# one\nPermitTelepathy yes\n".into(),
            Says::Refused("50-site.conf:2:1: `PermitTelepathy` is no keyword"),
        ),
        (
            "unknown value",
            DROP_IN,
            b"\n  UsePAM maybe\n".into(),
            Says::Refused("50-site.conf:2:10: unsupported option `maybe`"),
        ),
        (
            "unknown criterion",
            DROP_IN,
            b"Match Moon full\n".into(),
            Says::Refused("50-site.conf:1:7: unsupported Match criterion `Moon`"),
        ),
        ("open quote", DROP_IN, b"Banner \"x\n".into(), Says::Refused("50-site.conf:1:8: a quote is not closed")),
        (
            "NUL",
            DROP_IN,
            b"UsePAM no\0 hidden\nMaxAuthTries 3\n".into(),
            Says::Refused("50-site.conf:1:8: unsupported option `noMaxAuthTries`"),
        ),
        ("NUL at the start", DROP_IN, b"\0UsePAM no\nUsePAM yes\n".into(), Says::Proved),
        ("CRLF", SSHD, crlf, Says::Proved),
        (
            "invalid UTF-8 in a keyword",
            DROP_IN,
            b"Use\xffPAM yes\n".into(),
            Says::Refused("50-site.conf:1:1: `Use\\xffPAM` is no keyword"),
        ),
        (
            "invalid UTF-8 in a value",
            DROP_IN,
            b"UsePAM y\xc3\x28s\n".into(),
            Says::Refused("50-site.conf:1:8: unsupported option `y\\xc3(s`"),
        ),
        ("a binary", DROP_IN, b"\x7fELF\x02\x01\x01\0\0\0\n\xff\xfe".into(), Says::Refused("50-site.conf:1:1:")),
        (
            "a file that includes itself",
            DROP_IN,
            b"Include /etc/ssh/sshd_config.d/50-site.conf\n".into(),
            Says::Refused("50-site.conf:1:1: too many recursive Includes"),
        ),
        (
            "a loop of two",
            DROP_IN,
            b"\nInclude /etc/ssh/sshd_config\n".into(),
            Says::Refused("too many recursive Includes"),
        ),
        ("ten megabytes", DROP_IN, large.clone(), Says::Unknown("50-site.conf: the file is larger than 4194304 bytes")),
        (
            "ten megabytes in a line",
            DROP_IN,
            [b"AllowUsers ".to_vec(), b"a".repeat(10 << 20)].concat(),
            Says::Unknown("50-site.conf: the file is larger than"),
        ),
        (
            "twenty thousand blocks",
            DROP_IN,
            blocks.into_bytes(),
            Says::Unknown("criteria and patterns tell connections apart"),
        ),
    ];
    for (name, path, content, says) in rows {
        let mut case = whole.clone();
        put(&mut case, path, &content);
        check(name, &prove(&case, &[]), &says);
    }
    for (path, reason) in [(SSHD, "permission denied"), (DROP_IN, "input/output error")] {
        let outcome = prove(&whole, &[(path, reason)]);
        check(path, &outcome, &Says::Unknown(reason));
        assert!(outcome.unknowns.iter().any(|unknown| unknown.contains(path)), "{}", shown(&outcome));
    }
}

#[test]
fn bad_pam_files_are_told_with_their_place() {
    let whole = whole();
    let stack = text(&whole, PAM);
    let with = |line: &[u8]| [line, b"\n", &stack].concat();
    let large = b"auth optional pam_env.so\n".repeat(400_000);
    let rows: [(&str, Vec<u8>, Says); 9] = [
        (
            "unknown module",
            with(b"auth sufficient pam_telepathy.so"),
            Says::Unknown("pam_telepathy.so` is not modelled (`/etc/pam.d/sshd` line 1)"),
        ),
        (
            "unknown option",
            with(b"auth sufficient pam_unix.so telepathy"),
            Says::Unknown("`telepathy` of `pam_unix.so` is not modelled (`/etc/pam.d/sshd` line 1)"),
        ),
        (
            "invalid UTF-8 in a module",
            with(b"auth sufficient pam_\xff\xfe.so"),
            Says::Unknown("pam_\\xff\\xfe.so` is not modelled (`/etc/pam.d/sshd` line 1)"),
        ),
        ("NUL", with(b"auth sufficient pam_unix.so\0 nullok"), Says::Unknown("/etc/pam.d/sshd")),
        ("include of itself", with(b"auth include sshd"), Says::Unknown("/etc/pam.d/sshd")),
        ("include of itself by @include", with(b"@include sshd"), Says::Unknown("/etc/pam.d/sshd")),
        ("ten megabytes", [large, stack.clone()].concat(), Says::Unknown("entries are not followed")),
        ("a loop of two", with(b"auth include site"), Says::Unknown("/etc/pam.d/")),
        ("unreadable include", with(b"auth include locked"), Says::Unknown("/etc/pam.d/locked")),
    ];
    for (name, content, says) in rows {
        let mut case = whole.clone();
        put(&mut case, PAM, &content);
        put(&mut case, PAM_DROP_IN, b"auth include sshd\n");
        check(name, &prove(&case, &[("/etc/pam.d/locked", "permission denied")]), &says);
    }
    check(PAM, &prove(&whole, &[(PAM, "permission denied")]), &Says::Unknown("/etc/pam.d/sshd"));
    // libpam takes the carriage return for a part of the last word, so that no module is found: nobody gets in, as with
    // the real one.
    let mut case = whole;
    let crlf = String::from_utf8(stack).unwrap().replace('\n', "\r\n");
    put(&mut case, PAM, crlf.as_bytes());
    let outcome = prove(&case, &[]);
    assert!(
        outcome.violations.is_empty() && (outcome.closed || outcome.proof == Proof::Unknown),
        "{}",
        shown(&outcome)
    );
}

/// A byte more, less or other in valid files: whatever is made of it, no panic, and what is refused has a place.
#[test]
fn mutations_of_valid_files_never_panic() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(limit.max(1)).unwrap()).unwrap()
    };
    let cases = Case::all();
    let (mut refused, mut read) = (0, 0);
    for round in 0..2_000 {
        let mut case = cases[round % cases.len()].clone();
        let paths: Vec<RootedPath> = case.root.texts.0.keys().filter(|path| is_configuration(path)).cloned().collect();
        let path = paths[below(paths.len())].clone();
        let bytes = case.root.texts.0.get_mut(&path).unwrap();
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            let odd = [0, b'\n', b'\r', b'"', b'\'', b'\\', b'#', b'[', b'=', b',', b'!', b'*', b'/', 0xff, 0xc3, 0x7f];
            match below(4) {
                _ if bytes.is_empty() => bytes.push(odd[below(odd.len())]),
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes.insert(at, odd[below(odd.len())]),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        let outcome = prove(&case, &[]);
        for problem in &outcome.refusals {
            let place = problem.to_string();
            assert!(place.starts_with("/etc/") || place.starts_with("command line"), "{}: {place}", case.name);
        }
        refused += usize::from(!outcome.refusals.is_empty());
        read += usize::from(outcome.classes > 0);
    }
    assert!(refused > 100 && read > 500, "{refused} refused, {read} read: the mutations are too wild or too mild");
}

fn is_configuration(path: &RootedPath) -> bool {
    let path = path.to_string();
    path.starts_with("/etc/ssh/") || path.starts_with("/etc/pam.d/")
}
