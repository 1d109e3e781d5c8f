//! SSH servers: what answers logins here, and how it is started.

use serde::{Deserialize, Serialize};

use crate::model::RootedPath;

/// One server instance. Found by socket owner, by its executable's identity, or by a unit or well-known path; never by
/// process name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// A short name that tells it from the others on this host: its sockets, or its binary and configuration.
    pub label: String,
    /// Which implementation its executable is.
    pub implementation: Implementation,
    /// Its executable.
    pub binary: RootedPath,
    /// Its configuration file; absent for servers without one.
    pub config: Option<RootedPath>,
    /// `-o` options of its command line, in order, escaped.
    pub options: Vec<String>,
    /// Ports of `-p`.
    pub ports: Vec<u16>,
    /// Its whole command line, escaped; empty if it does not run.
    pub arguments: Vec<String>,
    /// How it is started.
    pub started_by: StartedBy,
    /// What it listens on.
    pub sockets: Vec<Socket>,
    /// Its processes, listener first.
    pub pids: Vec<i32>,
    /// Whether it runs as an ordinary user and so cannot log anybody else in: listed, searched, outside the verdict.
    pub user_server: bool,
}

/// Which program a server is, told by its executable's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Implementation {
    /// OpenSSH's `sshd`, or a build of it (HPN-SSH, GSI-OpenSSH).
    OpenSsh,
    /// Dropbear.
    Dropbear,
    /// TinySSH.
    TinySsh,
    /// Could not be told.
    Unknown,
}

/// How a server comes to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartedBy {
    /// A systemd unit starts it, or would.
    Unit(RootedPath),
    /// It runs, and no unit was found that starts it.
    CommandLine,
    /// It lies at a well-known path; nothing was seen that starts it.
    Installed,
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Socket {
    /// Address in the usual text form.
    pub address: std::net::IpAddr,
    /// Port.
    pub port: u16,
}
