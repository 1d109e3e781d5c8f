//! Two sshd on one host, one of them not what its file says: the finding names that one and leaves its twin alone.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::process::ExitCode;

use common::login::two_factor;
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::report::Scan;

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces];
    mimic::run(vec![
        trial("a_preloaded_sshd_is_told_from_its_twin", parts, a_preloaded_sshd_is_told_from_its_twin),
        trial("a_replaced_sshd_is_told_from_its_twin", parts, a_replaced_sshd_is_told_from_its_twin),
        trial("a_deleted_sshd_is_told_from_its_twin", parts, a_deleted_sshd_is_told_from_its_twin),
    ])
}

/// Every process that a live finding speaks about is `pid`, and there is such a finding of `code`.
fn assert_accuses(scan: &Scan, pid: i32, code: &str) {
    let findings = scan.findings("live");
    let pids: Vec<i64> = findings.iter().filter_map(|finding| finding["subject"]["pid"].as_i64()).collect();
    assert_eq!(pids.len(), findings.len(), "{}", scan.troubles());
    assert!(!pids.is_empty() && pids.iter().all(|found| *found == i64::from(pid)), "{pid}: {}", scan.troubles());
    assert!(findings.iter().any(|finding| finding["code"] == code), "{code}: {}", scan.troubles());
    assert_eq!(scan.verdict("live"), "fail");
}

fn a_preloaded_sshd_is_told_from_its_twin() {
    let root = two_factor();
    root.compile("/opt/foreign.so", "int foreign_symbol(void) { return 7; }", &["-shared", "-fPIC"]);
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let control = host.scan(&[]);
    control.assert_clean();
    let preloaded = host.start_sshd(
        2222,
        &[("LD_PRELOAD", "/opt/foreign.so")],
        &["/usr/sbin/sshd", "-p", "2222", "-o", "PidFile=none"],
    );
    let scan = host.scan(&[]);
    assert_accuses(&scan, preloaded, "live/foreign-mapping");
    assert!(scan.troubles().contains("/opt/foreign.so"), "{}", scan.troubles());
    scan.assert_only(&control, &["live"]);
}

/// The file was replaced by other bytes, as an upgrade does and an intruder does; the process still executes what no file
/// holds any more.
fn a_replaced_sshd_is_told_from_its_twin() {
    let root = two_factor();
    root.write("/opt/sshd", std::fs::read(root.join("/usr/sbin/sshd")).unwrap());
    root.chmod("/opt/sshd", 0o755);
    root.flip_in("/opt/sshd", "usage: sshd");
    let host = Host::boot(root);
    // The one that starts first runs altered bytes from the place of the package's file, which then takes its place back.
    host.must(&["mv", "/usr/sbin/sshd", "/opt/original"]);
    host.must(&["mv", "/opt/sshd", "/usr/sbin/sshd"]);
    let replaced = host.start_sshd(2222, &[], &["/usr/sbin/sshd", "-p", "2222", "-o", "PidFile=none"]);
    host.must(&["mv", "/opt/original", "/usr/sbin/sshd"]);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let scan = host.scan(&[]);
    let said = scan.result("live").to_string();
    assert_eq!(scan.verdict("provenance"), "pass", "{}", scan.troubles());
    // Without signed history nobody can say whether the bytes were an earlier package's: the process must be restarted
    // before we can tell, which is a gap that names it, not an accusation.
    assert_ne!(scan.verdict("live"), "pass", "{}", scan.troubles());
    assert!(said.contains("live/restart-needed") && said.contains(&format!("\"pid\":{replaced},")), "{said}");
    let twin = i64::from(twin_of(&scan, replaced));
    assert!(!said.contains(&format!("\"pid\":{twin},")), "the twin {twin} is named: {said}");
}

/// The listener on port 22.
fn twin_of(scan: &Scan, other: i32) -> i32 {
    let servers = scan.report["servers"].as_array().unwrap();
    let pids =
        servers.iter().flat_map(|server| server["pids"].as_array().unwrap()).filter_map(serde_json::Value::as_i64);
    let others: Vec<i32> = pids.map(|pid| i32::try_from(pid).unwrap()).filter(|pid| *pid != other).collect();
    assert_eq!(others.len(), 1, "{servers:#?}");
    others[0]
}

/// No file of that name is left: what runs cannot be an upgrade's predecessor.
fn a_deleted_sshd_is_told_from_its_twin() {
    let root = two_factor();
    root.write("/opt/gone", std::fs::read(root.join("/usr/sbin/sshd")).unwrap());
    root.chmod("/opt/gone", 0o755);
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let deleted = host.start_sshd(2222, &[], &["/opt/gone", "-p", "2222", "-o", "PidFile=none"]);
    host.must(&["rm", "/opt/gone"]);
    assert_accuses(&host.scan(&[]), deleted, "live/deleted-executable");
}
