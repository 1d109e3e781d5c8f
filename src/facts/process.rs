//! Running processes of SSH servers: what they execute and map.

use serde::{Deserialize, Serialize};

use crate::model::{Digest, RootedPath};

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// Process id in the namespace we run in.
    pub pid: i32,
    /// Start time in clock ticks since boot (proc(5), `stat` field 22).
    pub starttime: u64,
    /// Real user id.
    pub uid: u32,
    /// `/proc/PID/exe` as the kernel shows it, escaped, without ` (deleted)`.
    pub exe: String,
    /// The executable mappings and those of the executable file, in address order.
    pub mappings: Vec<Mapping>,
    /// Process id of a tracer, 0 if none (proc(5), `status`, TracerPid).
    pub tracer: i32,
    /// Why its memory map could not be read; absent if it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What the mapped inode holds; absent for memory without a file.
    pub content: Option<MappedContent>,
}

/// The content of a mapped inode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MappedContent {
    /// It is the very inode of this file of the surface.
    SameInode(RootedPath),
    /// Another inode, read through `map_files`: its SHA-256.
    Digest(Digest),
    /// It could not be read, and why.
    Unreadable(String),
}
