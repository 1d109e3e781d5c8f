//! What leaves a host: events, one JSON object each, in a chain that shows whether one is missing.
//!
//! An event holds only what may leave (`docs/events.md`): no text of a configuration line, no key comment, no client
//! address; account names as pseudonyms. `ship` makes them of a report, `trust::chain` signs them, `render::event` puts
//! them into the words of SIEMs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::report::Trust;
use super::{Algorithm, Check, Class, Code, Confidence, RootedPath, Severity, Subject, Timestamp, Verdict};

/// The name and version of the serialised form.
pub const SCHEMA: &str = "sshproof.event/1";

/// `prev` of the first event of an epoch.
pub const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One event. The signature covers all of it but the signature itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: String,
    /// 26 characters of base32; the same event always has the same, so that a receiver can drop repetitions.
    pub id: String,
    /// When the facts behind it were taken.
    pub time: Timestamp,
    /// Which host speaks.
    pub node: Node,
    /// With which program and knowledge.
    pub tool: EventTool,
    /// Its place among all events of the node.
    pub chain: Chain,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
    /// Ed25519 over the canonical form (`trust::chain`), lower-case hexadecimal; absent until signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// The host that speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name, escaped.
    pub name: String,
    /// Its operating system, escaped.
    pub os: String,
    /// `/proc/sys/kernel/random/boot_id` of the boot the program ran in, or empty.
    pub boot: String,
    /// Whether the running system was examined rather than an image.
    pub live: bool,
    /// Its Ed25519 public key, 64 digits of lower-case hexadecimal.
    pub key: String,
}

/// The program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTool {
    /// Its version.
    pub version: String,
    /// Date of the knowledge it judged with, `YYYY-MM-DD`.
    pub knowledge: String,
}

/// The place of an event among all events of its node: order is by `(epoch, seq)`, never by time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Grows whenever the node has lost count; in seconds since 1970 of its beginning, or one more than the last.
    pub epoch: u64,
    /// Grows by one with every event of the epoch, beginning with 1.
    pub seq: u64,
    /// SHA-256 of the event before in lower-case hexadecimal; [`NOTHING_BEFORE`] for the first.
    pub prev: String,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "lowercase")]
pub enum Body {
    /// A finding came, stays or went.
    Finding(Box<FindingEvent>),
    /// A scan took place: the heartbeat, sent when nothing was found too.
    State(Box<StateEvent>),
    /// Events were lost before they could be delivered.
    Spool(SpoolEvent),
}

impl Body {
    /// The word used in every output.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Finding(_) => "finding",
            Self::State(_) => "state",
            Self::Spool(_) => "spool",
        }
    }
}

/// Where a finding stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifeCycle {
    /// Seen for the first time.
    Open,
    /// Seen before, and told again: it changed, or a day has gone by.
    StillOpen,
    /// Its check looked, saw everything, and it was not there any more.
    Closed,
}

impl LifeCycle {
    /// The word used in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::StillOpen => "still-open",
            Self::Closed => "closed",
        }
    }
}

/// A finding as it may leave the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingEvent {
    /// 26 characters of base32: the same finding on the same node has the same from scan to scan.
    pub uid: String,
    /// Where it stands in its life.
    pub status: LifeCycle,
    /// The time of the scan that saw it first.
    pub first_seen: Timestamp,
    /// Stable id of its kind.
    pub code: Code,
    /// Which check made it.
    pub check: Check,
    /// What kind of trouble; receivers page on `compromise` and `integrity` only.
    pub class: Class,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What its kind says, one sentence that names nothing of the host.
    pub summary: String,
    /// What to do about its kind; empty where the advice would name something of the host.
    pub remediation: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// What it is about, names of accounts in it as pseudonyms.
    pub subject: Subject,
    /// What it rests on, as far as that may leave the host.
    pub evidence: Vec<Trace>,
}

/// What of a piece of evidence may leave the host: no line's text, no bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Trace {
    /// A digest was expected and another was found.
    Digest {
        /// Which hash function.
        algorithm: Algorithm,
        /// Lower-case hexadecimal.
        expected: String,
        /// Lower-case hexadecimal.
        actual: String,
        /// Who expects it.
        source: String,
    },
    /// A line of a file; its text stays on the host.
    Line {
        /// The file.
        path: RootedPath,
        /// Counted from 1.
        line: u32,
    },
    /// A pattern was found in a file; the bytes stay on the host.
    Bytes {
        /// The file.
        path: RootedPath,
        /// In bytes from its start.
        offset: u64,
        /// Which pattern.
        indicator: String,
    },
    /// Something remarkable in a file's structure.
    Symbol {
        /// The file.
        path: RootedPath,
        /// Its name, escaped.
        name: String,
        /// What is remarkable.
        detail: String,
    },
    /// A mapping of a process.
    Mapping {
        /// Process id.
        pid: i32,
        /// `start-end perms`.
        range: String,
        /// The mapped path, escaped.
        path: String,
        /// What is remarkable.
        detail: String,
    },
    /// A property of a file.
    Metadata {
        /// The file.
        path: RootedPath,
        /// Which property.
        property: String,
        /// As it ought to be.
        expected: String,
        /// As it is.
        actual: String,
    },
    /// A login that needs less than policy demands; where it may come from stays on the host.
    Counterexample {
        /// An account, as pseudonym.
        user: String,
        /// The methods that suffice.
        methods: Vec<String>,
    },
    /// Something else that was seen.
    Fact {
        /// What was looked at.
        about: String,
        /// What was found there, escaped.
        value: String,
    },
    /// There is more, which stays on the host.
    Withheld {
        /// What kind of evidence.
        what: String,
    },
}

/// One scan took place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEvent {
    /// Its overall verdict.
    pub verdict: Verdict,
    /// A verdict for each class of findings.
    pub classes: BTreeMap<Class, Verdict>,
    /// The weakest evidence that any file of the surface rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_floor: Option<Trust>,
    /// One entry for each check that ran.
    pub checks: Vec<CheckState>,
    /// In milliseconds.
    pub duration_ms: u64,
    /// SHA-256 of the whole report, as `--format json` writes it on one line, in lower-case hexadecimal.
    pub report: String,
    /// Findings that are open now, those among them included that could not be looked at.
    pub open: u64,
    /// Those among them whose check did not run or could not see everything.
    pub unconfirmed: u64,
    /// SHA-256 of the sorted uids of all open findings, each with a newline, in lower-case hexadecimal.
    pub open_digest: String,
    /// The first event of this scan; the state event is its last.
    pub first_seq: u64,
    /// Why the epoch is new, in its first state event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_epoch: Option<EpochReason>,
    /// What the caller wanted to be told back, so that an old answer cannot pass for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// What waits for delivery and what each sink has taken.
    pub spool: SpoolState,
    /// What the node's TPM says of this boot and of [`StateEvent::report`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
}

/// A TPM 2.0's signature over the digest of a report and the measurements of the boot, both parts as the TPM gave them, in lower-case
/// hexadecimal: `tpm2_checkquote` reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// `TPMS_ATTEST`; its `extraData` is the 32 bytes of the report's digest.
    pub message: String,
    /// `TPMT_SIGNATURE` over it.
    pub signature: String,
}

/// Why a node began to count anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EpochReason {
    /// There was no state: the first scan, or a node that forgets at every boot.
    NoState,
    /// The state could not be read.
    BadState,
    /// The spool holds events later than those the state knows, and not all between.
    StateBehind,
    /// The node has another key than the one it signed with before.
    NewKey,
}

impl EpochReason {
    /// The word used in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoState => "no-state",
            Self::BadState => "bad-state",
            Self::StateBehind => "state-behind",
            Self::NewKey => "new-key",
        }
    }
}

/// What one check said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckState {
    /// Which.
    pub check: Check,
    /// Its verdict.
    pub verdict: Verdict,
    /// Things examined.
    pub examined: u64,
    /// Findings, informational ones included.
    pub findings: u64,
    /// Things it could not see.
    pub gaps: u64,
    /// Those among them that its answer depends on.
    pub mandatory_gaps: u64,
}

/// The spool at the moment of the scan, before this scan's events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolState {
    /// Records waiting or kept for another request.
    pub records: u64,
    /// Their size.
    pub bytes: u64,
    /// Events dropped since the epoch began.
    pub dropped: u64,
    /// Last event that each sink has taken, by the sink's name: what "taken" means depends on its kind.
    pub acked: BTreeMap<String, Acked>,
}

/// The last event that a sink has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Acked {
    /// Its epoch.
    pub epoch: u64,
    /// Its number there.
    pub seq: u64,
}

/// Events that were lost before every sink had taken them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolEvent {
    /// Why.
    pub reason: DropReason,
    /// Epoch of the lost events.
    pub epoch: u64,
    /// The first.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
    /// Whether findings were among them.
    pub findings: bool,
}

/// Why events were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// The spool was full.
    Size,
    /// They were too old.
    Age,
    /// Their file had lost its end.
    Torn,
}

impl DropReason {
    /// The word used in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Age => "age",
            Self::Torn => "torn",
        }
    }
}
