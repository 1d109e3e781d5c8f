//! An SSH server whose code was changed in memory is named, with address, offset and bytes; its twin on the same host is
//! not. The files stay what they are all along.

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
use common::namespace::Host;
use common::poke::Victim;
use common::report::Scan;
use common::root::Root;
use sshproof::formats::base64;
use sshproof::formats::elf::Elf;
use sshproof::formats::elf::binding::Tables;
use sshproof::model::{Algorithm, Digest};

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces];
    let compiled = &[Part::Packages, Part::Namespaces, Part::Program("cc"), Part::File(PMU)];
    let optimised = &[Part::Packages, Part::Namespaces, Part::Program("cc"), Part::File(PMU), Part::Linux(6, 18)];
    let strace = &[Part::Packages, Part::Namespaces, Part::Program("strace")];
    let traced = &[Part::Packages, Part::Namespaces, Part::File("/sys/kernel/tracing")];
    mimic::run(vec![
        trial("a_changed_byte_of_code_is_named_and_so_is_one_put_back", parts, a_changed_byte_of_code),
        trial("changed_read_only_data_is_named", parts, changed_read_only_data),
        trial("a_changed_vdso_is_named", parts, a_changed_vdso),
        trial("a_uprobe_of_tracefs_is_named_with_its_line", traced, a_uprobe_of_tracefs),
        trial("a_uprobe_of_perf_is_named_with_its_holder", compiled, a_uprobe_of_perf),
        trial("a_uprobe_that_was_taken_out_is_told_by_the_page_it_leaves", compiled, a_uprobe_that_was_taken_out),
        trial("an_optimised_uprobe_is_one", optimised, an_optimised_uprobe),
        trial("one_of_many_processes_is_told_from_the_others", parts, || one_of_many(two_factor())),
        trial("one_of_many_sessions_of_openssh_10_is_told_from_the_others", parts, || {
            one_of_many(Root::of_release("trixie"));
        }),
        trial("only_code_and_what_the_loader_wrote_is_read", strace, only_code_is_read),
        trial("without_the_right_to_look_there_is_no_pass", parts, without_the_right_to_look),
        trial("three_rights_suffice_and_each_is_needed", parts, three_rights_suffice),
    ])
}

/// Both ways of looking.
const MODES: [&[&str]; 2] = [&[], &["--deep"]];

/// A host with a clean sshd on port 22, shown to be clean in both modes, and another on 2222 with its pid.
fn two_servers() -> (Host, i32) {
    let host = Host::boot(two_factor());
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let pid = host.start_sshd(2222, &[], &["/usr/sbin/sshd", "-p", "2222", "-o", "PidFile=none"]);
    for mode in MODES {
        host.scan(mode).assert_clean();
    }
    (host, pid)
}

/// Exactly these codes, all about `pid`, in both modes, and nothing else on the host.
fn assert_both(host: &Host, pid: i32, codes: &[&str]) -> Scan {
    let [fast, deep] = MODES.map(|mode| host.scan(mode));
    for scan in [&fast, &deep] {
        assert_eq!(scan.codes_about(pid), codes, "{}", scan.troubles());
        assert_eq!(scan.verdict("provenance"), "pass", "{}", scan.troubles());
        assert!(scan.mandatory_gaps("live").is_empty(), "{}", scan.troubles());
    }
    fast
}

/// The entry point: it ran once, when the process began.
fn entry(host: &Host) -> u64 {
    let file = std::fs::read(host.root().join("/usr/sbin/sshd")).unwrap();
    u64::from_le_bytes(file[24..32].try_into().unwrap())
}

fn a_changed_byte_of_code() {
    let (host, pid) = two_servers();
    let victim = Victim::new(host.outside(pid));
    let (address, offset) = (victim.base("/usr/sbin/sshd") + entry(&host), entry(&host));
    let [byte] = victim.read::<1>(address);
    victim.write(address, &[byte ^ 0x40]);
    let said = assert_both(&host, pid, &["live/text-modified"]).result("live").to_string();
    let told = format!("offset {offset:#x}, 1 byte: the file holds {byte:02x}, memory {:02x}", byte ^ 0x40);
    for expected in [told, format!("{address:x}"), "/usr/sbin/sshd".to_owned()] {
        assert!(said.contains(&expected), "{expected}: {said}");
    }
    assert_kept(&host, pid, address, byte ^ 0x40);
    victim.write(address, &[byte]);
    assert_both(&host, pid, &["live/text-was-modified"]);
}

/// The page is in the report, with the process's map, and can be left out.
fn assert_kept(host: &Host, pid: i32, address: u64, byte: u8) {
    let scan = host.scan(&[]);
    let capsules = scan.report["capsules"].as_array().unwrap();
    assert!(capsules.len() == 1 && capsules[0]["pid"] == pid && capsules[0]["left_out"].is_null(), "{capsules:?}");
    let pages = capsules[0]["pages"].as_array().unwrap();
    assert_eq!((pages.len(), pages[0]["address"].as_u64()), (1, Some(address & !0xfff)));
    let content = base64::decode(pages[0]["content"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!((content.len(), content[usize::try_from(address & 0xfff).unwrap()]), (4096, byte));
    let sum = Digest::of(Algorithm::Sha256, &content).to_string();
    assert_eq!(pages[0]["sha256"], sum);
    assert!(capsules[0]["maps"].to_string().contains("/usr/sbin/sshd"));
    let without = host.scan(&["--no-capsule"]);
    assert!(without.report["capsules"].is_null() && without.verdict("live") == "fail");
}

/// A byte of a library's ELF header: read-only, never executed.
fn changed_read_only_data() {
    let (host, pid) = two_servers();
    let victim = Victim::new(host.outside(pid));
    let address = victim.base("/libcrypto.so.3") + 0x3f;
    let [byte] = victim.read::<1>(address);
    victim.write(address, &[byte ^ 1]);
    let scan = assert_both(&host, pid, &["live/text-modified"]);
    assert!(
        scan.troubles().contains("read-only data of `/usr/lib/x86_64-linux-gnu/libcrypto.so.3`"),
        "{}",
        scan.troubles()
    );
}

fn a_changed_vdso() {
    let (host, pid) = two_servers();
    let victim = Victim::new(host.outside(pid));
    let address = victim.base("[vdso]") + 0x800;
    let [byte] = victim.read::<1>(address);
    victim.write(address, &[byte ^ 1]);
    assert_both(&host, pid, &["live/vdso-modified"]);
}

/// The list of probes is a list of all of this kernel, so the name is one that no other test takes.
fn a_uprobe_of_tracefs() {
    let (host, pid) = two_servers();
    let name = format!("sshproof_test_{}", std::process::id());
    host.must(&["mkdir", "-p", "/sys/kernel/tracing"]);
    host.must(&["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"]);
    let offset = entry(&host);
    let set = format!(
        "cd /sys/kernel/tracing; echo 'p:{name} /usr/sbin/sshd:{offset:#x}' >> uprobe_events; echo 1 > events/uprobes/{name}/enable"
    );
    let unset =
        format!("cd /sys/kernel/tracing; echo 0 > events/uprobes/{name}/enable; echo '-:{name}' >> uprobe_events");
    host.must(&["sh", "-c", &set]);
    let scans = MODES.map(|mode| host.scan(mode));
    host.must(&["sh", "-c", &unset]);
    // It is set in the file: both servers have it.
    for scan in &scans {
        let findings = scan.findings("live");
        assert!(findings.iter().all(|finding| finding["code"] == "live/uprobe"), "{}", scan.troubles());
        assert!(findings.iter().any(|finding| finding["subject"]["pid"] == pid), "{}", scan.troubles());
        let said = scan.result("live").to_string();
        assert!(said.contains(&format!("p:uprobes/{name} /usr/sbin/sshd:0x")), "{said}");
    }
    // The kernel puts the file's own page back.
    for mode in MODES {
        host.scan(mode).assert_clean();
    }
}

/// Sets breakpoints by perf_event_open(2), which leaves no line anywhere: at the offsets that stand in the file named last.
/// A host with a server that is to be probed.
fn probed() -> (Host, i32) {
    let root = two_factor();
    intruder::prober(&root);
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let pid = host.start_sshd(2222, &[], &["/usr/sbin/sshd", "-p", "2222", "-o", "PidFile=none"]);
    host.scan(&[]).assert_clean();
    (host, pid)
}

fn a_uprobe_of_perf() {
    let (host, pid) = probed();
    let place = entry(&host);
    let prober = probe(&host, "/usr/sbin/sshd", pid, &[place]);
    let said = assert_both(&host, pid, &["live/uprobe"]).result("live").to_string();
    assert!(said.contains("(`/opt/prober`) holds `anon_inode:[perf_event]`"), "{said}");
    drop(prober);
}

/// The kernel gives the file's page back, unless something else holds the copy at that moment: then the process keeps it,
/// with the file's bytes (`__uprobe_write` of kernel/events/uprobes.c). Of either, exactly that is said.
fn a_uprobe_that_was_taken_out() {
    let (host, pid) = probed();
    let place = entry(&host);
    let victim = Victim::new(host.outside(pid));
    let address = victim.base("/usr/sbin/sshd") + place;
    let mut seen = [false; 2];
    for round in 0..100 {
        drop(probe(&host, "/usr/sbin/sshd", pid, &[place]));
        let kept = victim.has_own_page(address);
        if !std::mem::replace(&mut seen[usize::from(kept)], true) {
            let codes: &[&str] = if kept { &["live/text-was-modified"] } else { &[] };
            assert_both(&host, pid, codes);
        }
        if seen == [true; 2] {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10 * (round % 5)));
    }
    // Whether a copy stays is the kernel's affair; that pages are given back is not.
    assert!(seen[0], "the kernel never gave the file's page back");
}

/// A no-op of five bytes that was hit becomes a call. The functions of Debian 12 begin with none, so a library that is no part
/// of the server brings it along.
fn an_optimised_uprobe() {
    let root = two_factor();
    intruder::prober(&root);
    root.compile(
        "/opt/hop.so",
        "#include <unistd.h>\n\
         __attribute__((aligned(64), visibility(\"default\"))) void hop(void) {\n\
           __asm__(\".globl hopped\\nhopped: .byte 0x0f, 0x1f, 0x44, 0, 0\");\n\
         }\n\
         __attribute__((constructor)) static void begin(void) {\n\
           for (int i = 0; i < 100; i++) hop();\n\
         }\n",
        &["-shared", "-fPIC"],
    );
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    host.scan(&[]).assert_clean();
    let library = std::fs::read(host.root().join("/opt/hop.so")).unwrap();
    let begins = |place: &usize| library[*place..].starts_with(&[0x0f, 0x1f, 0x44, 0, 0]);
    let nops = (0..library.len()).step_by(64).find(begins).unwrap() as u64;
    let prober = probe(&host, "/opt/hop.so", -1, &[nops]);
    // What puts itself into the background is a copy of what was hit: see `checks::live::probe`.
    let start = "/usr/sbin/sshd -D -p 2222 -o PidFile=none >/dev/null 2>&1 &";
    let pid = host.start_sshd(2222, &[("LD_PRELOAD", "/opt/hop.so")], &["sh", "-c", start]);
    let victim = Victim::new(host.outside(pid));
    let place = victim.base("/opt/hop.so") + nops;
    assert_eq!(victim.read::<1>(place), [0xe8], "the kernel makes it a call");
    let scan = assert_both(&host, pid, &["live/foreign-mapping", "live/probed", "live/uprobe"]);
    let uprobe = scan.findings("live").into_iter().find(|finding| finding["code"] == "live/uprobe").unwrap();
    assert_eq!(uprobe["subject"]["path"], "/opt/hop.so");
    assert!(uprobe.to_string().contains("the file holds 0f1f440000, memory e8"), "{uprobe}");
    drop(prober);
}

/// Connections that nobody has logged in on, each with its pair of processes, one of them in its empty chroot.
/// `SSHPROOF_CONNECTIONS` says how many.
fn one_of_many(root: Root) {
    let connections: usize = std::env::var("SSHPROOF_CONNECTIONS").map_or(20, |number| number.parse().unwrap());
    let host = Host::boot(root);
    let options = ["-o", "MaxStartups=500", "-o", "LoginGraceTime=600", "-o", "PidFile=none"];
    host.start_sshd(22, &[], &[&["/usr/sbin/sshd"], options.as_slice()].concat());
    let alone = host.scan(&[]);
    let connect = format!(
        "for i in $(seq {connections}); do exec {{fd}}<>/dev/tcp/127.0.0.1/22; printf 'SSH-2.0-x\\r\\n' >&$fd; done; printf y; read -r"
    );
    let _connections = Helper::start(&host, &["bash", "-c", &connect]);
    let count = "grep -l sshd /proc/[0-9]*/comm | wc -l";
    let start = std::time::Instant::now();
    let expected = 2 * connections + 1;
    while host.must(&["sh", "-c", count]).trim() != expected.to_string() {
        assert!(start.elapsed().as_secs() < 120, "the pairs do not come up");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let pids = |scan: &Scan| -> Vec<i32> {
        let servers = scan.report["servers"].as_array().unwrap();
        let pids = servers.iter().flat_map(|server| server["pids"].as_array().unwrap());
        pids.map(|pid| i32::try_from(pid.as_i64().unwrap()).unwrap()).collect()
    };
    let clean = host.scan(&[]);
    assert_eq!((clean.verdict("live"), clean.mandatory_gaps("live").len()), ("pass", 0), "{}", clean.troubles());
    assert!(clean.result("live")["findings"].as_array().unwrap().is_empty(), "{}", clean.result("live"));
    let all = pids(&clean);
    assert_eq!(all.len(), expected, "{all:?}");
    // Each of them alone, and what the second scan costs more than the first.
    let victims: Vec<Victim> = all.iter().map(|pid| Victim::new(host.outside(*pid))).collect();
    let resident = || -> Vec<u64> { victims.iter().map(Victim::resident).collect() };
    let before = resident();
    let again = host.scan(&[]);
    assert_eq!(resident(), before, "a scan makes no page of a server resident");
    let usage = |scan: &Scan, what: &str| scan.report["usage"][what].as_u64().unwrap();
    println!(
        "{expected} processes: {} ms CPU more than one (of {} ms), {} KiB at most, one {} KiB; their own {} KiB",
        usage(&again, "cpu_ms").saturating_sub(usage(&alone, "cpu_ms")),
        usage(&again, "cpu_ms"),
        usage(&again, "peak_rss_kib"),
        usage(&alone, "peak_rss_kib"),
        before.iter().sum::<u64>()
    );
    // Of a build without optimisation only the growth says something.
    let most =
        if std::env::var_os("SSHPROOF_PROGRAM").is_some() { 0 } else { usage(&alone, "peak_rss_kib") } + (16 << 10);
    assert!(usage(&again, "peak_rss_kib") <= most.max(32 << 10), "{}", again.report["usage"]);
    let chosen = all[usize::try_from(std::process::id()).unwrap() % all.len()];
    let victim = Victim::new(host.outside(chosen));
    let program = victim.program();
    let file = std::fs::read(host.root().join(&program)).unwrap();
    let address = victim.base(&program) + u64::from_le_bytes(file[24..32].try_into().unwrap());
    let [byte] = victim.read::<1>(address);
    victim.write(address, &[byte ^ 0x40]);
    let scan = host.scan(&[]);
    assert_eq!(scan.codes_about(chosen), ["live/text-modified"], "{}", scan.troubles());
    assert_eq!(scan.findings("live").len(), 1, "{}", scan.troubles());
}

/// Every address that the deepest scan reads of a server's memory, as the kernel is asked for it: in code and read-only data, in
/// pages that the loader made read-only, in the tables of calls of a library that is bound when it first calls. Outside of files
/// only the loader's list of them is read, whose entries lie in memory that it allocated; of the stack, nothing.
fn only_code_is_read() {
    let host = Host::boot(two_factor());
    let pid = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let victim = Victim::new(host.outside(pid));
    let scan = host.command(&[common::namespace::SSHPROOF, "scan", "--format", "json", "--deep"]);
    let log = host.root().path().join("run/strace");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-y", "-v", "-s", "0", "-e", "trace=pread64,process_vm_readv", "-o"]).arg(&log);
    strace.arg(scan.get_program()).args(scan.get_args()).env_clear().env("PATH", common::namespace::PATH);
    let scan = Scan::of(&strace.output().unwrap());
    assert_eq!(scan.verdict("live"), "pass", "{}", scan.troubles());
    let log = std::fs::read_to_string(&log).unwrap();
    let number = |text: &str| -> u64 {
        let hex = text.strip_prefix("0x");
        hex.map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16)).unwrap()
    };
    let mut reads: Vec<(u64, u64)> = Vec::new();
    for line in log.lines().filter(|line| line.contains("process_vm_readv(")) {
        for piece in line.split("iov_base=").skip(1).filter(|piece| piece.starts_with("0x")) {
            let (base, rest) = piece.split_once(", iov_len=").unwrap();
            reads.push((number(base), number(rest.split('}').next().unwrap())));
        }
    }
    for line in log.lines().filter(|line| line.contains(&format!("/{pid}/mem>"))) {
        let arguments = line.rsplit_once(')').unwrap().0;
        let mut from_behind = arguments.rsplit(", ");
        let (offset, length) = (from_behind.next().unwrap(), from_behind.next().unwrap());
        reads.push((number(offset), number(length)));
    }
    let maps = victim.maps();
    let (mut of_files, mut of_lists) = (0, 0);
    let mut relocated: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for (address, length) in reads {
        let map = maps.iter().find(|map| (map.start..map.end).contains(&address));
        let map = map.unwrap_or_else(|| panic!("{address:#x} is not mapped: {maps:#?}"));
        let written = map.permissions.contains('w');
        match map.path.as_str() {
            path if path.starts_with('/') && !written => of_files += length,
            // The head of the list, and the loader's own entry.
            path if path.contains("/ld-linux") && length <= 512 => of_lists += length,
            // Words that the loader relocates, and each of them.
            path if path.starts_with('/') => {
                let words = relocated.entry(path.to_owned()).or_insert_with(|| relocations(&host, path));
                let base = victim.base(path);
                let of = (address..address + length).step_by(8);
                of.for_each(|word| assert!(words.contains(&(word - base)), "{word:#x} of `{path}` is read"));
                of_files += length;
            }
            "[vdso]" => of_files += length,
            // An entry of the list, or the name in it.
            "" | "[heap]" if length <= 512 => of_lists += length,
            path => panic!("{length} bytes at {address:#x} of `{path}` {} are read", map.permissions),
        }
    }
    assert!(of_files > 1 << 20, "{of_files}");
    println!("{of_files} bytes of code and relocated words read, {of_lists} of the loader's list");
    assert!(of_lists < 64 << 10, "{of_lists}");
}

/// Where the loader of `path` writes, from the beginning of its mapping.
fn relocations(host: &Host, path: &str) -> BTreeSet<u64> {
    let file = std::fs::read(host.root().join(path)).unwrap();
    let tables = Tables::read(&Elf::parse(&file).unwrap()).unwrap();
    tables.relocations.iter().map(|entry| entry.address).collect()
}

/// Root without the right to look into other processes.
fn without_the_right_to_look() {
    let host = Host::boot(two_factor());
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    host.scan(&[]).assert_clean();
    let command = ["setpriv", "--bounding-set", "-sys_ptrace", "--", common::namespace::SSHPROOF];
    let arguments = ["scan", "--format", "json"];
    let scan = Scan::of(&host.run(&[command.as_slice(), &arguments].concat()));
    assert_ne!(scan.verdict("live"), "pass", "{}", scan.troubles());
    assert!(!scan.mandatory_gaps("live").is_empty() && scan.findings("live").is_empty(), "{}", scan.troubles());
}

/// What suffices for every fact about a process, and what is said without each, by a part of the reason.
const RIGHTS: [(&str, &str); 3] = [
    ("dac_read_search", "the process that listens on `[::]:22` could not be found"),
    ("sys_ptrace", "could not be found, and it may be an SSH server"),
    ("checkpoint_restore", "CAP_CHECKPOINT_RESTORE"),
];

/// Somebody who is not root and has these capabilities and no other.
fn scan_with(host: &Host, rights: &[&str], facts: &str) -> Scan {
    let of = |none: &str| rights.iter().fold(none.to_owned(), |all, right| format!("{all},+{right}"));
    let (inherited, bounding) = (of("-all"), of("-all"));
    let mut command = vec!["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"];
    command.extend(["--inh-caps", &inherited, "--ambient-caps", &inherited, "--bounding-set", &bounding, "--"]);
    command.extend([common::namespace::SSHPROOF, "scan", "--format", "json", "--facts-out", facts]);
    Scan::of(&host.run(&command))
}

fn three_rights_suffice() {
    let host = Host::boot(two_factor());
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    host.must(&["mkdir", "-m", "0777", "/run/facts"]);
    let processes = |name: &str| -> serde_json::Value {
        let facts: serde_json::Value = serde_json::from_str(&host.root().read(name)).unwrap();
        facts["roots"][0]["processes"].clone()
    };
    let root = host.scan(&["--facts-out", "/run/facts/root"]);
    root.assert_clean();
    let all = RIGHTS.map(|(right, _)| right);
    let scan = scan_with(&host, &all, "/run/facts/three");
    assert_eq!(scan.verdict("live"), "pass", "{}", scan.troubles());
    assert!(scan.mandatory_gaps("live").is_empty(), "{}", scan.troubles());
    assert_eq!(processes("/run/facts/three"), processes("/run/facts/root"));
    for (number, (missing, reason)) in RIGHTS.into_iter().enumerate() {
        let others: Vec<&str> = all.into_iter().filter(|right| *right != missing).collect();
        let scan = scan_with(&host, &others, &format!("/run/facts/{number}"));
        assert_eq!((scan.verdict("live"), scan.code), ("inconclusive", 2), "{missing}: {}", scan.troubles());
        assert!(scan.findings("live").is_empty(), "{missing}: {}", scan.troubles());
        let all = scan.result("live")["gaps"].to_string();
        let expected = format!("runs without CAP_{}, which", missing.to_uppercase());
        assert!(all.contains(&expected), "{missing}: {all}");
        let gaps = scan.mandatory_gaps("live");
        let told = gaps.iter().any(|gap| gap["reason"].as_str().unwrap().contains(reason));
        assert!(told, "{missing}: {}", scan.troubles());
    }
}
