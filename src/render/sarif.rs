//! SARIF 2.1.0 (OASIS standard, 2020): findings as results, gaps as notifications, the codes met as rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::report::Report;
use crate::model::{Code, Evidence, Finding, Gap, RootedPath, Severity, Subject, Verdict};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";

/// `report` as a SARIF log with one run.
#[must_use]
pub fn log(report: &Report) -> Value {
    let findings = || report.results.iter().flat_map(|result| &result.findings);
    let mut rules: Vec<&Code> = Vec::new();
    for finding in findings() {
        if !rules.contains(&&finding.code) {
            rules.push(&finding.code);
        }
    }
    let index: BTreeMap<&str, usize> = rules.iter().enumerate().map(|(at, code)| (code.id(), at)).collect();
    let notifications: Vec<Value> = report
        .results
        .iter()
        .flat_map(|result| result.gaps.iter().map(|gap| notification(result.check.name(), gap)))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": report.tool.name,
                "semanticVersion": report.tool.version,
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "properties": { "knowledge": report.tool.knowledge, "families": report.tool.families },
                "rules": rules.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": report.verdict != Verdict::Inconclusive,
                "startTimeUtc": report.started,
                "machine": report.host.name,
                "toolExecutionNotifications": notifications,
            }],
            "originalUriBaseIds": { "ROOT": { "description": { "text": format!("the examined root, {}", report.host.root) } } },
            "results": findings().map(|finding| result(finding, index.get(finding.code.id()).copied())).collect::<Vec<_>>(),
            "properties": { "verdict": report.verdict, "classes": report.classes, "os": report.host.os },
        }],
    })
}

/// A code as a reporting descriptor (section 3.49).
fn rule(code: &Code) -> Value {
    let mut rule = Map::new();
    rule.insert("id".to_owned(), code.id().into());
    if let Code::Known(info) = code {
        rule.insert("shortDescription".to_owned(), json!({ "text": info.summary }));
        rule.insert("fullDescription".to_owned(), json!({ "text": info.explanation }));
        rule.insert("help".to_owned(), json!({ "text": info.remediation }));
    } else {
        rule.insert(
            "shortDescription".to_owned(),
            json!({ "text": "an indicator of a known backdoor family matched" }),
        );
    }
    rule.insert("defaultConfiguration".to_owned(), json!({ "level": level(code.severity()) }));
    rule.insert("properties".to_owned(), json!({ "class": code.class(), "severity": code.severity() }));
    rule.into()
}

/// A finding as a result (section 3.27).
fn result(finding: &Finding, rule: Option<usize>) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), finding.code.id().into());
    if let Some(rule) = rule {
        result.insert("ruleIndex".to_owned(), rule.into());
    }
    result.insert("level".to_owned(), level(finding.severity).into());
    result.insert("message".to_owned(), json!({ "text": finding.message }));
    result.insert("locations".to_owned(), locations(finding).into());
    // Section 3.27.17: what makes this result the same as one of another run.
    result.insert(
        "partialFingerprints".to_owned(),
        json!({ "sshproof/v1": format!("{}|{}", finding.code, finding.subject) }),
    );
    result.insert(
        "properties".to_owned(),
        json!({ "class": finding.class, "severity": finding.severity, "confidence": finding.confidence,
                "evidence": finding.evidence, "remediation": finding.remediation, "references": finding.references }),
    );
    result.into()
}

/// The configuration lines that decided it, or the file it is about, or what else it is about by name.
fn locations(finding: &Finding) -> Vec<Value> {
    let mut places: Vec<Value> = Vec::new();
    for piece in &finding.evidence {
        if let Evidence::Line { path, line, text } = piece {
            let region = json!({ "startLine": line, "snippet": { "text": text } });
            places.push(json!({ "physicalLocation": { "artifactLocation": artifact(path), "region": region } }));
        }
    }
    if places.is_empty() {
        places.push(match &finding.subject {
            Subject::File { path } => json!({ "physicalLocation": { "artifactLocation": artifact(path) } }),
            other => json!({ "logicalLocations": [{ "fullyQualifiedName": other.to_string() }] }),
        });
    }
    places
}

fn notification(check: &str, gap: &Gap) -> Value {
    let mut notification = Map::new();
    notification.insert("level".to_owned(), if gap.mandatory { "error" } else { "note" }.into());
    notification.insert("message".to_owned(), json!({ "text": format!("{}: {}", gap.subject, gap.reason) }));
    if let Subject::File { path } = &gap.subject {
        notification
            .insert("locations".to_owned(), json!([{ "physicalLocation": { "artifactLocation": artifact(path) } }]));
    }
    notification.insert("properties".to_owned(), json!({ "check": check, "mandatory": gap.mandatory }));
    notification.into()
}

/// A path as a URI reference relative to the examined root (section 3.4; RFC 3986 section 2 says what is written `%NN`).
fn artifact(path: &RootedPath) -> Value {
    let relative = path.as_bytes().strip_prefix(b"/").unwrap_or_default();
    let mut uri = String::new();
    for byte in relative {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'+' | b'@' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    json!({ "uri": uri, "uriBaseId": "ROOT" })
}

/// SARIF's four levels (section 3.27.10).
const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium | Severity::Low => "warning",
        Severity::Informational => "note",
    }
}
