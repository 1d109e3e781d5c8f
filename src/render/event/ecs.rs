//! An event in the Elastic Common Schema, version 9 (elastic/ecs, `generated/csv/fields.csv`). What the schema has no
//! field for stands under `sshproof`, as its guidelines ask for.

use serde_json::{Map, Value, json};

use super::{file, hash, is_alarming, message, process, techniques, words};
use crate::model::event::{Body, Event, FindingEvent, LifeCycle, SpoolEvent, StateEvent, Trace};
use crate::model::{Algorithm, Class, Severity, Subject, Verdict};

/// Version of the schema whose fields are used.
const VERSION: &str = "9.4.0";

/// The document; fields that would be empty are absent.
#[must_use]
pub fn document(event: &Event) -> Option<Value> {
    let mut document = common(event)?;
    let part = match &event.body {
        Body::Finding(finding) => of_finding(finding),
        Body::State(state) => of_state(state),
        Body::Spool(lost) => of_spool(lost),
    };
    merge(&mut document, part);
    prune(&mut document);
    Some(document)
}

fn common(event: &Event) -> Option<Value> {
    Some(json!({
        "@timestamp": event.time,
        "ecs": { "version": VERSION },
        "event": {
            "id": event.id,
            "module": "sshproof",
            "provider": "sshproof",
            "dataset": format!("sshproof.{}", event.body.name()),
            "sequence": event.chain.seq,
            "hash": hash(event)?,
            // A scanner did not see the change happen; `info` is the one type that every category has.
            "type": ["info"],
        },
        "host": {
            "name": event.node.name,
            "hostname": event.node.name,
            "boot": { "id": event.node.boot },
            "os": { "full": event.node.os, "type": "linux" },
        },
        "agent": { "type": "sshproof", "version": event.tool.version },
        "related": { "hosts": [event.node.name] },
        "sshproof": {
            "knowledge": event.tool.knowledge,
            "live": event.node.live,
            "chain": {
                "epoch": event.chain.epoch,
                "prev": event.chain.prev,
                "key": event.node.key,
                "signature": event.signature,
            },
        },
    }))
}

fn of_finding(finding: &FindingEvent) -> Value {
    let closed = finding.status == LifeCycle::Closed;
    let (technique, sub): (Vec<&str>, Vec<&str>) = techniques(finding).into_iter().partition(|id| !id.contains('.'));
    let framework = if technique.is_empty() && sub.is_empty() { "" } else { "MITRE ATT&CK" };
    let path = file(&finding.subject).unwrap_or_default();
    let (directory, name) = path.rsplit_once('/').unwrap_or_default();
    let users: Vec<&str> = finding.evidence.iter().filter_map(account).collect();
    let mut part = json!({
        "message": message(finding),
        "event": {
            // `signal` is reserved for the stack's own rules.
            "kind": if closed { "event" } else { "alert" },
            "category": category(finding),
            "action": format!("finding-{}", finding.status.name()),
            "code": finding.code,
            "reason": finding.summary,
            "severity": severity(finding.severity),
            "start": finding.first_seen,
        },
        "rule": {
            "id": finding.code,
            "name": finding.summary,
            "category": finding.class.name(),
            "ruleset": finding.check.name(),
            "reference": finding.references.iter().find(|text| text.starts_with("https://")),
        },
        "file": { "path": path, "directory": directory, "name": name },
        "package": { "name": package(&finding.subject) },
        "process": { "pid": process(&finding.subject) },
        "user": { "name": users.first() },
        "related": { "user": users, "hash": digests(finding) },
        "threat": { "framework": framework, "technique": { "id": technique, "subtechnique": { "id": sub } } },
        "sshproof": {
            "uid": finding.uid,
            "status": finding.status.name(),
            "class": finding.class.name(),
            "confidence": finding.confidence.to_string(),
            "page": !closed && is_alarming(finding.class, finding.severity),
            "subject": finding.subject.to_string(),
            "evidence": finding.evidence.iter().map(words).collect::<Vec<_>>(),
            "remediation": finding.remediation,
        },
    });
    if let Some((algorithm, digest)) = file_hash(finding) {
        merge(&mut part, json!({ "file": { "hash": { algorithm: digest } } }));
    }
    part
}

fn of_state(state: &StateEvent) -> Value {
    let outcome = match state.verdict {
        Verdict::Pass => "success",
        Verdict::Fail => "failure",
        Verdict::Inconclusive | Verdict::NotApplicable => "unknown",
    };
    json!({
        "message": format!("scanned: {}, {} findings open", state.verdict.name(), state.open),
        "event": {
            "kind": "state",
            "category": ["configuration"],
            "action": "scan",
            "outcome": outcome,
            "reason": state.new_epoch.map(|reason| format!("new epoch: {}", reason.name())),
            // ECS counts nanoseconds.
            "duration": state.duration_ms.checked_mul(1_000_000),
        },
        "sshproof": { "state": state },
    })
}

fn of_spool(lost: &SpoolEvent) -> Value {
    json!({
        "message": format!("events {} to {} of epoch {} were lost: {}", lost.first_seq, lost.last_seq, lost.epoch, lost.reason.name()),
        "event": { "kind": "event", "category": ["configuration"], "action": "spool-drop", "reason": lost.reason.name(), "outcome": "failure" },
        "sshproof": { "spool": lost },
    })
}

fn category(finding: &FindingEvent) -> Value {
    match (finding.class, &finding.subject) {
        (Class::Compromise, _) => json!(["malware"]),
        (Class::Integrity, Subject::Package { .. }) => json!(["package"]),
        (Class::Integrity, Subject::Process { .. } | Subject::Mapping { .. }) => json!(["process"]),
        (Class::Integrity, _) => json!(["file"]),
        (Class::Exposure | Class::Hygiene | Class::Coverage, _) => json!(["configuration"]),
    }
}

/// On the scale to 100 that Elastic's own rules use.
const fn severity(severity: Severity) -> u64 {
    match severity {
        Severity::Informational => 0,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
        Severity::Critical => 99,
    }
}

fn package(subject: &Subject) -> Option<&str> {
    match subject {
        Subject::Package { name } => Some(name),
        _ => None,
    }
}

fn account(trace: &Trace) -> Option<&str> {
    match trace {
        Trace::Counterexample { user, .. } => Some(user),
        _ => None,
    }
}

/// Both sides of every digest.
fn digests(finding: &FindingEvent) -> Vec<&str> {
    let pairs = finding.evidence.iter().filter_map(|trace| match trace {
        Trace::Digest { expected, actual, .. } => Some([expected.as_str(), actual.as_str()]),
        _ => None,
    });
    pairs.flatten().filter(|digest| !digest.is_empty()).collect()
}

/// What the file that it is about was found to be.
fn file_hash(finding: &FindingEvent) -> Option<(&'static str, &str)> {
    file(&finding.subject)?;
    finding.evidence.iter().find_map(|trace| match trace {
        Trace::Digest { algorithm, actual, .. } => {
            let field = match algorithm {
                Algorithm::Md5 => "md5",
                Algorithm::Sha1 => "sha1",
                Algorithm::Sha256 => "sha256",
                Algorithm::Sha512 => "sha512",
            };
            Some((field, actual.as_str()))
        }
        _ => None,
    })
}

/// Members of `part` into `whole`, objects into objects.
fn merge(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                merge(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (whole, part) => *whole = part,
    }
}

/// Takes out what says nothing: null, empty strings, arrays and objects.
fn prune(value: &mut Value) {
    let Value::Object(members) = value else { return };
    let kept: Map<String, Value> = std::mem::take(members)
        .into_iter()
        .map(|(name, mut value)| {
            prune(&mut value);
            (name, value)
        })
        .filter(|(_, value)| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        })
        .collect();
    *members = kept;
}
