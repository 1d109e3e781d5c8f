//! Debian with openssh-server as its packages leave it: nothing is wrong but that a password alone logs in. Other releases
//! where `SSHPROOF_RELEASES=bullseye,bookworm,trixie` asks for them.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::process::ExitCode;

use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::report::{CHECKS, Scan};
use common::root::Root;

fn main() -> ExitCode {
    let mut trials = vec![
        trial("running", &[Part::Packages, Part::Namespaces], running),
        trial("as_an_image", &[Part::Packages], as_an_image),
    ];
    let asked = std::env::var("SSHPROOF_RELEASES").unwrap_or_default();
    for release in
        ["bullseye", "bookworm", "trixie"].into_iter().filter(|one| asked.split(',').any(|asked| asked == *one))
    {
        trials.push(trial(&format!("login_of_{release}"), &[Part::Packages], move || login_of(release)));
    }
    mimic::run(trials)
}

/// A release as installed, whichever sshd it has: a password alone logs in, told in one sentence.
fn login_of(release: &str) {
    let root = Root::of_release(release);
    root.chroot(&["useradd", "--create-home", "--shell", "/bin/bash", "bob"]);
    let scan = Scan::image(root.path(), &[]);
    assert_single_factor(&scan);
    let sentence = "any account but `root` can log in from anywhere with nothing but the password (by `password`): one of the two \
                    authenticators that policy demands";
    let findings = scan.findings("login");
    assert!(findings.iter().any(|finding| finding["message"] == sentence), "{findings:#?}");
}

/// Nothing above informational except login, refuted with the password as the single authenticator, decided by lines that
/// are named.
fn assert_single_factor(scan: &Scan) {
    assert_eq!(scan.verdict("login"), "fail", "{}", scan.troubles());
    let findings = scan.findings("login");
    assert!(findings.iter().all(|finding| finding["code"] == "login/single-factor-path"), "{findings:#?}");
    let login = &scan.report["login"][0];
    assert_eq!((login["proof"].as_str(), login["authenticators"].as_u64()), (Some("refuted"), Some(1)), "{login:#}");
    let ways = login["counterexamples"].as_array().unwrap();
    let password = ways.iter().find(|way| way["factors"].to_string().contains("password"));
    let password = password.unwrap_or_else(|| panic!("no way in with a password: {login:#}"));
    assert_eq!(password["factors"].as_array().unwrap().len(), 1, "{password:#}");
    let decided_by = password["decided_by"].to_string();
    assert!(decided_by.contains("/etc/pam.d/common-auth:17") && decided_by.contains("pam_unix.so"), "{decided_by}");
    assert!(!password["fix"].as_str().unwrap().is_empty(), "{password:#}");
}

fn running() {
    let root = Root::stock();
    root.chroot(&["useradd", "--create-home", "--shell", "/bin/bash", "bob"]);
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let scan = host.scan(&[]);
    for check in CHECKS.iter().filter(|check| **check != "login") {
        assert_eq!(scan.verdict(check), "pass", "{}", scan.troubles());
        assert!(scan.findings(check).is_empty(), "{}", scan.troubles());
    }
    assert_single_factor(&scan);
    assert_eq!((scan.code, scan.report["verdict"].as_str()), (1, Some("fail")));
    assert_eq!(scan.report["classes"]["exposure"], "fail");
    assert_ne!(scan.report["classes"]["compromise"], "fail");
}

/// The same root judged from outside: live does not apply, all else is as on the running host.
fn as_an_image() {
    let root = Root::stock();
    root.chroot(&["useradd", "--create-home", "--shell", "/bin/bash", "bob"]);
    let scan = Scan::image(root.path(), &[]);
    let expected = [("provenance", "pass"), ("live", "not-applicable"), ("backdoor", "pass"), ("anomaly", "pass")];
    for (check, verdict) in expected.into_iter().chain([("login", "fail"), ("hygiene", "pass")]) {
        assert_eq!(scan.verdict(check), verdict, "{check}\n{}", scan.troubles());
    }
    assert_single_factor(&scan);
}
