//! SSH servers: what answers logins here, and how it is started.

use serde::{Deserialize, Serialize};

pub use crate::formats::program::Implementation;
use crate::model::RootedPath;
use crate::model::loaded::ConfigFiles;

/// One server instance. Found by socket owner, by its executable's identity, or by a unit or well-known path; never by
/// process name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// A short name that tells it from the others on this host: its program with its socket, or with its unit.
    pub label: String,
    /// Which implementation its executable is.
    pub implementation: Implementation,
    /// Version that its executable announces, `OpenSSH_9.2p1 Debian-2+deb12u10`, escaped; empty if none was found.
    pub version: String,
    /// Its executable, links resolved. If it runs, the file that was started, even if another lies there now.
    pub binary: RootedPath,
    /// Further programs of it: `sshd-session` and `sshd-auth`, as compiled in and as seen running.
    pub parts: Vec<RootedPath>,
    /// Libraries that the C library loads by itself, as seen mapped: `libgcc_s.so.1` for pthread_cancel(3), character
    /// set converters.
    pub loaded: Vec<RootedPath>,
    /// Its configuration file (`-f`, or what is compiled in); absent for servers without one.
    pub config: Option<RootedPath>,
    /// `-o` options of its command line, in order, escaped.
    pub options: Vec<String>,
    /// Ports of `-p`.
    pub ports: Vec<u16>,
    /// Host keys of `-h`, escaped.
    pub host_keys: Vec<String>,
    /// Its whole command line, program first, escaped. Of a server that does not run, as its unit would start it.
    pub arguments: Vec<String>,
    /// Whether it serves one connection that something else accepted (`-i`; TinySSH always).
    pub inetd: bool,
    /// How it is started.
    pub started_by: StartedBy,
    /// The files that decide how it is started: unit, drop-ins, socket unit, environment files, script.
    pub unit_files: Vec<RootedPath>,
    /// What it listens on, or what listens for it.
    pub sockets: Vec<Socket>,
    /// Its processes, listener first.
    pub pids: Vec<i32>,
    /// Whether it runs as an ordinary user and so cannot log anybody else in: listed, searched, outside the verdict.
    pub user_server: bool,
    /// The configuration that it runs with, as far as earlier scans can tell: sshd reads its files when it starts, not when
    /// they change. Absent where nobody knows, and for servers that read them for each connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded_config: Option<Loaded>,
}

/// The configuration that a server holds in its memory, against the one that lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loaded {
    /// The same.
    AsItIs,
    /// The files said this when it read them.
    Other(ConfigFiles),
}

/// How a server comes to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartedBy {
    /// A systemd unit starts it, or would.
    Unit(RootedPath),
    /// An init script, or the configuration of inetd or xinetd, names it.
    Script(RootedPath),
    /// It runs, and nothing was found that starts it.
    CommandLine,
    /// It lies at a well-known path; nothing was seen that starts it.
    Installed,
}

impl std::fmt::Display for StartedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unit(path) | Self::Script(path) => path.fmt(f),
            Self::CommandLine => f.write_str("started by hand, no unit found"),
            Self::Installed => f.write_str("installed, nothing found that starts it"),
        }
    }
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Socket {
    /// Address in the usual text form.
    pub address: std::net::IpAddr,
    /// Port.
    pub port: u16,
}

impl std::fmt::Display for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(f)
    }
}

impl ServerFacts {
    /// A server of which nothing is known but what it is and where it lies.
    #[must_use]
    pub const fn new(implementation: Implementation, binary: RootedPath) -> Self {
        Self {
            label: String::new(),
            implementation,
            version: String::new(),
            binary,
            parts: Vec::new(),
            loaded: Vec::new(),
            config: None,
            options: Vec::new(),
            ports: Vec::new(),
            host_keys: Vec::new(),
            arguments: Vec::new(),
            inetd: false,
            started_by: StartedBy::Installed,
            unit_files: Vec::new(),
            sockets: Vec::new(),
            pids: Vec::new(),
            user_server: false,
            loaded_config: None,
        }
    }

    /// Everything of it that is code: executable and parts.
    pub fn programs(&self) -> impl Iterator<Item = &RootedPath> {
        std::iter::once(&self.binary).chain(&self.parts)
    }
}
