//! Debian with openssh-server as its packages leave it: nothing is wrong but that a password alone logs in.

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
    mimic::run(vec![
        trial("running", &[Part::Packages, Part::Namespaces], running),
        trial("as_an_image", &[Part::Packages], as_an_image),
    ])
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
