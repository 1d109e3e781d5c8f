//! The same asked of the kernel in several ways: where the answers differ, one of them lies.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What was asked twice; only where a server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewFacts {
    /// What has happened to the kernel since it was started, bits of `/proc/sys/kernel/tainted`; absent if unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taint: Option<u64>,
    /// Kernel modules; absent for a kernel that was built without, or where they could not be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules: Option<ModuleViews>,
    /// Processes; absent where they could not be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<ProcessViews>,
    /// What could not be compared, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// The loaded modules in several views, names escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleViews {
    /// Those of `/proc/modules`, each with the letters by which it taints the kernel.
    pub listed: BTreeMap<String, String>,
    /// Those of `/sys/module` that have a state of loading, which built-in ones have not.
    pub in_sysfs: BTreeSet<String>,
    /// Those that have symbols in `/proc/kallsyms`; absent if that was not read, which only `--deep` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_symbols: Option<BTreeSet<String>>,
}

/// Processes that are listed against those that answer to their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessViews {
    /// How many numbers were asked for.
    pub asked: u64,
    /// How many there are (`/proc/sys/kernel/pid_max`).
    pub possible: u64,
    /// Numbers of processes, no further threads of listed ones, that answer and are listed nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted: Vec<i32>,
}
