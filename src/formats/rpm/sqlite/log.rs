//! A write-ahead log: which pages it has committed ("The Write-Ahead Log" of sqlite.org/fileformat2.html).

use std::collections::BTreeMap;

use super::word;
use crate::formats::rpm::{DatabaseProblem, Read};

/// Frames that are read; SQLite checkpoints after a thousand.
const MAX_FRAMES: u64 = 1_000_000;

/// The pages that a write-ahead log has committed.
pub(super) struct Log {
    /// In bytes.
    pub(super) page_size: usize,
    /// Where the newest committed content of each page lies in the log, in bytes.
    pub(super) pages: BTreeMap<u32, u64>,
}

/// What is committed in a write-ahead log ("The Write-Ahead Log"): frames whose salts are the log's and whose checksums
/// continue the chain, up to the last commit. `None` for an empty log.
pub(super) fn committed(log: Read<'_>) -> Result<Option<Log>, DatabaseProblem> {
    let Some(head) = log(0, 32) else { return Ok(None) };
    let problem = |what| DatabaseProblem { offset: 0, what };
    let big_endian = match word(&head, 0) {
        Some(0x377f_0682) => false,
        Some(0x377f_0683) => true,
        // The library ignores a log whose header is not whole; so the database itself is what counts.
        _ => return Ok(None),
    };
    let page_size = word(&head, 8).and_then(|size| usize::try_from(size).ok());
    let page_size = page_size.filter(|size| size.is_power_of_two() && (512..=65_536).contains(size));
    let page_size = page_size.ok_or_else(|| problem("its write-ahead log has an impossible page size"))?;
    let mut sum = checksum((0, 0), head.get(..24).unwrap_or_default(), big_endian);
    if (word(&head, 24), word(&head, 28)) != (Some(sum.0), Some(sum.1)) {
        return Ok(None);
    }
    let salts = head.get(16..24).unwrap_or_default();
    let mut pages = BTreeMap::new();
    let mut pending = BTreeMap::new();
    let frame_size = page_size.saturating_add(24);
    let mut offset = 32_u64;
    for _ in 0..MAX_FRAMES {
        let Some(frame) = log(offset, frame_size) else { break };
        let (Some(page), Some(commit)) = (word(&frame, 0), word(&frame, 4)) else { break };
        if frame.get(8..16) != Some(salts) {
            break;
        }
        sum = checksum(sum, frame.get(..8).unwrap_or_default(), big_endian);
        sum = checksum(sum, frame.get(24..).unwrap_or_default(), big_endian);
        if (word(&frame, 16), word(&frame, 20)) != (Some(sum.0), Some(sum.1)) {
            break;
        }
        pending.insert(page, offset.saturating_add(24));
        if commit != 0 {
            pages.append(&mut pending);
        }
        offset = offset.saturating_add(u64::try_from(frame_size).unwrap_or(u64::MAX));
    }
    Ok(Some(Log { page_size, pages }))
}

/// SQLite's running checksum over pairs of 32-bit words ("Checksum Algorithm").
fn checksum(start: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let value = |word: &[u8]| {
        let word: [u8; 4] = word.try_into().unwrap_or_default();
        if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    bytes.chunks_exact(8).fold(start, |(a, b), pair| {
        let (first, second) = pair.split_at(4);
        let a = a.wrapping_add(value(first)).wrapping_add(b);
        (a, b.wrapping_add(value(second)).wrapping_add(a))
    })
}
