//! Keeps what a process executes that is not its files': its map and those pages, within [`MAX_CAPSULES`]. Reads only pages that
//! the observation of code has looked at already, and executable memory that belongs to no file.

use crate::facts::process::Mapping;
use crate::facts::{ProcessFacts, RootFacts};
use crate::formats::base64;
use crate::formats::proc::stat;
use crate::host::process::{Proc, ProcProblem, page_size};
use crate::host::window::Window;
use crate::model::capsule::{Capsule, MAX_CAPSULES, Page};
use crate::model::{Algorithm, Digest, text};

/// Largest map that is read, of which as many lines are kept as fit into this part of the room.
const MAX_MAPS: usize = 64 << 20;
const MAPS_PART: usize = MAX_CAPSULES / 8;
/// Largest `stat`.
const MAX_SMALL: usize = 64 << 10;
/// Bytes that the frame of a page takes in the report beside path and content: its names, numbers and digest.
const FRAME: usize = 256;
/// Pages kept of one process, so that the first does not take all the room.
const MAX_PAGES: usize = 48;

/// Fills `facts.capsules` with those processes whose executable memory is not the files'.
pub fn observe(proc: &Proc, facts: &mut RootFacts) {
    let mut room = MAX_CAPSULES;
    for process in &facts.processes {
        let places = places(process);
        if places.is_empty() && process.binding.as_ref().is_none_or(|binding| binding.redirected.is_empty()) {
            continue;
        }
        if let Ok(Some(capsule)) = take(proc, process, &places, &mut room) {
            facts.capsules.push(capsule);
        }
    }
}

/// Where there is something to keep: address, offset in the file, path.
fn places(process: &ProcessFacts) -> Vec<(u64, u64, &str)> {
    let page = page_size();
    let copies = process.pages.iter().flat_map(|pages| &pages.copies);
    let mut places: Vec<(u64, u64, &str)> =
        copies.map(|copy| (copy.address, copy.offset, copy.path.as_str())).collect();
    for mapping in process.mappings.iter().filter(|mapping| is_of_no_file(mapping)) {
        let count = usize::try_from((mapping.end.saturating_sub(mapping.start)) / page).unwrap_or(0);
        let pages = std::iter::successors(Some(0_u64), |at| at.checked_add(page)).take(count.min(MAX_PAGES * 2));
        places
            .extend(pages.map(|at| {
                (mapping.start.saturating_add(at), mapping.offset.saturating_add(at), mapping.path.as_str())
            }));
    }
    places
}

/// Executable memory that lies on no disk: without a file, or of one that exists in memory only.
fn is_of_no_file(mapping: &Mapping) -> bool {
    let path = mapping.path.as_str();
    let kernels = ["[vdso]", "[vsyscall]", "[vectors]", "[sigpage]", "[uprobes]", "[uprobes-trampoline]"];
    let without = mapping.content.is_none() && !kernels.contains(&path);
    mapping.permissions.contains('x') && (without || path.starts_with("/memfd:") || path.starts_with("/SYSV"))
}

/// `None` if another process has its number by now, or no room is left.
fn take(
    proc: &Proc,
    known: &ProcessFacts,
    places: &[(u64, u64, &str)],
    room: &mut usize,
) -> Result<Option<Capsule>, ProcProblem> {
    let process = proc.process(known.pid)?;
    let started = stat::parse(&process.read("stat", MAX_SMALL)?).map(|stat| stat.starttime);
    if started != Some(known.starttime) || *room < FRAME {
        return Ok(None);
    }
    let mut capsule = Capsule {
        pid: known.pid,
        starttime: known.starttime,
        server: known.server.clone(),
        maps: Vec::new(),
        pages: Vec::new(),
        left_out: 0,
    };
    *room -= FRAME;
    let mut part = MAPS_PART.min(*room);
    let maps = process.read("maps", MAX_MAPS)?;
    for line in maps.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(text::escape) {
        let size = in_json(&line);
        if size > part {
            capsule.left_out += 1;
            continue;
        }
        part -= size;
        *room -= size;
        capsule.maps.push(line);
    }
    let memory = process.window("mem")?;
    for (address, offset, path) in places {
        let kept = (capsule.pages.len() < MAX_PAGES).then(|| page(&memory, *address, *offset, path)).flatten();
        let Some(page) = kept else {
            capsule.left_out += 1;
            continue;
        };
        let size = FRAME + page.content.len() + in_json(path);
        if size > *room {
            capsule.left_out += 1;
            continue;
        }
        *room -= size;
        capsule.pages.push(page);
    }
    Ok(Some(capsule))
}

/// Bytes that a text takes in JSON: a backslash or a quotation mark takes two.
fn in_json(text: &str) -> usize {
    text.bytes().map(|byte| if matches!(byte, b'\\' | b'"') { 2 } else { 1 }).sum::<usize>() + 16
}

/// `None` if nothing can be read there any more.
fn page(memory: &Window, address: u64, offset: u64, path: &str) -> Option<Page> {
    let mut bytes = vec![0; usize::try_from(page_size()).ok()?];
    let length = memory.read_at(address, &mut bytes).ok().filter(|length| *length > 0)?;
    bytes.truncate(length);
    Some(Page {
        address,
        path: path.to_owned(),
        offset,
        sha256: Digest::of(Algorithm::Sha256, &bytes),
        content: base64::encode(&bytes),
    })
}
