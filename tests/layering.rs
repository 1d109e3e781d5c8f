//! Floors import only from floors below them, never sideways (3b may use 3a). A folder of `src/` that stands in no floor
//! fails too, so that a new room is given its place on purpose.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test reads the tree it tests")]

use std::path::{Path, PathBuf};

/// Floor of each room. Rooms of equal height must not know each other, except within one room.
const FLOORS: &[(&str, u8)] = &[
    ("model", 10),
    ("formats", 20),
    ("host", 20),
    ("own", 20),
    ("knowledge", 30),
    ("policy", 30),
    ("trust", 35),
    ("login", 35),
    ("facts", 40),
    ("observe", 50),
    ("checks", 50),
    ("render", 60),
    ("ship", 70),
    ("scan", 80),
    ("fleet", 80),
    ("manifest", 80),
    ("cli", 90),
    ("main", 100),
    ("lib", 100),
];

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The rooms that a line of code names through `crate::` (or `sshproof::` in main), each with its text.
fn rooms_named(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for prefix in ["crate::", "sshproof::"] {
        for (at, _) in line.match_indices(prefix) {
            let rest = &line[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let group = group.split('}').next().unwrap_or_default();
                rooms
                    .extend(group.split(',').map(|part| part.trim().split("::").next().unwrap_or_default().to_owned()));
            } else {
                rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

#[test]
fn imports_point_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 20, "only {} source files found", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(&src).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.strip_suffix(".rs").unwrap_or(first);
        let Some(own) = floor(room) else {
            wrong.push(format!("{}: `{room}` stands in no floor", relative.display()));
            continue;
        };
        for (number, line) in std::fs::read_to_string(file).unwrap().lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            for named in rooms_named(code) {
                let Some(theirs) = floor(&named) else { continue };
                if named != room && theirs >= own {
                    wrong.push(format!("{}:{}: `{room}` must not know `{named}`", relative.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_import_is_seen() {
    assert_eq!(rooms_named("use crate::host::Root;"), ["host"]);
    assert_eq!(rooms_named("use crate::{checks, model::Digest};"), ["checks", "model"]);
    assert_eq!(rooms_named("let x = crate::observe::y();"), ["observe"]);
}

/// `unsafe` lives in two files; the crate denies it everywhere else.
#[test]
fn unsafe_code_is_allowed_in_two_files_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let relative = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        if text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("allow(unsafe_code)")) {
            assert!(["host/syscall.rs", "host/lanes.rs"].contains(&relative.as_str()), "{relative} allows unsafe code");
        }
    }
}
