//! The dynamic table as ld.so reads it: from memory, by `PT_DYNAMIC`'s address, to the first `DT_NULL`.

use goblin::elf::dynamic::{DT_NULL, DT_STRTAB};
use goblin::elf::program_header::PT_DYNAMIC;

use super::view::Elf;

/// Tags, besides `DT_NEEDED`, that make glibc load a library (elf/dl-deps.c, elf/rtld.c, `load_audit_modules`).
pub(super) const STAND_INS: [(u64, &str); 4] = [
    (0x7fff_fffd, "DT_AUXILIARY"),
    (0x7fff_ffff, "DT_FILTER"),
    (0x6fff_fefc, "DT_AUDIT"),
    (0x6fff_fefb, "DT_DEPAUDIT"),
];

/// Entries read at most. The largest table of a distribution has some hundred (one `DT_NEEDED` a library).
const ENTRY_LIMIT: usize = 16_384;

/// Longest name or search path; longer ones cannot be opened (`PATH_MAX`) and count as unreadable.
const STRING_LIMIT: u64 = 8192;

/// The entries of a dynamic table.
#[derive(Clone, Debug, Default)]
pub struct Dynamic {
    entries: Vec<(u64, u64)>,
    strings: Option<u64>,
    problems: Vec<String>,
}

impl Dynamic {
    /// The table of `elf`; empty for a static program.
    pub(super) fn read(elf: &Elf<'_>) -> Self {
        let mut table = Self::default();
        let Some(segment) = elf.segments().iter().rev().find(|segment| segment.kind == PT_DYNAMIC) else {
            return table;
        };
        let Some((start, len)) = elf.file_offset(segment.address) else {
            table.problems.push("the dynamic table is not in the file".into());
            return table;
        };
        let raw = elf.raw();
        let word = raw.word_size();
        let size = word.saturating_mul(2);
        let mut offset = start;
        let end = start.saturating_add(len);
        loop {
            if offset.saturating_add(size) > end || table.entries.len() >= ENTRY_LIMIT {
                table.problems.push("the dynamic table has no end".into());
                break;
            }
            let (Some(tag), Some(value)) = (raw.word(offset), raw.word(offset.saturating_add(word))) else { break };
            if tag == DT_NULL {
                break;
            }
            table.entries.push((tag, value));
            offset = offset.saturating_add(size);
        }
        table.strings = table.value(DT_STRTAB);
        if table.strings.is_some_and(|address| elf.file_offset(address).is_none()) {
            table.problems.push("the dynamic string table is not in the file".into());
        }
        table
    }

    /// Whether there is a table.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What of the table could not be read, one sentence each.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The value of `tag`. Of several entries the last counts (glibc, elf/get-dynamic-info.h).
    #[must_use]
    pub fn value(&self, tag: u64) -> Option<u64> {
        self.entries.iter().rev().find(|entry| entry.0 == tag).map(|entry| entry.1)
    }

    /// Tags and values, in order, without the null entry.
    #[must_use]
    pub fn entries(&self) -> &[(u64, u64)] {
        &self.entries
    }

    /// Every value of `tag`, in order.
    pub fn values(&self, tag: u64) -> impl Iterator<Item = u64> + '_ {
        self.entries.iter().filter(move |entry| entry.0 == tag).map(|entry| entry.1)
    }

    /// The string at `offset` of the dynamic string table. ld.so does not look at `DT_STRSZ`, nor do we.
    #[must_use]
    pub fn string<'a>(&self, elf: &Elf<'a>, offset: u64) -> Option<&'a [u8]> {
        let (at, left) = elf.file_offset(self.strings?.checked_add(offset)?)?;
        elf.raw().c_string(at, left.min(STRING_LIMIT))
    }
}
