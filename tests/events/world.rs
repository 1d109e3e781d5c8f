//! Reports that name everything a report can name, and the events that tell of them.

use sshproof::model::event::{Acked, Body, DropReason, EpochReason, Event, Quote, SpoolEvent, SpoolState};
use sshproof::model::report::Report;
use sshproof::model::{Algorithm, Check, CheckResult, Code, Evidence, Finding, RootedPath, Severity, Subject};
use sshproof::ship::{self, Ledger, Occasion, Pseudonyms};
use sshproof::trust::chain::NodeKey;

/// A name as an attacker would choose it, in bytes.
pub const HOSTILE: &[u8] = b"/srv/a|b=c\\d\n\x1b[31m \"q\" ]\xff\xe2\x80\xae.so";

pub fn key() -> NodeKey {
    NodeKey::new(&[42; 32])
}

pub fn names() -> Pseudonyms {
    Pseudonyms::new([7; 32], ["planteduser".to_owned()])
}

fn path(bytes: &[u8]) -> RootedPath {
    RootedPath::new(bytes).unwrap()
}

/// Evidence of every kind, about a hostile path, with names planted in whatever a check could write them into.
fn evidence() -> Vec<Evidence> {
    let hostile = || path(HOSTILE);
    let home = || path(b"/home/plantedhome/.ssh/authorized_keys");
    let digest = |letter: &str| letter.repeat(64);
    vec![
        Evidence::Digest {
            algorithm: Algorithm::Sha256,
            expected: digest("a"),
            actual: digest("b"),
            source: "/home/plantedhome/md5sums".into(),
        },
        Evidence::Line { path: home(), line: 3, text: "ssh-rsa AAAA plantedkey@plantedhost".into() },
        Evidence::Bytes { path: hostile(), offset: 12, hex: "706c616e746564".into(), indicator: "strings".into() },
        Evidence::Symbol { path: hostile(), name: "pam_sm".into(), detail: "twice".into() },
        Evidence::Mapping {
            pid: 812,
            range: "7f00-7f01 rwxp".into(),
            path: "/home/plantedhome/x.so (deleted)".into(),
            detail: "writable".into(),
        },
        Evidence::Metadata {
            path: path(b"/var/mail/planteduser"),
            property: "owner".into(),
            expected: "root:root".into(),
            actual: "planteduser:planteduser".into(),
        },
        Evidence::Counterexample {
            user: "plantedway".into(),
            from: "198.51.100.77".into(),
            methods: vec!["publickey".into()],
        },
        Evidence::Fact {
            about: "peer [2001:db8:77::1]:4711 of planteduser".into(),
            value: "198.51.100.78 198.51.100.0/24 plantedkey@plantedhost `planteduser`".into(),
        },
    ]
}

fn subjects() -> Vec<Subject> {
    vec![
        Subject::file(&path(HOSTILE)),
        Subject::file(&path(b"/home/plantedhome/.bashrc")),
        Subject::Package { name: "openssh-server".into() },
        Subject::Process { pid: 812, starttime: 99 },
        Subject::Mapping { pid: 812, start: 4096, path: "/home/plantedhome/x.so".into() },
        Subject::Mapping { pid: 812, start: 8192, path: String::new() },
        Subject::Login { server: "sshd [::]:22".into() },
        Subject::Server { server: "sshd [::]:22".into() },
        Subject::Host,
    ]
}

fn check_of(code: &Code) -> Check {
    let name = code.id().split('/').next().unwrap();
    Check::ALL.into_iter().find(|check| check.name() == name).unwrap_or(Check::Backdoor)
}

/// Every code, and a family's, about every kind of subject, with all the evidence there is.
pub fn report() -> Report {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/refuted-login.report.json");
    let mut report: Report = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    report.results =
        Check::ALL.into_iter().map(|check| CheckResult { examined: 1, ..CheckResult::new(check) }).collect();
    for way in report.login.iter_mut().flat_map(|login| &mut login.counterexamples) {
        way.user = "plantedlogin".into();
        way.from = "198.51.100.79".into();
        way.fix = "Match User plantedlogin".into();
    }
    let codes: Vec<Code> = Code::all().map(|info| Code::from_id(info.id)).chain([Code::family("ebury")]).collect();
    assert!(codes.len() > 40, "only {} codes", codes.len());
    for code in codes {
        let check = check_of(&code);
        for subject in subjects() {
            let mut evidence = evidence().into_iter();
            let message = "plantedmessage of planteduser from 198.51.100.77";
            let mut finding = Finding::new(code.clone(), subject, message, evidence.next().unwrap());
            finding = evidence.fold(finding, Finding::and);
            finding.references.push("MITRE ATT&CK T1574.006 and T1554".into());
            if code.id().ends_with('d') {
                finding = finding.with_remediation("tell planteduser at plantedkey@plantedhost");
            }
            report.results.iter_mut().find(|result| result.check == check).unwrap().findings.push(finding);
        }
    }
    report
}

pub fn ledger() -> Ledger {
    Ledger::new(("login1".into(), "/".into()), key().public(), 1_700_000_000)
}

/// The events of one scan.
pub fn scan(report: &Report, ledger: &mut Ledger, new_epoch: Option<EpochReason>) -> Vec<Event> {
    let names = names();
    let lost = SpoolEvent { reason: DropReason::Size, epoch: 1_700_000_000, first_seq: 1, last_seq: 4, findings: true };
    let spool = SpoolState {
        records: 3,
        bytes: 4096,
        dropped: 0,
        acked: [("siem".to_owned(), Acked { epoch: 1_700_000_000, seq: 4 })].into(),
    };
    let occasion = Occasion {
        report,
        boot: "0b6ad0d9-6b3b-4f39-9ae8-8fbbb0f0c8a4",
        nonce: Some("n-1"),
        new_epoch,
        spool,
        lost: if new_epoch.is_some() { Vec::new() } else { vec![lost] },
        names: &names,
        quote: Some(Quote { message: "ff544347".repeat(40), signature: "0014000b".repeat(64) }),
    };
    ship::events(&occasion, ledger, &key()).unwrap()
}

/// Three scans: everything is found, everything is told again a day later, nothing is found any more.
pub fn events() -> Vec<Event> {
    static EVENTS: std::sync::OnceLock<Vec<Event>> = std::sync::OnceLock::new();
    EVENTS.get_or_init(three_scans).clone()
}

fn three_scans() -> Vec<Event> {
    let mut ledger = ledger();
    let mut report = report();
    let mut events = scan(&report, &mut ledger, Some(EpochReason::NoState));
    report.started.0 += 90_000;
    events.extend(scan(&report, &mut ledger, None));
    report.started.0 += 90_000;
    for result in &mut report.results {
        result.findings.clear();
    }
    events.extend(scan(&report, &mut ledger, None));
    let kinds = |wanted: &str| events.iter().filter(|event| event.body.name() == wanted).count();
    assert_eq!((kinds("state"), kinds("spool")), (3, 2));
    let findings = (Code::all().count() + 1) * subjects().len();
    assert_eq!(kinds("finding"), findings * 3);
    assert!(events.iter().any(|event| matches!(&event.body, Body::Finding(f) if f.severity == Severity::Critical)));
    events
}
