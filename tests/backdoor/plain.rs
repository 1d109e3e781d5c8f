//! No value that is searched for may stand in plain where an antivirus would find it.

use std::path::Path;

use libtest_mimic::Failed;
use sshproof::knowledge::{Knowledge, encoding};

use super::stored;

/// Shorter values are everywhere; nobody's rule is about them alone.
const SHORTEST: usize = 8;

/// Looks for every value, from the rules and from the test data, in the signatures, the documents, the sources, the test
/// data and this program, which carries all of them.
pub fn nothing_stands_in_plain() -> Result<(), Failed> {
    let values = values();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![std::env::current_exe().unwrap()];
    for dir in ["signatures", "docs", "src", "tests/backdoor", "README.md", "CHANGELOG.md"] {
        files.extend(walkdir::WalkDir::new(root.join(dir)).into_iter().filter_map(|entry| {
            entry.ok().filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path)
        }));
    }
    let automaton = aho_corasick::AhoCorasick::new(&values).unwrap();
    let mut found = Vec::new();
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        for place in automaton.find_overlapping_iter(&bytes) {
            let value = String::from_utf8_lossy(&values[place.pattern().as_usize()]).into_owned();
            found.push(format!("{} at {}: {value:?}", file.display(), place.start()));
        }
    }
    found.dedup();
    eprintln!("{} values, {} files", values.len(), files.len());
    assert!(values.len() > 20 && files.len() > 20, "too little was looked at");
    if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
}

/// Every stored value, and the bytes of every pattern.
fn values() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = Vec::new();
    let knowledge = Knowledge::embedded();
    for (name, text) in sshproof::knowledge::embedded::FAMILIES {
        // Every stored value of the file, whatever table it stands in.
        let stored = text.split('"').filter(|word| encoding::is_encoded(word));
        values.extend(stored.map(|word| encoding::decode(word).unwrap_or_else(|| panic!("{name}: {word}"))));
    }
    // Patterns are stored as their text; what would be found is their longest run of fixed bytes.
    for family in knowledge.families() {
        let files = super::cases(&family.id).cases.into_iter().flat_map(|case| case.file);
        for stored in files.flat_map(|file| file.patterns) {
            let pattern = String::from_utf8(stored::reveal(&stored)).unwrap();
            values.extend(stored::spellings(&pattern).iter().map(stored::Piece::longest_run));
        }
    }
    let innocent = |value: &[u8]| INNOCENT.iter().any(|known| known.as_bytes().starts_with(value));
    values.retain(|value| value.len() >= SHORTEST && !innocent(value) && !value.iter().all(|byte| *byte == 0));
    values.sort();
    values.dedup();
    assert_eq!(stored::reveal("r:1626").as_slice(), b"ba");
    values
}

/// Values that are parts of rules and stand in every honest program too, and what they begin with; and one path that is no
/// more than its family's name.
const INNOCENT: &[&str] = &["SSH-2.0-", "OpenSSH_", "/etc/ld.so.preload", "/var/lib", "/dev/urandom", "/reptile"];
