//! The check `provenance` from a directory tree to findings: on small databases written by hand (`cases/`), and on roots
//! made of real packages, where `dpkg --verify` is the oracle.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

#[path = "../common/mod.rs"]
mod common;

mod archive;
mod cases;
mod look;
mod manifest;
mod real;

use std::process::ExitCode;

use common::mimic;

fn main() -> ExitCode {
    let mut trials = cases::trials();
    trials.extend(real::trials());
    trials.extend(archive::trials());
    trials.extend(manifest::trials());
    mimic::run(trials)
}
