//! An event in the Common Event Format, version 0 (ArcSight, "Implementing ArcSight Common Event Format"): seven header
//! fields, then `key=value` pairs of its dictionary.
//!
//! In the header `\` and `|` are escaped, in values `\` and `=`; a newline cannot occur, since names are escaped in
//! events already and the last line of defence makes the rest printable.

use std::fmt::Write as _;

use super::{file, hash, message, process, words};
use crate::model::event::{Body, Event, FindingEvent, SpoolEvent, StateEvent, Trace};
use crate::model::text::printable;
use crate::model::{Severity, Verdict};

/// Longest value of `msg` in bytes, as the dictionary allows.
const MAX_MESSAGE: usize = 1023;

/// The line, without a newline.
#[must_use]
pub fn line(event: &Event) -> Option<String> {
    let (id, name, severity) = match &event.body {
        Body::Finding(finding) => (finding.code.id().to_owned(), finding.summary.clone(), level(finding.severity)),
        Body::State(state) => ("state".to_owned(), format!("scan: {}", state.verdict.name()), 0),
        Body::Spool(lost) => ("spool".to_owned(), "events were lost".to_owned(), if lost.findings { 8 } else { 3 }),
    };
    let mut line = "CEF:0".to_owned();
    for field in ["sshproof", "sshproof", &event.tool.version, &id, &name, &severity.to_string()] {
        line.push('|');
        line.push_str(&header(field));
    }
    line.push('|');
    let mut extension = Extension(line);
    extension.common(event)?;
    match &event.body {
        Body::Finding(finding) => extension.finding(finding),
        Body::State(state) => extension.state(state),
        Body::Spool(lost) => extension.spool(lost),
    }
    Some(extension.0)
}

/// A line whose last part grows.
struct Extension(String);

impl Extension {
    /// Adds a pair; an empty value is left out.
    fn put(&mut self, key: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        if !self.0.ends_with('|') {
            self.0.push(' ');
        }
        let _ = write!(self.0, "{key}={}", escaped(value));
    }

    /// A custom field and the label that names it.
    fn custom(&mut self, key: &str, label: &str, value: &str) {
        if !value.is_empty() {
            self.put(key, value);
            self.put(&format!("{key}Label"), label);
        }
    }

    fn common(&mut self, event: &Event) -> Option<()> {
        self.put("rt", &event.time.0.checked_mul(1000)?.to_string());
        self.put("dvchost", &event.node.name);
        self.put("externalId", &event.id);
        self.put("deviceExternalId", &event.node.key);
        self.custom("cn1", "seq", &event.chain.seq.to_string());
        self.custom("cn2", "epoch", &event.chain.epoch.to_string());
        self.custom("cs1", "prev", &event.chain.prev);
        self.custom("cs2", "hash", &hash(event)?);
        self.custom("cs3", "knowledge", &event.tool.knowledge);
        Some(())
    }

    fn finding(&mut self, finding: &FindingEvent) {
        self.put("cat", finding.class.name());
        self.put("act", finding.status.name());
        self.custom("cs4", "uid", &finding.uid);
        self.custom("cs5", "confidence", &finding.confidence.to_string());
        self.custom("cs6", "evidence", &finding.evidence.iter().map(words).collect::<Vec<_>>().join("; "));
        let path = file(&finding.subject).unwrap_or_default();
        self.put("filePath", &path);
        self.put("fname", path.rsplit('/').next().unwrap_or_default());
        for trace in &finding.evidence {
            match trace {
                Trace::Digest { actual, .. } if !path.is_empty() => {
                    self.put("fileHash", actual);
                    break;
                }
                _ => {}
            }
        }
        if let Some(pid) = process(&finding.subject) {
            self.put("dvcpid", &pid.to_string());
        }
        for trace in &finding.evidence {
            if let Trace::Counterexample { user, .. } = trace {
                self.put("duser", user);
                break;
            }
        }
        self.put("msg", &message(finding));
    }

    fn state(&mut self, state: &StateEvent) {
        self.put("cat", "state");
        self.put("act", "scan");
        self.put(
            "outcome",
            match state.verdict {
                Verdict::Pass => "success",
                Verdict::Fail => "failure",
                Verdict::Inconclusive | Verdict::NotApplicable => "unknown",
            },
        );
        self.custom("cn3", "open", &state.open.to_string());
        self.custom("cs4", "verdict", state.verdict.name());
        let classes = state.classes.iter().map(|(class, verdict)| format!("{class}: {}", verdict.name()));
        self.custom("cs5", "classes", &classes.collect::<Vec<_>>().join(", "));
        self.custom("cs6", "nonce", state.nonce.as_deref().unwrap_or_default());
        self.put("reason", state.new_epoch.map_or("", |reason| reason.name()));
        self.put("msg", &format!("scanned: {}, {} findings open", state.verdict.name(), state.open));
    }

    fn spool(&mut self, lost: &SpoolEvent) {
        self.put("cat", "spool");
        self.put("act", "drop");
        self.put("reason", lost.reason.name());
        self.put("msg", &format!("events {} to {} of epoch {} were lost", lost.first_seq, lost.last_seq, lost.epoch));
    }
}

/// The format's scale: 0–3 low, 4–6 medium, 7–8 high, 9–10 very high.
const fn level(severity: Severity) -> u32 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

fn header(field: &str) -> String {
    printable(field).replace('\\', "\\\\").replace('|', "\\|")
}

fn escaped(value: &str) -> String {
    let value = printable(value);
    let end = (0..=MAX_MESSAGE.min(value.len())).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    value.get(..end).unwrap_or_default().replace('\\', "\\\\").replace('=', "\\=")
}
