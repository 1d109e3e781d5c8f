//! A spool with events in it, and the program that delivers it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sshproof::model::event::{
    Body, Chain, DropReason, EpochReason, Event, EventTool, FindingEvent, LifeCycle, NOTHING_BEFORE, Node, SCHEMA,
    SpoolEvent, SpoolState, StateEvent,
};
use sshproof::model::{Check, Class, Code, Confidence, Severity, Subject, Timestamp, Verdict};
use sshproof::own::spool::{RecordName, Spool};
use sshproof::render::event::{Encoding, encode};
use sshproof::trust::chain::{NodeKey, digest};

pub const SSHPROOF: &str = env!("CARGO_BIN_EXE_sshproof");

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub events: Vec<Event>,
}

impl Bench {
    /// A spool with one record for each of `lengths`, which has as many events.
    pub fn new(lengths: &[usize]) -> Self {
        Self::with(lengths, &["Debian \"12\" [x] \\ \u{e9}\n="])
    }

    /// The same; the events tell of these operating systems by turns.
    pub fn with(lengths: &[usize], systems: &[&str]) -> Self {
        let mut bench = Self { dir: tempfile::tempdir().unwrap(), events: Vec::new() };
        bench.append(lengths, systems);
        bench
    }

    /// One record of each kind of event: findings that are alarms (their summary says so), findings that are not, a
    /// state, a loss.
    pub fn of_findings() -> Self {
        let mut bench = Self { dir: tempfile::tempdir().unwrap(), events: Vec::new() };
        let key = NodeKey::new(&[5; 32]);
        for (seq, body) in (1..).zip(bodies()) {
            let prev = bench.events.last().map_or_else(|| NOTHING_BEFORE.to_owned(), |event| digest(event).unwrap());
            bench.events.push(key.sign(Event { body, signature: None, ..event(&key, seq, prev, "x") }).unwrap());
        }
        let spool = Spool::create(&bench.path("spool")).unwrap();
        let name = RecordName { epoch: 7, first: 1, last: bench.events.len() as u64, rank: 0 };
        spool.write(&name, encoded(&bench.events, Encoding::Json).as_bytes()).unwrap();
        bench
    }

    /// More records.
    pub fn append(&mut self, lengths: &[usize], systems: &[&str]) {
        let spool = Spool::create(&self.path("spool")).unwrap();
        let key = NodeKey::new(&[5; 32]);
        for length in lengths {
            let first = self.events.len();
            for _ in 0..*length {
                let seq = self.events.len() as u64 + 1;
                let prev = self.events.last().map_or_else(|| NOTHING_BEFORE.to_owned(), |event| digest(event).unwrap());
                self.events.push(event(&key, seq, prev, systems[self.events.len() % systems.len()]));
            }
            let name = RecordName { epoch: 7, first: first as u64 + 1, last: self.events.len() as u64, rank: 0 };
            spool.write(&name, encoded(&self.events[first..], Encoding::Json).as_bytes()).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `ship --once` with these sinks.
    pub fn command(&self, sinks: &str) -> Command {
        std::fs::write(self.path("ship.toml"), sinks).unwrap();
        let mut command = Command::new(SSHPROOF);
        command.args(["-v", "ship", "--once", "--spool"]).arg(self.path("spool"));
        command.arg("--config").arg(self.path("ship.toml"));
        command
    }

    pub fn ship(&self, sinks: &str) -> Output {
        self.command(sinks).output().unwrap()
    }

    pub fn must_ship(&self, sinks: &str) {
        let output = self.ship(sinks);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    /// Whether the sink's cursor says that it has taken everything.
    pub fn took_all(&self, sink: &str) -> bool {
        let cursors = Spool::open(&self.path("spool")).unwrap().cursors();
        cursors.get(sink).is_some_and(|acked| acked.seq == self.events.len() as u64)
    }

    /// What no sink will ever take, with the reasons.
    pub fn dead_letters(&self) -> Vec<String> {
        let dir = std::fs::read_dir(self.path("spool/ship/dead"));
        dir.into_iter().flatten().map(|entry| read(&entry.unwrap().path())).collect()
    }

    /// The row as `fleet verify` sees it.
    pub fn verify(&self, lines: &[String]) -> (i32, String) {
        let row = self.path("row");
        std::fs::write(&row, lines.join("\n") + "\n").unwrap();
        let output = Command::new(SSHPROOF).args(["fleet", "verify"]).arg(&row).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }
}

fn bodies() -> Vec<Body> {
    let mut bodies = Vec::new();
    for (class, severity, status, summary) in [
        (Class::Compromise, Severity::Critical, LifeCycle::Open, "alarm"),
        (Class::Integrity, Severity::Medium, LifeCycle::Open, "alarm"),
        (Class::Integrity, Severity::Informational, LifeCycle::Open, "no alarm"),
        (Class::Compromise, Severity::Critical, LifeCycle::StillOpen, "no alarm"),
        (Class::Compromise, Severity::Critical, LifeCycle::Closed, "no alarm"),
        (Class::Exposure, Severity::High, LifeCycle::Open, "no alarm, \"class=\"integrity\""),
    ] {
        bodies.push(Body::Finding(Box::new(FindingEvent {
            uid: "u".repeat(26),
            status,
            first_seen: Timestamp(1),
            code: Code::Known(Code::all().next().unwrap()),
            check: Check::Provenance,
            class,
            severity,
            confidence: Confidence::High,
            summary: summary.into(),
            remediation: String::new(),
            references: Vec::new(),
            subject: Subject::Host,
            evidence: Vec::new(),
        })));
    }
    bodies.push(Body::State(Box::new(StateEvent {
        verdict: Verdict::Fail,
        classes: [(Class::Compromise, Verdict::Fail), (Class::Hygiene, Verdict::Pass)].into(),
        trust_floor: None,
        checks: Vec::new(),
        duration_ms: 1,
        report: "0".repeat(64),
        open: 4,
        unconfirmed: 0,
        open_digest: "0".repeat(64),
        first_seq: 1,
        new_epoch: Some(EpochReason::NoState),
        nonce: None,
        spool: SpoolState { dropped: 3, ..SpoolState::default() },
        quote: None,
    })));
    bodies.push(Body::Spool(SpoolEvent {
        reason: DropReason::Age,
        epoch: 1,
        first_seq: 1,
        last_seq: 2,
        findings: true,
    }));
    bodies
}

fn event(key: &NodeKey, seq: u64, prev: String, system: &str) -> Event {
    key.sign(Event {
        schema: SCHEMA.to_owned(),
        id: format!("{seq:0>26}"),
        time: Timestamp(1_800_000_000 + seq),
        node: Node { name: "node1".into(), os: system.into(), boot: "b".into(), live: true, key: key.public() },
        tool: EventTool { version: "0".into(), knowledge: "2026-01-01".into() },
        chain: Chain { epoch: 7, seq, prev },
        body: Body::Spool(SpoolEvent { reason: DropReason::Age, epoch: 1, first_seq: 1, last_seq: 2, findings: false }),
        signature: None,
    })
    .unwrap()
}

/// Each event on a line.
pub fn encoded(events: &[Event], encoding: Encoding) -> String {
    events.iter().map(|event| encode(event, encoding).unwrap() + "\n").collect()
}

/// The text of a file, empty if it is not there.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Waits until `done`, at most as long as a loaded machine may need.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed().as_secs() < 30, "{what} does not happen");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
