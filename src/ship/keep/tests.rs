#![allow(clippy::disallowed_methods, reason = "the tests do to a state and a spool what befalls them")]

use super::*;
use crate::model::event::Acked;
use crate::model::report::{Host, Tool, Usage};
use crate::model::{Check, CheckResult, Evidence, Finding, Subject, Verdict, code};
use crate::trust::continuity::{Expectation, Trouble, follow};

/// A node with a spool and a state of its own.
struct World {
    dir: tempfile::TempDir,
    bounds: Bounds,
    now: u64,
}

impl World {
    fn new() -> Self {
        let bounds = Bounds { age: u64::MAX, ..Bounds::default() };
        Self { dir: tempfile::tempdir().unwrap(), bounds, now: 2_000_000_000 }
    }

    fn spool(&self) -> Spool {
        Spool::open(&self.dir.path().join("spool")).unwrap()
    }

    fn ledger(&self) -> std::path::PathBuf {
        self.dir.path().join("state/ledger.json")
    }

    /// Scans and finds as many things.
    fn scan(&mut self, findings: usize) -> Result<Kept, KeepProblem> {
        self.now += 3600;
        let mut hygiene = CheckResult { examined: 1, ..CheckResult::new(Check::Hygiene) };
        hygiene.findings = (0..findings)
            .map(|number| {
                let evidence = Evidence::Fact { about: "a".into(), value: "b".into() };
                Finding::new(code::PRELOAD, Subject::Package { name: format!("p{number}") }, "m", evidence)
            })
            .collect();
        let report = Report {
            schema: crate::model::report::SCHEMA.to_owned(),
            tool: Tool { name: "sshproof".into(), version: "0".into(), knowledge: "2026-01-01".into(), families: 1 },
            host: Host { name: "n1".into(), os: String::new(), root: "/".into(), live: true },
            started: Timestamp(self.now),
            duration_ms: 1,
            verdict: Verdict::Pass,
            classes: [].into(),
            trust_floor: None,
            results: vec![hygiene],
            servers: vec![],
            files: vec![],
            login: vec![],
            not_covered: vec![],
            sweep: None,
            capsules: vec![],
            usage: Usage::default(),
        };
        let keeping = Keeping {
            spool: &self.dir.path().join("spool"),
            state: &self.dir.path().join("state"),
            bounds: self.bounds,
            nonce: None,
            pseudonym_key: None,
            accounts: Vec::new(),
            boot: "b".to_owned(),
            now: Timestamp(self.now),
            quote: None,
        };
        keep(&report, &keeping)
    }

    /// Everything that lies in the spool.
    fn events(&self) -> Vec<Event> {
        let spool = self.spool();
        let names = spool.list().unwrap().into_iter().map(|entry| entry.name);
        names.flat_map(|name| Record::read(&spool, &name).unwrap().events).collect()
    }

    fn troubles(&self) -> Vec<Trouble> {
        let remarks = follow(self.events(), &Expectation::default()).remarks;
        remarks.into_iter().map(|remark| remark.trouble).filter(|t| !matches!(t, Trouble::NewEpoch(_))).collect()
    }
}

#[test]
fn scans_follow_each_other() {
    let mut world = World::new();
    let lengths = [2, 2, 0, 1].map(|findings| {
        let name = world.scan(findings).unwrap().record;
        name.last - name.first + 1
    });
    // Two open and a state; the state; two close; one opens.
    assert_eq!(lengths, [3, 1, 3, 2]);
    assert_eq!(world.troubles(), []);
    let ranks: Vec<u8> = world.spool().list().unwrap().iter().map(|entry| entry.name.rank).collect();
    assert_eq!(ranks, [2, 0, 1, 2]);
}

#[test]
fn a_lost_ledger_begins_an_epoch_and_says_so() {
    let mut world = World::new();
    world.scan(1).unwrap();
    std::fs::remove_file(world.ledger()).unwrap();
    world.scan(1).unwrap();
    std::fs::write(world.ledger(), "{").unwrap();
    world.scan(1).unwrap();
    std::fs::write(world.dir.path().join("state/node.key"), [9; 32]).unwrap();
    world.scan(1).unwrap();
    let reasons: Vec<_> = world
        .events()
        .iter()
        .filter_map(|event| match &event.body {
            Body::State(state) => state.new_epoch,
            _ => None,
        })
        .collect();
    use EpochReason::{BadState, NewKey, NoState};
    assert_eq!(reasons, [NoState, NoState, BadState, NewKey]);
    assert_eq!(world.troubles(), [Trouble::OtherKey], "the new key's first and only event");
}

#[test]
fn a_ledger_that_is_behind_catches_up() {
    let mut world = World::new();
    world.scan(2).unwrap();
    let old = std::fs::read(world.ledger()).unwrap();
    world.scan(3).unwrap();
    world.scan(0).unwrap();
    // As if the last two scans had been killed before they stored it.
    std::fs::write(world.ledger(), old).unwrap();
    let record = world.scan(0).unwrap().record;
    assert_eq!(record.last - record.first + 1, 1, "what was closed is not closed again");
    assert_eq!(world.troubles(), []);
    // Its record is gone and others are there: the count cannot go on.
    std::fs::write(world.ledger(), "").unwrap();
    world.scan(0).unwrap();
    assert_eq!(world.troubles(), []);
}

#[test]
fn another_host_is_refused_and_two_scans_do_not_mix() {
    let mut world = World::new();
    world.scan(0).unwrap();
    let text = std::fs::read_to_string(world.ledger()).unwrap();
    std::fs::write(world.ledger(), text.replace("\"n1\"", "\"n2\"")).unwrap();
    assert!(matches!(world.scan(0), Err(KeepProblem::Foreign { .. })));
    std::fs::write(world.ledger(), text).unwrap();
    let held = State::open(&world.dir.path().join("state")).unwrap();
    assert!(matches!(world.scan(0), Err(KeepProblem::Busy)));
    drop(held);
    world.scan(0).unwrap();
}

#[test]
fn a_full_spool_drops_states_first_and_tells() {
    let mut world = World::new();
    world.scan(3).unwrap();
    for _ in 0..20 {
        world.scan(3).unwrap();
    }
    world.bounds.bytes = RESERVE + 14_000;
    let lost = world.scan(3).unwrap().lost;
    assert!(lost > 3, "{lost}");
    let events = world.events();
    assert!(events.iter().any(|event| matches!(event.body, Body::Finding(_))), "the findings are still there");
    let troubles = world.troubles();
    assert!(!troubles.is_empty() && troubles.iter().all(|trouble| !trouble.is_fault()), "{troubles:?}");
    let Some(Body::State(state)) = events.last().map(|event| &event.body) else { panic!("no state") };
    assert_eq!(state.spool.dropped, lost);
    assert_eq!(world.scan(3).unwrap().record.first, events.last().unwrap().chain.seq + 1);
}

#[test]
fn a_torn_record_is_mended_and_told() {
    let mut world = World::new();
    world.scan(2).unwrap();
    let torn = world.scan(4).unwrap().record;
    let path = world.dir.path().join("spool/records").join(torn.to_string());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    assert_eq!(world.scan(4).unwrap().lost, 1);
    let expected = Trouble::Gap { to: torn.last, declared: true };
    assert_eq!(world.troubles(), [expected]);
    assert!(!path.exists());
}

#[test]
fn what_was_delivered_goes() {
    let mut world = World::new();
    let mut last = 0;
    for _ in 0..25 {
        last = world.scan(0).unwrap().record.last;
    }
    let epoch = world.spool().list().unwrap()[0].name.epoch;
    world.spool().advance("siem", Acked { epoch, seq: last }).unwrap();
    assert_eq!(world.scan(0).unwrap().lost, 0);
    assert_eq!(world.spool().list().unwrap().len(), 17, "16 are kept, and the new one");
    let events = world.events();
    let Some(Body::State(state)) = events.last().map(|event| &event.body) else { panic!("no state") };
    assert_eq!(state.spool.acked["siem"].seq, last);
}

/// Order is by epoch and number, never by time: not even a lost ledger makes a clock that was set back go back in history.
#[test]
fn a_clock_that_jumps_breaks_no_chain() {
    const TEN_YEARS: u64 = 315_360_000;
    let mut world = World::new();
    world.scan(1).unwrap();
    world.now -= TEN_YEARS;
    world.scan(2).unwrap();
    std::fs::remove_file(world.ledger()).unwrap();
    world.scan(1).unwrap();
    world.now += 2 * TEN_YEARS;
    world.scan(0).unwrap();
    assert_eq!(world.troubles(), []);
    let epochs: std::collections::BTreeSet<u64> = world.events().iter().map(|event| event.chain.epoch).collect();
    assert_eq!(epochs.into_iter().collect::<Vec<_>>(), [2_000_003_600, 2_000_003_601]);
}
