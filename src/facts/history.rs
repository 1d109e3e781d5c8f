//! Earlier versions of packages whose files a process still executes: the signed metadata that the state directory kept of
//! them, checked anew with the keys of today.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::package::Package;
use crate::model::{Digest, RootedPath, Timestamp};

/// What is known of the past; asked for only where a process executes a file that was replaced, and a state directory is
/// used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryFacts {
    /// When the kernel was started (proc(5), `stat`, `btime`): start times of processes count from there. 1970 if that could
    /// not be told.
    pub booted: Timestamp,
    /// Clock ticks of a second (sysconf(3), `_SC_CLK_TCK`).
    pub ticks: u64,
    /// The versions that record a file of such a name, each with its signatures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<KeptVersion>,
    /// Digests of the files that are executed and were replaced, by further functions, by their SHA-256.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<Digest, Vec<Digest>>,
    /// What of the past could not be read, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One version of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptVersion {
    /// The package, with the signatures over its metadata as they check today.
    pub package: Package,
    /// When its metadata was first kept: it was installed then.
    pub since: Timestamp,
    /// Whether exactly this metadata, with the time of its installation, is in the database now: then no other version was
    /// installed in between.
    pub is_installed: bool,
    /// When it was installed, as the database says; nobody has signed that.
    pub installed_at: Option<Timestamp>,
    /// What it records of the files that were replaced, by canonical path.
    pub files: BTreeMap<RootedPath, Digest>,
}
