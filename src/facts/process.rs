//! Running processes of SSH servers: what they execute and map.

use serde::{Deserialize, Serialize};

use super::binding::BindingFacts;
use super::pages::{PageFacts, VdsoFacts};
use crate::knowledge::Hit;
use crate::model::{Digest, RootedPath};

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// Process id in the namespace we run in.
    pub pid: i32,
    /// Start time in clock ticks since boot (proc(5), `stat` field 22).
    pub starttime: u64,
    /// Real user id.
    pub uid: u32,
    /// Label of its server.
    pub server: String,
    /// Whether it is the one that listens, or that something else hands connections to; else it serves one connection.
    pub listener: bool,
    /// `/proc/PID/exe` as the kernel shows it, escaped; absent if it could not be read. A process may change it
    /// (prctl(2), `PR_SET_MM_EXE_FILE`): the mapping with the entry point tells the truth.
    pub exe: Option<String>,
    /// The executable mappings, in address order.
    pub mappings: Vec<Mapping>,
    /// Process id of a tracer, 0 if none (proc(5), `status`, TracerPid).
    pub tracer: i32,
    /// The pages of its code and read-only data; absent if they were not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PageFacts>,
    /// How its loader has bound it; absent if that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingFacts>,
    /// The code that the kernel gives to every process (vdso(7)); absent if it has none, or was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vdso: Option<VdsoFacts>,
    /// It ended before all of it was seen; the rest may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Why its memory map could not be read; absent if it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// `rwxp` as in proc(5) `maps`.
    pub permissions: String,
    /// Offset into the file, in bytes.
    pub offset: u64,
    /// Path as the kernel shows it, escaped, without ` (deleted)`; `[vdso]` and the like; empty for anonymous memory.
    pub path: String,
    /// Whether the kernel says the name is gone.
    pub deleted: bool,
    /// Whether the program's entry point (`AT_ENTRY` of getauxval(3)) lies in it: it is the executable.
    pub entry: bool,
    /// Whether it lies in an executable segment of its file, as far from that segment's address as the rest of the file is;
    /// absent if the file has no segments or they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place: Option<bool>,
    /// What the mapped inode holds; absent for memory without a file.
    pub content: Option<MappedContent>,
}

/// The content of a mapped inode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MappedContent {
    /// It is the very inode of this file of the surface, unchanged since that was read.
    SameInode(RootedPath),
    /// Another inode, read through `map_files`.
    Other {
        /// Digest of its whole content.
        sha256: Digest,
        /// What the byte rules found in it; absent if they were not applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hits: Option<Vec<Hit>>,
        /// Whether it has a name no longer: `st_nlink` of stat(2) is 0.
        unlinked: bool,
    },
    /// It could not be read, and why.
    Unreadable(String),
}
