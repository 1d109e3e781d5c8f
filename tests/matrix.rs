//! Every way of tampering with a running server, each on an SSH server of its own beside a clean one, on every kind of file
//! system that a diskless node has as its root: each is named, and nobody else.
//!
//! `SSHPROOF_MATRIX=all` runs it on all of them and reads every page too; without it, on a squashfs beneath an overlay.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use common::intruder::{self, Helper, PMU, probe};
use common::login::two_factor;
use common::mimic::{self, Part, trial};
use common::namespace::{Host, On};
use common::poke::Victim;
use common::program::program;
use common::report::Scan;
use common::root::Root;
use sshproof::formats::elf::Elf;
use sshproof::formats::elf::binding::Tables;

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces, Part::Program("cc"), Part::File(PMU)];
    let packed = &[parts.as_slice(), &[Part::Program("mksquashfs"), Part::Filesystem("squashfs")]].concat();
    let mut trials = vec![trial("on_squashfs_beneath_an_overlay", packed, || matrix(On::Squashfs))];
    if everything() {
        trials.push(trial("on_an_overlay", parts, || matrix(On::Overlay)));
        trials.push(trial("in_memory", parts, || matrix(On::Tmpfs)));
        trials.push(trial("on_the_machines_own", parts, || matrix(On::Same)));
    }
    mimic::run(trials)
}

fn everything() -> bool {
    std::env::var("SSHPROOF_MATRIX").is_ok_and(|which| which == "all")
}

const SSHD: &str = "/usr/sbin/sshd";
const LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";
const SYMBOL: &str = "RSA_public_decrypt";

/// What is done to a server, and what is said of it.
const MATRIX: &[(&str, Tampering, &[&str])] = &[
    ("a byte of code", Tampering::Code { put_back: false }, &["live/text-modified"]),
    ("a byte of code, put back", Tampering::Code { put_back: true }, &["live/text-was-modified"]),
    ("a slot to another library", Tampering::Slot(To::OtherLibrary), &["live/relocation-redirected"]),
    ("a slot to another function", Tampering::Slot(To::OtherFunction), &["live/relocation-redirected"]),
    ("a slot to the middle of a function", Tampering::Slot(To::Middle), &["live/relocation-redirected"]),
    ("a slot to memory without a file", Tampering::Slot(To::Heap), &["live/relocation-redirected"]),
    (
        "a preloaded library",
        Tampering::Preload("/opt/between.so"),
        &["live/foreign-mapping", "live/relocation-redirected"],
    ),
    (
        "code in anonymous memory",
        Tampering::Preload("/opt/writer.so"),
        &["live/anonymous-code", "live/foreign-mapping", "live/memory-file", "live/writable-mapping"],
    ),
    ("a program in memory", Tampering::Memory, &["live/memory-file"]),
    ("a tracer", Tampering::Tracer, &["live/traced"]),
    ("a probe", Tampering::Probe, &["live/uprobe"]),
    ("a deleted program", Tampering::Deleted, &["live/deleted-executable"]),
    ("a replaced program", Tampering::Replaced, &["live/restart-needed"]),
];

#[derive(Clone, Copy)]
enum Tampering {
    Code { put_back: bool },
    Slot(To),
    Preload(&'static str),
    Memory,
    Tracer,
    Probe,
    Deleted,
    Replaced,
}

#[derive(Clone, Copy)]
enum To {
    OtherLibrary,
    OtherFunction,
    Middle,
    Heap,
}

fn matrix(on: On) {
    let root = root();
    let files = Files::of(&root);
    let host = Host::boot_on(root, program(), on);
    host.start_sshd(22, &[], &[SSHD]);
    let mut ends = Vec::new();
    let mut expected: BTreeMap<i32, (&str, BTreeSet<String>)> = BTreeMap::new();
    let twins: Vec<i32> = (2201..2204).map(|port| start(&host, port, &[], SSHD)).collect();
    for (mode, arguments) in modes() {
        let clean = host.scan(arguments);
        assert_eq!((clean.code, clean.verdict("live")), (0, "pass"), "{on:?} {mode}: {}", clean.troubles());
    }
    for (port, (name, tampering, codes)) in (2222_u16..).zip(MATRIX) {
        let (pid, end) = tamper(&host, &files, port, *tampering);
        ends.extend(end);
        expected.insert(pid, (name, codes.iter().map(|code| (*code).to_owned()).collect()));
    }
    for (mode, arguments) in modes() {
        let scan = host.scan(arguments);
        let mut found = named(&scan);
        for (pid, (name, codes)) in &expected {
            let found = found.remove(pid).unwrap_or_default();
            assert_eq!(&found, codes, "{on:?} {mode}: {name} (process {pid})\n{}", scan.troubles());
        }
        assert!(found.is_empty(), "{on:?} {mode}: {twins:?}, {found:?}\n{}", scan.troubles());
    }
    drop(ends);
}

fn modes() -> Vec<(&'static str, &'static [&'static str])> {
    let mut modes: Vec<(&str, &[&str])> = vec![("fast", &[])];
    if everything() {
        modes.push(("deep", &["--deep"]));
    }
    modes
}

/// The codes above informational about each process.
fn named(scan: &Scan) -> BTreeMap<i32, BTreeSet<String>> {
    let mut named: BTreeMap<i32, BTreeSet<String>> = BTreeMap::new();
    for finding in scan.findings("live") {
        let pid = finding["subject"]["pid"].as_i64().expect("each is about a process");
        named.entry(i32::try_from(pid).unwrap()).or_default().insert(finding["code"].as_str().unwrap().to_owned());
    }
    named
}

/// The host's root with the tools of the intruder.
fn root() -> Root {
    let root = two_factor();
    root.compile("/opt/between.so", "int pam_authenticate(void *h, int f) { return 7; }", &["-shared", "-fPIC"]);
    intruder::writer(&root);
    intruder::from_memory(&root);
    root.compile(
        "/opt/tracer",
        "#include <stdlib.h>\n#include <sys/ptrace.h>\n#include <unistd.h>\n\
         int main(int n, char **v) {\n\
           if (ptrace(PTRACE_SEIZE, atoi(v[1]), 0, 0)) return 1;\n\
           write(1, \"y\", 1);\n\
           char end; return read(0, &end, 1);\n\
         }\n",
        &[],
    );
    intruder::prober(&root);
    root
}

/// What is known of the files beforehand.
struct Files {
    entry: u64,
    /// Of the symbol in libcrypto, of another there, and of the word in sshd through which the first is called.
    own: u64,
    other: u64,
    slot: u64,
}

impl Files {
    fn of(root: &Root) -> Self {
        let sshd = std::fs::read(root.join(SSHD)).unwrap();
        let crypto = std::fs::read(root.join(&format!("{LIBRARIES}/libcrypto.so.3"))).unwrap();
        let tables = Tables::read(&Elf::parse(&crypto).unwrap()).unwrap();
        let value = |name: &str| {
            let is = |name: &str, wanted: u32| tables.name(wanted) == Some(name.as_bytes());
            tables.symbols.iter().find(|symbol| !symbol.is_undefined() && is(name, symbol.name)).unwrap().value
        };
        let (own, other) = (value(SYMBOL), value("RSA_sign"));
        let tables = Tables::read(&Elf::parse(&sshd).unwrap()).unwrap();
        let is = |index| tables.name(tables.symbol(index).unwrap().name) == Some(SYMBOL.as_bytes());
        let slot = tables.relocations.iter().find(|entry| entry.symbol != 0 && is(entry.symbol)).unwrap().address;
        Self { entry: u64::from_le_bytes(sshd[24..32].try_into().unwrap()), own, other, slot }
    }
}

fn start(host: &Host, port: u16, environment: &[(&str, &str)], program: &str) -> i32 {
    let words: Vec<&str> = program.split(' ').collect();
    let port_text = port.to_string();
    host.start_sshd(port, environment, &[&words[..], &["-p", &port_text, "-o", "PidFile=none"]].concat())
}

/// A server on `port`, tampered with; and what has to live on meanwhile.
fn tamper(host: &Host, files: &Files, port: u16, tampering: Tampering) -> (i32, Option<Helper>) {
    let plain = || start(host, port, &[], SSHD);
    match tampering {
        Tampering::Code { put_back } => {
            let pid = plain();
            let victim = Victim::new(host.outside(pid));
            let address = victim.base(SSHD) + files.entry;
            let [byte] = victim.read::<1>(address);
            victim.write(address, &[byte ^ 0x40]);
            if put_back {
                victim.write(address, &[byte]);
            }
            (pid, None)
        }
        Tampering::Slot(to) => {
            let pid = plain();
            let victim = Victim::new(host.outside(pid));
            let crypto = victim.base("/libcrypto.so.3");
            let target = match to {
                To::OtherLibrary => victim.code("/liblzma.so.5.4.1").start + 0x100,
                To::OtherFunction => crypto + files.other,
                To::Middle => crypto + files.own + 4,
                To::Heap => victim.base("[heap]") + 0x40,
            };
            let address = victim.base(SSHD) + files.slot;
            assert_eq!(u64::from_le_bytes(victim.read(address)), crypto + files.own, "the loader bound it");
            victim.write(address, &target.to_le_bytes());
            (pid, None)
        }
        Tampering::Preload(library) => (start(host, port, &[("LD_PRELOAD", library)], SSHD), None),
        Tampering::Memory => (start(host, port, &[], &format!("/opt/from-memory {SSHD}")), None),
        Tampering::Tracer => {
            let pid = plain();
            (pid, Some(Helper::start(host, &["/opt/tracer", &pid.to_string()])))
        }
        Tampering::Probe => {
            let pid = plain();
            (pid, Some(probe(host, SSHD, pid, &[files.entry])))
        }
        Tampering::Deleted => {
            host.must(&["cp", SSHD, "/opt/gone"]);
            let pid = start(host, port, &[], "/opt/gone");
            host.must(&["rm", "/opt/gone"]);
            (pid, None)
        }
        // It runs altered bytes from the place of the package's file, which then takes its place back.
        Tampering::Replaced => {
            host.must(&["cp", "-p", SSHD, "/usr/sbin/sshd.new"]);
            host.must(&["sh", "-c", "printf x >> /usr/sbin/sshd.new"]);
            host.must(&["mv", SSHD, "/usr/sbin/sshd.old"]);
            host.must(&["mv", "/usr/sbin/sshd.new", SSHD]);
            let pid = plain();
            host.must(&["mv", "/usr/sbin/sshd.old", SSHD]);
            (pid, None)
        }
    }
}
