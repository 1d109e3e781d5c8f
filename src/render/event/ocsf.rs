//! An event in the Open Cybersecurity Schema Framework 1.8.0 (schema.ocsf.io).
//!
//! What the check `login` finds is a Compliance Finding (2003), every other finding a Detection Finding (2004). A scan is
//! a Scan Activity (6007), lost events an Application Error (6008). File System Activity is not used: it requires an
//! actor, and a scanner does not know who did it. The chain stands under `unmapped` until the profile `record_integrity`
//! of OCSF 1.9 is released.

use serde_json::{Value, json};

use super::{file, hash, is_alarming, message, techniques, words};
use crate::model::event::{Body, Event, FindingEvent, LifeCycle, SpoolEvent, StateEvent, Trace};
use crate::model::{Algorithm, Check, Code, Confidence, Severity, Subject, Timestamp, Verdict};

/// Version of the schema.
const VERSION: &str = "1.8.0";

/// The document.
#[must_use]
pub fn document(event: &Event) -> Option<Value> {
    Some(match &event.body {
        Body::Finding(finding) if finding.check == Check::Login => compliance(event, finding)?,
        Body::Finding(finding) => detection(event, finding)?,
        Body::State(state) => scan(event, state)?,
        Body::Spool(lost) => application_error(event, lost)?,
    })
}

/// What every class has.
fn base(event: &Event, category: u32, class: u32, activity: u32, severity: u32, message: &str) -> Option<Value> {
    Some(json!({
        "category_uid": category,
        "class_uid": class,
        "activity_id": activity,
        "type_uid": class.checked_mul(100)?.checked_add(activity)?,
        "severity_id": severity,
        "time": millis(event.time),
        "message": message,
        "metadata": {
            "version": VERSION,
            "product": { "name": "sshproof", "vendor_name": "sshproof", "version": event.tool.version },
            "profiles": ["host"],
            "uid": event.id,
            "sequence": event.chain.seq,
            "log_name": format!("sshproof.{}", event.body.name()),
            "log_version": event.schema,
        },
        "device": device(event),
        "unmapped": {
            "sshproof": {
                "knowledge": event.tool.knowledge,
                "epoch": event.chain.epoch,
                "prev": event.chain.prev,
                "hash": hash(event)?,
                "key": event.node.key,
                "signature": event.signature,
            },
        },
    }))
}

fn device(event: &Event) -> Value {
    let mut device = json!({
        "hostname": event.node.name,
        "name": event.node.name,
        "type_id": 1,
        "os": { "name": if event.node.os.is_empty() { "Linux" } else { &event.node.os }, "type_id": 200 },
    });
    if !event.node.boot.is_empty() {
        set(&mut device, "boot_uid", event.node.boot.as_str());
    }
    device
}

fn finding(event: &Event, finding: &FindingEvent, class: u32) -> Option<Value> {
    let (activity, status) = match finding.status {
        LifeCycle::Open => (1, 1),
        LifeCycle::StillOpen => (2, 2),
        LifeCycle::Closed => (3, 4),
    };
    let mut document = base(event, 2, class, activity, severity(finding.severity), &message(finding))?;
    set(&mut document, "status_id", status);
    set(&mut document, "confidence_id", confidence(finding.confidence));
    set(&mut document, "finding_info", info(event, finding));
    set(&mut document, "resources", json!([resource(event, &finding.subject)]));
    if !finding.evidence.is_empty() {
        set(&mut document, "evidences", finding.evidence.iter().map(evidence).collect::<Vec<_>>());
    }
    if !finding.remediation.is_empty() {
        let mut remediation = json!({ "desc": finding.remediation });
        if !finding.references.is_empty() {
            set(&mut remediation, "references", json!(finding.references));
        }
        set(&mut document, "remediation", remediation);
    }
    if let Some(Value::Object(extra)) = document.pointer_mut("/unmapped/sshproof") {
        extra.insert("class".to_owned(), finding.class.name().into());
        extra.insert("status".to_owned(), finding.status.name().into());
    }
    Some(document)
}

/// Detection Finding, 2004.
fn detection(event: &Event, body: &FindingEvent) -> Option<Value> {
    let mut document = finding(event, body, 2004)?;
    set(&mut document, "is_alert", body.status != LifeCycle::Closed && is_alarming(body.class, body.severity));
    if let Code::Named(id) = &body.code {
        let family = id.strip_prefix("backdoor/").unwrap_or(id);
        // 2 is Backdoor.
        set(&mut document, "malware", json!([{ "name": family, "uid": id, "classification_ids": [2] }]));
    }
    Some(document)
}

/// Compliance Finding, 2003.
fn compliance(event: &Event, body: &FindingEvent) -> Option<Value> {
    let mut document = finding(event, body, 2003)?;
    // 1 pass, 2 warning, 3 fail.
    let status = match (body.status, body.severity) {
        (LifeCycle::Closed, _) => 1,
        (_, Severity::Informational | Severity::Low) => 2,
        _ => 3,
    };
    let compliance = json!({
        "control": "every login needs the factors that policy demands",
        "standards": ["NIST SP 800-63B-4"],
        "status_id": status,
        "checks": [{ "uid": body.code, "name": body.summary, "status_id": status }],
    });
    set(&mut document, "compliance", compliance);
    Some(document)
}

/// Scan Activity, 6007.
fn scan(event: &Event, state: &StateEvent) -> Option<Value> {
    let said = format!("scanned: {}, {} findings open", state.verdict.name(), state.open);
    let mut document = base(event, 6, 6007, 2, 1, &said)?;
    let start = millis(event.time);
    set(&mut document, "scan", json!({ "name": "sshproof scan", "uid": state.report, "type_id": 0 }));
    set(&mut document, "start_time", start);
    set(&mut document, "end_time", start.checked_add(state.duration_ms)?);
    set(&mut document, "duration", state.duration_ms);
    // Of the scan as such: it failed if it could not see what its answer depends on.
    let done = !matches!(state.verdict, Verdict::Inconclusive | Verdict::NotApplicable);
    set(&mut document, "status_id", if done { 1 } else { 2 });
    set(&mut document, "status_detail", state.verdict.name());
    set(&mut document, "num_detections", small(state.open));
    let gaps = state.checks.iter().map(|check| check.gaps).fold(0, u64::saturating_add);
    set(&mut document, "num_skipped_items", small(gaps));
    if let Some(Value::Object(extra)) = document.pointer_mut("/unmapped/sshproof") {
        extra.insert("state".to_owned(), serde_json::to_value(state).ok()?);
    }
    Some(document)
}

/// Application Error, 6008.
fn application_error(event: &Event, lost: &SpoolEvent) -> Option<Value> {
    let said = format!("events {} to {} of epoch {} were lost", lost.first_seq, lost.last_seq, lost.epoch);
    let severity = severity(if lost.findings { Severity::High } else { Severity::Low });
    let mut document = base(event, 6, 6008, 1, severity, &said)?;
    set(&mut document, "status_code", lost.reason.name());
    if let Some(Value::Object(extra)) = document.pointer_mut("/unmapped/sshproof") {
        extra.insert("lost".to_owned(), serde_json::to_value(lost).ok()?);
    }
    Some(document)
}

fn info(event: &Event, finding: &FindingEvent) -> Value {
    let attacks: Vec<Value> = techniques(finding)
        .into_iter()
        .map(|id| json!({ (if id.contains('.') { "sub_technique" } else { "technique" }): { "uid": id } }))
        .collect();
    let mut info = json!({
        "uid": finding.uid,
        "title": finding.summary,
        "types": [finding.class.name()],
        "first_seen_time": millis(finding.first_seen),
        "last_seen_time": millis(event.time),
        "analytic": {
            "uid": finding.code,
            "name": finding.check.name(),
            // 1 is Rule.
            "type_id": 1,
            "version": event.tool.knowledge,
        },
    });
    if !attacks.is_empty() {
        set(&mut info, "attacks", attacks);
    }
    info
}

fn resource(event: &Event, subject: &Subject) -> Value {
    let kind = match subject {
        Subject::Host => return json!({ "name": event.node.name, "type": "host" }),
        Subject::File { .. } => "file",
        Subject::Package { .. } => "package",
        Subject::Process { .. } => "process",
        Subject::Mapping { .. } => "mapping",
        Subject::Login { .. } => "login",
        Subject::Server { .. } => "server",
    };
    json!({ "name": subject.to_string(), "type": kind, "hostname": event.node.name })
}

fn evidence(trace: &Trace) -> Value {
    let mut evidence = json!({ "name": words(trace) });
    let subject = match trace {
        Trace::Line { path, .. }
        | Trace::Bytes { path, .. }
        | Trace::Symbol { path, .. }
        | Trace::Metadata { path, .. } => Some(Subject::file(path)),
        _ => None,
    };
    match (trace, subject.as_ref().and_then(file)) {
        (_, Some(path)) => {
            let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("/").to_owned();
            set(&mut evidence, "file", json!({ "name": name, "path": path, "type_id": 0 }));
        }
        (Trace::Mapping { pid, .. }, _) => set(&mut evidence, "process", json!({ "pid": pid })),
        (Trace::Counterexample { user, .. }, _) => set(&mut evidence, "user", json!({ "name": user })),
        (Trace::Digest { algorithm, expected, actual, source }, _) => {
            let fingerprint = |value: &str| json!({ "algorithm_id": algorithm_id(*algorithm), "value": value });
            let data = json!({ "expected": fingerprint(expected), "actual": fingerprint(actual), "source": source });
            set(&mut evidence, "data", data);
        }
        (other, _) => set(&mut evidence, "data", json!(other)),
    }
    evidence
}

const fn algorithm_id(algorithm: Algorithm) -> u32 {
    match algorithm {
        Algorithm::Md5 => 1,
        Algorithm::Sha1 => 2,
        Algorithm::Sha256 => 3,
        Algorithm::Sha512 => 4,
    }
}

const fn severity(severity: Severity) -> u32 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

const fn confidence(confidence: Confidence) -> u32 {
    match confidence {
        Confidence::Low => 1,
        Confidence::Medium => 2,
        Confidence::High => 3,
    }
}

const fn millis(time: Timestamp) -> u64 {
    time.0.saturating_mul(1000)
}

/// `integer_t` of OCSF has 32 bits.
fn small(number: u64) -> u32 {
    u32::try_from(number).map_or(u32::MAX >> 1, |number| number.min(u32::MAX >> 1))
}

fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value.into());
    }
}
