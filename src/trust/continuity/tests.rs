use super::*;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::model::event::{Chain, DropReason, EventTool, Node, SCHEMA, SpoolEvent, SpoolState, StateEvent};
use crate::trust::chain::NodeKey;

fn state(nonce: Option<&str>, new_epoch: Option<EpochReason>) -> Body {
    Body::State(Box::new(StateEvent {
        verdict: Verdict::Pass,
        classes: [].into(),
        trust_floor: None,
        checks: vec![],
        duration_ms: 0,
        report: String::new(),
        open: 0,
        unconfirmed: 0,
        open_digest: String::new(),
        first_seq: 1,
        new_epoch,
        nonce: nonce.map(str::to_owned),
        spool: SpoolState::default(),
        quote: None,
    }))
}

/// A node that sends.
struct Sender {
    name: &'static str,
    key: NodeKey,
    epoch: u64,
    seq: u64,
    prev: String,
}

impl Sender {
    fn new(name: &'static str, seed: u8) -> Self {
        Self { name, key: NodeKey::new(&[seed; 32]), epoch: 10, seq: 0, prev: NOTHING_BEFORE.to_owned() }
    }

    fn send(&mut self, body: Body) -> Event {
        self.seq += 1;
        let event = self
            .key
            .sign(Event {
                schema: SCHEMA.to_owned(),
                id: format!("{}-{}-{}", self.name, self.epoch, self.seq),
                time: Timestamp(self.seq),
                node: Node {
                    name: self.name.into(),
                    os: String::new(),
                    boot: String::new(),
                    live: true,
                    key: self.key.public(),
                },
                tool: EventTool { version: "0".into(), knowledge: "2026-01-01".into() },
                chain: Chain { epoch: self.epoch, seq: self.seq, prev: self.prev.clone() },
                body,
                signature: None,
            })
            .unwrap();
        self.prev = chain::digest(&event).unwrap();
        event
    }

    fn row(&mut self, number: usize) -> Vec<Event> {
        (0..number).map(|_| self.send(state(None, None))).collect()
    }

    fn begin(&mut self, epoch: u64) {
        (self.epoch, self.seq, self.prev) = (epoch, 0, NOTHING_BEFORE.to_owned());
    }
}

/// `node epoch:seq trouble` of each remark.
fn check(events: Vec<Event>, expected: &[(&str, u64, u64, Trouble)]) {
    check_with(events, &Expectation::default(), expected);
}

fn check_with(events: Vec<Event>, expectation: &Expectation, expected: &[(&str, u64, u64, Trouble)]) {
    let found: Vec<_> = follow(events, expectation)
        .remarks
        .into_iter()
        .map(|remark| (remark.node, remark.epoch, remark.seq, remark.trouble))
        .collect();
    let expected: Vec<_> = expected.iter().map(|(n, e, s, t)| ((*n).to_owned(), *e, *s, t.clone())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_whole_row_is_without_remark_from_wherever_it_begins() {
    let row = Sender::new("n1", 1).row(6);
    check(row.clone(), &[]);
    check(row[3..].to_vec(), &[]);
    let summary = &follow(row, &Expectation::default()).nodes["n1"];
    assert_eq!((summary.events, summary.last), (6, Some(Acked { epoch: 10, seq: 6 })));
}

#[test]
fn every_single_deletion_is_named() {
    let row = Sender::new("n1", 1).row(8);
    for missing in 1..7 {
        let mut rest = row.clone();
        rest.remove(missing);
        let seq = missing as u64 + 1;
        check(rest, &[("n1", 10, seq, Trouble::Gap { to: seq, declared: false })]);
    }
}

#[test]
fn every_single_change_is_named() {
    let row = Sender::new("n1", 1).row(5);
    for at in 1..4 {
        let mut changed = row.clone();
        changed[at].time = Timestamp(99);
        let seq = at as u64 + 1;
        check(
            changed,
            &[
                ("n1", 10, seq, Trouble::Changed(BadSignature::Wrong)),
                ("n1", 10, seq, Trouble::Gap { to: seq, declared: false }),
            ],
        );
    }
}

#[test]
fn another_order_and_repetitions_are_named() {
    let row = Sender::new("n1", 1).row(4);
    let mut swapped = row.clone();
    swapped.swap(1, 2);
    check(swapped, &[("n1", 10, 2, Trouble::Reordered)]);
    let mut again = row.clone();
    again.push(row[0].clone());
    check(again, &[("n1", 10, 1, Trouble::Repeated)]);
    assert!(!Trouble::Repeated.is_fault());
}

#[test]
fn two_histories_of_one_node_are_named() {
    let mut sender = Sender::new("n1", 1);
    let mut row = sender.row(2);
    (sender.seq, sender.prev) = (1, row[0].chain.prev.clone());
    row.push(sender.send(state(Some("other"), None)));
    check(row, &[("n1", 10, 2, Trouble::Forked)]);
    // The same where only one side arrived: what follows does not follow.
    let mut sender = Sender::new("n1", 1);
    let mut row = sender.row(2);
    sender.prev = "0".repeat(64);
    row.push(sender.send(state(None, None)));
    check(row, &[("n1", 10, 3, Trouble::Unchained)]);
}

#[test]
fn what_a_node_dropped_itself_is_no_fault() {
    let mut sender = Sender::new("n1", 1);
    let mut row = sender.row(4);
    row.drain(1..3);
    let lost = SpoolEvent { reason: DropReason::Size, epoch: 10, first_seq: 2, last_seq: 3, findings: false };
    row.push(sender.send(Body::Spool(lost)));
    check(row, &[("n1", 10, 2, Trouble::Gap { to: 3, declared: true })]);
    assert!(!Trouble::Gap { to: 3, declared: true }.is_fault());
}

#[test]
fn keys_belong_to_one_node() {
    let mut row = Sender::new("n1", 1).row(1);
    row.extend(Sender::new("n1", 2).row(1));
    row.extend(Sender::new("n2", 1).row(1));
    check(row, &[("n1", 10, 1, Trouble::OtherKey), ("n2", 10, 1, Trouble::SharedKey { with: "n1".into() })]);
    let pinned = Expectation { keys: [("n1".into(), NodeKey::new(&[9; 32]).public())].into(), nonce: None };
    check_with(Sender::new("n1", 1).row(1), &pinned, &[("n1", 10, 1, Trouble::OtherKey)]);
}

#[test]
fn an_epoch_says_why_it_began() {
    let mut sender = Sender::new("n1", 1);
    let mut row = sender.row(2);
    sender.begin(20);
    row.push(sender.send(state(None, Some(EpochReason::BadState))));
    check(row.clone(), &[("n1", 20, 1, Trouble::NewEpoch(EpochReason::BadState))]);
    sender.begin(30);
    row.push(sender.send(state(None, None)));
    check(row, &[("n1", 20, 1, Trouble::NewEpoch(EpochReason::BadState)), ("n1", 30, 1, Trouble::Unchained)]);
    // Its beginning did not arrive.
    let mut sender = Sender::new("n1", 1);
    let mut row = sender.row(1);
    sender.begin(20);
    sender.send(state(None, Some(EpochReason::NoState)));
    row.push(sender.send(state(None, None)));
    check(row, &[("n1", 20, 1, Trouble::Gap { to: 1, declared: false }), ("n1", 20, 2, Trouble::Unchained)]);
}

#[test]
fn an_old_answer_does_not_pass_for_a_new_one() {
    let mut sender = Sender::new("n1", 1);
    let old = sender.send(state(Some("monday"), None));
    let expectation = Expectation { nonce: Some("tuesday".into()), ..Expectation::default() };
    check_with(vec![old.clone()], &expectation, &[("n1", 10, 1, Trouble::Stale)]);
    let new = sender.send(state(Some("tuesday"), None));
    check_with(vec![old.clone(), new.clone()], &expectation, &[]);
    // Replayed after the new one, the old one is named and does not count.
    check_with(vec![old.clone(), new, old], &expectation, &[("n1", 10, 1, Trouble::Repeated)]);
}

#[test]
fn what_is_not_signed_binds_nothing() {
    let mut forged = Sender::new("n2", 7).row(1);
    forged[0].node.key = NodeKey::new(&[1; 32]).public();
    let mut events = forged;
    events.extend(Sender::new("n1", 1).row(1));
    check(events, &[("n2", 10, 1, Trouble::Changed(BadSignature::Wrong))]);
}
