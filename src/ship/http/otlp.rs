//! OpenTelemetry logs over HTTP, in the JSON form of protobuf (OTLP specification 1.x, "OTLP/HTTP" and "JSON Protobuf
//! Encoding"; opentelemetry-proto, `logs/v1/logs.proto`).
//!
//! A receiver that rejects some of a request does not say which, and forbids to send it again: the events of such a request
//! are all kept as dead letters. Answers that the specification does not tell to try again are no event's fault here either:
//! they stop the delivery, where the specification would drop the data.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fate, Outcome, said, status_says_later};
use crate::model::Severity;
use crate::model::event::{Body, Event};
use crate::model::text::escape;
use crate::own::http::Answer;

/// The event as a log record: its body is the event in the sink's vocabulary, as text.
pub(super) fn item(event: &Event, encoded: &str) -> Vec<u8> {
    let nanoseconds = format!("{}000000000", event.time.0);
    let (number, text) = severity(&event.body);
    let mut attributes = vec![
        attribute("event.name", format!("sshproof.{}", event.body.name())),
        attribute("event.id", event.id.clone()),
        attribute("host.name", event.node.name.clone()),
        attribute("sshproof.epoch", event.chain.epoch.to_string()),
        attribute("sshproof.seq", event.chain.seq.to_string()),
    ];
    if let Body::Finding(finding) = &event.body {
        attributes.push(attribute("sshproof.code", finding.code.id().to_owned()));
        attributes.push(attribute("sshproof.class", finding.class.name().to_owned()));
        attributes.push(attribute("sshproof.status", finding.status.name().to_owned()));
    }
    json!({
        // 64-bit numbers are text in protobuf's JSON.
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": number,
        "severityText": text,
        "body": { "stringValue": encoded },
        "attributes": attributes,
    })
    .to_string()
    .into_bytes()
}

fn attribute(key: &str, value: String) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// `SeverityNumber` of the log data model, and our own word.
const fn severity(body: &Body) -> (u8, &'static str) {
    match body {
        Body::Finding(finding) => match finding.severity {
            Severity::Critical => (21, "critical"),
            Severity::High => (17, "high"),
            Severity::Medium => (13, "medium"),
            Severity::Low => (10, "low"),
            Severity::Informational => (9, "informational"),
        },
        Body::State(_) => (9, "informational"),
        Body::Spool(lost) if lost.findings => (17, "high"),
        Body::Spool(_) => (13, "medium"),
    }
}

/// One request with these records. The host stands in each of them: a collector's own node may have changed its name.
pub(super) fn request(items: &[&[u8]]) -> Vec<u8> {
    let head = json!({ "attributes": [attribute("service.name", "sshproof".to_owned())] });
    let scope = json!({ "name": "sshproof", "version": env!("CARGO_PKG_VERSION") });
    let mut out =
        format!(r#"{{"resourceLogs":[{{"resource":{head},"scopeLogs":[{{"scope":{scope},"logRecords":["#).into_bytes();
    out.extend_from_slice(&items.join(&b','));
    out.extend_from_slice(b"]}]}]}");
    out
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Told {
    partial_success: Partial,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Partial {
    /// Text, as protobuf's JSON has it, or a number, as many receivers have it.
    rejected_log_records: Value,
    error_message: String,
}

/// What `answer` means for each of `n` events.
pub(super) fn read(answer: &Answer, n: usize) -> Outcome {
    match answer.status {
        200 => match serde_json::from_slice::<Told>(&answer.body) {
            Ok(told) => taken(&told.partial_success, n),
            // Many answer with nothing at all.
            Err(_) if answer.body.is_empty() => Outcome::all(n, &Fate::Taken),
            Err(error) => Outcome::Stop(format!("an answer that is not OTLP: {error}")),
        },
        400 if n == 1 => Outcome::all(1, &Fate::Refused(said(answer))),
        // One of them is wrong: it is found by halves.
        400 => Outcome::TooLarge(said(answer)),
        413 => Outcome::TooLarge(said(answer)),
        status if status_says_later(status) => Outcome::all(n, &Fate::Later(said(answer))),
        _ => Outcome::Stop(said(answer)),
    }
}

fn taken(partial: &Partial, n: usize) -> Outcome {
    let rejected = match &partial.rejected_log_records {
        Value::Null => Some(0),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match rejected {
        Some(0) => Outcome::all(n, &Fate::Taken),
        Some(rejected) => {
            let words = escape(partial.error_message.as_bytes());
            let why = format!("the receiver rejected {rejected} of {n} and does not say which: {words}");
            Outcome::all(n, &Fate::Refused(why))
        }
        None => Outcome::Stop("an answer that is not OTLP: rejectedLogRecords is no number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: &Outcome) {
        let answer = Answer { status, retry_after: None, body: body.into() };
        assert_eq!(&read(&answer, 3), expected, "{status} {body}");
    }

    #[test]
    fn answers_of_the_specification() {
        let taken = Outcome::all(3, &Fate::Taken);
        check(200, "", &taken);
        check(200, "{}", &taken);
        check(200, r#"{"partialSuccess":{}}"#, &taken);
        check(200, r#"{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"careful"}}"#, &taken);
        for number in ["2", "\"2\""] {
            let why = "the receiver rejected 2 of 3 and does not say which: too old";
            let body = format!(r#"{{"partialSuccess":{{"rejectedLogRecords":{number},"errorMessage":"too old"}}}}"#);
            check(200, &body, &Outcome::all(3, &Fate::Refused(why.into())));
        }
        for status in [429, 502, 503, 504] {
            check(status, "", &Outcome::all(3, &Fate::Later(format!("status {status}"))));
        }
        check(401, "", &Outcome::Stop("status 401".into()));
        check(500, "", &Outcome::Stop("status 500".into()));
        check(400, "", &Outcome::TooLarge("status 400".into()));
    }

    #[test]
    fn a_request_is_json() {
        let request = request(&[br#"{"a":1}"#, br#"{"b":2}"#]);
        let value: Value = serde_json::from_slice(&request).unwrap();
        assert_eq!(value["resourceLogs"][0]["scopeLogs"][0]["logRecords"][1]["b"], 2);
    }
}
