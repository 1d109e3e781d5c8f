//! What is kept of a process that executes something else than its files: a reboot of a diskless node erases everything else.

use serde::{Deserialize, Serialize};

use super::Digest;

/// Bytes that all capsules of one scan take in the report together, at most.
pub const MAX_CAPSULES: usize = 1 << 20;

/// What was kept of one process. Neither heap nor stack nor any other writable data is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capsule {
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since boot.
    pub starttime: u64,
    /// Label of its server.
    pub server: String,
    /// Its memory map, the lines of `/proc/PID/maps`, escaped.
    pub maps: Vec<String>,
    /// Pages of code and read-only data that are not the files', and code that belongs to no file.
    pub pages: Vec<Page>,
    /// How many pages more there were, or lines of the map, for which no room was left.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// One page, or the part of it that a file fills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Address of its first byte.
    pub address: u64,
    /// Path of the mapping as the kernel shows it, escaped; empty for memory without a file.
    pub path: String,
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// The bytes in base64 (RFC 4648, section 4).
    pub content: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}
