//! The report: what one scan of one host or image says. Its serialised form, `sshproof.report/1`, is the contract that
//! other programs build on; the schema stands in `docs/report.schema.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::capsule::Capsule;
use super::{Check, CheckResult, Class, Digest, RootedPath, Severity, Timestamp, Verdict};

/// The name and version of the serialised form.
pub const SCHEMA: &str = "sshproof.report/1";

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Who says so.
    pub tool: Tool,
    /// About which machine or image.
    pub host: Host,
    /// When the facts were taken.
    pub started: Timestamp,
    /// How long that took, in milliseconds.
    pub duration_ms: u64,
    /// The overall verdict.
    pub verdict: Verdict,
    /// A verdict per class of finding.
    pub classes: BTreeMap<Class, Verdict>,
    /// The weakest evidence that any file of the surface rests on; absent when no file was examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_floor: Option<Trust>,
    /// One entry for each check that ran.
    pub results: Vec<CheckResult>,
    /// The SSH servers found.
    pub servers: Vec<Server>,
    /// The files of the surface.
    pub files: Vec<File>,
    /// The answer of the login proof for each server.
    pub login: Vec<Login>,
    /// What no part of this report covers, in plain words.
    pub not_covered: Vec<String>,
    /// What `--scan-all` went through; absent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// What was kept of processes that a finding of class `compromise` accuses; absent with `--no-capsule`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capsules: Vec<Capsule>,
    /// What the scan cost.
    pub usage: Usage,
}

/// How much a search of every file beneath the root went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Regular files met.
    pub files: u64,
    /// Those among them that are ELF, each of them searched.
    pub elf_files: u64,
    /// Their sizes together, in bytes.
    pub elf_bytes: u64,
    /// Directories and files that could not be entered or read, or hold no files of anyone's; each stands in a gap.
    pub left_out: u64,
}

/// The overall verdict of `results` and one for each class of finding. A class fails by its findings, whichever check
/// made them; it is unsure or untouched as the checks are that answer for it ([`Check::class`]). `coverage` speaks of
/// our own sight: unsure as soon as anything mandatory could not be seen.
#[must_use]
pub fn verdicts(results: &[CheckResult]) -> (Verdict, BTreeMap<Class, Verdict>) {
    let of_class = |class: Class| {
        let findings = results.iter().flat_map(|result| &result.findings).filter(move |f| f.class == class);
        let answering =
            || results.iter().filter(move |result| class == Class::Coverage || result.check.class() == class);
        let examined = answering().map(|result| result.examined).fold(0, u64::saturating_add);
        (class, Verdict::derive(findings, answering().flat_map(|result| &result.gaps), examined))
    };
    (Verdict::overall(results.iter().map(CheckResult::verdict)), Class::ALL.map(of_class).into())
}

impl Report {
    /// The findings above informational with the checks that made them, worst first: by severity, then by class.
    #[must_use]
    pub fn alarms(&self) -> Vec<(Check, &super::Finding)> {
        let mut alarms: Vec<_> = self
            .results
            .iter()
            .flat_map(|result| result.findings.iter().map(|finding| (result.check, finding)))
            .filter(|(_, finding)| finding.severity > Severity::Informational)
            .collect();
        alarms.sort_by_key(|(check, finding)| (std::cmp::Reverse(finding.severity), finding.class, *check));
        alarms
    }
}

/// The program and its knowledge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `sshproof`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Date of the knowledge it judged with, `YYYY-MM-DD`.
    pub knowledge: String,
    /// Number of backdoor families in it.
    pub families: usize,
}

/// The machine or image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Host name, escaped; of an image, its `/etc/hostname`; empty where unknown.
    pub name: String,
    /// `PRETTY_NAME` of os-release(5), escaped.
    pub os: String,
    /// The examined root as given on the command line, escaped.
    pub root: String,
    /// Whether it is the running system rather than an image.
    pub live: bool,
}

/// How much stands behind a file, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// A chain of verified signatures from a pinned key of the distributor.
    VendorSigned,
    /// A chain of verified signatures from a key that the site pinned.
    SiteSigned,
    /// A local record with a strong digest, not signed.
    LocalStrong,
    /// A local record with a weak digest, not signed.
    LocalWeak,
    /// No record.
    Unowned,
}

impl Trust {
    /// The word used in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VendorSigned => "vendor-signed",
            Self::SiteSigned => "site-signed",
            Self::LocalStrong => "local-strong",
            Self::LocalWeak => "local-weak",
            Self::Unowned => "unowned",
        }
    }
}

/// An SSH server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// A short name that tells it from the others; `login` and subjects use it.
    pub label: String,
    /// Its executable.
    pub binary: RootedPath,
    /// Its configuration file; absent for servers without one.
    pub config: Option<RootedPath>,
    /// How it is started: a unit, a socket unit, a command line.
    pub started_by: String,
    /// What it listens on: `[::]:22`.
    pub sockets: Vec<String>,
    /// Its processes, listener first.
    pub pids: Vec<i32>,
    /// Whether it runs as an ordinary user and so cannot log anybody else in; outside the verdict.
    pub user_server: bool,
    /// How much of its processes was compared with the files; absent if they were not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Compared>,
}

/// How much of the memory of one server's processes was compared with the files that they map. What came of it stands in the
/// findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Processes that were seen whole.
    pub processes: u64,
    /// Pages of code and read-only data in them.
    pub pages: u64,
    /// Words that their loader relocated, each compared with what it had to write.
    pub slots: u64,
}

/// A file of the surface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where.
    pub path: RootedPath,
    /// Of its content; absent if it could not be read.
    pub sha256: Option<Digest>,
    /// In bytes.
    pub size: u64,
    /// `name version` of its package, for rpm `name-version-release.arch`; absent for unowned files.
    pub package: Option<String>,
    /// How much stands behind it.
    pub trust: Trust,
    /// From the signing key (or the record) to the bytes.
    pub chain: Vec<Link>,
}

/// One link of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What is linked.
    pub link: LinkKind,
    /// By what: a key's fingerprint, a record's file, an algorithm.
    pub by: String,
    /// Whether it holds.
    pub ok: bool,
}

/// What a link of a chain is made of, from the signing key down to the running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// A signature over the metadata.
    Signature,
    /// A file of a package archive that the link before it names by its digest.
    Archive,
    /// The record of the file in a package database or manifest.
    Record,
    /// The digest of the content on disk.
    Digest,
    /// The code that running processes execute.
    Memory,
}

/// The login proof of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The server's label.
    pub server: String,
    /// What could be shown.
    pub proof: Proof,
    /// The smallest number of independent authenticators on any way in; absent if unknown or if there is no way in.
    pub authenticators: Option<u32>,
    /// The smallest number of factor categories (knowledge, possession, inherence) on any way in.
    pub categories: Option<u32>,
    /// Ways in that policy does not allow, or may not.
    pub counterexamples: Vec<Counterexample>,
    /// What the proof rests on besides what was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// What the site answers for that the proof rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exemptions: Vec<Exemption>,
}

/// Something that the site answers for: an exemption, or an assumption about what the host cannot see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// Whether it is assumed rather than exempted.
    pub assumed: bool,
    /// Whom it exempts, or what is assumed; in words.
    pub what: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub expires: Timestamp,
    /// The logins that are allowed because of it, each in one sentence; the first few.
    pub logins: Vec<String>,
}

/// What could be shown about the login paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Every way in demands what policy demands.
    Proved,
    /// The same, except for exemptions that the site declared.
    ProvedWithExemptions,
    /// There is a way in that does not.
    Refuted,
    /// Something on the way is not modelled or could not be read.
    Unknown,
}

impl Proof {
    /// The word used in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::ProvedWithExemptions => "proved-with-exemptions",
            Self::Refuted => "refuted",
            Self::Unknown => "unknown",
        }
    }
}

/// A way in that needs less than policy demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counterexample {
    /// An account that can take it, escaped.
    pub user: String,
    /// An address it can come from.
    pub from: String,
    /// The methods that suffice, in order.
    pub methods: Vec<String>,
    /// The authenticators they prove.
    pub factors: Vec<String>,
    /// Everybody who can take it, in words.
    pub region: String,
    /// `file:line` of each deciding directive and PAM step, with its text.
    pub decided_by: Vec<String>,
    /// The smallest edit that closes it.
    pub fix: String,
    /// A command that shows the server's own view of it.
    pub replay: String,
}

/// What the scan cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// User and system CPU time, in milliseconds.
    pub cpu_ms: u64,
    /// Peak resident set, in KiB.
    pub peak_rss_kib: u64,
    /// Content bytes read from the examined root.
    pub bytes_read: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Evidence, Finding, Gap, Subject, code};

    #[test]
    fn a_class_fails_by_its_findings_and_is_unsure_by_its_checks() {
        let mut live = CheckResult::new(Check::Live);
        live.gap(Gap::mandatory(Subject::Host, "x"));
        let mut hygiene = CheckResult { examined: 3, ..CheckResult::new(Check::Hygiene) };
        let evidence = Evidence::Fact { about: "a".to_owned(), value: "b".to_owned() };
        hygiene.findings.push(Finding::new(code::Code::family("x"), Subject::Host, "m", evidence));
        let (overall, classes) = verdicts(&[live, hygiene]);
        assert_eq!(overall, Verdict::Fail);
        assert_eq!(
            classes.into_iter().collect::<Vec<_>>(),
            [
                (Class::Compromise, Verdict::Fail),
                (Class::Integrity, Verdict::Inconclusive),
                (Class::Exposure, Verdict::NotApplicable),
                (Class::Hygiene, Verdict::Pass),
                (Class::Coverage, Verdict::Inconclusive),
            ]
        );
    }
}
