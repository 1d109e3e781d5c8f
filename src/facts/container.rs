//! A root that is not the host's: that of a container whose SSH server runs beside the host's processes.

use serde::{Deserialize, Serialize};

/// What tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name, escaped: what its control group calls it, else its mount namespace.
    pub name: String,
    /// A process in it; its root is `/proc/PID/root`.
    pub pid: i32,
}

impl Container {
    /// Where its root lies for whoever looks from the host.
    #[must_use]
    pub fn root(&self) -> String {
        format!("/proc/{}/root", self.pid)
    }
}
