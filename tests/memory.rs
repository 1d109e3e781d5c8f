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

use std::io::Read as _;
use std::process::{Child, ExitCode, Stdio};

use common::login::two_factor;
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::poke::Victim;
use common::report::Scan;

/// Where the kernel says which kind of perf event a uprobe is.
const PMU: &str = "/sys/bus/event_source/devices/uprobe/type";

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces];
    let compiled = &[Part::Packages, Part::Namespaces, Part::Program("cc"), Part::File(PMU)];
    let traced = &[Part::Packages, Part::Namespaces, Part::File("/sys/kernel/tracing")];
    mimic::run(vec![
        trial("a_changed_byte_of_code_is_named_and_so_is_one_put_back", parts, a_changed_byte_of_code),
        trial("changed_read_only_data_is_named", parts, changed_read_only_data),
        trial("a_changed_vdso_is_named", parts, a_changed_vdso),
        trial("a_uprobe_of_tracefs_is_named_with_its_line", traced, a_uprobe_of_tracefs),
        trial("a_uprobe_of_perf_is_named_with_its_holder", compiled, a_uprobe_of_perf),
        trial("one_of_two_hundred_processes_is_told_from_the_others", parts, one_of_two_hundred),
        trial("without_the_right_to_look_there_is_no_pass", parts, without_the_right_to_look),
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
    victim.write(address, &[byte]);
    assert_both(&host, pid, &["live/text-was-modified"]);
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

/// perf_event_open(2) leaves no line anywhere.
fn a_uprobe_of_perf() {
    let root = two_factor();
    root.compile(
        "/opt/prober",
        "#include <linux/perf_event.h>\n#include <stdlib.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
         int main(int n, char **v) {\n\
           struct perf_event_attr a = {0};\n\
           a.size = sizeof a; a.type = atoi(v[1]); a.uprobe_path = (unsigned long)v[2];\n\
           a.probe_offset = strtoul(v[3], 0, 0); a.sample_period = 1; a.wakeup_events = 1;\n\
           if (syscall(SYS_perf_event_open, &a, atoi(v[4]), -1, -1, 0) < 0) return 1;\n\
           write(1, \"y\", 1);\n\
           char end; return read(0, &end, 1);\n\
         }\n",
        &[],
    );
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let pid = host.start_sshd(2222, &[], &["/usr/sbin/sshd", "-p", "2222", "-o", "PidFile=none"]);
    host.scan(&[]).assert_clean();
    let kind = std::fs::read_to_string(PMU).unwrap();
    let offset = entry(&host).to_string();
    let prober = Helper::start(&host, &["/opt/prober", kind.trim(), "/usr/sbin/sshd", &offset, &pid.to_string()]);
    let scan = assert_both(&host, pid, &["live/uprobe"]);
    let said = scan.result("live").to_string();
    assert!(said.contains("(`/opt/prober`) holds `anon_inode:[perf_event]`"), "{said}");
    drop(prober);
    host.scan(&[]).assert_clean();
}

/// Connections that nobody has logged in on, each with its pair of processes, one of them in its empty chroot.
fn one_of_two_hundred() {
    let host = Host::boot(two_factor());
    let options = ["-o", "MaxStartups=300", "-o", "LoginGraceTime=600", "-o", "PidFile=none"];
    host.start_sshd(22, &[], &[&["/usr/sbin/sshd"], options.as_slice()].concat());
    let connect = "for i in $(seq 100); do exec {fd}<>/dev/tcp/127.0.0.1/22; printf 'SSH-2.0-x\\r\\n' >&$fd; done; printf y; read -r";
    let _connections = Helper::start(&host, &["bash", "-c", connect]);
    let count = "grep -l sshd /proc/[0-9]*/comm | wc -l";
    let start = std::time::Instant::now();
    while host.must(&["sh", "-c", count]).trim() != "201" {
        assert!(start.elapsed().as_secs() < 60, "the pairs do not come up");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let pids = |scan: &Scan| -> Vec<i32> {
        let servers = scan.report["servers"].as_array().unwrap();
        let pids = servers.iter().flat_map(|server| server["pids"].as_array().unwrap());
        pids.map(|pid| i32::try_from(pid.as_i64().unwrap()).unwrap()).collect()
    };
    let clean = host.scan(&[]);
    assert_eq!((clean.verdict("live"), clean.mandatory_gaps("live").len()), ("pass", 0), "{}", clean.troubles());
    let all = pids(&clean);
    assert_eq!(all.len(), 201, "{all:?}");
    let chosen = all[usize::try_from(std::process::id()).unwrap() % all.len()];
    let victim = Victim::new(host.outside(chosen));
    let address = victim.base("/usr/sbin/sshd") + entry(&host);
    let [byte] = victim.read::<1>(address);
    victim.write(address, &[byte ^ 0x40]);
    let scan = host.scan(&[]);
    assert_eq!(scan.codes_about(chosen), ["live/text-modified"], "{}", scan.troubles());
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

/// A program within the host that says `y` when it is ready, and ends with its handle.
struct Helper(Child);

impl Helper {
    fn start(host: &Host, command: &[&str]) -> Self {
        let mut child = host.command(command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).expect("it is ready");
        Self(child)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It reads to the end of its input; nsenter(1), which is killed more easily, would leave it behind.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
