use super::*;
use crate::model::report::{Host, Tool, Usage};
use crate::model::{Check, Code, Finding, Gap, RootedPath, Subject, Verdict, code};

fn report(at: u64) -> Report {
    Report {
        schema: crate::model::report::SCHEMA.to_owned(),
        tool: Tool {
            name: "sshproof".to_owned(),
            version: "0".to_owned(),
            knowledge: "2026-01-01".to_owned(),
            families: 1,
        },
        host: Host { name: "n1".into(), os: String::new(), root: "/".into(), live: true },
        started: Timestamp(at),
        duration_ms: 1,
        verdict: Verdict::Pass,
        classes: [].into(),
        trust_floor: None,
        results: vec![
            CheckResult { examined: 1, ..CheckResult::new(Check::Hygiene) },
            CheckResult { examined: 1, ..CheckResult::new(Check::Live) },
        ],
        servers: vec![],
        files: vec![],
        login: vec![],
        not_covered: vec![],
        sweep: None,
        capsules: vec![],
        usage: Usage::default(),
    }
}

fn finding(path: &str, mode: &str) -> Finding {
    let path = RootedPath::new(path).unwrap();
    let evidence = Evidence::Metadata {
        path: path.clone(),
        property: "mode".into(),
        expected: "0600".into(),
        actual: mode.into(),
    };
    Finding::new(code::HOST_KEY_EXPOSED, Subject::file(&path), "m", evidence)
}

fn ledger() -> (Ledger, NodeKey) {
    let key = NodeKey::new(&[3; 32]);
    (Ledger::new(("n1".into(), "/".into()), key.public(), 5), key)
}

fn tell(report: &Report, ledger: &mut Ledger, key: &NodeKey) -> Vec<Event> {
    let names = Pseudonyms::new([0; 32], []);
    let occasion = Occasion {
        report,
        boot: "b",
        nonce: None,
        new_epoch: None,
        spool: SpoolState::default(),
        lost: Vec::new(),
        names: &names,
        quote: None,
    };
    events(&occasion, ledger, key).unwrap()
}

/// `status path` of each finding, then `open/unconfirmed` of the state.
fn said(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| match &event.body {
            Body::Finding(finding) => format!("{} {}", finding.status.name(), finding.subject),
            Body::State(state) => format!("{}/{}", state.open, state.unconfirmed),
            Body::Spool(_) => "spool".to_owned(),
        })
        .collect()
}

#[test]
fn a_finding_opens_stays_changes_and_closes() {
    let (mut ledger, key) = ledger();
    let mut scan = |at: u64, modes: &[&str]| {
        let mut report = report(at);
        report.results[0].findings = modes.iter().map(|mode| finding("/k", mode)).collect();
        tell(&report, &mut ledger, &key)
    };
    let first = scan(1000, &["0644"]);
    assert_eq!(said(&first), ["open /k", "1/0"]);
    assert_eq!(said(&scan(2000, &["0644"])), ["1/0"], "unchanged: the state alone says that it is open");
    let changed = scan(3000, &["0666"]);
    assert_eq!(said(&changed), ["still-open /k", "1/0"]);
    assert_eq!(said(&scan(3000 + TELL_AGAIN, &["0666"])), ["still-open /k", "1/0"], "a day later it is told again");
    let last = scan(200_000, &[]);
    assert_eq!(said(&last), ["closed /k", "0/0"]);
    let uid = |events: &[Event]| match &events[0].body {
        Body::Finding(finding) => (finding.uid.clone(), finding.first_seen),
        _ => unreachable!(),
    };
    assert_eq!((uid(&first), uid(&first)), (uid(&changed), uid(&last)), "one uid and one beginning for a life");
    assert_eq!(said(&scan(200_001, &["0644"])), ["open /k", "1/0"], "it came back");
}

#[test]
fn could_not_look_is_not_gone() {
    let (mut ledger, key) = ledger();
    let mut found = report(1000);
    found.results[0].findings.push(finding("/k", "0644"));
    tell(&found, &mut ledger, &key);
    let mut blind = report(2000);
    blind.results[0].gaps.push(Gap::mandatory(Subject::Host, "no permission"));
    assert_eq!(said(&tell(&blind, &mut ledger, &key)), ["1/1"]);
    let mut other = report(3000);
    other.results.remove(0);
    assert_eq!(said(&tell(&other, &mut ledger, &key)), ["1/1"], "the check did not run");
    assert_eq!(said(&tell(&report(4000), &mut ledger, &key)), ["closed /k", "0/0"]);
}

#[test]
fn findings_that_look_alike_have_uids_of_their_own() {
    let (mut ledger, key) = ledger();
    let mut scan = report(1000);
    scan.results[0].findings = vec![finding("/a", "1"), finding("/a", "2"), finding("/b", "1")];
    let events = tell(&scan, &mut ledger, &key);
    assert_eq!(said(&events), ["open /a", "open /a", "open /b", "3/0"]);
    assert_eq!(ledger.open.len(), 3);
    scan.started.0 += 1;
    assert_eq!(said(&tell(&scan, &mut ledger, &key)), ["3/0"], "stable from scan to scan");
}

#[test]
fn the_same_scan_of_the_same_state_gives_the_same_bytes() {
    let (ledger, key) = ledger();
    let mut scan = report(1000);
    scan.results[0].findings.push(finding("/k", "0644"));
    let once = tell(&scan, &mut ledger.clone(), &key);
    assert_eq!(once, tell(&scan, &mut ledger.clone(), &key));
    let ids: std::collections::BTreeSet<&str> = once.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), once.len());
    assert!(ids.iter().all(|id| id.len() == 26));
}

#[test]
fn a_ledger_is_the_sum_of_its_events() {
    let (empty, key) = ledger();
    let mut ledger = empty.clone();
    let mut all = Vec::new();
    for (at, modes) in [(1000, vec!["0644"]), (2000, vec!["0666"]), (3000, vec![])] {
        let mut scan = report(at);
        scan.results[0].findings = modes.into_iter().map(|mode| finding("/k", mode)).collect();
        scan.results[1].findings = vec![finding("/x", "7")];
        all.extend(tell(&scan, &mut ledger, &key));
    }
    let mut again = empty;
    for event in &all {
        again.add(event).unwrap();
    }
    assert_eq!(again, ledger);
    assert!(again.add(&all[0]).is_err(), "an event is added once");
}

#[test]
fn a_family_is_told_by_name() {
    let (mut ledger, key) = ledger();
    let mut scan = report(1000);
    let evidence = Evidence::Fact { about: "a".into(), value: "b".into() };
    scan.results[1].findings.push(Finding::new(Code::family("ebury"), Subject::Host, "m", evidence));
    let events = tell(&scan, &mut ledger, &key);
    let Body::Finding(finding) = &events[0].body else { unreachable!() };
    assert_eq!(finding.summary, "a known backdoor family: ebury");
}
