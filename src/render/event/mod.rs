//! Puts an event into the words of a SIEM, one file per vocabulary. Pure: one event in, one line out.

pub mod cef;
pub mod ecs;
pub mod ocsf;

use crate::model::event::{Event, FindingEvent, Trace};
use crate::model::{Class, Severity, Subject};
use crate::trust::{canonical::canonical, chain};

/// The vocabularies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The event itself, signature and all, in canonical form: the only one that `fleet verify` can check.
    Json,
    /// Elastic Common Schema 9.
    Ecs,
    /// Open Cybersecurity Schema Framework 1.8.
    Ocsf,
    /// ArcSight Common Event Format, version 0.
    Cef,
}

impl Encoding {
    /// All.
    pub const ALL: [Self; 4] = [Self::Json, Self::Ecs, Self::Ocsf, Self::Cef];
}

/// `event` on one line, without the newline, printable throughout. `None` if it holds a number beyond 2⁵³.
#[must_use]
pub fn encode(event: &Event, encoding: Encoding) -> Option<String> {
    // The canonical form leaves what could move text on a terminal as it is; names of the host's are escaped in events.
    let json = |value: &serde_json::Value| {
        let mut line = super::json::line(value).ok()?;
        line.pop();
        String::from_utf8(line).ok()
    };
    match encoding {
        Encoding::Json => String::from_utf8(canonical(event)?).ok(),
        Encoding::Ecs => json(&ecs::document(event)?),
        Encoding::Ocsf => json(&ocsf::document(event)?),
        Encoding::Cef => cef::line(event),
    }
}

/// What identifies the signed event, for receivers that get another form of it: SHA-256, lower-case hexadecimal.
fn hash(event: &Event) -> Option<String> {
    chain::digest(event)
}

/// One piece of evidence in words, on one line.
fn words(trace: &Trace) -> String {
    match trace {
        Trace::Digest { algorithm, expected, actual, source } => {
            format!("{algorithm}: expected {expected} by {source}, is {actual}")
        }
        Trace::Line { path, line } => format!("{path}:{line}"),
        Trace::Bytes { path, offset, indicator } => format!("{path} at byte {offset}: {indicator}"),
        Trace::Symbol { path, name, detail } => format!("{path}: {name}: {detail}"),
        Trace::Mapping { pid, range, path, detail } => format!("process {pid}: {range} {path}: {detail}"),
        Trace::Metadata { path, property, expected, actual } => {
            format!("{path}: {property} is {actual}, not {expected}")
        }
        Trace::Counterexample { user, methods } => format!("{user} by {}", methods.join(", ")),
        Trace::Fact { about, value } => format!("{about}: {value}"),
        Trace::Withheld { what } => format!("not sent: {what}"),
    }
}

/// What it is about and what that rests on, in one sentence.
fn message(finding: &FindingEvent) -> String {
    format!("{}: {}", finding.subject, finding.summary)
}

/// Ids of ATT&CK techniques among the references, `T1574.006`.
fn techniques(finding: &FindingEvent) -> Vec<&str> {
    let is_id = |word: &&str| {
        let (technique, sub) = word.split_once('.').unwrap_or((word, "000"));
        let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
        technique.strip_prefix('T').is_some_and(|number| digits(number, 4)) && digits(sub, 3)
    };
    let words = finding.references.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.'));
    let mut ids: Vec<&str> = words.filter(is_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether somebody is to be woken: only what speaks of an intruder.
const fn is_alarming(class: Class, severity: Severity) -> bool {
    matches!(class, Class::Compromise | Class::Integrity) && !matches!(severity, Severity::Informational)
}

/// The file that a finding is about.
fn file(subject: &Subject) -> Option<String> {
    match subject {
        Subject::File { path } => Some(path.to_string()),
        Subject::Mapping { path, .. } if path.starts_with('/') => Some(path.clone()),
        _ => None,
    }
}

/// The process that a finding is about.
const fn process(subject: &Subject) -> Option<i32> {
    match subject {
        Subject::Process { pid, .. } | Subject::Mapping { pid, .. } => Some(*pid),
        _ => None,
    }
}
