//! `--scan-all`: every ELF file beneath the root is searched for byte rules, whether it belongs to the surface or not.

use std::path::Path;

use super::files::Looker;
use super::{Progress, stopped};
use crate::facts::{FileState, Look, Role, RootFacts, Sweep, Want};
use crate::host::root::Root;
use crate::host::tree::{self, Entry};
use crate::model::{Check, Gap, RootedPath, Subject};

/// The magic number of ELF (elf(5), `EI_MAG0` to `EI_MAG3`).
const MAGIC: [u8; 4] = *b"\x7fELF";

/// Largest file that is searched, in bytes; it is held in memory whole. The largest programs of a machine are browsers and
/// tools written in Go, of some hundred megabytes.
const LARGEST: u64 = 1 << 30;

/// Searches every ELF file beneath `root`, which is mounted at `place`. Facts keep those in which something was found or
/// that could not be understood; of the others only their number and size.
pub fn sweep(
    looker: &mut Looker<'_>,
    root: &Root,
    place: &Path,
    facts: &mut RootFacts,
    progress: &mut dyn FnMut(Progress<'_>),
) {
    let mut sweep = Sweep::default();
    looker.read_up_to(LARGEST);
    for entry in tree::walk(place) {
        let path = match entry {
            Entry::File(path) => path,
            Entry::Skipped(path, reason) => {
                sweep.left_out += 1;
                facts.gap(Check::Backdoor, Gap::noted(Subject::file(&path), format!("not searched: {reason}")));
                continue;
            }
        };
        sweep.files += 1;
        let magic = match root.begins_with(&path, &MAGIC) {
            Ok(magic) => magic,
            Err(problem) => {
                sweep.left_out += 1;
                facts.gap(Check::Backdoor, Gap::mandatory(Subject::file(&path), problem.to_string()));
                continue;
            }
        };
        if !magic {
            continue;
        }
        if search(looker, &path, facts, &mut sweep).is_err() {
            stopped(facts, "the time allowed for the scan was over before every file was searched");
            break;
        }
        progress(Progress::File(&path));
    }
    facts.sweep = Some(sweep);
}

fn search(
    looker: &mut Looker<'_>,
    path: &RootedPath,
    facts: &mut RootFacts,
    sweep: &mut Sweep,
) -> Result<(), super::files::TimeUp> {
    let known = facts.files.files.contains_key(path);
    let want = Want { path: path.clone(), role: Role::Extra, look: Look::Binary };
    looker.fulfil(vec![want], &mut facts.files, &mut |_| {})?;
    let Some(file) = facts.files.files.get(path) else { return Ok(()) };
    let searched = file.hits.is_some();
    match &file.state {
        FileState::Present(meta) if searched => {
            sweep.elf_files += 1;
            sweep.elf_bytes = sweep.elf_bytes.saturating_add(meta.size);
        }
        _ => sweep.left_out += 1,
    }
    let plain = file.problem.is_none() && file.hits.as_ref().is_some_and(Vec::is_empty);
    if plain && !known {
        facts.files.files.remove(path);
    } else if let Some(problem) = file.problem.clone().filter(|_| searched) {
        // Of a file that was not searched the check tells it.
        facts.gap(Check::Backdoor, Gap::mandatory(Subject::file(path), problem));
    }
    Ok(())
}
