//! What a default scan costs, warm, beside what parts of it and well-known programs cost on the same files:
//! `cargo bench --bench scan`. Needs root and what `tests/run` installs.
//!
//! Measures the static release on a host made for it (Debian packages, two factors, one sshd running). CPU is user and
//! system time of the whole process as the shell's `time` has it from the kernel; memory the peak resident set. On a shared
//! machine CPU time is steadier than wall time, and still moves by a fifth: run it twice.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::process::Command;

use common::login::two_factor;
use common::namespace::{Host, SSHPROOF};
use common::report::CHECKS;

/// Runs of each row; the median is printed.
const ROUNDS: usize = 11;

fn main() {
    // `cargo test --benches` and `cargo clippy` build us; only `cargo bench` wants figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let said = common::root::run(Command::new(project.join("packaging/static")).current_dir(project));
    let program = project.join(said.trim());
    let host = Host::boot_with(two_factor(), &program);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let scan = host.scan(&[]);
    println!("{}", scan.troubles());
    let usage = &scan.report["usage"];
    println!(
        "\nsurface: {} files, {:.1} MB read, peak resident set {:.1} MiB\n",
        scan.surface().len(),
        usage["bytes_read"].as_f64().unwrap() / 1e6,
        usage["peak_rss_kib"].as_f64().unwrap() / 1024.0
    );
    println!("{:<58} {:>8} {:>8} {:>8}", "median of 11, warm", "user ms", "sys ms", "CPU ms");
    let row = |what: &str, command: &str| {
        let (user, system) = cost(&host, command);
        println!("{what:<58} {user:>8.0} {system:>8.0} {:>8.0}", user + system);
    };
    row("sshproof scan", &format!("{SSHPROOF} scan --format json"));
    for check in CHECKS {
        row(&format!("sshproof scan --check {check}"), &format!("{SSHPROOF} scan --format json --check {check}"));
    }
    row("sshproof --version (start-up)", &format!("{SSHPROOF} --version"));
    host.root().write("/tmp/surface", scan.surface().join("\n") + "\n");
    row("sha256sum of the surface (coreutils)", "xargs sha256sum < /tmp/surface");
    row("md5sum of the surface (coreutils)", "xargs md5sum < /tmp/surface");
    let packages = packages(&scan);
    row(&format!("dpkg --verify of its {} packages", packages.len()), &format!("dpkg --verify {}", packages.join(" ")));
}

/// The packages that own files of the surface.
fn packages(scan: &common::report::Scan) -> Vec<String> {
    let files = scan.report["files"].as_array().unwrap();
    let owners = files.iter().filter_map(|file| file["package"].as_str()?.split_whitespace().next());
    owners.map(str::to_owned).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Median user and system milliseconds of a command on the host.
fn cost(host: &Host, command: &str) -> (f64, f64) {
    let script = format!("TIMEFORMAT='%3U %3S'; time {command} >/dev/null 2>&1 || true");
    let once = || {
        let output = host.run(&["bash", "-c", &script]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut seconds = said.split_whitespace().map(|word| word.parse::<f64>().unwrap() * 1000.0);
        (seconds.next().unwrap(), seconds.next().unwrap())
    };
    once();
    let mut runs: Vec<(f64, f64)> = (0..ROUNDS).map(|_| once()).collect();
    runs.sort_by(|one, other| (one.0 + one.1).total_cmp(&(other.0 + other.1)));
    runs[ROUNDS / 2]
}
