//! The structural rules against real files: none may accuse what a distributor built, each must find what it was made for.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use libtest_mimic::{Arguments, Failed, Trial};
use sshproof::formats::elf::{ElfProblem, Rule, parse};

fn main() {
    let args = Arguments::from_args();
    let mut trials = Vec::new();
    let dpkg = std::path::Path::new("/var/lib/dpkg/info").is_dir();
    let name = if dpkg { "no_hit_on_any_package_file" } else { "no_hit_on_any_package_file [needs a dpkg database]" };
    trials.push(Trial::test(name, no_hit_on_any_package_file).with_ignored_flag(!dpkg));
    libtest_mimic::run(&args, trials).exit();
}

/// Every regular file that a package of this machine owns, once, detached debugging information apart.
fn package_files() -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir("/var/lib/dpkg/info").unwrap() {
        let list = entry.unwrap().path();
        if list.extension().is_none_or(|extension| extension != "list") {
            continue;
        }
        for path in std::fs::read_to_string(list).unwrap().lines().map(PathBuf::from) {
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            if meta.is_file() && !path.starts_with("/usr/lib/debug") && seen.insert((meta.dev(), meta.ino())) {
                files.insert(path);
            }
        }
    }
    files
}

/// The false-positive gate. Object files and kernel modules are parsed too, the rules do not speak about them.
fn no_hit_on_any_package_file() -> Result<(), Failed> {
    let (mut elf, mut judged, mut wrong) = (0, 0, BTreeMap::<Rule, Vec<String>>::new());
    for path in package_files() {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        match parse(&bytes) {
            Err(ElfProblem::NotElf) => {}
            Err(problem) => return Err(format!("{}: {problem}", path.display()).into()),
            Ok(record) => {
                elf += 1;
                judged += u32::from(matches!(record.kind, 2 | 3));
                if !record.problems.is_empty() {
                    return Err(format!("{}: {:?}", path.display(), record.problems).into());
                }
                for anomaly in record.anomalies {
                    wrong.entry(anomaly.rule).or_default().push(format!("{} {}", path.display(), anomaly.detail));
                }
            }
        }
    }
    eprintln!("{elf} ELF files of packages, {judged} of them programs and libraries");
    if judged < 200 {
        return Err(format!("only {judged} files were judged").into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:#?}").into()) }
}
