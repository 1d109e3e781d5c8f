//! What a spool says about itself, for monitoring.

use std::collections::BTreeMap;
use std::io;

use super::keep::Record;
use super::sink::Sink;
use crate::model::event::{Acked, Body};
use crate::own::{clock, spool::Spool};
use crate::render::metrics::{Spooled, spooled};

/// Numbers of `spool` and of how far `sinks` are, in the text format of Prometheus.
///
/// # Errors
/// What the kernel says of the spool.
pub fn numbers(spool: &Spool, sinks: &[Sink]) -> io::Result<String> {
    let mut state = None;
    let mut last = None;
    // The newest first: a record that has lost its end may be without its state event.
    for entry in spool.list()?.iter().rev() {
        last = last.or(Some(Acked { epoch: entry.name.epoch, seq: entry.name.last }));
        let record = match Record::read(spool, &entry.name) {
            Ok(record) => record,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        state = record.events.into_iter().rev().find(|event| matches!(event.body, Body::State(_)));
        if state.is_some() {
            break;
        }
    }
    let cursors = spool.cursors();
    let nothing = Acked { epoch: 0, seq: 0 };
    let acked: BTreeMap<String, Acked> =
        sinks.iter().map(|sink| (sink.name.clone(), cursors.get(&sink.name).copied().unwrap_or(nothing))).collect();
    let dead = spool.dead_letters();
    Ok(spooled(&Spooled { state: state.as_ref(), last, acked: &acked, dead, now: clock::now() }))
}
