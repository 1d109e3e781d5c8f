//! The symbolic run against brute force: for random nested stacks, its minimal sets of evidence are those of all vectors
//! of module results, each walked by the dispatcher that `tests/login_pam_libpam.rs` compares with libpam. Seeded;
//! `SSHPROOF_PAM_SETS=20000` runs more than the slice.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sshproof::formats::pam::ReturnCode;
use sshproof::knowledge::pam_models::PamModels;
use sshproof::login::pam::stack::{self, HandlerKind};
use sshproof::login::pam::{self, Account, Connection, Files, Group, Mode, Remote, Seen, dispatch};
use sshproof::model::{FileKind, Meta, RootedPath};

/// What each module may answer; the evidence is its name, if it succeeds.
const CODES: [&str; 4] = ["success", "auth_err", "ignore", "new_authtok_reqd"];

/// Stacks compared when nobody asks for more.
const SLICE: usize = 400;

/// Distinct modules, and so the longest vector that is enumerated.
const MODULES: usize = 7;

#[test]
fn minimal_sets_are_those_of_all_result_vectors() {
    let texts: Vec<(String, String)> = (0..MODULES)
        .map(|n| {
            let text = format!(
                "module = 'm{n}.so'\nsource = 'made for this test'\n\
                 [[auth]]\nreturns = ['success']\nshows = {{ kind = 'possession', identity = 'm{n}' }}\n\
                 [[auth]]\nreturns = ['auth_err', 'ignore', 'new_authtok_reqd']\n"
            );
            (format!("m{n}.toml"), text)
        })
        .collect();
    let models = PamModels::read(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))).unwrap();
    let mut random = Random(0x0005_15c0);
    let count = std::env::var("SSHPROOF_PAM_SETS").ok().and_then(|n| n.parse().ok()).unwrap_or(SLICE);
    let (mut with_ways, mut sets, mut largest) = (0, 0, 0);
    for _ in 0..count {
        let files = random_root(&mut random);
        let program = pam::compile_with(b"sshd", Group::Auth, &files, &models);
        let account = Account {
            name: b"a".to_vec(),
            uid: 1,
            gid: 1,
            groups: Vec::new(),
            groups_complete: true,
            home: b"/".to_vec(),
            shell: Vec::new(),
            local: true,
        };
        let connection = Connection {
            account: Some(&account),
            remote: Remote::Any,
            service: b"sshd",
            empty_passwords_permitted: false,
            key_shown: false,
        };
        let ways = program.run(Mode::KeyboardInteractive, &program.answers(&connection, &files));
        let symbolic: BTreeSet<BTreeSet<String>> =
            ways.iter().map(|way| way.atoms.iter().map(ToString::to_string).collect()).collect();
        let brute = brute_force(&files);
        assert_eq!(symbolic, brute, "{:#?}", files.0);
        with_ways += usize::from(!brute.is_empty());
        sets += brute.len();
        largest = largest.max(brute.len());
    }
    println!(
        "{count} stacks, {with_ways} let somebody in: {sets} minimal sets, {largest} at most of one stack, no difference"
    );
    assert!(with_ways * 4 >= count, "only {with_ways} of {count} stacks let anybody in");
    assert!(largest >= 3, "no stack had more than {largest} minimal sets");
}

/// Minimal sets of succeeding modules over every vector of results.
fn brute_force(files: &Tree) -> BTreeSet<BTreeSet<String>> {
    let stack = stack::assemble(b"sshd", Group::Auth, files);
    if stack.refused.is_some() {
        return BTreeSet::new();
    }
    let handlers = &stack.handlers;
    let callers: Vec<usize> =
        (0..handlers.len()).filter(|at| matches!(handlers[*at].kind, HandlerKind::Module { .. })).collect();
    assert!(callers.len() <= 8, "too many handlers to enumerate");
    let mut sets = BTreeSet::new();
    for vector in 0..CODES.len().pow(u32::try_from(callers.len()).unwrap()) {
        let mut shown = BTreeSet::new();
        let result = dispatch::run(handlers, |at, handler| {
            let digit = callers.iter().position(|caller| *caller == at).unwrap();
            let code = CODES[vector / CODES.len().pow(u32::try_from(digit).unwrap()) % CODES.len()];
            if let (HandlerKind::Module { module, .. }, "success") = (&handler.kind, code) {
                shown.insert(String::from_utf8_lossy(module).trim_end_matches(".so").to_owned());
            }
            ReturnCode::named(code).unwrap()
        });
        if result == ReturnCode::SUCCESS {
            sets.insert(shown);
        }
    }
    let minimal = |set: &&BTreeSet<String>| !sets.iter().any(|other| other != *set && other.is_subset(set));
    sets.iter().filter(minimal).cloned().collect()
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// A service with up to two included files; at most eight calls of modules in all.
fn random_root(random: &mut Random) -> Tree {
    loop {
        let mut files = BTreeMap::new();
        files.insert("/etc/pam.d/b".to_owned(), lines(random, 3, &[]));
        files.insert("/etc/pam.d/a".to_owned(), lines(random, 3, &["b"]));
        files.insert("/etc/pam.d/sshd".to_owned(), lines(random, 6, &["a", "b"]));
        let tree = Tree(files);
        let handlers = stack::assemble(b"sshd", Group::Auth, &tree).handlers;
        let calls = handlers.iter().filter(|handler| matches!(handler.kind, HandlerKind::Module { .. })).count();
        if (2..=8).contains(&calls) && (calls <= 6 || random.below(8) == 0) {
            return tree;
        }
    }
}

fn lines(random: &mut Random, most: usize, include: &[&str]) -> String {
    let mut out = String::new();
    for _ in 0..=random.below(most) {
        if !include.is_empty() && random.below(4) == 0 {
            let control = random.pick(&["include", "substack"]);
            writeln!(out, "auth {control} {}", random.pick(include)).unwrap();
            continue;
        }
        let control = match random.below(9) {
            0 | 1 => "required".to_owned(),
            2 => "requisite".to_owned(),
            3 => "sufficient".to_owned(),
            4 => "optional".to_owned(),
            _ => {
                let action = |random: &mut Random| match random.below(8) {
                    0 | 1 => "ok".to_owned(),
                    2 => "done".to_owned(),
                    3 => "bad".to_owned(),
                    4 => "die".to_owned(),
                    5 => "reset".to_owned(),
                    6 => "ignore".to_owned(),
                    _ => (1 + random.below(3)).to_string(),
                };
                let (success, ignore, default) = (action(random), action(random), action(random));
                format!("[success={success} ignore={ignore} default={default}]")
            }
        };
        writeln!(out, "auth {control} m{}.so", random.below(MODULES)).unwrap();
    }
    out
}

struct Tree(BTreeMap<String, String>);

impl Files for Tree {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        self.0.get(&path.to_string()).map_or(Seen::Missing, |text| Seen::Text(text.as_bytes()))
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        let (mode, uid, gid, size, nlink, mtime, ctime, dev, ino) = (0o755, 0, 0, 1, 1, 0, 0, 1, 1);
        let there = |kind| Some(Meta { kind, mode, uid, gid, size, nlink, mtime, ctime, dev, ino });
        Ok(match path.to_string().as_str() {
            "/etc/pam.d" | "/usr/lib64/security" => there(FileKind::Directory),
            other if other.starts_with("/usr/lib64/security/") => there(FileKind::Regular),
            _ => None,
        })
    }
}
