//! What distributors build: the structural rules accuse none of it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sshproof::formats::elf::{Elf, ElfProblem, Rule, parse};

/// Packages of other makers that install into the same database. The rules are about files that decide logins; these are
/// bundles whose makers use the very tools that the rules look for (patchelf, several text segments).
const VENDORS: [&str; 3] = ["google-cloud-", "kubectl", "nodejs"];

/// Every regular file that a package of this machine owns, once, detached debugging information apart.
fn package_files() -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir("/var/lib/dpkg/info").unwrap() {
        let list = entry.unwrap().path();
        let name = list.file_name().unwrap().to_str().unwrap();
        if !name.ends_with(".list") || VENDORS.iter().any(|vendor| name.starts_with(vendor)) {
            continue;
        }
        for path in std::fs::read_to_string(&list).unwrap().lines().map(PathBuf::from) {
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            if meta.is_file() && !path.starts_with("/usr/lib/debug") && seen.insert((meta.dev(), meta.ino())) {
                files.insert(path);
            }
        }
    }
    files
}

/// The false-positive gate. Object files and kernel modules are parsed too, the rules do not speak about them.
pub fn no_hit_on_any_package_file() {
    let (mut elf, mut judged, mut wrong) = (0, 0, BTreeMap::<Rule, Vec<String>>::new());
    let (mut bytes_parsed, mut took) = (0, Duration::ZERO);
    for path in package_files() {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let start = Instant::now();
        let parsed = parse(&bytes);
        if parsed != Err(ElfProblem::NotElf) {
            took += start.elapsed();
            bytes_parsed += bytes.len();
        }
        match parsed {
            Err(ElfProblem::NotElf) => {}
            Err(problem) => panic!("{}: {problem}", path.display()),
            Ok(record) => {
                elf += 1;
                judged += u32::from(matches!(record.kind, 2 | 3));
                assert!(record.problems.is_empty(), "{}: {:?}", path.display(), record.problems);
                assert!(record.also_loads.is_empty(), "{}: {:?}", path.display(), record.also_loads);
                let size = serde_json::to_string(&record).unwrap().len();
                assert!(size < 16_384, "{}: its record has {size} bytes", path.display());
                for anomaly in record.anomalies {
                    wrong.entry(anomaly.rule).or_default().push(format!("{} {}", path.display(), anomaly.detail));
                }
            }
        }
    }
    eprintln!("{elf} ELF files of packages, {judged} programs and libraries, {bytes_parsed} bytes parsed in {took:?}");
    assert!(judged >= 200, "only {judged} files were judged");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What we read from memory as the loader does, goblin reads from the same files in its own way.
pub fn names_agree_with_goblin() {
    let mut compared = 0;
    for path in package_files().iter().filter(|path| path.starts_with("/usr/lib/x86_64-linux-gnu")) {
        let Ok(bytes) = std::fs::read(path) else { continue };
        let Ok(theirs) = goblin::elf::Elf::parse(&bytes) else { continue };
        let ours = Elf::parse(&bytes).unwrap();
        let record = ours.record();
        let (needed, soname): (Vec<String>, _) =
            (theirs.libraries.iter().map(|name| (*name).to_owned()).collect(), theirs.soname.map(str::to_owned));
        assert_eq!((&record.needed, &record.soname), (&needed, &soname), "{}", path.display());
        let names = |import: bool| -> BTreeSet<String> {
            let symbols = theirs.dynsyms.iter().filter(|s| (s.st_shndx == 0) == import && s.st_bind() != 0);
            symbols
                .filter_map(|symbol| theirs.dynstrtab.get_at(symbol.st_name))
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let own = |names: Vec<&[u8]>| -> BTreeSet<String> {
            names.into_iter().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
        };
        assert_eq!(own(ours.exports().collect()), names(false), "{}", path.display());
        assert!(own(ours.imports().collect()).is_superset(&names(true)), "{}", path.display());
        compared += 1;
    }
    assert!(compared > 100, "only {compared} files were compared");
}
