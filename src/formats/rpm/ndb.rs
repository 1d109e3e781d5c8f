//! `Packages.db`, rpm's own database format (lib/backend/ndb): a table of slots, each naming a run of 16-byte blocks.
//! Little-endian.

use super::{Budget, DatabaseProblem, Each, MAX_BLOB, Read};

const BLOCK: u64 = 16;
const PAGE: u64 = 4096;
const SLOT: u64 = 16;
/// The first two slots' place holds the file's own header.
const FIRST_SLOT: u64 = 32;
/// Pages of slots that are read: at 256 slots a page, sixteen million packages.
const MAX_SLOT_PAGES: u32 = 65_536;

/// The database's generation, which every change raises: compare it before and after reading.
///
/// # Errors
/// If the file is no such database.
pub fn generation(read: Read<'_>) -> Result<u32, DatabaseProblem> {
    Ok(parse_head(read)?.1)
}

/// Calls `each` with the header blob of every package.
///
/// # Errors
/// At the first structure that is damaged; what came before was reported.
pub fn packages(read: Read<'_>, each: Each<'_>) -> Result<(), DatabaseProblem> {
    let (pages, _) = parse_head(read)?;
    let mut budget = Budget::new();
    for page in 0..u64::from(pages) {
        let start = page.saturating_mul(PAGE);
        let problem = |what| DatabaseProblem { offset: start, what };
        let slots = read(start, 4096).ok_or_else(|| problem("the page of slots is cut"))?;
        let skip = if page == 0 { FIRST_SLOT } else { 0 };
        let slots = slots.get(usize::try_from(skip).unwrap_or(0)..).unwrap_or_default();
        for (number, slot) in slots.chunks_exact(16).enumerate() {
            let offset =
                u64::try_from(number).unwrap_or(0).saturating_mul(SLOT).saturating_add(start).saturating_add(skip);
            let problem = |what| DatabaseProblem { offset, what };
            if slot.get(..4) != Some(b"Slot") {
                return Err(problem("a slot does not begin with `Slot`"));
            }
            let (Some(package), Some(block), Some(blocks)) = (word(slot, 4), word(slot, 8), word(slot, 12)) else {
                return Err(problem("a slot is cut"));
            };
            if block == 0 {
                continue;
            }
            let blob = read_blob(read, package, u64::from(block), u64::from(blocks))?;
            budget.take(blob.len(), offset)?;
            if !each(blob) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The number of slot pages and the generation.
fn parse_head(read: Read<'_>) -> Result<(u32, u32), DatabaseProblem> {
    let problem = |what| DatabaseProblem { offset: 0, what };
    let head = read(0, 32).ok_or_else(|| problem("the file is cut"))?;
    if head.get(..4) != Some(b"RpmP") || word(&head, 4) != Some(0) {
        return Err(problem("it is no ndb database of version 0"));
    }
    let generation = word(&head, 8).ok_or_else(|| problem("the file is cut"))?;
    let pages = word(&head, 12).filter(|pages| (1..=MAX_SLOT_PAGES).contains(pages));
    Ok((pages.ok_or_else(|| problem("it has an impossible number of slot pages"))?, generation))
}

/// A blob: 16 bytes of head (`BlbS`, package, generation, length), the data, padding, 12 bytes of tail (checksum, length,
/// `BlbE`); together the run of blocks exactly.
fn read_blob(read: Read<'_>, package: u32, block: u64, blocks: u64) -> Result<Vec<u8>, DatabaseProblem> {
    let offset = block.saturating_mul(BLOCK);
    let problem = |what| DatabaseProblem { offset, what };
    let size = usize::try_from(blocks.saturating_mul(BLOCK)).ok().filter(|size| (28..=MAX_BLOB).contains(size));
    let size = size.ok_or_else(|| problem("a blob has an impossible size"))?;
    let bytes = read(offset, size).ok_or_else(|| problem("a blob lies beyond the end of the file"))?;
    if bytes.get(..4) != Some(b"BlbS") || word(&bytes, 4) != Some(package) {
        return Err(problem("a blob does not begin as its slot says"));
    }
    let length = word(&bytes, 12).ok_or_else(|| problem("a blob is cut"))?;
    let tail = bytes.len().saturating_sub(12);
    let tail = bytes.get(tail..).unwrap_or_default();
    if word(tail, 4) != Some(length) || tail.get(8..) != Some(b"BlbE") {
        return Err(problem("a blob does not end as it begins"));
    }
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(16));
    let end = end.filter(|end| end.checked_add(12).is_some_and(|end| end <= bytes.len()));
    let data = end.and_then(|end| bytes.get(16..end)).ok_or_else(|| problem("a blob has an impossible length"))?;
    // The checksum spans everything before it, padding too.
    let summed = bytes.get(..bytes.len().saturating_sub(12)).unwrap_or_default();
    if word(tail, 0) != Some(adler32(summed)) {
        return Err(problem("a blob's checksum is wrong"));
    }
    Ok(data.to_vec())
}

/// Adler-32 as zlib defines it (RFC 1950, section 8.2).
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1_u32, 0_u32);
    // 5552 is the longest run that cannot overflow 32 bits.
    for run in bytes.chunks(5552) {
        for byte in run {
            a = a.wrapping_add(u32::from(*byte));
            b = b.wrapping_add(a);
        }
        a = a.checked_rem(MODULUS).unwrap_or(0);
        b = b.checked_rem(MODULUS).unwrap_or(0);
    }
    b.wrapping_shl(16) | a
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
