//! Brings what one sink has not taken yet from the spool to it, in the order of the numbers.
//!
//! A sink's cursor moves on only after the sink has taken a batch; so whatever dies, events are sent again rather than
//! lost, and `id` shows the receiver which it has already.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tracing::{debug, warn};

use super::http::{self, Stopped};
use super::keep::Record;
use super::sink::{Framing, Sink, SinkKind};
use super::syslog;
use crate::model::event::{Acked, Event};
use crate::model::text::printable;
use crate::own::spool::{Entry, Spool};
use crate::own::{journal, lines, net, relp};
use crate::render::event::encode;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Events that the sink took.
    pub events: u64,
    /// Events that it never will, kept as dead letters.
    pub dead: u64,
}

/// Why a sink has not taken everything.
#[derive(Debug)]
pub enum DeliveryProblem {
    /// Another shipper is at work on it.
    Busy,
    /// The spool cannot be used.
    Spool(io::Error),
    /// The sink cannot be reached or did not take it, and may have said how long it wants to be left alone.
    Sink(Stopped),
}

impl std::fmt::Display for DeliveryProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Busy => f.write_str("another shipper is at work on it"),
            Self::Spool(error) => write!(f, "the spool cannot be used: {error}"),
            Self::Sink(stopped) => f.write_str(&stopped.why),
        }
    }
}

impl std::error::Error for DeliveryProblem {}

/// Delivers everything that lies in `spool` after the sink's cursor, or after `from` if that is given.
///
/// # Errors
/// Why it stopped; what the sink took before is noted.
pub fn deliver(
    sink: &Sink,
    spool: &Spool,
    from: Option<Acked>,
    wait: &mut dyn FnMut(Duration),
) -> Result<Delivered, DeliveryProblem> {
    let _held = spool.lock_shipping(&sink.name).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => DeliveryProblem::Busy,
        _ => DeliveryProblem::Spool(error),
    })?;
    let mut cursor = from.or_else(|| spool.cursors().get(&sink.name).copied());
    let mut delivered = Delivered::default();
    // Listed once for many batches: a spool that many nodes share holds a million records.
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            waiting = spool.list().map_err(DeliveryProblem::Spool)?.into();
        }
        let Some(mut batch) = Batch::next(sink, spool, cursor, &mut waiting).map_err(DeliveryProblem::Spool)? else {
            return Ok(delivered);
        };
        if delivered.events > 0 {
            wait(sink.pause);
        }
        if !batch.payload.is_empty() {
            let refused = send(sink, &batch.payload, wait).map_err(DeliveryProblem::Sink)?;
            batch.refuse(refused);
        }
        for (event, why) in &batch.dead {
            warn!("sink {}: event {}:{} is a dead letter: {why}", sink.name, event.chain.epoch, event.chain.seq);
            let letter = serde_json::json!({ "event": event, "sink": sink.name, "reason": why }).to_string();
            spool.bury(&sink.name, &event.id, letter.as_bytes()).map_err(DeliveryProblem::Spool)?;
        }
        spool.advance(&sink.name, batch.last).map_err(DeliveryProblem::Spool)?;
        debug!("sink {}: taken up to {}:{}", sink.name, batch.last.epoch, batch.last.seq);
        delivered.events = delivered.events.saturating_add(batch.taken());
        delivered.dead = delivered.dead.saturating_add(batch.dead.len() as u64);
        cursor = Some(batch.last);
    }
}

/// What is sent at once.
struct Batch {
    /// Each event as the sink gets it.
    payload: Vec<Vec<u8>>,
    /// The same events.
    events: Vec<Event>,
    /// How many of them the sink has refused.
    refused: u64,
    /// Events that it cannot get, and why.
    dead: Vec<(Event, String)>,
    /// Where the cursor stands afterwards.
    last: Acked,
}

impl Batch {
    /// The next one after `cursor` of what is `waiting`; `None` if there is nothing.
    fn next(
        sink: &Sink,
        spool: &Spool,
        cursor: Option<Acked>,
        waiting: &mut VecDeque<Entry>,
    ) -> io::Result<Option<Self>> {
        let mut batch: Option<Self> = None;
        let mut size: usize = 0;
        while let Some(entry) = waiting.pop_front() {
            let end = Acked { epoch: entry.name.epoch, seq: entry.name.last };
            if cursor.is_some_and(|at| end <= at) {
                continue;
            }
            let record = match Record::read(spool, &entry.name) {
                Ok(record) => record,
                // A scan needed the room; it tells so.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if !record.is_whole() {
                warn!("record {} has lost its end; the receiver will see a gap", entry.name);
            }
            let batch = batch.get_or_insert_with(|| Self {
                payload: Vec::new(),
                events: Vec::new(),
                refused: 0,
                dead: Vec::new(),
                last: end,
            });
            batch.last = end;
            for event in record.events {
                if cursor.is_some_and(|at| Acked { epoch: event.chain.epoch, seq: event.chain.seq } <= at) {
                    continue;
                }
                match payload(sink, &event) {
                    Ok(bytes) => {
                        size = size.saturating_add(bytes.len());
                        batch.payload.push(bytes);
                        batch.events.push(event);
                    }
                    Err(why) => batch.dead.push((event, why)),
                }
            }
            if size >= sink.batch {
                break;
            }
        }
        Ok(batch)
    }

    /// What the sink has refused for good becomes dead letters.
    fn refuse(&mut self, refused: Vec<(usize, String)>) {
        self.refused = refused.len() as u64;
        let dead = refused.into_iter().filter_map(|(at, why)| Some((self.events.get(at)?.clone(), why)));
        self.dead.extend(dead);
    }

    fn taken(&self) -> u64 {
        (self.payload.len() as u64).saturating_sub(self.refused)
    }
}

/// The event as the sink gets it; why it cannot.
fn payload(sink: &Sink, event: &Event) -> Result<Vec<u8>, String> {
    let text = encode(event, sink.encoding).ok_or("it has no form in this encoding")?;
    match &sink.kind {
        SinkKind::File { .. } => Ok((text + "\n").into_bytes()),
        SinkKind::Syslog { framing, facility, enterprise, longest, .. } => {
            let frame = match framing {
                Framing::OctetCounted => syslog::frame(event, &text, *facility, *enterprise),
                Framing::Relp => syslog::message(event, &text, *facility, *enterprise).into_bytes(),
            };
            if frame.len() > *longest {
                return Err(format!("its message has {} bytes, `longest` is {longest}", frame.len()));
            }
            Ok(frame)
        }
        SinkKind::Http { protocol, .. } => Ok(http::item(protocol, event, &text)),
        SinkKind::Journald { .. } => Ok(journal::entry(&[
            ("MESSAGE", &text),
            ("PRIORITY", syslog::priority(&event.body)),
            ("SYSLOG_IDENTIFIER", "sshproof"),
            ("SSHPROOF_KIND", event.body.name()),
            ("SSHPROOF_ID", &event.id),
            ("SSHPROOF_NODE", &printable(&event.node.name)),
            ("SSHPROOF_EPOCH", &event.chain.epoch.to_string()),
            ("SSHPROOF_SEQ", &event.chain.seq.to_string()),
        ])),
    }
}

/// Which of them the sink refuses for good, and why.
fn send(sink: &Sink, payload: &[Vec<u8>], wait: &mut dyn FnMut(Duration)) -> Result<Vec<(usize, String)>, Stopped> {
    let sent = match &sink.kind {
        SinkKind::Http { http, url, protocol } => return http::deliver(http, url, protocol, payload, wait),
        SinkKind::File { path, rotation } => {
            lines::append(path, &payload.concat(), *rotation).map_err(|error| format!("{}: {error}", path.display()))
        }
        SinkKind::Syslog { peer, framing: Framing::OctetCounted, .. } => {
            net::deliver(peer, &payload.concat()).map_err(|problem| problem.to_string())
        }
        SinkKind::Syslog { peer, framing: Framing::Relp, .. } => {
            relp::deliver(peer, payload).map_err(|problem| problem.to_string())
        }
        SinkKind::Journald { socket } => payload
            .iter()
            .try_for_each(|entry| journal::send(socket, entry))
            .map_err(|error| format!("{}: {error}", socket.display())),
    };
    sent.map(|()| Vec::new()).map_err(|why| Stopped { why, after: None })
}
