//! Pages of code and read-only data in the memory of a process, as far as they are not the file's own.
//!
//! A page that the process shares with the page cache *is* the file's and leaves no trace here but a count. What is kept is
//! every page that the kernel copied for the process alone, with the bytes in which it differs.

use serde::{Deserialize, Serialize};

/// What was seen of the pages of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFacts {
    /// Pages whose entry in the page table was looked at.
    pub examined: u64,
    /// Pages that were read from memory and compared with the file: the copies, or all (`--deep`).
    pub compared: u64,
    /// Pages that are the process's own or differ from the file, in address order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<PageCopy>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// What could not be looked at, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One page of a mapped file that is not the page cache's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageCopy {
    /// Address of its first byte.
    pub address: u64,
    /// Path of the file as the kernel shows it, escaped.
    pub path: String,
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// Whether it can be executed.
    pub executable: bool,
    /// How many of its bytes differ from the file's; 0 for a page that was written to and holds the file's bytes.
    pub differing: u32,
    /// The first runs of differing bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// A run of bytes that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Distance from the first byte of the page.
    pub at: u32,
    /// Length of the run in bytes.
    pub length: u32,
    /// What the file holds, hexadecimal, cut off after some bytes.
    pub expected: String,
    /// What memory holds, as much of it.
    pub actual: String,
}

impl PageCopy {
    /// Whether `changes` holds all that differs.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.changes.iter().map(|change| change.length).sum::<u32>() == self.differing
    }
}

/// The kernel's code in a process against the same in our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VdsoFacts {
    /// Byte for byte.
    Same,
    /// Not.
    Differs {
        /// Address of the first byte of the mapping.
        address: u64,
        /// How many bytes differ.
        differing: u32,
        /// The first runs of them; `at` counts from the first byte of the mapping.
        changes: Vec<Change>,
    },
    /// They could not be compared, and why.
    NotCompared(String),
}

/// Who may have set breakpoints into code through the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFacts {
    /// Processes that hold a descriptor by which breakpoints are set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<ProbeHolder>,
    /// The lines of `uprobe_events` in tracefs, escaped; absent if it is not mounted or cannot be read. Breakpoints of
    /// perf_event_open(2) do not stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
}

/// A process with such a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeHolder {
    /// Process id.
    pub pid: i32,
    /// What it runs, escaped; empty if that cannot be seen.
    pub exe: String,
    /// The descriptor as the kernel prints it: `anon_inode:[perf_event]`.
    pub descriptor: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}
