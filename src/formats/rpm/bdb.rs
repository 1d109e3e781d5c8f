//! `Packages` in Berkeley DB's hash format, of either byte order: RHEL up to 8, SLE up to 15.2.
//!
//! Only what rpm writes is read: hash pages with keys and values in turn, values inline or on chains of overflow pages.
//! (Berkeley DB's `dbinc/db_page.h`.) Index files are not needed.

use std::collections::BTreeSet;

use super::{Budget, DatabaseProblem, Each, MAX_BLOB, Read};

const HASH_MAGIC: u32 = 0x0006_1561;
const PAGE_OVERFLOW: u8 = 7;
const PAGE_HASH_UNSORTED: u8 = 2;
const PAGE_HASH: u8 = 13;
/// Items on a page begin with their type.
const ITEM_INLINE: u8 = 1;
const ITEM_OFF_PAGE: u8 = 3;
/// Bytes of a page before its table of items.
const HEAD: usize = 26;

/// A database whose meta page was understood.
struct Database<'a> {
    read: Read<'a>,
    big_endian: bool,
    page_size: usize,
    last_page: u32,
    /// Overflow pages read so far: each belongs to one value, so a second visit means a loop or a forgery.
    seen: BTreeSet<u32>,
}

/// Calls `each` with the header blob of every package.
///
/// # Errors
/// At the first structure that is damaged; what came before was reported.
pub fn packages(read: Read<'_>, each: Each<'_>) -> Result<(), DatabaseProblem> {
    let mut database = Database::open(read)?;
    let mut budget = Budget::new();
    for page in 1..=database.last_page {
        let bytes = database.page(page)?;
        if !matches!(bytes.get(25), Some(&PAGE_HASH_UNSORTED | &PAGE_HASH)) {
            continue;
        }
        let offset = database.offset(page);
        let problem = |what| DatabaseProblem { offset, what };
        let count = database.half(&bytes, 20).ok_or_else(|| problem("the page is cut"))?;
        let mut items = Vec::new();
        // Items fill the page from its end: each reaches from its offset to the one before it.
        let mut end = database.page_size;
        for number in 0..usize::from(count) {
            let at = number.checked_mul(2).and_then(|at| at.checked_add(HEAD));
            let start = at.and_then(|at| database.half(&bytes, at)).map(usize::from);
            let item = start.filter(|start| *start < end).and_then(|start| bytes.get(start..end));
            items.push(item.ok_or_else(|| problem("an item lies outside of its page"))?);
            end = start.unwrap_or(0);
        }
        for pair in items.chunks_exact(2) {
            let [key, value] = pair else { continue };
            // Key 0 holds the number of the last package, not a package.
            let is_counter = key.get(1..).is_some_and(|key| key.len() == 4 && key.iter().all(|byte| *byte == 0));
            if is_counter {
                continue;
            }
            let blob = match value.split_first() {
                Some((&ITEM_INLINE, blob)) => blob.to_vec(),
                Some((&ITEM_OFF_PAGE, _)) => {
                    let first = database.word(value, 4).ok_or_else(|| problem("an item is cut"))?;
                    let total = database.word(value, 8).ok_or_else(|| problem("an item is cut"))?;
                    database.overflow(first, total)?
                }
                _ => return Err(problem("an item has an unknown type")),
            };
            budget.take(blob.len(), offset)?;
            if !each(blob) {
                return Ok(());
            }
        }
    }
    Ok(())
}

impl<'a> Database<'a> {
    fn open(read: Read<'a>) -> Result<Self, DatabaseProblem> {
        let problem = |what| DatabaseProblem { offset: 0, what };
        let meta = read(0, 72).ok_or_else(|| problem("the file is cut"))?;
        let magic: [u8; 4] =
            meta.get(12..16).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| problem("the file is cut"))?;
        let big_endian = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (HASH_MAGIC, _) => false,
            (_, HASH_MAGIC) => true,
            _ => return Err(problem("it is no Berkeley DB hash database")),
        };
        let mut database = Self { read, big_endian, page_size: 0, last_page: 0, seen: BTreeSet::new() };
        let size = database.word(&meta, 20).and_then(|size| usize::try_from(size).ok());
        database.page_size = size
            .filter(|size| (512..=65_536).contains(size) && size.is_power_of_two())
            .ok_or_else(|| problem("it has an impossible page size"))?;
        database.last_page = database.word(&meta, 32).ok_or_else(|| problem("the file is cut"))?;
        Ok(database)
    }

    fn offset(&self, page: u32) -> u64 {
        u64::from(page).saturating_mul(u64::try_from(self.page_size).unwrap_or(u64::MAX))
    }

    fn page(&self, page: u32) -> Result<Vec<u8>, DatabaseProblem> {
        let offset = self.offset(page);
        (self.read)(offset, self.page_size).ok_or(DatabaseProblem { offset, what: "the page is cut" })
    }

    /// The value of `total` bytes on the chain of pages that begins at `first`.
    fn overflow(&mut self, first: u32, total: u32) -> Result<Vec<u8>, DatabaseProblem> {
        let page_size = u64::try_from(self.page_size).unwrap_or(u64::MAX);
        let problem = |page, what| DatabaseProblem { offset: u64::from(page).saturating_mul(page_size), what };
        let total = usize::try_from(total).ok().filter(|total| *total <= MAX_BLOB);
        let total = total.ok_or_else(|| problem(first, "a value has an impossible length"))?;
        let mut blob = Vec::new();
        let mut next = first;
        while next != 0 {
            if !self.seen.insert(next) {
                return Err(problem(next, "a page is used twice"));
            }
            let bytes = self.page(next)?;
            if bytes.get(25) != Some(&PAGE_OVERFLOW) {
                return Err(problem(next, "a chain leads to a page of another kind"));
            }
            let used = self.half(&bytes, 22).and_then(|used| usize::from(used).checked_add(HEAD));
            let data = used.and_then(|end| bytes.get(HEAD..end));
            blob.extend_from_slice(data.ok_or_else(|| problem(next, "a page holds more than it can"))?);
            if blob.len() > total {
                return Err(problem(next, "a value is longer than it says"));
            }
            next = self.word(&bytes, 16).unwrap_or(0);
        }
        if blob.len() == total { Ok(blob) } else { Err(problem(first, "a value is shorter than it says")) }
    }

    fn word(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let word = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
    }

    fn half(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let half = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(half) } else { u16::from_le_bytes(half) })
    }
}
