//! What the files that servers execute hold on their medium, past the page cache.

use serde::{Deserialize, Serialize};

use crate::model::Digest;

/// What was seen of them all, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediumFacts {
    /// Files that hold the same on their medium and in the cache.
    pub same: u64,
    /// Files that do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<Differing>,
    /// Files whose file system cannot be read past the cache, escaped: tmpfs, squashfs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cached_only: Vec<String>,
    /// Files that could not be compared, and why, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// A file that holds something else on its medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// Its path as the kernel shows it, escaped.
    pub path: String,
    /// SHA-256 of what everybody reads and executes.
    pub cached: Digest,
    /// SHA-256 of what lies on the medium.
    pub medium: Digest,
    /// The first byte that differs, from the beginning of the file.
    pub offset: u64,
}
