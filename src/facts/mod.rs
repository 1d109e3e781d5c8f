//! The narrow waist: everything that was observed, nothing that was concluded.
//!
//! `observe` builds [`Facts`], `checks` read them; neither knows the other. Facts serialise (`--facts-out`), so that
//! another machine, or newer knowledge, can judge them later (`sshproof judge`). They never hold secrets: no shadow
//! hash, no OTP seed, no private key; only existence, owner, mode and enrolment.

pub mod binding;
pub mod container;
pub mod directory;
pub mod file;
pub mod history;
pub mod login;
pub mod medium;
pub mod package;
pub mod pages;
pub mod preload;
pub mod process;
pub mod server;
pub mod views;
pub mod watch;

use serde::{Deserialize, Serialize};

use crate::model::capsule::Capsule;
use crate::model::loaded::LoadedConfig;
use crate::model::report::Usage;
use crate::model::{Check, Gap, RootedPath, Timestamp};

pub use file::{FileFacts, FileState, FileTable, Look, Role, Want};
pub use login::LoginFacts;
pub use package::PackageFacts;
pub use process::ProcessFacts;
pub use server::ServerFacts;

/// The name and version of the serialised form.
pub const SCHEMA: &str = "sshproof.facts/1";

/// All that was observed on one host, or in one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the sshproof that observed.
    pub observer: String,
    /// Date of the knowledge that bytes were matched with, `YYYY-MM-DD`.
    pub knowledge: String,
    /// Digest of that knowledge's byte rules: `judge` compares it with its own.
    pub byte_rules: String,
    /// When observation began; the only clock that checks see.
    pub observed_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What it cost.
    pub usage: Usage,
    /// The running kernel and its tables; absent for an image.
    pub kernel: Option<KernelFacts>,
    /// The examined root, then those of containers in which an SSH server runs.
    pub roots: Vec<RootFacts>,
    /// What the state directory is to keep for later scans. No part of what is judged, and nobody else's.
    #[serde(skip)]
    pub remember: Remember,
}

/// What a later scan needs of this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remember {
    /// Signed metadata of the packages that own code of the surface: rpm headers as the database holds them.
    pub evidence: Vec<Vec<u8>>,
    /// Files that hold the same on their medium as in the cache, by this scan or an earlier one of this boot.
    pub medium: Vec<medium::ComparedFile>,
    /// The configurations that running servers hold.
    pub loaded: Vec<LoadedConfig>,
    /// The files of package archives that records rest on.
    pub archive: KeptArchive,
}

/// Files of a package archive as apt(8) names them: the signed list, the index, the packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptArchive {
    /// Names of all that are in use.
    pub used: std::collections::BTreeSet<String>,
    /// Those that the state directory does not hold yet, name and content.
    pub new: Vec<(String, Vec<u8>)>,
}

/// What the kernel says about the host as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFacts {
    /// uname(2) release, escaped.
    pub release: String,
    /// uname(2) node name, escaped.
    pub hostname: String,
    /// uname(2) machine.
    pub machine: String,
    /// Names of abstract UNIX sockets of every network namespace that a process is in, escaped, without the leading `@`; absent
    /// if unreadable.
    pub abstract_sockets: Option<Vec<String>>,
    /// Whether we ran with effective uid 0.
    pub as_root: bool,
}

/// All that was observed beneath one root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFacts {
    /// The root as given, escaped: `/` for the running system, `/proc/PID/root` for a container.
    pub path: String,
    /// Whether this is the running system: processes, sockets and kernel belong to it.
    pub live: bool,
    /// Which container it is the root of; absent for the host's own, and for an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<container::Container>,
    /// os-release(5) fields, escaped; empty if there is none.
    pub os_release: std::collections::BTreeMap<String, String>,
    /// `/etc/hostname`, escaped.
    pub hostname: String,
    /// Mount points of file systems that another machine answers for, and of automounts: homes beneath them are not
    /// looked into. Of the running system only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distant: Vec<RootedPath>,
    /// Every file looked at.
    pub files: FileTable,
    /// Package databases and the records of the files looked at.
    pub packages: PackageFacts,
    /// SSH servers.
    pub servers: Vec<ServerFacts>,
    /// Processes of those servers.
    pub processes: Vec<ProcessFacts>,
    /// Who may have set breakpoints through the kernel; asked for only where some were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<pages::ProbeFacts>,
    /// Who else may watch servers; absent where none runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<watch::WatchFacts>,
    /// What the kernel says of modules and processes in several ways; absent where no server runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<views::ViewFacts>,
    /// What was kept of processes that execute something else than their files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capsules: Vec<Capsule>,
    /// What the files that servers execute hold on their medium; absent unless it was asked for (`--deep`), or a state
    /// directory says which of them were compared in this boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<medium::MediumFacts>,
    /// Earlier versions of what processes still execute; absent where none does, or no state directory is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<history::HistoryFacts>,
    /// Accounts, groups and the modules' own configuration.
    pub login: LoginFacts,
    /// What `--scan-all` went through; absent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// What the observer could not see, and for which check that matters.
    pub gaps: Vec<ObservationGap>,
}

pub use crate::model::report::Sweep;

/// A gap met while observing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObservationGap {
    /// The check that wanted to see it.
    pub check: Check,
    /// What and why.
    pub gap: Gap,
}

impl RootFacts {
    /// Notes a gap, once.
    pub fn gap(&mut self, check: Check, gap: Gap) {
        let gap = ObservationGap { check, gap };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }
}
