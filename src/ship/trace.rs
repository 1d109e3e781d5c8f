//! What of a finding may leave the host.

use sha2::{Digest as _, Sha256};

use super::privacy::Pseudonyms;
use crate::model::event::{FindingEvent, LifeCycle, Trace};
use crate::model::text::printable;
use crate::model::{Check, Class, Code, Evidence, Finding, Subject, Timestamp};

/// Longest text of one piece of evidence, in bytes: an event must fit a syslog frame.
const MAX_TEXT: usize = 512;

/// Most pieces of evidence of one finding.
const MAX_TRACES: usize = 8;

/// `finding` as it may leave the host, open since `first_seen`, with a uid that tells it from others of `node`.
#[must_use]
pub fn finding(check: Check, finding: &Finding, node: &str, first_seen: Timestamp, names: &Pseudonyms) -> FindingEvent {
    let subject = subject(&finding.subject, names);
    let mut evidence: Vec<Trace> =
        finding.evidence.iter().take(MAX_TRACES).map(|evidence| trace(evidence, finding.class, names)).collect();
    if let Some(more) = finding.evidence.len().checked_sub(MAX_TRACES).filter(|more| *more > 0) {
        evidence.push(Trace::Withheld { what: format!("{more} more") });
    }
    FindingEvent {
        uid: uid(node, &finding.code, &subject, &evidence),
        status: LifeCycle::Open,
        first_seen,
        check,
        class: finding.class,
        severity: finding.severity,
        confidence: finding.confidence,
        summary: summary(&finding.code),
        remediation: remediation(finding, names),
        references: finding.references.iter().map(|text| printable(text).into_owned()).collect(),
        subject,
        evidence,
        code: finding.code.clone(),
    }
}

/// The message of a finding names accounts and addresses; the summary of its kind does not.
fn summary(code: &Code) -> String {
    match code {
        Code::Known(info) => info.summary.to_owned(),
        Code::Named(id) => {
            let family = id.strip_prefix("backdoor/").unwrap_or(id);
            format!("a known backdoor family: {}", printable(family))
        }
    }
}

/// Advice that was written for this one finding (an edit of a configuration) stays on the host.
fn remediation(finding: &Finding, names: &Pseudonyms) -> String {
    match &finding.code {
        Code::Known(info) if info.remediation == finding.remediation => finding.remediation.clone(),
        Code::Known(_) => String::new(),
        Code::Named(_) => clip(names.text(&finding.remediation)),
    }
}

fn subject(subject: &Subject, names: &Pseudonyms) -> Subject {
    match subject {
        Subject::File { path } => Subject::File { path: names.path(path) },
        Subject::Mapping { pid, start, path } => {
            Subject::Mapping { pid: *pid, start: *start, path: clip(names.text(path)) }
        }
        Subject::Package { name } => Subject::Package { name: clip(names.text(name)) },
        // A label names what the server listens on, which is the host's own address and no client's.
        Subject::Login { server } => Subject::Login { server: clip(printable(server).into_owned()) },
        Subject::Server { server } => Subject::Server { server: clip(printable(server).into_owned()) },
        Subject::Host | Subject::Process { .. } => subject.clone(),
    }
}

fn trace(evidence: &Evidence, class: Class, names: &Pseudonyms) -> Trace {
    let text = |text: &str| clip(names.text(text));
    match evidence {
        Evidence::Digest { algorithm, expected, actual, source } => Trace::Digest {
            algorithm: *algorithm,
            expected: text(expected),
            actual: text(actual),
            source: text(source),
        },
        Evidence::Line { path, line, .. } => Trace::Line { path: names.path(path), line: *line },
        Evidence::Bytes { path, offset, indicator, .. } => {
            Trace::Bytes { path: names.path(path), offset: *offset, indicator: text(indicator) }
        }
        Evidence::Symbol { path, name, detail } => {
            Trace::Symbol { path: names.path(path), name: text(name), detail: text(detail) }
        }
        Evidence::Mapping { pid, range, path, detail } => {
            Trace::Mapping { pid: *pid, range: text(range), path: text(path), detail: text(detail) }
        }
        Evidence::Metadata { path, property, expected, actual } => Trace::Metadata {
            path: names.path(path),
            property: text(property),
            expected: text(expected),
            actual: text(actual),
        },
        Evidence::Counterexample { user, methods, .. } => Trace::Counterexample {
            user: names.name(user),
            methods: methods.iter().map(|method| text(method)).collect(),
        },
        // Of a compromise each trace is needed; elsewhere facts quote configuration, which may name anybody.
        Evidence::Fact { about, value } if matches!(class, Class::Compromise | Class::Integrity) => {
            Trace::Fact { about: text(about), value: text(value) }
        }
        Evidence::Fact { .. } => Trace::Withheld { what: "fact".to_owned() },
    }
}

/// At most [`MAX_TEXT`] bytes of `text`, and a sign that it was longer.
fn clip(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('\u{2026}');
    }
    text
}

/// 26 characters of base32 that the same finding has again in the next scan: of what moves between scans (line numbers,
/// offsets, addresses, digests, the example of an account) nothing goes in.
fn uid(node: &str, code: &Code, subject: &Subject, evidence: &[Trace]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(node);
    add(code.id());
    match subject {
        Subject::Mapping { pid, path, .. } => add(&format!("mapping {pid} {path}")),
        Subject::Process { pid, starttime } => add(&format!("process {pid} {starttime}")),
        other => add(&format!("{other:?}")),
    }
    for trace in evidence {
        match trace {
            Trace::Digest { source, .. } => add(source),
            Trace::Line { path, .. } => add(&path.to_string()),
            Trace::Bytes { path, indicator, .. } => add(&format!("{path} {indicator}")),
            Trace::Symbol { path, name, .. } => add(&format!("{path} {name}")),
            Trace::Mapping { pid, path, .. } => add(&format!("{pid} {path}")),
            Trace::Metadata { path, property, .. } => add(&format!("{path} {property}")),
            Trace::Counterexample { methods, .. } => add(&methods.join(" ")),
            Trace::Fact { about, .. } => add(about),
            Trace::Withheld { .. } => {}
        }
    }
    super::events::name(hash)
}
