//! What of a finding may leave the host.

use sha2::{Digest as _, Sha256};

use super::privacy::Pseudonyms;
use crate::model::event::{FindingEvent, LifeCycle, Trace};
use crate::model::text::{hex, printable};
use crate::model::{Check, Class, Code, Evidence, Finding, RootedPath, Subject, Timestamp};

/// Longest text of one piece of evidence, in bytes.
const MAX_TEXT: usize = 256;

/// Longest path, in bytes of its escaped form; a longer one keeps its beginning and a digest. Encodings repeat it.
const MAX_PATH: usize = 200;

/// Longest finding as JSON, in bytes: in every encoding the event must fit into the 8 KiB that every receiver of syslog
/// takes, or whoever chooses names could keep his trace from being delivered.
const MAX_FINDING: usize = 2560;

/// Most pieces of evidence of one finding.
const MAX_TRACES: usize = 8;

/// `finding` as it may leave the host, open since `first_seen`, with a uid that tells it from others of `node`.
#[must_use]
pub fn finding(check: Check, finding: &Finding, node: &str, first_seen: Timestamp, names: &Pseudonyms) -> FindingEvent {
    let subject = subject(&finding.subject, names);
    let evidence: Vec<Trace> =
        finding.evidence.iter().take(MAX_TRACES).map(|evidence| trace(evidence, finding.class, names)).collect();
    let event = FindingEvent {
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
    };
    fitting(event, finding.evidence.len())
}

/// `event`, made of `total` pieces of evidence, with as many of them as fit.
fn fitting(mut event: FindingEvent, total: usize) -> FindingEvent {
    let size = |event: &FindingEvent| serde_json::to_vec(event).map_or(0, |bytes| bytes.len());
    while size(&event) > MAX_FINDING && event.evidence.pop().is_some() {}
    if let Some(more) = total.checked_sub(event.evidence.len()).filter(|more| *more > 0) {
        event.evidence.push(Trace::Withheld { what: format!("{more} more") });
    }
    event
}

/// `path` with names in it replaced, not longer than [`MAX_PATH`] and the digest of what was cut off.
fn path_of(path: &RootedPath, names: &Pseudonyms) -> RootedPath {
    let path = names.path(path);
    let text = path.to_string();
    if text.len() <= MAX_PATH {
        return path;
    }
    let cut = Sha256::digest(path.as_bytes());
    let mut kept: Vec<u8> = Vec::new();
    for byte in path.as_bytes() {
        kept.push(*byte);
        if crate::model::text::escape(&kept).len() > MAX_PATH {
            kept.pop();
            break;
        }
    }
    kept.extend_from_slice(format!("...{}", hex(cut.get(..8).unwrap_or_default())).as_bytes());
    RootedPath::new(kept).unwrap_or(path)
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
        Subject::File { path } => Subject::File { path: path_of(path, names) },
        Subject::Mapping { pid, start, path } => {
            Subject::Mapping { pid: *pid, start: *start, path: clip(names.text(cut(path, MAX_TEXT * 8))) }
        }
        Subject::Package { name } => Subject::Package { name: clip(names.text(name)) },
        // A label names what the server listens on, which is the host's own address and no client's.
        Subject::Login { server } => Subject::Login { server: clip(printable(server).into_owned()) },
        Subject::Server { server } => Subject::Server { server: clip(printable(server).into_owned()) },
        Subject::Host | Subject::Process { .. } => subject.clone(),
    }
}

fn trace(evidence: &Evidence, class: Class, names: &Pseudonyms) -> Trace {
    // Cut before names are looked for, which takes time by length, and again after: what replaces them is short, but never
    // so short that the end of the first cut, where a name may be halved, comes into what is left.
    let text = |text: &str| clip(names.text(cut(text, MAX_TEXT * 8)));
    match evidence {
        Evidence::Digest { algorithm, expected, actual, source } => Trace::Digest {
            algorithm: *algorithm,
            expected: text(expected),
            actual: text(actual),
            source: text(source),
        },
        Evidence::Line { path, line, .. } => Trace::Line { path: path_of(path, names), line: *line },
        Evidence::Bytes { path, offset, indicator, .. } => {
            Trace::Bytes { path: path_of(path, names), offset: *offset, indicator: text(indicator) }
        }
        Evidence::Symbol { path, name, detail } => {
            Trace::Symbol { path: path_of(path, names), name: text(name), detail: text(detail) }
        }
        Evidence::Mapping { pid, range, path, detail } => {
            Trace::Mapping { pid: *pid, range: text(range), path: text(path), detail: text(detail) }
        }
        Evidence::Metadata { path, property, expected, actual } => Trace::Metadata {
            path: path_of(path, names),
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

/// At most `most` bytes of `text`.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// At most [`MAX_TEXT`] bytes of `text`, and a sign that it was longer.
fn clip(text: String) -> String {
    if text.len() <= MAX_TEXT { text } else { format!("{}\u{2026}", cut(&text, MAX_TEXT)) }
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
