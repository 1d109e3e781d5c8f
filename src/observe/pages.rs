//! Pages of code and read-only data that a process does not share with the page cache.
//!
//! `/proc/PID/pagemap` says of every page whether the kernel has copied it for the process alone. Where it has not, the
//! process executes the very page of the page cache that the file is read from, and no memory has to be read. A copy is read
//! and compared with the file, byte for byte; that it exists is a fact even if nothing differs. Nothing is read but parts
//! of segments that the file wants neither written nor relocated.

use std::collections::BTreeSet;
use std::time::Duration;

use super::mapped::Files;
use crate::facts::pages::{Change, PageCopy, PageFacts};
use crate::formats::elf::placement::Placed;
use crate::formats::proc::maps::Map;
use crate::formats::proc::{pagemap, smaps};
use crate::host::process::{ProcProblem, Process, page_size};
use crate::host::window::Window;
use crate::model::text;

/// Copies kept, of those that differ and of those that do not: the first of either tell the story.
const MAX_COPIES: usize = 64;
/// Runs of differing bytes kept of one page, and bytes kept of one run: a tool that traces every function of a library sets
/// a breakpoint every few dozen bytes.
const MAX_RUNS: usize = 256;
const MAX_RUN: usize = 16;
/// Problems kept.
const MAX_PROBLEMS: usize = 8;
/// How often a page that differs is read again, and after how long: the kernel exchanges an instruction of several bytes in
/// three steps (`smp_text_poke_batch_finish`, `int3_update` of arch/x86).
const READINGS: usize = 4;
const NAP: Duration = Duration::from_millis(1);
/// Entries of the page table read at once: 256 MiB of memory with pages of 4 KiB.
const MAX_ENTRIES: u64 = 1 << 16;
/// Largest `smaps`: some 1 KiB for each of at most 65,530 mappings.
const MAX_SMAPS: usize = 64 << 20;

/// A part of a mapping that must be as the file is.
#[derive(Debug)]
pub struct Region<'a> {
    /// The mapping.
    pub map: &'a Map,
    /// Its path without ` (deleted)`.
    pub name: &'a [u8],
    /// The part.
    pub at: Placed,
}

/// Looks at `regions` of `process`; at every page if `deep`, else at the copies.
///
/// # Errors
/// [`ProcProblem::Gone`] if the process ended. Everything else that fails is a problem within the facts.
pub fn observe(
    process: &Process,
    files: &Files<'_>,
    regions: &[Region<'_>],
    deep: bool,
) -> Result<PageFacts, ProcProblem> {
    let mut facts = PageFacts::default();
    let table = match process.window("pagemap") {
        Ok(table) => table,
        Err(ProcProblem::Gone) => return Err(ProcProblem::Gone),
        Err(problem) => {
            facts.problems.push(format!("its page tables (`pagemap`) cannot be read: {problem}"));
            return Ok(facts);
        }
    };
    let mut observer =
        Observer { process, files, table, memory: None, deep, page: page_size(), entries: Vec::new(), facts };
    for region in regions {
        match observer.region(region) {
            Ok(()) => {}
            Err(ProcProblem::Gone) => return Err(ProcProblem::Gone),
            Err(problem) => {
                let name = text::escape(region.name);
                observer.problem(format!("the pages of `{name}` cannot be looked at: {problem}"));
            }
        }
    }
    observer.keep_copies_only(regions)?;
    Ok(observer.facts)
}

struct Observer<'a> {
    process: &'a Process,
    files: &'a Files<'a>,
    table: Window,
    /// Opened when the first page has to be read.
    memory: Option<Window>,
    deep: bool,
    page: u64,
    /// Room for entries of the page table, used again and again.
    entries: Vec<u8>,
    facts: PageFacts,
}

impl Observer<'_> {
    fn problem(&mut self, problem: String) {
        if !self.facts.problems.contains(&problem) && self.facts.problems.len() < MAX_PROBLEMS {
            self.facts.problems.push(problem);
        }
    }

    fn region(&mut self, region: &Region<'_>) -> Result<(), ProcProblem> {
        let Placed { start, end, offset } = region.at;
        let mut file = None;
        let mut at = start;
        while at < end {
            let count = ((end - at) / self.page).clamp(1, MAX_ENTRIES);
            let mut bytes = std::mem::take(&mut self.entries);
            bytes.resize(usize::try_from(count).unwrap_or(0) * pagemap::ENTRY, 0);
            if self.table.read_at(at / self.page * 8, &mut bytes)? < bytes.len() {
                return Err(ProcProblem::Gone);
            }
            for entry in pagemap::entries(&bytes) {
                let private = pagemap::is_private(entry);
                if private || self.deep {
                    let file = match &file {
                        Some(file) => file,
                        None => file.insert(self.files.window(self.process, region.map, region.name)?),
                    };
                    self.compare(region, file, at, offset.saturating_add(at - start), private)?;
                }
                self.facts.examined += 1;
                at = at.saturating_add(self.page);
            }
            self.entries = bytes;
        }
        Ok(())
    }

    /// One page. What lies behind the end of the file is the kernel's to fill.
    fn compare(
        &mut self,
        region: &Region<'_>,
        file: &Window,
        address: u64,
        offset: u64,
        private: bool,
    ) -> Result<(), ProcProblem> {
        let size = usize::try_from(self.page).unwrap_or(0);
        let mut expected = vec![0; size];
        let length = file.read_at(offset, &mut expected)?;
        expected.truncate(length);
        let memory = match &self.memory {
            Some(memory) => memory,
            None => self.memory.insert(self.process.window("mem")?),
        };
        let mut actual = memory.read(address, length)?;
        for _ in 1..READINGS {
            if actual == expected {
                break;
            }
            std::thread::sleep(NAP);
            let before = std::mem::replace(&mut actual, memory.read(address, length)?);
            if before == actual {
                break;
            }
        }
        self.facts.compared += 1;
        let (differing, changes) = changes(&expected, &actual);
        if !private && differing == 0 {
            return Ok(());
        }
        let alike = self.facts.copies.iter().filter(|copy| (copy.differing == 0) == (differing == 0)).count();
        if alike >= MAX_COPIES {
            self.facts.more += 1;
            return Ok(());
        }
        self.facts.copies.push(PageCopy {
            address,
            path: text::escape(region.name),
            offset,
            executable: region.map.executable(),
            differing,
            changes,
        });
        Ok(())
    }

    /// Takes out pages that equal their file and are no copies after all: of a file on persistent memory that is mapped
    /// directly (DAX), the page table does not say that they are the file's. `smaps` counts true copies.
    fn keep_copies_only(&mut self, regions: &[Region<'_>]) -> Result<(), ProcProblem> {
        if self.facts.copies.iter().all(|copy| copy.differing > 0) {
            return Ok(());
        }
        let usage = match self.process.read("smaps", MAX_SMAPS) {
            Ok(bytes) => smaps::parse(&bytes),
            Err(ProcProblem::Gone) => return Err(ProcProblem::Gone),
            Err(problem) => {
                self.facts.copies.retain(|copy| copy.differing > 0);
                self.problem(format!("whether pages were copied cannot be told: `smaps` cannot be read: {problem}"));
                return Ok(());
            }
        };
        let without: BTreeSet<u64> =
            usage.iter().filter(|usage| usage.anonymous == 0).map(|usage| usage.start).collect();
        let is_of = |address: u64| regions.iter().find(|region| region.map.holds(address));
        let shared = |copy: &PageCopy| is_of(copy.address).is_some_and(|region| without.contains(&region.map.start));
        self.facts.copies.retain(|copy| copy.differing > 0 || !shared(copy));
        Ok(())
    }
}

/// How many bytes differ, and the first runs of them; both slices are equally long.
#[must_use]
pub fn changes(expected: &[u8], actual: &[u8]) -> (u32, Vec<Change>) {
    if expected == actual {
        return (0, Vec::new());
    }
    let mut differing = 0_u32;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut last = None;
    for (at, _) in expected.iter().zip(actual).enumerate().filter(|(_, (expected, actual))| expected != actual) {
        differing = differing.saturating_add(1);
        let goes_on = last.is_some_and(|last: usize| last.wrapping_add(1) == at);
        if !goes_on && runs.len() < MAX_RUNS {
            runs.push((at, at));
        } else if let Some(run) = runs.last_mut().filter(|run| goes_on && last == Some(run.1)) {
            run.1 = at;
        }
        last = Some(at);
    }
    let hex = |bytes: &[u8], first: usize, last: usize| {
        let end = last.saturating_add(1).min(first.saturating_add(MAX_RUN));
        text::hex(bytes.get(first..end).unwrap_or_default())
    };
    let changes = runs.into_iter().map(|(first, last)| Change {
        at: u32::try_from(first).unwrap_or(u32::MAX),
        length: u32::try_from(last - first).map_or(u32::MAX, |more| more.saturating_add(1)),
        expected: hex(expected, first, last),
        actual: hex(actual, first, last),
    });
    (differing, changes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &[u8], actual: &[u8], differing: u32, runs: &[(u32, u32, &str, &str)]) {
        let (found, changes) = changes(expected, actual);
        let changes: Vec<_> =
            changes.iter().map(|c| (c.at, c.length, c.expected.as_str(), c.actual.as_str())).collect();
        assert_eq!((found, changes.as_slice()), (differing, runs));
    }

    #[test]
    fn runs_of_differing_bytes() {
        check(b"abc", b"abc", 0, &[]);
        check(b"abc", b"aXc", 1, &[(1, 1, "62", "58")]);
        check(b"abcdef", b"XXcdXf", 3, &[(0, 2, "6162", "5858"), (4, 1, "65", "58")]);
        let (differing, changes) = changes(&[0; 64], &[1; 64]);
        assert_eq!((differing, changes.len(), changes[0].length, changes[0].actual.len()), (64, 1, 64, 32));
    }

    #[test]
    fn many_runs_are_counted_and_not_kept() {
        let expected = [0; 4096];
        let actual: Vec<u8> = (0..4096).map(|at| u8::from(at % 2 == 0)).collect();
        let (differing, changes) = changes(&expected, &actual);
        assert_eq!((differing, changes.len()), (2048, MAX_RUNS));
        let long: Vec<u8> = (0..4096).map(|at| u8::from(at % 4 != 3)).collect();
        let (differing, kept) = super::changes(&expected, &long);
        assert_eq!((differing, kept.len(), kept[7].length), (3072, MAX_RUNS, 3));
    }
}
