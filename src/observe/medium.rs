//! Holds what servers execute, which comes from the page cache, against the medium: a block that was changed beneath the file
//! system shows at the next boot, a page that was changed in the cache alone until then.

use std::collections::BTreeSet;

use crate::facts::RootFacts;
use crate::facts::medium::{ComparedFile, Differing, MediumFacts};
use crate::facts::process::{MappedContent, Mapping};
use crate::host::direct;
use crate::host::process::{Proc, ProcProblem, Process};
use crate::host::snapshot::Snapshot;
use crate::model::{Algorithm, Digest};

/// Largest file that is read, as in [`super::mapped`].
const MAX_FILE: u64 = 256 << 20;

/// Fills `facts.medium`. Reads every file that the processes execute from its medium, each once, but for those `before`, which
/// were compared earlier in this boot. Returns all that are known now to be the same.
pub fn observe(proc: &Proc, before: &BTreeSet<ComparedFile>, facts: &mut RootFacts) -> Vec<ComparedFile> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut medium = MediumFacts::default();
    let mut same = Vec::new();
    for known in &facts.processes {
        let Ok(process) = proc.process(known.pid) else { continue };
        for mapping in known.mappings.iter().filter(|mapping| !seen.contains(&key(mapping))).collect::<Vec<_>>() {
            let digest = match &mapping.content {
                Some(MappedContent::SameInode(path)) => {
                    facts.files.get(path).and_then(|file| file.digest(Algorithm::Sha256)).copied()
                }
                Some(MappedContent::Other { sha256, .. }) => Some(*sha256),
                Some(MappedContent::Unreadable(_)) | None => None,
            };
            let Some(digest) = digest else { continue };
            let file = process.stat_mapped(mapping.start, mapping.end).map(|meta| (meta.identity(), digest));
            if let Some(file) = file.as_ref().ok().filter(|file| before.contains(file)) {
                medium.earlier += 1;
                same.push(*file);
                seen.insert(key(mapping));
                continue;
            }
            let known = medium.same;
            match compare(&process, mapping, &digest, &mut medium) {
                // Another process may have it too.
                Err(ProcProblem::Gone) => continue,
                Err(problem) => medium.problems.push(format!("`{}`: {problem}", mapping.path)),
                Ok(()) => same.extend(file.ok().filter(|_| medium.same > known)),
            }
            seen.insert(key(mapping));
        }
    }
    facts.medium = Some(medium);
    same
}

/// The same path may be another file in another process.
fn key(mapping: &Mapping) -> String {
    format!("{:?} {}", mapping.content, mapping.path)
}

fn compare(process: &Process, mapping: &Mapping, digest: &Digest, medium: &mut MediumFacts) -> Result<(), ProcProblem> {
    let Some(there) = direct::mapped(process, mapping.start, mapping.end, MAX_FILE)? else {
        medium.cached_only.push(mapping.path.clone());
        return Ok(());
    };
    let on_medium = Digest::of(Algorithm::Sha256, &there);
    if on_medium == *digest {
        medium.same += 1;
        return Ok(());
    }
    // It may have been written to since it was looked at.
    let here = Snapshot::from_fd(process.open_mapped(mapping.start, mapping.end)?, MAX_FILE);
    let here = match here {
        Ok(here) if Digest::of(Algorithm::Sha256, here.bytes()) == *digest => here,
        Ok(_) => {
            medium.problems.push(format!("`{}` changed while it was looked at", mapping.path));
            return Ok(());
        }
        Err(problem) => {
            medium.problems.push(format!("`{}`: {problem}", mapping.path));
            return Ok(());
        }
    };
    let equal = here.bytes().iter().zip(&there).take_while(|(here, there)| here == there).count();
    medium.differing.push(Differing {
        path: mapping.path.clone(),
        cached: *digest,
        medium: on_medium,
        offset: u64::try_from(equal).unwrap_or(u64::MAX),
    });
    Ok(())
}
