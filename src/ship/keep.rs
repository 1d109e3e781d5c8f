//! Puts the events of a scan into the spool, so that whatever happens next they are delivered, or their loss is.
//!
//! First the record, then what it makes superfluous is removed, then the ledger: a scan that is killed in between finds
//! the record next time and adds it to the ledger.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::bounds::{self, Bounds, Plan};
use super::events::{Occasion, events};
use super::ledger::{Ledger, SCHEMA};
use super::privacy::Pseudonyms;
use crate::model::Timestamp;
use crate::model::event::{Acked, Body, DropReason, EpochReason, Event, Quote, SpoolEvent, SpoolState};
use crate::model::report::Report;
use crate::own::spool::{Entry, RecordName, Spool};
use crate::own::state::State;
use crate::trust::canonical::canonical;
use crate::trust::chain::NodeKey;

/// Room that is made for a scan's events before their size is known.
const RESERVE: u64 = 256 << 10;

/// What to spool where.
#[derive(Debug)]
pub struct Keeping<'a> {
    /// The spool's directory.
    pub spool: &'a Path,
    /// The state's directory.
    pub state: &'a Path,
    /// How much the spool may hold.
    pub bounds: Bounds,
    /// What the caller wants to be told back.
    pub nonce: Option<&'a str>,
    /// The site's key for pseudonyms; without one they are the node's own.
    pub pseudonym_key: Option<[u8; 32]>,
    /// Names of accounts that belong to persons, escaped.
    pub accounts: Vec<String>,
    /// The boot this is; empty where unknown.
    pub boot: String,
    /// The current time.
    pub now: Timestamp,
    /// What the TPM says of the report, if it was asked.
    pub quote: Option<Quote>,
}

/// What was spooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub record: RecordName,
    /// Events that had to go to make room.
    pub lost: u64,
}

/// Why nothing was spooled.
#[derive(Debug)]
pub enum KeepProblem {
    /// The host has no name, so nobody could tell whose events these are.
    Nameless,
    /// The state is that of another host or image.
    Foreign {
        /// Its name and root.
        theirs: (String, String),
        /// The name and root that were scanned.
        ours: (String, String),
    },
    /// Another scan is at work on the same state.
    Busy,
    /// The kernel refused something.
    Io {
        /// What was tried.
        what: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// The report holds a number that has no exact form in JSON.
    NotCanonical,
}

impl std::fmt::Display for KeepProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nameless => f.write_str("the host has no name, so nobody could tell whose events these are"),
            Self::Foreign { theirs, ours } => write!(
                f,
                "the state is that of `{}` (root {}), not of `{}` (root {}): name another one with --state",
                theirs.0, theirs.1, ours.0, ours.1
            ),
            Self::Busy => f.write_str("another scan is at work on the same state"),
            Self::Io { what, error } => write!(f, "{what}: {error}"),
            Self::NotCanonical => f.write_str("the report holds a number beyond 2^53"),
        }
    }
}

impl std::error::Error for KeepProblem {}

/// Turns what the kernel said into a problem.
fn io(what: &'static str) -> impl Fn(io::Error) -> KeepProblem {
    move |error| match error.kind() {
        io::ErrorKind::WouldBlock => KeepProblem::Busy,
        _ => KeepProblem::Io { what, error },
    }
}

/// Makes the events of `report` and puts them into the spool; when this returns, they survive a loss of power.
///
/// # Errors
/// If they are not in the spool. What was there before still is, but for what had to make room on a full disk.
pub fn keep(report: &Report, keeping: &Keeping<'_>) -> Result<Kept, KeepProblem> {
    let subject = (report.host.name.clone(), report.host.root.clone());
    if subject.0.is_empty() {
        return Err(KeepProblem::Nameless);
    }
    let state = State::open(keeping.state).map_err(io("cannot use the state"))?;
    let spool = Spool::create(keeping.spool).map_err(io("cannot use the spool"))?;
    let (seed, _) = state.seed().map_err(io("cannot use the node's key"))?;
    let key = NodeKey::new(&seed);
    let entries = spool.list().map_err(io("cannot list the spool"))?;
    let stored = state.ledger().map_err(io("cannot read the ledger"))?;
    let found = Found::of(stored.as_deref(), &key, &subject, &spool, &entries)?;
    let acked = spool.cursors();
    let begun = begin(found, &key, subject, last_epoch(&entries, &acked), keeping.now);

    let torn = torn(&spool, &entries)?;
    let names = Pseudonyms::new(
        keeping.pseudonym_key.unwrap_or_else(|| key.derive("pseudonyms")),
        keeping.accounts.iter().cloned(),
    );
    let mut occasion = Occasion {
        report,
        boot: &keeping.boot,
        nonce: keeping.nonce,
        new_epoch: begun.new_epoch,
        spool: SpoolState { records: entries.len() as u64, bytes: size(&entries), dropped: 0, acked: spool.cursors() },
        lost: Vec::new(),
        names: &names,
        quote: keeping.quote.clone(),
    };
    let mut bounds = keeping.bounds;
    let (record, ledger) = loop {
        let plan = bounds::plan(&entries, &occasion.spool.acked, bounds, keeping.now, RESERVE);
        occasion.lost = plan.lost().into_iter().chain(torn.as_ref().map(Record::lost)).collect();
        let mut ledger = begun.ledger.clone();
        let told = events(&occasion, &mut ledger, &key).ok_or(KeepProblem::NotCanonical)?;
        match write(&spool, &told, &plan) {
            // The disk holds less than the spool may: half of what is left goes, and its loss is told.
            Err(KeepProblem::Io { error, .. }) if is_full(&error) && plan.size() + 1 < entries.len() => {
                let left = entries.iter().filter(|entry| !plan.takes(&entry.name));
                bounds.bytes = RESERVE.saturating_add(left.map(|entry| entry.size).sum::<u64>() / 2);
            }
            Err(problem) => return Err(problem),
            Ok(record) => {
                remove(&spool, &plan)?;
                break (record, ledger);
            }
        }
    };
    if let Some(torn) = torn {
        torn.mend(&spool)?;
    }
    let bytes = serde_json::to_vec(&ledger)
        .map_err(|error| KeepProblem::Io { what: "cannot write the ledger", error: error.into() })?;
    state.store(&bytes).map_err(io("cannot store the ledger"))?;
    Ok(Kept { record, lost: occasion.lost.iter().map(events_of).fold(0, u64::saturating_add) })
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn size(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.size).fold(0, u64::saturating_add)
}

fn events_of(lost: &SpoolEvent) -> u64 {
    lost.last_seq.saturating_sub(lost.first_seq).saturating_add(1)
}

/// Writes the record. On a full disk what is to go goes first: its loss is told in the record that then fits.
fn write(spool: &Spool, told: &[Event], plan: &Plan) -> Result<RecordName, KeepProblem> {
    let bytes = lines(told)?;
    let (Some(first), Some(last)) = (told.first(), told.last()) else { return Err(KeepProblem::NotCanonical) };
    let record =
        RecordName { epoch: first.chain.epoch, first: first.chain.seq, last: last.chain.seq, rank: bounds::rank(told) };
    match spool.write(&record, &bytes) {
        Err(error) if is_full(&error) => {
            remove(spool, plan)?;
            spool.write(&record, &bytes)
        }
        done => done,
    }
    .map_err(io("cannot write to the spool"))?;
    Ok(record)
}

/// Each event in canonical form, on a line.
fn lines(events: &[Event]) -> Result<Vec<u8>, KeepProblem> {
    let mut bytes = Vec::new();
    for event in events {
        bytes.append(&mut canonical(event).ok_or(KeepProblem::NotCanonical)?);
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn remove(spool: &Spool, plan: &Plan) -> Result<(), KeepProblem> {
    plan.delivered
        .iter()
        .chain(plan.dropped.iter().map(|(name, _)| name))
        .try_for_each(|name| spool.remove(name))
        .map_err(io("cannot remove from the spool"))
}

/// What is known of the count so far.
enum Found {
    /// It goes on from here.
    Ledger(Ledger),
    /// It cannot go on.
    Lost(EpochReason, Option<Ledger>),
}

impl Found {
    fn of(
        stored: Option<&[u8]>,
        key: &NodeKey,
        subject: &(String, String),
        spool: &Spool,
        entries: &[Entry],
    ) -> Result<Self, KeepProblem> {
        let Some(stored) = stored else { return Ok(Self::Lost(EpochReason::NoState, None)) };
        let ledger = match serde_json::from_slice::<Ledger>(stored) {
            Ok(ledger) if ledger.schema == SCHEMA => ledger,
            _ => return Ok(Self::Lost(EpochReason::BadState, None)),
        };
        if ledger.subject != *subject {
            return Err(KeepProblem::Foreign { theirs: ledger.subject, ours: subject.clone() });
        }
        if ledger.key != key.public() {
            return Ok(Self::Lost(EpochReason::NewKey, Some(ledger)));
        }
        Ok(match caught_up(ledger.clone(), spool, entries) {
            Some(ledger) => Self::Ledger(ledger),
            None => Self::Lost(EpochReason::StateBehind, Some(ledger)),
        })
    }
}

/// The ledger with the records added that were spooled after it was stored; `None` if they do not continue it.
fn caught_up(mut ledger: Ledger, spool: &Spool, entries: &[Entry]) -> Option<Ledger> {
    if entries.iter().any(|entry| entry.name.epoch > ledger.epoch) {
        return None;
    }
    let later = |entry: &&Entry| entry.name.epoch == ledger.epoch && entry.name.last > ledger.seq;
    let names: Vec<RecordName> = entries.iter().filter(later).map(|entry| entry.name).collect();
    for name in names {
        let record = Record::read(spool, &name).ok()?;
        if !record.is_whole() {
            return None;
        }
        for event in &record.events {
            ledger.add(event).ok()?;
            // The scan was killed before it removed what it told as lost.
            if let Body::Spool(lost) = &event.body {
                forget(spool, entries, lost)?;
            }
        }
    }
    Some(ledger)
}

/// Removes the records that were told as lost.
fn forget(spool: &Spool, entries: &[Entry], lost: &SpoolEvent) -> Option<()> {
    entries
        .iter()
        .map(|entry| entry.name)
        .filter(|name| name.epoch == lost.epoch && name.first >= lost.first_seq && name.last <= lost.last_seq)
        .try_for_each(|name| spool.remove(&name))
        .ok()
}

/// The newest record, if it has lost its end: only a loss of power in spite of fsync(2) does that. Every other record was
/// the newest once.
fn torn(spool: &Spool, entries: &[Entry]) -> Result<Option<Record>, KeepProblem> {
    let Some(newest) = entries.last() else { return Ok(None) };
    let record = Record::read(spool, &newest.name).map_err(io("cannot read the spool"))?;
    Ok((!record.is_whole()).then_some(record))
}

/// Where this scan begins.
struct Begun {
    ledger: Ledger,
    new_epoch: Option<EpochReason>,
}

/// The last epoch that anything here knows of. A sink's cursor may outlive a spool and a state that were both lost; an
/// earlier epoch would look to it as if it had been delivered.
fn last_epoch(entries: &[Entry], acked: &BTreeMap<String, Acked>) -> Option<u64> {
    entries.iter().map(|entry| entry.name.epoch).chain(acked.values().map(|acked| acked.epoch)).max()
}

fn begin(found: Found, key: &NodeKey, subject: (String, String), last: Option<u64>, now: Timestamp) -> Begun {
    match found {
        Found::Ledger(ledger) => Begun { ledger, new_epoch: None },
        Found::Lost(reason, before) => {
            let last = last.max(before.as_ref().map(|ledger| ledger.epoch));
            let epoch = last.map_or(now.0, |last| now.0.max(last.saturating_add(1)));
            let mut ledger = Ledger::new(subject, key.public(), epoch);
            // What was open still is: only the count is new.
            ledger.open = before.map(|ledger| ledger.open).unwrap_or_default();
            Begun { ledger, new_epoch: Some(reason) }
        }
    }
}

/// A record as it was read: as far as it is whole.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name.
    pub name: RecordName,
    /// Its events, up to the first that is not what the name promises.
    pub events: Vec<Event>,
}

impl Record {
    /// Reads the record and takes its lines as long as each is the event that it ought to be.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn read(spool: &Spool, name: &RecordName) -> io::Result<Self> {
        let bytes = spool.read(name)?;
        let mut events = Vec::new();
        for (line, seq) in bytes.split_inclusive(|byte| *byte == b'\n').zip(name.first..=name.last) {
            let Some(line) = line.strip_suffix(b"\n") else { break };
            match serde_json::from_slice::<Event>(line) {
                Ok(event) if event.chain.seq == seq && event.chain.epoch == name.epoch => events.push(event),
                _ => break,
            }
        }
        Ok(Self { name: *name, events })
    }

    /// Whether every event that the name promises is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.events.last().is_some_and(|event| event.chain.seq == self.name.last)
    }

    /// What is missing at its end.
    fn lost(&self) -> SpoolEvent {
        let first_seq = self.events.last().map_or(self.name.first, |event| event.chain.seq.saturating_add(1));
        SpoolEvent {
            reason: DropReason::Torn,
            epoch: self.name.epoch,
            first_seq,
            last_seq: self.name.last,
            findings: self.name.rank > 0,
        }
    }

    /// Puts what there is under the name that it deserves.
    fn mend(&self, spool: &Spool) -> Result<(), KeepProblem> {
        if let Some(last) = self.events.last() {
            let name = RecordName { last: last.chain.seq, ..self.name };
            spool.write(&name, &lines(&self.events)?).map_err(io("cannot write to the spool"))?;
        }
        spool.remove(&self.name).map_err(io("cannot remove from the spool"))
    }
}

#[cfg(test)]
mod tests;
