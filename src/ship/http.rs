//! Delivers events over HTTP until each is taken or refused for good, whatever the receiver's own protocol is.
//!
//! The protocols say in pure functions how events are packed and what an answer means for each of them ([`Fate`]); the
//! waiting, halving and asking again is here, and the same for all.

pub mod bulk;
pub mod hec;
pub mod otlp;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use super::sink::HttpProtocol;
use crate::model::event::Event;
use crate::model::text::escape;
use crate::own::http::{Answer, Http};

/// How often the same events are offered without one of them being taken or refused, before they are left to the next round.
const MOST_TRIES: u32 = 4;

/// First pause before that, if the receiver does not name one; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause within a delivery: a receiver that asks for more is left alone until then.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Longest part of an answer that is told to people, in bytes.
const MAX_WORDS: usize = 400;

/// What an answer means for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has it.
    Taken,
    /// It never will, for this reason: a dead letter.
    Refused(String),
    /// Perhaps later; to be offered again.
    Later(String),
}

/// What an answer means for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// For each event in turn.
    Each(Vec<Fate>),
    /// Each is taken if the receiver says so when it is asked about this number (Splunk's `ackId`).
    Ask(u64),
    /// Too many bytes at once.
    TooLarge(String),
    /// Nothing was taken, and it is no event's fault.
    Stop(String),
}

impl Outcome {
    /// The same for all of `n`.
    #[must_use]
    pub fn all(n: usize, fate: &Fate) -> Self {
        Self::Each(vec![fate.clone(); n])
    }
}

/// Why a delivery ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// In words.
    pub why: String,
    /// How long the receiver asks us to wait.
    pub after: Option<Duration>,
}

/// The event as `protocol` packs it; `encoded` is its form in the sink's vocabulary.
#[must_use]
pub fn item(protocol: &HttpProtocol, event: &Event, encoded: &str) -> Vec<u8> {
    match protocol {
        HttpProtocol::Bulk { .. } => bulk::item(event, encoded),
        HttpProtocol::Hec(settings) => hec::item(event, encoded, settings),
        HttpProtocol::Otlp => otlp::item(event, encoded),
    }
}

/// Hands `items` over and says which of them the receiver has refused for good, and why.
///
/// # Errors
/// If some are neither taken nor refused: all are to be sent again, and some arrive twice.
pub fn deliver(
    http: &Http,
    url: &str,
    protocol: &HttpProtocol,
    items: &[Vec<u8>],
    wait: &mut dyn FnMut(Duration),
) -> Result<Vec<(usize, String)>, Stopped> {
    let stop = |why: String, after| Stopped { why, after };
    let mut refused = Vec::new();
    let mut queue: VecDeque<Vec<usize>> = VecDeque::from([(0..items.len()).collect()]);
    let mut tries: u32 = 0;
    while let Some(part) = queue.pop_front() {
        let bodies: Vec<&[u8]> = part.iter().filter_map(|at| items.get(*at)).map(Vec::as_slice).collect();
        let (path, kind, body) = pack(protocol, &bodies);
        let answer = http.post(&format!("{url}{path}"), kind, &body).map_err(|error| stop(error.to_string(), None))?;
        let outcome = match read(protocol, &answer, part.len()) {
            Outcome::Ask(number) => hec::ask(http, url, protocol, number, part.len(), wait),
            outcome => outcome,
        };
        match outcome {
            Outcome::Each(fates) => {
                let mut again = Vec::new();
                let mut reason = String::new();
                for (at, fate) in part.iter().zip(fates) {
                    match fate {
                        Fate::Taken => {}
                        Fate::Refused(why) => refused.push((*at, why)),
                        Fate::Later(why) => {
                            again.push(*at);
                            reason = why;
                        }
                    }
                }
                if again.is_empty() {
                    continue;
                }
                tries = if again.len() < part.len() { 0 } else { tries.saturating_add(1) };
                let asked = answer.retry_after;
                let own = FIRST_PAUSE.saturating_mul(1 << tries.min(10));
                if tries >= MOST_TRIES || asked.is_some_and(|asked| asked > LONGEST_PAUSE) {
                    return Err(stop(reason, asked));
                }
                // Where one was refused the others are only offered once more; nobody asked us to wait.
                if asked.is_some() || tries > 0 || status_says_later(answer.status) {
                    wait(asked.unwrap_or(own).min(LONGEST_PAUSE));
                }
                queue.push_front(again);
            }
            Outcome::TooLarge(why) => match part.as_slice() {
                [one] => refused.push((*one, why)),
                several => {
                    let (left, right) = several.split_at(several.len() / 2);
                    queue.push_front(right.to_vec());
                    queue.push_front(left.to_vec());
                }
            },
            Outcome::Stop(why) => return Err(stop(why, answer.retry_after)),
            Outcome::Ask(_) => return Err(stop("the receiver answers a question with a question".to_owned(), None)),
        }
    }
    refused.sort_unstable();
    Ok(refused)
}

fn pack(protocol: &HttpProtocol, items: &[&[u8]]) -> (String, &'static str, Vec<u8>) {
    match protocol {
        HttpProtocol::Bulk { index } => (bulk::path(index), "application/x-ndjson", items.concat()),
        HttpProtocol::Hec(_) => (hec::EVENTS.to_owned(), "application/json", items.concat()),
        HttpProtocol::Otlp => (String::new(), "application/json", otlp::request(items)),
    }
}

fn read(protocol: &HttpProtocol, answer: &Answer, n: usize) -> Outcome {
    match protocol {
        HttpProtocol::Bulk { .. } => bulk::read(answer, n),
        HttpProtocol::Hec(settings) => hec::read(answer, n, settings.acknowledged()),
        HttpProtocol::Otlp => otlp::read(answer, n),
    }
}

/// Codes by which every one of the three receivers says that it has too much to do, or is not there yet.
const fn status_says_later(status: u16) -> bool {
    matches!(status, 429 | 502..=504)
}

/// What a receiver said, for people: its status, and as much of its words as anybody reads.
fn said(answer: &Answer) -> String {
    let cut = answer.body.get(..MAX_WORDS).unwrap_or(&answer.body);
    let words = escape(cut);
    if words.is_empty() { format!("status {}", answer.status) } else { format!("status {}: {words}", answer.status) }
}

/// `value` as one line for people.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    escape(text.as_bytes().get(..MAX_WORDS).unwrap_or(text.as_bytes()))
}

/// The encoded event as JSON of its own if it is that, else as text.
fn embedded(encoded: &str) -> Value {
    serde_json::from_str(encoded).unwrap_or_else(|_| Value::String(encoded.to_owned()))
}
