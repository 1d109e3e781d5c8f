//! What a finding, a gap or a record speaks about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{RootedPath, text};

/// The thing examined. Its serialised form is part of the report's contract.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Subject {
    /// The machine, or the image, as a whole.
    Host,
    /// A file beneath the examined root.
    File {
        /// Where.
        path: RootedPath,
    },
    /// An installed package.
    Package {
        /// Its name as its package system writes it.
        name: String,
    },
    /// A running process.
    Process {
        /// Process id in the namespace we run in.
        pid: i32,
        /// Start time in clock ticks since boot (proc(5), `stat` field 22): tells a reused pid apart.
        starttime: u64,
    },
    /// A range of a process's address space.
    Mapping {
        /// Process id.
        pid: i32,
        /// First address.
        start: u64,
        /// The mapped path as the kernel shows it, escaped; empty for anonymous memory.
        path: String,
    },
    /// The login paths of one SSH server.
    Login {
        /// The server's [`label`](crate::facts::ServerFacts::label).
        server: String,
    },
    /// An SSH server: binary, configuration, sockets, processes.
    Server {
        /// Its label.
        server: String,
    },
}

impl Subject {
    /// The subject that is the file at `path`.
    #[must_use]
    pub fn file(path: &RootedPath) -> Self {
        Self::File { path: path.clone() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::File { path } => path.fmt(f),
            Self::Package { name } => write!(f, "package {}", text::escape(name.as_bytes())),
            Self::Process { pid, .. } => write!(f, "process {pid}"),
            Self::Mapping { pid, start, path } if path.is_empty() => write!(f, "process {pid}, memory at {start:#x}"),
            Self::Mapping { pid, start, path } => write!(f, "process {pid}, {path} at {start:#x}"),
            Self::Login { server } | Self::Server { server } => write!(f, "server {server}"),
        }
    }
}
