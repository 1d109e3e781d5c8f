//! Each file of `cases/` is one small root with its package database, and what is to be said of it.
//!
//! A block begins with a line `--- `, and what follows up to the next one is the file's content:
//! `--- PATH [ROLES] [mode OCTAL]` is a file (looked at in these roles, if any are given), `--- link PATH TARGET` a symbolic
//! link, `--- look PATH [ROLES]` a question without a file, `--- policy` the policy, `--- expected` the answer. `{md5 PATH}`
//! stands for the digest of that file's content in the case, `{uid}` and `{gid}` for ours, `\xNN` for a byte.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libtest_mimic::Trial;
use sshproof::checks::trust;
use sshproof::facts::{Role, RootFacts};
use sshproof::model::{Algorithm, CheckResult, Digest, RootedPath, text};
use sshproof::policy::Policy;

use crate::common::mimic::trial;
use crate::look::{judge, look, standings};

pub fn trials() -> Vec<Trial> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/provenance/cases");
    let mut cases: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 15, "the cases are not where they should be");
    cases
        .into_iter()
        .map(|case| {
            let name = format!("case_{}", case.file_stem().unwrap().to_str().unwrap());
            trial(&name, &[], move || run(&fs::read_to_string(case).unwrap()))
        })
        .collect()
}

fn run(case: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut questions: Vec<(RootedPath, BTreeSet<Role>)> = Vec::new();
    let mut policy = Policy::default();
    let mut expected = None;
    let blocks: Vec<(&str, String)> = blocks(case);
    let contents: BTreeMap<&str, &str> =
        blocks.iter().map(|(head, body)| (head.split(' ').next().unwrap(), body.as_str())).collect();
    // Links first: files are written through them.
    for (head, _) in blocks.iter().filter(|(head, _)| head.starts_with("link ")) {
        let words: Vec<&str> = head.split(' ').collect();
        let at = on_disk(dir.path(), words[1]);
        std::os::unix::fs::symlink(words[2], at).unwrap();
    }
    for (head, body) in &blocks {
        let body = with_digests(body, &contents);
        match head.split_once(' ').unwrap_or((head, "")) {
            ("link", _) => {}
            ("expected", _) => expected = Some(body),
            ("policy", _) => policy = Policy::parse("sshproof.toml".into(), &body).unwrap(),
            ("look", rest) => {
                let (path, rest) = rest.split_once(' ').unwrap();
                questions.push((rooted(path), roles(rest)));
            }
            (path, rest) => {
                let at = on_disk(dir.path(), path);
                fs::write(&at, text::unescape(&body).unwrap()).unwrap();
                if let Some((_, mode)) = rest.split_once("mode ") {
                    fs::set_permissions(&at, fs::Permissions::from_mode(u32::from_str_radix(mode, 8).unwrap()))
                        .unwrap();
                }
                if rest.starts_with('[') {
                    questions.push((rooted(path), roles(rest)));
                }
            }
        }
    }
    let facts = look(dir.path(), &questions);
    let stored = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<RootFacts>(&stored).unwrap(), facts, "facts can be stored and read back");
    let said = said(&facts, &judge(&facts, &policy));
    let expected = expected.expect("a block `expected`");
    assert!(said.trim() == expected.trim(), "expected:\n{expected}\nsaid:\n{said}");
}

fn blocks(case: &str) -> Vec<(&str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    for line in case.lines() {
        match (line.strip_prefix("--- "), blocks.last_mut()) {
            (Some(head), _) => blocks.push((head, String::new())),
            (None, Some((_, body))) => {
                body.push_str(line);
                body.push('\n');
            }
            // What stands before the first block says what the case is about.
            (None, None) => {}
        }
    }
    blocks
}

fn with_digests(body: &str, contents: &BTreeMap<&str, &str>) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("{md5 ") {
        let (path, after) = after.split_once('}').unwrap();
        let content = text::unescape(contents.get(path).unwrap_or_else(|| panic!("no file {path}"))).unwrap();
        out.push_str(before);
        out.push_str(&Digest::of(Algorithm::Md5, &content).hex());
        rest = after;
    }
    let own = [("{uid}", nix::unistd::geteuid().as_raw()), ("{gid}", nix::unistd::getegid().as_raw())];
    own.iter().fold(out + rest, |text, (name, id)| text.replace(name, &id.to_string()))
}

fn on_disk(dir: &Path, path: &str) -> std::path::PathBuf {
    let at = dir.join(OsStr::from_bytes(rooted(path).relative()));
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    at
}

fn rooted(path: &str) -> RootedPath {
    RootedPath::new(text::unescape(path).unwrap()).unwrap()
}

fn roles(text: &str) -> BTreeSet<Role> {
    let (list, _) = text.strip_prefix('[').unwrap().split_once(']').unwrap();
    list.split(',').map(|role| serde_json::from_value(serde_json::Value::String(role.to_owned())).unwrap()).collect()
}

/// The answer as text: verdict, findings, gaps, and the trust of each file with the first link that is missing.
fn said(root: &RootFacts, result: &CheckResult) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} after {}", result.verdict(), result.examined);
    for finding in &result.findings {
        let _ = writeln!(out, "{} {}: {}", finding.code, finding.severity, finding.message);
    }
    for gap in &result.gaps {
        let kind = if gap.mandatory { "gap" } else { "noted" };
        let _ = writeln!(out, "{kind} {}: {}", gap.subject, gap.reason);
    }
    for file in trust::report_files(root, &standings(root)) {
        let _ = write!(out, "{} {}", file.path, file.trust.name());
        if let Some(package) = &file.package {
            let _ = write!(out, " {package}");
        }
        let _ = writeln!(out, ", first gap: {}", trust::first_gap(&file.chain).map_or("none", |link| link.by.as_str()));
    }
    if let Some(floor) = trust::floor(root, &standings(root)) {
        let _ = writeln!(out, "floor {}", floor.name());
    }
    out
}
