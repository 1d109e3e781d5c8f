//! Makes the events of one scan: what was lost, which findings came, stay or went, and at last that a scan took place.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::ledger::{Ledger, Open};
use super::privacy::Pseudonyms;
use super::trace;
use crate::model::event::{
    Body, Chain, CheckState, EpochReason, Event, EventTool, FindingEvent, LifeCycle, Node, Quote, SCHEMA, SpoolEvent,
    SpoolState, StateEvent,
};
use crate::model::report::Report;
use crate::model::{CheckResult, Evidence, Timestamp, text};
use crate::trust::canonical::canonical;
use crate::trust::chain::NodeKey;

/// A finding that does not change is told again after this many seconds.
const TELL_AGAIN: u64 = 86_400;

/// A scan that is to be told.
#[derive(Debug)]
pub struct Occasion<'a> {
    /// What it found.
    pub report: &'a Report,
    /// The boot it ran in; empty where unknown.
    pub boot: &'a str,
    /// What the caller wants to be told back.
    pub nonce: Option<&'a str>,
    /// Why the epoch is new, if it is.
    pub new_epoch: Option<EpochReason>,
    /// The spool as it was found.
    pub spool: SpoolState,
    /// What was lost of it.
    pub lost: Vec<SpoolEvent>,
    /// How names leave the host.
    pub names: &'a Pseudonyms,
    /// What the TPM says of the report, if it was asked.
    pub quote: Option<Quote>,
}

/// What stands for the whole report in its state event, and what a TPM is asked to sign: SHA-256 of the report as
/// `--format json` writes it on one line. `None` if it has no such form.
#[must_use]
pub fn report_digest(report: &Report) -> Option<[u8; 32]> {
    Some(Sha256::digest(serde_json::to_vec(report).ok()?).into())
}

/// The signed events that tell of `occasion`, in order; the state event is the last. `ledger` is taken to where they end.
/// `None` if an event has no canonical form: a number of the report is beyond 2⁵³.
#[must_use]
pub fn events(occasion: &Occasion<'_>, ledger: &mut Ledger, key: &NodeKey) -> Option<Vec<Event>> {
    let first_seq = ledger.seq.checked_add(1)?;
    let life = Life::of(occasion, ledger);
    let mut bodies: Vec<Body> = occasion.lost.iter().cloned().map(Body::Spool).collect();
    bodies.extend(life.told.into_iter().map(|finding| Body::Finding(Box::new(finding))));
    let uids = life.open.keys().fold(Sha256::new(), |hash, uid| hash.chain_update(uid).chain_update("\n"));
    let state = StateEvent {
        verdict: occasion.report.verdict,
        classes: occasion.report.classes.clone(),
        trust_floor: occasion.report.trust_floor,
        checks: occasion.report.results.iter().map(check_state).collect(),
        duration_ms: occasion.report.duration_ms,
        report: text::hex(&report_digest(occasion.report)?),
        open: life.open.len() as u64,
        unconfirmed: life.unconfirmed,
        open_digest: text::hex(&uids.finalize()),
        first_seq,
        new_epoch: occasion.new_epoch,
        nonce: occasion.nonce.map(|nonce| text::escape(nonce.as_bytes())),
        spool: SpoolState { dropped: ledger.dropped.saturating_add(lost(&occasion.lost)), ..occasion.spool.clone() },
        quote: occasion.quote.clone(),
    };
    bodies.push(Body::State(Box::new(state)));
    bodies.into_iter().map(|body| event(occasion, body, ledger, key)).collect()
}

/// The next event of `ledger`, signed and added to it.
fn event(occasion: &Occasion<'_>, body: Body, ledger: &mut Ledger, key: &NodeKey) -> Option<Event> {
    let report = occasion.report;
    let chain = Chain { epoch: ledger.epoch, seq: ledger.seq.checked_add(1)?, prev: ledger.prev.clone() };
    let place = format!("{}\0{}\0{}\0{}\0", ledger.subject.0, occasion.boot, chain.epoch, chain.seq);
    let event = key.sign(Event {
        schema: SCHEMA.to_owned(),
        id: name(Sha256::new_with_prefix(place).chain_update(canonical(&body)?)),
        time: report.started,
        node: Node {
            name: ledger.subject.0.clone(),
            os: text::printable(&report.host.os).into_owned(),
            boot: occasion.boot.to_owned(),
            live: report.host.live,
            key: key.public(),
        },
        tool: EventTool { version: report.tool.version.clone(), knowledge: report.tool.knowledge.clone() },
        chain,
        body,
        signature: None,
    })?;
    ledger.add(&event).expect("the event was made to follow and signed with the ledger's key");
    Some(event)
}

fn check_state(result: &CheckResult) -> CheckState {
    CheckState {
        check: result.check,
        verdict: result.verdict(),
        examined: result.examined,
        findings: result.findings.len() as u64,
        gaps: result.gaps.len() as u64,
        mandatory_gaps: result.gaps.iter().filter(|gap| gap.mandatory).count() as u64,
    }
}

fn lost(events: &[SpoolEvent]) -> u64 {
    let count = |lost: &SpoolEvent| lost.last_seq.saturating_sub(lost.first_seq).saturating_add(1);
    events.iter().map(count).fold(0, u64::saturating_add)
}

/// What the scan does to the findings that were open before it.
struct Life {
    told: Vec<FindingEvent>,
    open: BTreeMap<String, ()>,
    unconfirmed: u64,
}

impl Life {
    fn of(occasion: &Occasion<'_>, ledger: &Ledger) -> Self {
        let mut life = Self { told: Vec::new(), open: BTreeMap::new(), unconfirmed: 0 };
        for finding in seen(occasion, ledger) {
            life.open.insert(finding.uid.clone(), ());
            if let Some(finding) = telling(finding, &ledger.open, occasion.report.started) {
                life.told.push(finding);
            }
        }
        for (uid, before) in &ledger.open {
            if life.open.contains_key(uid) {
                continue;
            }
            // "Could not look" is never "gone".
            let looked = occasion.report.results.iter().find(|result| result.check == before.finding.check);
            if looked.is_some_and(|result| !result.gaps.iter().any(|gap| gap.mandatory)) {
                life.told.push(FindingEvent { status: LifeCycle::Closed, ..before.finding.clone() });
            } else {
                life.open.insert(uid.clone(), ());
                life.unconfirmed = life.unconfirmed.saturating_add(1);
            }
        }
        life
    }
}

/// The findings of the scan as they may leave the host, each with a uid of its own.
fn seen(occasion: &Occasion<'_>, ledger: &Ledger) -> Vec<FindingEvent> {
    let names = occasion.names.and(named(occasion.report));
    let node = &ledger.subject.0;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen = Vec::new();
    for result in &occasion.report.results {
        for finding in &result.findings {
            let mut event = trace::finding(result.check, finding, node, occasion.report.started, &names);
            // Two that differ in nothing but what moves between scans: told apart by their order, which a check keeps.
            let count = counts.entry(event.uid.clone()).or_default();
            if *count > 0 {
                event.uid = name(Sha256::new_with_prefix(&event.uid).chain_update(count.to_be_bytes()));
            }
            *count = count.saturating_add(1);
            seen.push(event);
        }
    }
    seen
}

/// Accounts that the report itself names.
fn named(report: &Report) -> Vec<String> {
    let evidence = report.results.iter().flat_map(|result| &result.findings).flat_map(|finding| &finding.evidence);
    let of_findings = evidence.filter_map(|evidence| match evidence {
        Evidence::Counterexample { user, .. } => Some(user.clone()),
        _ => None,
    });
    let of_logins = report.login.iter().flat_map(|login| &login.counterexamples).map(|way| way.user.clone());
    of_findings.chain(of_logins).collect()
}

/// `finding` as it is told now; `None` if it was told unchanged within the last day.
fn telling(mut finding: FindingEvent, open: &BTreeMap<String, Open>, now: Timestamp) -> Option<FindingEvent> {
    let Some(before) = open.get(&finding.uid) else { return Some(finding) };
    finding.first_seen = before.finding.first_seen;
    let unchanged = FindingEvent { status: before.finding.status, ..finding.clone() } == before.finding;
    // A clock that was set back makes the difference negative: then it is told, rather than never.
    let age = now.0.checked_sub(before.told.0);
    if unchanged && age.is_some_and(|age| age < TELL_AGAIN) {
        return None;
    }
    finding.status = LifeCycle::StillOpen;
    Some(finding)
}

/// 26 characters of base32 (RFC 4648 alphabet, lower case): 130 bits of a digest.
pub(super) fn name(hash: Sha256) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digest = hash.finalize();
    let bit = |at: usize| digest.get(at / 8).map_or(0, |byte| usize::from(byte >> (7 - at % 8) & 1));
    (0..26)
        .map(|group| (0..5).fold(0, |value, at| value << 1 | bit(group * 5 + at)))
        .filter_map(|value| ALPHABET.get(value))
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests;
