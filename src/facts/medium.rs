//! What the files that servers execute hold on their medium, past the page cache.

use serde::{Deserialize, Serialize};

use crate::model::{Digest, Identity};

/// What was seen of them all, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediumFacts {
    /// Files that hold the same on their medium and in the cache.
    pub same: u64,
    /// Files that were compared by an earlier scan of this boot, and are the same inode with the same times and the same
    /// content since: only with a state directory, and not with `--deep`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub earlier: u64,
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

/// A file as it was compared: device, inode, size and times, and the SHA-256 of what the cache held. A cache that was changed
/// without being written to, as flaws of the kernel allowed, is another content of the same inode.
pub type ComparedFile = (Identity, Digest);

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}
