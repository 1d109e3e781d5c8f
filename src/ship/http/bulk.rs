//! Elasticsearch's and OpenSearch's `_bulk` (Elasticsearch API, "Bulk index or delete documents"; OpenSearch, "Bulk").
//!
//! Each event is a `create` with its own id: what is there already is answered with 409, so that nothing is there twice, and
//! data streams take nothing else. The status of the whole says nothing about its parts, so each part is read.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fate, Outcome, said, shortened, status_says_later};
use crate::model::event::Event;
use crate::own::http::Answer;

/// Beneath the receiver's address.
pub(super) fn path(index: &str) -> String {
    format!("/{index}/_bulk")
}

/// The action and the document, a line each.
pub(super) fn item(event: &Event, encoded: &str) -> Vec<u8> {
    let action = json!({ "create": { "_id": event.id } });
    format!("{action}\n{encoded}\n").into_bytes()
}

#[derive(Deserialize)]
struct Told {
    items: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    status: u16,
    #[serde(default)]
    error: Value,
}

/// What `answer` means for each of `n` events.
pub(super) fn read(answer: &Answer, n: usize) -> Outcome {
    match answer.status {
        200 => match serde_json::from_slice::<Told>(&answer.body) {
            Ok(told) if told.items.len() == n => {
                Outcome::Each(told.items.iter().map(|part| fate(&part.create)).collect())
            }
            Ok(told) => Outcome::Stop(format!("an answer about {} events where {n} were sent", told.items.len())),
            Err(error) => Outcome::Stop(format!("an answer that is not that of _bulk: {error}")),
        },
        413 => Outcome::TooLarge(said(answer)),
        status if status_says_later(status) => Outcome::all(n, &Fate::Later(said(answer))),
        // A wrong password, a missing index, a proxy's page: somebody has to mend it, and no event is to blame.
        _ => Outcome::Stop(said(answer)),
    }
}

fn fate(created: &Created) -> Fate {
    let why = || format!("status {}: {}", created.status, shortened(&created.error));
    match created.status {
        200 | 201 | 409 => Fate::Taken,
        // The index is closed, read-only or not there, or we may not write to it: true of every event.
        401 | 403 | 404 | 429 | 500.. => Fate::Later(why()),
        _ => Fate::Refused(why()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, n: usize, expected: &Outcome) {
        let answer = Answer { status, retry_after: None, body: body.into() };
        assert_eq!(&read(&answer, n), expected, "{status} {body}");
    }

    #[test]
    fn each_item_is_read() {
        let body = r#"{"took":3,"errors":false,"items":[{"create":{"_index":"i","_id":"a","status":201}},
            {"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}},
            {"create":{"status":400,"error":{"type":"document_parsing_exception"}}},
            {"create":{"status":429,"error":{"type":"es_rejected_execution_exception"}}},
            {"create":{"status":403,"error":"x"}}]}"#;
        let fates = vec![
            Fate::Taken,
            Fate::Taken,
            Fate::Refused(r#"status 400: {"type":"document_parsing_exception"}"#.into()),
            Fate::Later(r#"status 429: {"type":"es_rejected_execution_exception"}"#.into()),
            Fate::Later(r#"status 403: "x""#.into()),
        ];
        check(200, body, 5, &Outcome::Each(fates));
        check(200, body, 4, &Outcome::Stop("an answer about 5 events where 4 were sent".into()));
    }

    #[test]
    fn an_answer_to_all() {
        check(429, "", 2, &Outcome::all(2, &Fate::Later("status 429".into())));
        check(413, "", 2, &Outcome::TooLarge("status 413".into()));
        check(401, "no\nkey", 2, &Outcome::Stop(r"status 401: no\x0akey".into()));
        check(307, "", 1, &Outcome::Stop("status 307".into()));
        let answer = Answer { status: 200, retry_after: None, body: b"<html>".to_vec() };
        assert!(matches!(read(&answer, 1), Outcome::Stop(_)));
    }
}
