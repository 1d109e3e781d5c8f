//! A host whose every login needs a key and a one-time code, made of the distribution's packages, with its sshd running:
//! all six checks pass. From that one root, each single tamper flips exactly the check that it is named for. As an
//! ordinary user we cannot see enough to say anything, and say just that.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::login::{DROP_IN, OTP_LINE, Offer, UID, log_in, two_factor};
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::report::{CHECKS, Scan};
use common::root::Root;
use libtest_mimic::Trial;

const PARTS: &[Part] = &[Part::Packages, Part::Namespaces];

fn main() -> ExitCode {
    let mut trials = vec![
        trial("clean_passes_all_six_checks", PARTS, clean_passes_all_six_checks),
        trial("an_ordinary_user_sees_too_little", PARTS, an_ordinary_user_sees_too_little),
        trial("without_the_otp_line_the_key_alone_logs_in", PARTS, without_the_otp_line_the_key_alone_logs_in),
        trial("what_a_server_runs_with_is_judged_too", PARTS, what_a_server_runs_with_is_judged_too),
    ];
    trials.extend(TAMPERS.iter().map(Tamper::trial));
    mimic::run(trials)
}

/// One change to the clean root, and all that may follow from it.
struct Tamper {
    name: &'static str,
    /// Before sshd starts.
    change: fn(&Root),
    /// Environment of the sshd.
    environment: &'static [(&'static str, &'static str)],
    /// The check that fails; all others pass.
    check: &'static str,
    /// The code of its finding.
    code: &'static str,
    /// Part of the subject's name.
    subject: &'static str,
}

const TAMPERS: &[Tamper] = &[
    Tamper {
        name: "byte_in_sshd",
        change: |root| root.flip_in("/usr/sbin/sshd", "usage: sshd"),
        environment: &[],
        check: "provenance",
        code: "provenance/digest-mismatch",
        subject: "/usr/sbin/sshd",
    },
    Tamper {
        name: "byte_in_a_library",
        // The assembler's author signs his code, in the text section and executed by nobody.
        change: |root| root.flip_in(&root.find("/usr/lib/*/libcrypto.so.3"), "CRYPTOGAMS by"),
        environment: &[],
        check: "provenance",
        code: "provenance/digest-mismatch",
        subject: "libcrypto.so.3",
    },
    Tamper {
        name: "byte_in_a_pam_module",
        change: |root| {
            root.flip_in(&root.find("/usr/lib/*/security/pam_google_authenticator.so"), "Invalid verification code")
        },
        environment: &[],
        check: "provenance",
        code: "provenance/digest-mismatch",
        subject: "pam_google_authenticator.so",
    },
    Tamper {
        name: "preload",
        // A library of the distribution's: nothing is wrong with it but that every program is made to load it.
        change: |root| root.write("/etc/ld.so.preload", root.find("/usr/lib/*/libbz2.so.1.0") + "\n"),
        environment: &[],
        check: "hygiene",
        code: "hygiene/preload",
        subject: "/etc/ld.so.preload",
    },
    Tamper {
        name: "foreign_mapping",
        change: |root| root.compile("/opt/foreign.so", "int foreign_symbol(void) { return 7; }", &["-shared", "-fPIC"]),
        environment: &[("LD_PRELOAD", "/opt/foreign.so")],
        check: "live",
        code: "live/foreign-mapping",
        subject: "",
    },
    Tamper {
        name: "otp_line_removed",
        change: |root| root.replace("/etc/pam.d/sshd", OTP_LINE, ""),
        environment: &[],
        check: "login",
        code: "login/single-factor-path",
        subject: "",
    },
    Tamper {
        name: "host_key_readable_by_all",
        change: |root| root.chmod("/etc/ssh/ssh_host_ed25519_key", 0o644),
        environment: &[],
        check: "hygiene",
        code: "hygiene/host-key-exposed",
        subject: "/etc/ssh/ssh_host_ed25519_key",
    },
    Tamper {
        name: "kobalos_credential_file",
        // Invented credentials as the stealer keeps them: 123 added to each byte (signatures/kobalos-stealer.toml).
        change: |root| {
            let line = b"user: nobody host: 192.0.2.7 port 00022 user: nobody password: invented\n";
            root.write("/var/run/nscd/ns.pid", line.map(|byte| byte.wrapping_add(123)));
        },
        environment: &[],
        check: "backdoor",
        code: "backdoor/kobalos-stealer",
        subject: "/run/nscd/ns.pid",
    },
];

impl Tamper {
    fn trial(&self) -> Trial {
        let &Self { name, change, environment, check, code, subject } = self;
        trial(&format!("tamper_{name}"), PARTS, move || {
            let root = two_factor();
            change(&root);
            let host = Host::boot(root);
            host.start_sshd(22, environment, &["/usr/sbin/sshd"]);
            let scan = host.scan(&[]);
            for other in CHECKS {
                let expected = if other == check { "fail" } else { "pass" };
                assert_eq!(scan.verdict(other), expected, "{other}\n{}", scan.troubles());
            }
            let accused = scan.accused(check);
            let named = |line: &String| line.split_once(' ').is_some_and(|(c, s)| c == code && s.contains(subject));
            assert!(accused.iter().any(named), "{code} {subject} is not among {accused:#?}");
            assert_eq!((scan.code, scan.report["verdict"].as_str()), (1, Some("fail")));
        })
    }
}

fn clean() -> Host {
    let host = Host::boot(two_factor());
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    host
}

fn clean_passes_all_six_checks() {
    let host = clean();
    let scan = host.scan(&[]);
    scan.assert_clean();
    let login = &scan.report["login"][0];
    assert_eq!(login["proof"], "proved", "{login:#}");
    assert_eq!(login["authenticators"], 2, "{login:#}");
    assert_eq!(scan.report["trust_floor"], "local-weak");
    // It says so because it looked: the server that listens, its files, its process.
    let server = &scan.report["servers"][0];
    assert_eq!(server["binary"], "/usr/sbin/sshd", "{server:#}");
    assert!(server["sockets"].to_string().contains(":22"), "{server:#}");
    for check in CHECKS {
        assert!(scan.result(check)["examined"].as_u64().unwrap() > 0, "{check}");
    }
    // Nothing is different while somebody is logged in.
    during_a_login(&host).assert_clean();
}

/// A session that lasts until it is told to end, two minutes at most.
const SESSION: &str = "touch /tmp/in; for i in $(seq 1200); do test -e /tmp/out && break; sleep 0.1; done";

/// A scan while a session of sshd's is open.
fn during_a_login(host: &Host) -> Scan {
    std::thread::scope(|scope| {
        let login = scope.spawn(|| log_in(host, 22, Offer::KeyAndScratchCode(0), SESSION));
        let marker = host.root().path().join("tmp/in");
        while !marker.exists() {
            assert!(!login.is_finished(), "{:?}", login.join().unwrap());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let scan = host.scan(&[]);
        host.root().write("/tmp/out", "");
        let pids = scan.report["servers"][0]["pids"].as_array().unwrap().len();
        assert!(pids >= 3, "listener, monitor and session make three processes, {pids} seen");
        scan
    })
}

/// The control that makes the proof's refutation true: what it says can be done is done.
fn without_the_otp_line_the_key_alone_logs_in() {
    for (remove, expected) in [(false, ""), (true, "alice\n")] {
        let root = two_factor();
        if remove {
            root.replace("/etc/pam.d/sshd", OTP_LINE, "");
        }
        let host = Host::boot(root);
        host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
        let done = log_in(&host, 22, Offer::KeyAlone, "id -un");
        assert_eq!(String::from_utf8_lossy(&done.stdout), expected, "{done:?}");
    }
}

/// A file that is mended and not read again closes nothing. Whoever remembers what the server read says so; whoever does not
/// says that he takes it to have read what lies there.
fn what_a_server_runs_with_is_judged_too() {
    let root = two_factor();
    let strong = root.read(DROP_IN);
    root.write(DROP_IN, "AuthenticationMethods publickey\n");
    // Times of files and processes are seconds: what is to be older must be visibly so.
    std::thread::sleep(Duration::from_secs(4));
    let host = Host::boot(root);
    let pid = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let kept = ["--spool", "/run/spool", "--state", "/run/state", "--facts-out", "/run/facts.json"];
    let held = || {
        let facts: serde_json::Value = serde_json::from_str(&host.root().read("/run/facts.json")).unwrap();
        facts["roots"][0]["servers"][0]["loaded_config"].clone()
    };
    let scan = host.scan(&kept);
    assert_eq!(scan.accused("login").len(), 1, "{}", scan.troubles());
    assert_eq!(held(), "as-it-is");

    host.root().write(DROP_IN, &strong);
    assert_eq!(String::from_utf8_lossy(&log_in(&host, 22, Offer::KeyAlone, "id -un").stdout), "alice\n");
    let scan = host.scan(&kept);
    // That it differs is a note, since it may differ in a comment; the way in that it leaves open is none.
    let all = scan.result("login")["findings"].as_array().unwrap();
    let told: Vec<String> =
        all.iter().map(|one| format!("{} {}", one["code"], one["severity"]).replace('"', "")).collect();
    let expected = ["login/config-not-loaded informational", "login/single-factor-path high"];
    assert!(expected.iter().all(|one| told.iter().any(|told| told == one)), "{told:?}");
    let of_held = |one: &&serde_json::Value| one["subject"].to_string().contains("it runs with");
    let about = scan.findings("login").iter().all(of_held);
    assert!(about && held()["other"][DROP_IN].is_string(), "{}", scan.troubles());
    let proofs = scan.report["login"].as_array().unwrap();
    assert_eq!(proofs.iter().map(|one| one["proof"].as_str().unwrap()).collect::<Vec<_>>(), ["proved", "refuted"]);
    assert!(proofs[1]["counterexamples"][0]["fix"].to_string().contains(&format!("kill -HUP {pid}")), "{proofs:#?}");
    let forgetful = host.scan(&[]);
    assert_eq!(forgetful.verdict("login"), "pass", "{}", forgetful.troubles());
    assert!(forgetful.report["login"][0]["assumptions"].to_string().contains("sshd_config as it is now"));

    // It starts itself anew within its process: same number, same start time.
    host.must(&["kill", "-HUP", &pid.to_string()]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !log_in(&host, 22, Offer::KeyAlone, "id -un").stdout.is_empty() {
        assert!(Instant::now() < deadline, "it still lets a key alone in");
    }
    let scan = host.scan(&kept);
    // Known again at once where the last scan was long enough after the change, unknown else; never the old one.
    assert_eq!(scan.verdict("login"), "pass", "{}", scan.troubles());
    assert!(held().is_null() || held() == "as-it-is", "{}", held());
    // Once the files are older than the last scan that saw it before it began anew, it is known again.
    std::thread::sleep(Duration::from_secs(4));
    host.scan(&kept);
    host.must(&["kill", "-HUP", &pid.to_string()]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while held() != "as-it-is" {
        assert!(Instant::now() < deadline, "{}", held());
        let scan = host.scan(&kept);
        assert_eq!(scan.verdict("login"), "pass", "{}", scan.troubles());
    }
}

fn an_ordinary_user_sees_too_little() {
    let host = clean();
    let scan = host.scan_as(UID, &[]);
    assert_eq!((scan.code, scan.report["verdict"].as_str()), (2, Some("inconclusive")), "{}", scan.troubles());
    // The process of another user, and root's files.
    assert_eq!(scan.verdict("live"), "inconclusive", "{}", scan.troubles());
    assert!(CHECKS.iter().all(|check| scan.findings(check).is_empty()), "{}", scan.troubles());
    for check in CHECKS {
        let gaps = scan.result(check)["gaps"].as_array().unwrap();
        let said: BTreeSet<String> = gaps.iter().map(|gap| format!("{} {}", gap["subject"], gap["reason"])).collect();
        assert_eq!(said.len(), gaps.len(), "{check} says something twice: {gaps:#?}");
        // Of the host as a whole there may be several things to say (a socket each); of a file or a process, one.
        let named: Vec<String> =
            gaps.iter().filter(|gap| gap["subject"]["kind"] != "host").map(|gap| gap["subject"].to_string()).collect();
        let distinct: BTreeSet<&String> = named.iter().collect();
        assert_eq!(distinct.len(), named.len(), "{check} lists something twice: {gaps:#?}");
    }
}
