//! What rpm's records and their signatures add to a scan: `cargo bench --bench rpm`. Needs root and what `tests/run` installs;
//! for the second figure the foreign databases (`SSHPROOF_CORPORA`).
//!
//! Measures in this process, on a root of forty packages made for it. CPU is user and system time of the process.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/rpm_database.rs"]
mod rpm_database;
#[path = "../tests/common/rpm_host.rs"]
mod rpm_host;

use nix::sys::resource::{UsageWho, getrusage};
use rpm_host::{Host, Key};
use sshproof::formats::rpm::header::Header;
use sshproof::formats::rpm::{files, signature};
use sshproof::knowledge::VendorKeys;
use sshproof::model::report::Trust;
use sshproof::trust::Outcome;
use sshproof::trust::keyring::Keyring;

/// Runs of each measurement; the median is printed.
const ROUNDS: usize = 21;

fn main() {
    // `cargo test --benches` and `cargo clippy` build us; only `cargo bench` wants figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    surface();
    database();
    println!("the pinned keys, read once a scan: {:.2} ms CPU", median(|| drop(VendorKeys::embedded())));
}

/// The same root with its database and without: what is read of it, and what its signatures cost.
fn surface() {
    let host = Host::build_in_pieces(Key::vendor(), 38);
    let report = host.scan();
    assert_eq!(report.trust_floor, Some(Trust::VendorSigned));
    let packages: std::collections::BTreeSet<_> = report.files.iter().filter_map(|file| file.package.clone()).collect();
    let with = median(|| drop(host.scan()));
    let keys = host.root.join("etc/pki/rpm-gpg");
    // As on a Fedora host: the keys of every release, armoured.
    if let Some(corpora) = common::mimic::corpora() {
        for (nth, entry) in std::fs::read_dir(corpora.join("keys")).unwrap().enumerate() {
            let path = entry.unwrap().path();
            for copy in 0..10 {
                std::fs::copy(&path, keys.join(format!("other-{nth}-{copy}"))).unwrap();
            }
        }
    }
    let with_keys = median(|| drop(host.scan()));
    std::fs::remove_dir_all(host.root.join("var/lib/rpm")).unwrap();
    let without = median(|| drop(host.scan()));
    println!(
        "{} packages, {} files: {with:.1} ms CPU with the database, {with_keys:.1} with 100 key files more, {without:.1} without \
         it: {:.1} ms for records and signatures",
        packages.len(),
        report.files.len(),
        with - without
    );
}

/// Every header of the foreign databases: parsed, its signatures checked, its files expanded.
fn database() {
    let Some(corpora) = common::mimic::corpora() else {
        println!("no SSHPROOF_CORPORA: the cost of a whole database was not measured");
        return;
    };
    let mut keyring = Keyring::default();
    for entry in std::fs::read_dir(corpora.join("keys")).unwrap() {
        let path = entry.unwrap().path();
        keyring.add(path.to_str().unwrap(), &std::fs::read(&path).unwrap());
    }
    for name in ["centos6.Packages", "sle.Packages.db", "fedora33.rpmdb.sqlite"] {
        let mut count = 0;
        let cpu = median(|| {
            count = 0;
            for blob in rpm_database::blobs(name) {
                let header = Header::parse(&blob).unwrap();
                let signed = header.signed();
                for packets in signature::packets(&header).unwrap() {
                    let checked = keyring.check(&signed, &packets);
                    count += usize::from(matches!(checked[0].outcome, Outcome::Good(_)));
                }
                files::files(&header, &|_| true).unwrap();
            }
        });
        println!("{name}: {count} signatures, {:.2} ms CPU for each package", cpu / count as f64);
    }
}

/// Median CPU milliseconds of `work`.
fn median(mut work: impl FnMut()) -> f64 {
    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
        let millis = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
        millis(usage.user_time()) + millis(usage.system_time())
    };
    work();
    let mut all: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = cpu();
            work();
            cpu() - start
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[ROUNDS / 2]
}
