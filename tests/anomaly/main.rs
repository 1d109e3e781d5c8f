//! The structural rules against real files: none may accuse what a distributor built, each must find what it was made for
//! in a program that still runs, and no damage makes the parser fail.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

#[path = "../common/mod.rs"]
mod common;

mod builds;
mod damage;
mod edits;
mod packages;
mod samples;

use std::process::ExitCode;

use builds::{BUILDS, PATCHES, built, patched};
use common::mimic::{self, Part, trial};
use edits::{EDITS, edited};

fn main() -> ExitCode {
    let compiler = Part::Program("x86_64-linux-gnu-gcc");
    let mut trials = vec![
        trial("no_hit_on_any_package_file", &[Part::Program("dpkg")], packages::no_hit_on_any_package_file),
        trial("a_program_as_built_breaks_no_rule", &[compiler], samples::a_program_as_built_breaks_no_rule),
        trial("mutations_never_panic_nor_hang", &[compiler], damage::mutations_never_panic_nor_hang),
        trial("names_agree_with_goblin", &[Part::Program("dpkg")], packages::names_agree_with_goblin),
    ];
    for case in EDITS {
        trials.push(trial(&format!("edited_{}", case.name), &[compiler], || edited(case)));
    }
    for case in BUILDS {
        trials.push(trial(&format!("built_{}", case.name), &[compiler], || built(case)));
    }
    for case in PATCHES {
        let parts = [compiler, Part::Program("patchelf")];
        trials.push(trial(&format!("patched_{}", case.name), &parts, || patched(case)));
    }
    mimic::run(trials)
}
