//! The configuration that a running server holds in its memory, which is never read: what earlier scans saw of its files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::Text;
use super::{Digest, RootedPath, Timestamp};

/// Files of a configuration, by path.
pub type ConfigFiles = BTreeMap<RootedPath, Text>;

/// One program in one process: it changes when a server starts itself anew within its process, as sshd does when it is told
/// to read its configuration again (sshd(8), SIGHUP).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// The process.
    pub pid: i32,
    /// When it was started, in clock ticks since boot (proc(5), `stat`).
    pub starttime: u64,
    /// SHA-256 of what the kernel told the program when it began (getauxval(3)): with addresses laid out at random, new each
    /// time.
    pub image: Digest,
}

/// What a server read when it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadedConfig {
    /// Who read it.
    pub execution: Execution,
    /// When it was last seen to run.
    pub seen: Timestamp,
    /// The files as they were then; `None` if they had changed before anybody looked.
    pub files: Option<ConfigFiles>,
}
