//! The check `provenance` from a directory tree to findings: on small databases written by hand (`cases/`), and on roots
//! made of real packages, where `dpkg --verify` is the oracle.

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod look;
mod real;

use std::process::ExitCode;

use common::mimic;

fn main() -> ExitCode {
    let mut trials = cases::trials();
    trials.extend(real::trials());
    mimic::run(trials)
}
