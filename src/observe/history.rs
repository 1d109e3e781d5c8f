//! What was signed of files that processes still execute though they were replaced: the evidence of earlier scans, asked for
//! only where there is such a file.

use std::collections::{BTreeMap, BTreeSet};

use super::{Request, packages};
use crate::facts::RootFacts;
use crate::facts::history::HistoryFacts;
use crate::facts::process::{MappedContent, Mapping};
use crate::formats::proc::stat;
use crate::host::process::{Proc, clock_ticks};
use crate::host::root::Root;
use crate::host::snapshot::Snapshot;
use crate::model::{Algorithm, Digest, RootedPath, Timestamp, text};
use crate::own;

/// Largest `/proc/stat`: a line for each processor, and one with a number for each interrupt.
const MAX_STAT: usize = 4 << 20;
/// Largest file that is read, as in [`super::mapped`].
const MAX_FILE: u64 = 256 << 20;

/// Fills `facts.history` if a state directory is used and a process executes another content of a file than lies there.
/// `installed` is the signed metadata in the database now.
pub fn observe(root: &Root, proc: &Proc, request: &Request, installed: &[Vec<u8>], facts: &mut RootFacts) {
    let Some(state) = &request.state else { return };
    let replaced: BTreeMap<Digest, (i32, &Mapping)> = facts
        .processes
        .iter()
        .flat_map(|process| process.mappings.iter().map(|mapping| (process.pid, mapping)))
        .filter_map(|(pid, mapping)| match &mapping.content {
            Some(MappedContent::Other { sha256, .. }) => Some((*sha256, (pid, mapping))),
            _ => None,
        })
        .collect();
    if replaced.is_empty() {
        return;
    }
    let path = |mapping: &Mapping| RootedPath::new(text::unescape(&mapping.path)?);
    let paths: BTreeSet<RootedPath> = replaced.values().filter_map(|(_, mapping)| path(mapping)).collect();
    let kept = own::state::evidence(state).map(|(since, metadata)| packages::Kept {
        since,
        is_installed: installed.contains(&metadata),
        metadata,
    });
    let (versions, damaged) = packages::earlier(root, &facts.files, &request.keyrings, kept, &paths);
    let booted = proc.read("stat", MAX_STAT).ok().and_then(|table| stat::booted(&table));
    let mut history = HistoryFacts {
        booted: Timestamp(booted.unwrap_or(0)),
        ticks: clock_ticks(),
        versions,
        digests: BTreeMap::new(),
        problems: Vec::new(),
    };
    if booted.is_none() {
        history.problems.push("when the kernel was started cannot be told".to_owned());
    }
    if damaged > 0 {
        history.problems.push(format!("{damaged} pieces of signed metadata in the state directory are damaged"));
    }
    // Records of other kinds than SHA-256: the file is read once more, and counts if it is still the same.
    let recorded = history.versions.iter().flat_map(|version| version.files.values());
    let further: BTreeSet<Algorithm> =
        recorded.map(Digest::algorithm).filter(|algorithm| *algorithm != Algorithm::Sha256).collect();
    for (sha256, (pid, mapping)) in replaced.iter().filter(|_| !further.is_empty()) {
        let process = proc.process(*pid).and_then(|process| process.open_mapped(mapping.start, mapping.end));
        let snapshot = process.ok().and_then(|fd| Snapshot::from_fd(fd, MAX_FILE).ok());
        let Some(snapshot) = snapshot.filter(|read| Digest::of(Algorithm::Sha256, read.bytes()) == *sha256) else {
            history.problems.push(format!("`{}` could not be read again", mapping.path));
            continue;
        };
        let digests = further.iter().map(|algorithm| Digest::of(*algorithm, snapshot.bytes())).collect();
        history.digests.insert(*sha256, digests);
    }
    facts.history = Some(history);
}
