//! Splunk's HTTP Event Collector (Splunk, "HTTP Event Collector REST API endpoints" and "About HTTP Event Collector Indexer
//! Acknowledgment").
//!
//! Without acknowledgement, "taken" means that the collector has parsed the events. With it, that they are indexed: the
//! collector is asked until it says so. It says "no" of what it does not know, too, so that a time-out sends all again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Fate, Outcome, embedded, said, status_says_later};
use crate::model::event::{Body, Event};
use crate::own::http::{Answer, Http};
use crate::ship::sink::{HecSettings, HttpProtocol};

/// Beneath the collector's address.
pub(super) const EVENTS: &str = "/services/collector/event";

/// Where it is asked what is indexed.
const ACKNOWLEDGED: &str = "/services/collector/ack";

/// How often it is asked about one delivery, and after which pause. Splunk advises not to ask more than every 10 s.
const MOST_QUESTIONS: u32 = 12;
const QUESTION_PAUSE: Duration = Duration::from_secs(10);

/// The event with what Splunk keeps beside it.
pub(super) fn item(event: &Event, encoded: &str, settings: &HecSettings) -> Vec<u8> {
    let mut fields = json!({
        "id": event.id,
        "epoch": event.chain.epoch.to_string(),
        "seq": event.chain.seq.to_string(),
        "kind": event.body.name(),
    });
    if let (Body::Finding(finding), Some(fields)) = (&event.body, fields.as_object_mut()) {
        fields.insert("code".into(), finding.code.id().into());
        fields.insert("class".into(), finding.class.name().into());
    }
    let mut whole = json!({
        "time": event.time.0,
        "host": event.node.name,
        "source": "sshproof",
        "sourcetype": settings.sourcetype,
        "event": embedded(encoded),
        "fields": fields,
    });
    if let (Some(index), Some(members)) = (&settings.index, whole.as_object_mut()) {
        members.insert("index".into(), index.as_str().into());
    }
    format!("{whole}\n").into_bytes()
}

#[derive(Deserialize)]
struct Told {
    code: u32,
    #[serde(rename = "ackId")]
    number: Option<u64>,
    #[serde(rename = "invalid-event-number")]
    invalid: Option<usize>,
}

/// What `answer` means for each of `n` events, counted from 0 as the collector does.
pub(super) fn read(answer: &Answer, n: usize, acknowledged: bool) -> Outcome {
    let told = serde_json::from_slice::<Told>(&answer.body).ok();
    match (answer.status, told) {
        (200, Some(Told { code: 0, number: Some(number), .. })) if acknowledged => Outcome::Ask(number),
        (200, Some(Told { code: 0, .. })) if acknowledged => {
            Outcome::Stop("the collector gives no ackId: its token has no acknowledgement".to_owned())
        }
        (200, Some(Told { code: 0, .. })) => Outcome::all(n, &Fate::Taken),
        // Codes 6, 12, 13 and 15 blame an event and name it; whether those before it were taken nobody says.
        (400, Some(Told { code: 6 | 12 | 13 | 15, invalid: Some(at), .. })) if at < n => {
            let fate = |event| match event == at {
                true => Fate::Refused(said(answer)),
                false => Fate::Later("the collector refused another event of the same delivery".to_owned()),
            };
            Outcome::Each((0..n).map(fate).collect())
        }
        (413, _) => Outcome::TooLarge(said(answer)),
        // 500 is "internal server error" (code 8) and 503 "server is busy" (9) of the collector itself.
        (status, _) if status == 500 || status_says_later(status) => Outcome::all(n, &Fate::Later(said(answer))),
        // A wrong token, index or channel, a page of somebody else's: to be mended, and no event is to blame.
        _ => Outcome::Stop(said(answer)),
    }
}

#[derive(Deserialize)]
struct Acknowledged {
    acks: BTreeMap<String, bool>,
}

/// Asks whether delivery `number` of `n` events is indexed until it is, or time is over.
pub(super) fn ask(
    http: &Http,
    url: &str,
    protocol: &HttpProtocol,
    number: u64,
    n: usize,
    wait: &mut dyn FnMut(Duration),
) -> Outcome {
    let HttpProtocol::Hec(HecSettings { channel: Some(channel), .. }) = protocol else {
        return Outcome::Stop("an ackId that nobody asked for".to_owned());
    };
    let question = json!({ "acks": [number] }).to_string();
    let address = format!("{url}{ACKNOWLEDGED}?channel={channel}");
    for asked in 0..MOST_QUESTIONS {
        // The first question comes soon: an idle indexer needs no ten seconds.
        wait(if asked == 0 { QUESTION_PAUSE / 10 } else { QUESTION_PAUSE });
        match http.post(&address, "application/json", question.as_bytes()) {
            Ok(answer) if answer.status == 200 => match serde_json::from_slice::<Acknowledged>(&answer.body) {
                Ok(told) if told.acks.get(&number.to_string()) == Some(&true) => return Outcome::all(n, &Fate::Taken),
                Ok(_) => {}
                Err(error) => return Outcome::Stop(format!("an answer that is no acknowledgement: {error}")),
            },
            Ok(answer) if status_says_later(answer.status) => {}
            Ok(answer) => return Outcome::Stop(said(&answer)),
            Err(error) => return Outcome::Stop(error.to_string()),
        }
    }
    Outcome::Stop("the collector does not say that it has indexed them".to_owned())
}

/// A channel as the collector wants it, a GUID, made of 16 bytes.
#[must_use]
pub fn channel(bytes: [u8; 16]) -> String {
    let hex = crate::model::text::hex(&bytes);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

// Their forms are those of the documentation; no collector was at hand.
#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, acknowledged: bool, expected: &Outcome) {
        let answer = Answer { status, retry_after: None, body: body.into() };
        assert_eq!(&read(&answer, 2, acknowledged), expected, "{status} {body}");
    }

    #[test]
    fn answers_of_the_documentation() {
        let later = |text: &str| Outcome::all(2, &Fate::Later(text.to_owned()));
        check(200, r#"{"text":"Success","code":0}"#, false, &Outcome::all(2, &Fate::Taken));
        check(200, r#"{"text":"Success","code":0,"ackId":7}"#, true, &Outcome::Ask(7));
        check(503, r#"{"code":9}"#, false, &later(r#"status 503: {"code":9}"#));
        check(500, r#"{"code":8}"#, false, &later(r#"status 500: {"code":8}"#));
        check(403, r#"{"code":4}"#, false, &Outcome::Stop(r#"status 403: {"code":4}"#.into()));
        check(400, r#"{"code":7}"#, false, &Outcome::Stop(r#"status 400: {"code":7}"#.into()));
        check(200, "<html>", false, &Outcome::Stop("status 200: <html>".into()));
        let body = r#"{"text":"Invalid data format","code":6,"invalid-event-number":1}"#;
        let fates = vec![
            Fate::Later("the collector refused another event of the same delivery".into()),
            Fate::Refused(format!("status 400: {body}")),
        ];
        check(400, body, false, &Outcome::Each(fates));
        assert!(matches!(
            read(&Answer { status: 200, retry_after: None, body: br#"{"code":0}"#.to_vec() }, 2, true),
            Outcome::Stop(_)
        ));
    }

    #[test]
    fn a_channel_is_a_guid() {
        assert_eq!(channel([0xab; 16]), "abababab-abab-abab-abab-abababababab");
    }
}
