//! `rpmdb.sqlite`: just enough of SQLite's file format (sqlite.org/fileformat2.html) to read rpm's tables through its index, with the
//! pages of a write-ahead log laid over the file. Takes no lock and writes nothing, as the library would.

mod log;
mod record;

use std::collections::{BTreeMap, BTreeSet};

use log::committed;
use record::{Record, varint};

use crate::formats::rpm::{Budget, DatabaseProblem, Each, MAX_BLOB, Read};

const MAGIC: &[u8] = b"SQLite format 3\0";
const INTERIOR_INDEX: u8 = 2;
const INTERIOR_TABLE: u8 = 5;
const LEAF_INDEX: u8 = 10;
const LEAF_TABLE: u8 = 13;
/// Rows that an index may name for one file name; the most frequent, such as `README`, have one in each package.
const MAX_ROWS: usize = 100_000;
/// Levels of a b-tree; with 512-byte pages twenty levels hold more rows than there are numbers for.
const MAX_DEPTH: usize = 20;

/// Calls `each` with the header blob of every package: the second column of the table `Packages`. `log` is the
/// write-ahead log beside the database (`-wal`), if there is one.
///
/// # Errors
/// At the first structure that is damaged; what came before was reported.
pub fn packages(read: Read<'_>, log: Option<Read<'_>>, each: Each<'_>) -> Result<(), DatabaseProblem> {
    Database::open(read, log)?.packages(each)
}

/// The file's change counter: compare it before and after reading. A log grows besides.
///
/// # Errors
/// If the file is no SQLite database.
pub fn generation(read: Read<'_>) -> Result<u32, DatabaseProblem> {
    let problem = |what| DatabaseProblem { offset: 0, what };
    let head =
        read(0, 100).filter(|head| head.starts_with(MAGIC)).ok_or_else(|| problem("it is no SQLite database"))?;
    word(&head, 24).ok_or_else(|| problem("the file is cut"))
}

/// A database whose header and schema were understood.
pub struct Database<'a> {
    read: Read<'a>,
    log: Option<Read<'a>>,
    page_size: usize,
    /// Bytes of each page that hold data: the page without its reserved end.
    usable: usize,
    /// Where the newest committed content of a page lies in the log.
    newer: BTreeMap<u32, u64>,
    /// Pages read so far: each belongs to one place of one tree, so a second visit means a loop.
    seen: BTreeSet<u32>,
    /// First pages of the trees that rpm's schema (lib/backend/sqlite.cc) names; the index may be missing.
    packages: u32,
    basenames: Option<(u32, u32)>,
    /// Bytes of headers that may still be handed out.
    budget: Budget,
}

impl<'a> Database<'a> {
    /// The database in the file behind `read`, with the write-ahead log behind `log` laid over it.
    ///
    /// # Errors
    /// If it is no SQLite database, or has no table `Packages`.
    pub fn open(read: Read<'a>, log: Option<Read<'a>>) -> Result<Self, DatabaseProblem> {
        let problem = |what| DatabaseProblem { offset: 0, what };
        let newer = log.map(committed).transpose()?.flatten();
        // A database whose first transaction was never checkpointed has its first page only in the log.
        let first_in_log = newer.as_ref().and_then(|log| Some((log.page_size, *log.pages.get(&1)?)));
        let head = match (first_in_log, log) {
            (Some((_, offset)), Some(log)) => log(offset, 100),
            _ => read(0, 100),
        };
        let head = head.filter(|head| head.starts_with(MAGIC)).ok_or_else(|| problem("it is no SQLite database"))?;
        let page_size = match head.get(16..18) {
            Some([0, 1]) => 65_536,
            Some([high, low]) => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        };
        // What the library insists on too ("The Database Header"): versions 1 or 2 for reading, three fixed fractions, a known
        // schema format, and the encoding that rpm's names are in, UTF-8 (0: nothing was stored yet).
        let sound = matches!(head.get(19), Some(1 | 2))
            && head.get(21..24) == Some(&[64, 32, 32])
            && word(&head, 44).is_some_and(|format| format <= 4)
            && word(&head, 56).is_some_and(|encoding| encoding <= 1);
        if !sound {
            return Err(problem("it is of a form of SQLite's that we do not know"));
        }
        let reserved = usize::from(head.get(20).copied().unwrap_or(0));
        let usable = page_size.saturating_sub(reserved);
        // 480 is SQLite's own lower limit for the usable size.
        if !page_size.is_power_of_two() || page_size < 512 || usable < 480 {
            return Err(problem("it has an impossible page size"));
        }
        if newer.as_ref().is_some_and(|log| log.page_size != page_size) {
            return Err(problem("its write-ahead log is of another page size"));
        }
        let newer = newer.map(|log| log.pages).unwrap_or_default();
        let mut database = Self {
            read,
            log,
            page_size,
            usable,
            newer,
            seen: BTreeSet::new(),
            packages: 0,
            basenames: None,
            budget: Budget::new(),
        };
        database.read_schema()?;
        Ok(database)
    }

    fn read_schema(&mut self) -> Result<(), DatabaseProblem> {
        let (mut packages, mut table, mut index) = (None, None, None);
        self.walk(1, &mut |_, record| {
            let root = record.integer(3).and_then(|page| u32::try_from(page).ok());
            match (record.text(0), record.text(1)) {
                (Some(b"table"), Some(b"Packages")) => packages = root,
                (Some(b"table"), Some(b"Basenames")) => table = root,
                (Some(b"index"), Some(b"Basenames_key_idx")) => index = root,
                _ => {}
            }
            Ok(true)
        })?;
        self.packages = packages.ok_or(DatabaseProblem { offset: 0, what: "it has no table `Packages`" })?;
        self.basenames = table.zip(index);
        Ok(())
    }

    /// Calls `each` with the header blob of every package.
    ///
    /// # Errors
    /// At the first structure that is damaged; what came before was reported.
    pub fn packages(&mut self, each: Each<'_>) -> Result<(), DatabaseProblem> {
        self.walk(self.packages, &mut |_, record| match record.blob(1) {
            Some(blob) => Ok(each(blob.to_vec())),
            None => Err("a row of `Packages` holds no blob"),
        })
    }

    /// The numbers of the packages that the index names for a file whose last component is `name`, sorted, each once;
    /// `None` if there is no index. A hint only: nobody signs the index.
    ///
    /// # Errors
    /// At the first structure of index or table that is damaged.
    pub fn hints(&mut self, name: &[u8]) -> Result<Option<Vec<u64>>, DatabaseProblem> {
        let Some((table, index)) = self.basenames else { return Ok(None) };
        let mut packages = BTreeSet::new();
        for row in self.rows_of(index, name)? {
            let record = self.row(table, row)?;
            let number = record.and_then(|payload| Record::parse(&payload)?.integer(1));
            packages.extend(number);
        }
        Ok(Some(packages.into_iter().collect()))
    }

    /// The header blob of package `number`; `None` if there is none.
    ///
    /// # Errors
    /// At the first structure that is damaged.
    pub fn package(&mut self, number: u64) -> Result<Option<Vec<u8>>, DatabaseProblem> {
        let payload = self.row(self.packages, number)?;
        let blob = payload.and_then(|payload| Some(Record::parse(&payload)?.blob(1)?.to_vec()));
        self.budget.take(blob.as_ref().map_or(0, Vec::len), 0)?;
        Ok(blob)
    }

    fn offset(&self, page: u32) -> u64 {
        u64::from(page.saturating_sub(1)).saturating_mul(u64::try_from(self.page_size).unwrap_or(u64::MAX))
    }

    fn page(&mut self, page: u32) -> Result<Vec<u8>, DatabaseProblem> {
        let offset = self.offset(page);
        let problem = |what| DatabaseProblem { offset, what };
        if page == 0 || !self.seen.insert(page) {
            return Err(problem("a page is used twice"));
        }
        let bytes = match (self.newer.get(&page), self.log) {
            (Some(offset), Some(log)) => log(*offset, self.page_size),
            _ => (self.read)(offset, self.page_size),
        };
        bytes.ok_or_else(|| problem("a page lies beyond the end of the file"))
    }

    /// Calls `row` with each record of the table whose tree begins at page `root`, until it says `false`.
    fn walk(
        &mut self,
        root: u32,
        row: &mut dyn FnMut(u64, Record<'_>) -> Result<bool, &'static str>,
    ) -> Result<(), DatabaseProblem> {
        // The schema and a table are two trees; only within one may no page come twice.
        self.seen.clear();
        let mut todo = vec![(root, 0)];
        while let Some((number, depth)) = todo.pop() {
            let page = self.page(number)?;
            let offset = self.offset(number);
            let problem = |what| DatabaseProblem { offset, what };
            // The first page of the file begins with the file's header.
            let start = if number == 1 { 100 } else { 0 };
            let head = page.get(start..).unwrap_or_default();
            let cells = usize::from(half(head, 3).ok_or_else(|| problem("a page is cut"))?);
            match head.first() {
                Some(&INTERIOR_TABLE) if depth < MAX_DEPTH => {
                    todo.push((word(head, 8).ok_or_else(|| problem("a page is cut"))?, depth.saturating_add(1)));
                    for cell in (0..cells).rev() {
                        let at = pointer(head, 12, cell).ok_or_else(|| problem("a cell lies outside of its page"))?;
                        let child = word(&page, at).ok_or_else(|| problem("a cell lies outside of its page"))?;
                        todo.push((child, depth.saturating_add(1)));
                    }
                }
                Some(&LEAF_TABLE) => {
                    for cell in 0..cells {
                        let at = pointer(head, 8, cell).ok_or_else(|| problem("a cell lies outside of its page"))?;
                        let (number, payload) = self.cell(&page, at, offset)?;
                        let record = Record::parse(&payload).ok_or_else(|| problem("a record is damaged"))?;
                        if !row(number, record).map_err(problem)? {
                            return Ok(());
                        }
                    }
                }
                _ => return Err(problem("a page is no part of a table")),
            }
        }
        Ok(())
    }

    /// The payload of row `number` of the table whose tree begins at page `root`.
    fn row(&mut self, root: u32, number: u64) -> Result<Option<Vec<u8>>, DatabaseProblem> {
        self.seen.clear();
        let mut next = root;
        for _ in 0..MAX_DEPTH {
            let page = self.page(next)?;
            let offset = self.offset(next);
            let problem = |what| DatabaseProblem { offset, what };
            let outside = || problem("a cell lies outside of its page");
            let head = page.get(if next == 1 { 100 } else { 0 }..).unwrap_or_default();
            let cells = usize::from(half(head, 3).ok_or_else(|| problem("a page is cut"))?);
            match head.first() {
                Some(&INTERIOR_TABLE) => {
                    // Each cell: a child, and the largest row number in it.
                    let mut child = word(head, 8).ok_or_else(|| problem("a page is cut"))?;
                    for cell in 0..cells {
                        let at = pointer(head, 12, cell).ok_or_else(outside)?;
                        let rest = page.get(at..).ok_or_else(outside)?;
                        let (largest, _) = rest.get(4..).and_then(varint).ok_or_else(outside)?;
                        if number <= largest {
                            child = word(rest, 0).ok_or_else(outside)?;
                            break;
                        }
                    }
                    next = child;
                }
                Some(&LEAF_TABLE) => {
                    for cell in 0..cells {
                        let at = pointer(head, 8, cell).ok_or_else(outside)?;
                        let rest = page.get(at..).and_then(varint).and_then(|(_, rest)| varint(rest));
                        if rest.ok_or_else(outside)?.0 == number {
                            return Ok(Some(self.cell(&page, at, offset)?.1));
                        }
                    }
                    return Ok(None);
                }
                _ => return Err(problem("a page is no part of a table")),
            }
        }
        Err(DatabaseProblem { offset: self.offset(next), what: "a tree is too deep" })
    }

    /// The row numbers that the index whose tree begins at page `root` holds for `key`. Entries are sorted by their first
    /// column, bytes compared (collation BINARY), then by row number, which is their last column.
    fn rows_of(&mut self, root: u32, key: &[u8]) -> Result<Vec<u64>, DatabaseProblem> {
        self.seen.clear();
        let mut rows = Vec::new();
        let mut todo = vec![(root, 0)];
        while let Some((number, depth)) = todo.pop() {
            let page = self.page(number)?;
            let offset = self.offset(number);
            let problem = |what| DatabaseProblem { offset, what };
            let outside = || problem("a cell lies outside of its page");
            let head = page.get(if number == 1 { 100 } else { 0 }..).unwrap_or_default();
            let cells = usize::from(half(head, 3).ok_or_else(|| problem("a page is cut"))?);
            let interior = match head.first() {
                Some(&INTERIOR_INDEX) if depth < MAX_DEPTH => true,
                Some(&LEAF_INDEX) => false,
                _ => return Err(problem("a page is no part of an index")),
            };
            let mut past = false;
            for cell in 0..cells {
                let at = pointer(head, if interior { 12 } else { 8 }, cell).ok_or_else(outside)?;
                let start = if interior { at.saturating_add(4) } else { at };
                let payload = self.payload(&page, start, offset, self.most_in_index())?;
                let record = Record::parse(&payload).ok_or_else(|| problem("a record is damaged"))?;
                let order = record.text(0).or_else(|| record.blob(0)).unwrap_or_default().cmp(key);
                if order.is_eq() {
                    rows.extend(record.last());
                    if rows.len() > MAX_ROWS {
                        return Err(problem("an index names too many rows for one key"));
                    }
                }
                if interior && order.is_ge() {
                    // What lies before this entry is not greater than it.
                    todo.push((word(&page, at).ok_or_else(outside)?, depth.saturating_add(1)));
                }
                if order.is_gt() {
                    past = true;
                    break;
                }
            }
            if interior && !past {
                todo.push((word(head, 8).ok_or_else(|| problem("a page is cut"))?, depth.saturating_add(1)));
            }
        }
        Ok(rows)
    }

    /// Row number and payload of the leaf cell of a table at `at`.
    fn cell(&mut self, page: &[u8], at: usize, offset: u64) -> Result<(u64, Vec<u8>), DatabaseProblem> {
        let cut = || DatabaseProblem { offset, what: "a cell is cut" };
        let rest = page.get(at..self.usable).ok_or_else(cut)?;
        let (size, after_size) = varint(rest).ok_or_else(cut)?;
        let (number, after_number) = varint(after_size).ok_or_else(cut)?;
        let start = self.usable.saturating_sub(after_number.len());
        let payload = self.spilled(page, start, size, offset, self.usable.saturating_sub(35))?;
        Ok((number, payload))
    }

    /// The payload of the cell of an index at `at`, its length first.
    fn payload(&mut self, page: &[u8], at: usize, offset: u64, most: usize) -> Result<Vec<u8>, DatabaseProblem> {
        let cut = || DatabaseProblem { offset, what: "a cell is cut" };
        let (size, rest) = page.get(at..self.usable).and_then(varint).ok_or_else(cut)?;
        self.spilled(page, self.usable.saturating_sub(rest.len()), size, offset, most)
    }

    /// A payload of `size` bytes that begins at `start` of `page`, with what of it lies on overflow pages; at most `most`
    /// bytes stay on a page whole.
    fn spilled(
        &mut self,
        page: &[u8],
        start: usize,
        size: u64,
        offset: u64,
        most: usize,
    ) -> Result<Vec<u8>, DatabaseProblem> {
        let problem = |what| DatabaseProblem { offset, what };
        let cut = || problem("a cell is cut");
        let rest = page.get(start..self.usable).ok_or_else(cut)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_BLOB);
        let size = size.ok_or_else(|| problem("a record has an impossible length"))?;
        let local = self.local(size, most).ok_or_else(cut)?;
        let (local, rest) = rest.split_at_checked(local).ok_or_else(cut)?;
        let mut payload = local.to_vec();
        let mut next = if payload.len() < size { word(rest, 0).ok_or_else(cut)? } else { 0 };
        while payload.len() < size {
            let bytes = self.page(next)?;
            next = word(&bytes, 0).ok_or_else(cut)?;
            let data = bytes.get(4..self.usable).ok_or_else(cut)?;
            let wanted = size.saturating_sub(payload.len()).min(data.len());
            payload.extend_from_slice(data.get(..wanted).unwrap_or_default());
        }
        Ok(payload)
    }

    /// The most bytes of a payload that stay on a page of an index whole.
    fn most_in_index(&self) -> usize {
        let most = self.usable.saturating_sub(12).saturating_mul(64).checked_div(255);
        most.and_then(|most| most.checked_sub(23)).unwrap_or(0)
    }

    /// How many bytes of a payload of `size` bytes stay on its own page ("B-tree pages", U, P, X, M and K there).
    fn local(&self, size: usize, most: usize) -> Option<usize> {
        let usable = self.usable;
        if size <= most {
            return Some(size);
        }
        let least = usable.checked_sub(12)?.checked_mul(32)?.checked_div(255)?.checked_sub(23)?;
        let fitting = size.checked_sub(least)?.checked_rem(usable.checked_sub(4)?)?.checked_add(least)?;
        Some(if fitting <= most { fitting } else { least })
    }
}

/// The offset of cell number `cell`, from the table of pointers that begins at `table`.
fn pointer(head: &[u8], table: usize, cell: usize) -> Option<usize> {
    half(head, cell.checked_mul(2)?.checked_add(table)?).map(usize::from)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}
