//! Programs built, or treated by patchelf, so that they break a rule.

use std::process::Command;

use sshproof::formats::elf::{Rule, parse};

use crate::common::root::run;
use crate::samples::{EXIT, PROGRAM, compile, exit_code, expect, program, rules, scratch_file};

pub struct Build {
    pub name: &'static str,
    rules: &'static [Rule],
    source: &'static str,
    arguments: &'static [&'static str],
}

pub const BUILDS: &[Build] = &[
    Build {
        name: "with_an_executable_stack",
        rules: &[Rule::ExecutableStack],
        source: PROGRAM,
        arguments: &["-Wl,-z,execstack"],
    },
    Build {
        name: "without_a_build_id",
        rules: &[Rule::NoBuildId],
        source: PROGRAM,
        arguments: &["-Wl,--build-id=none"],
    },
    Build {
        name: "with_a_foreign_runpath",
        rules: &[Rule::SearchPath],
        source: PROGRAM,
        arguments: &["-Wl,-rpath,/tmp/x"],
    },
    Build {
        name: "with_a_runpath_of_the_current_directory",
        rules: &[Rule::SearchPath],
        source: PROGRAM,
        arguments: &["-Wl,-rpath,/usr/lib:"],
    },
    Build {
        name: "with_a_system_runpath",
        rules: &[],
        source: PROGRAM,
        arguments: &["-Wl,-rpath,/usr/lib/x86_64-linux-gnu/openssh:$ORIGIN/../lib"],
    },
    Build {
        name: "by_two_compilers",
        rules: &[Rule::MixedCompilers],
        source: "__asm__(\".pushsection .comment\\n.string \\\"GCC: (X) 4.8.5\\\"\\n.popsection\"); int main(void) { return 7; }",
        arguments: &[],
    },
    Build { name: "with_an_auditor", rules: &[Rule::StandIn], source: PROGRAM, arguments: &["-Wl,--audit=libx.so"] },
    Build { name: "with_an_audited_library", rules: &[Rule::StandIn], source: PROGRAM, arguments: &["-Wl,-P,libx.so"] },
    Build { name: "position_dependent", rules: &[], source: PROGRAM, arguments: &["-no-pie"] },
    Build {
        name: "with_everything_in_one_segment",
        rules: &[],
        source: PROGRAM,
        arguments: &["-Wl,-z,noseparate-code"],
    },
    Build { name: "static", rules: &[], source: PROGRAM, arguments: &["-static-pie"] },
];

pub fn built(case: &'static Build) {
    expect(&compile(&format!("built-{}", case.name), case.source, case.arguments), case.rules);
}

pub struct Patch {
    pub name: &'static str,
    rules: &'static [Rule],
    arguments: &'static [&'static str],
}

pub const PATCHES: &[Patch] = &[
    Patch { name: "add_needed", rules: &[Rule::RewrittenNames], arguments: &["--add-needed", "libm.so.6"] },
    Patch {
        name: "needed_by_path",
        rules: &[Rule::RewrittenNames, Rule::LibraryPath],
        arguments: &["--add-needed", "/lib/x86_64-linux-gnu/libm.so.6"],
    },
    Patch {
        name: "set_runpath",
        rules: &[Rule::RewrittenNames, Rule::SearchPath],
        arguments: &["--set-rpath", "/var/tmp/.cache"],
    },
];

pub fn patched(case: &'static Patch) {
    let path = scratch_file(&format!("patched-{}", case.name));
    std::fs::write(&path, program()).unwrap();
    run(Command::new("patchelf").args(case.arguments).arg(&path));
    let bytes = std::fs::read(&path).unwrap();
    let record = parse(&bytes).unwrap();
    let found = rules(&record);
    assert!(case.rules.iter().all(|rule| found.contains(rule)), "{:#?}", record.anomalies);
    assert_eq!(exit_code(&format!("patched-{}", case.name), &bytes), Some(EXIT));
}
