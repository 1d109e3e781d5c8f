//! An SSH server that executes anything but the files that were looked at is named, with what it executes instead; its
//! twin beside it is not.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use common::intruder;
use common::login::two_factor;
use common::mimic::{self, Part, trial};
use common::namespace::{Host, On};
use common::program::program;
use sshproof::formats::base64;

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces, Part::Program("cc")];
    let disk = &[Part::Packages, Part::Namespaces, Part::Program("mke2fs")];
    mimic::run(vec![
        trial("code_in_memory_is_named", parts, code_in_memory_is_named),
        trial("a_deleted_library_is_foreign_still", parts, a_deleted_library_is_foreign_still),
        trial("a_tracer_is_named", parts, a_tracer_is_named),
        trial("the_same_bytes_again_are_no_trouble", parts, the_same_bytes_again_are_no_trouble),
        trial("a_block_that_changes_beneath_a_mapped_file_is_named", disk, a_changed_block),
        trial("an_overlay_is_judged_by_content", parts, || judged_by_content(On::Overlay)),
        trial("a_root_in_memory_is_judged_by_content", parts, || judged_by_content(On::Tmpfs)),
    ])
}

const OPTIONS: [&str; 4] = ["-p", "2222", "-o", "PidFile=none"];

/// A library that makes executable memory and an sshd that runs from a file in memory.
fn code_in_memory_is_named() {
    let root = two_factor();
    intruder::writer(&root);
    intruder::from_memory(&root);
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let control = host.scan(&[]);
    assert_eq!(control.verdict("live"), "pass", "{}", control.troubles());

    let preload = [("LD_PRELOAD", "/opt/writer.so")];
    let pid = host.start_sshd(2222, &preload, &[&["/usr/sbin/sshd"], OPTIONS.as_slice()].concat());
    let scan = host.scan(&[]);
    let expected = ["live/anonymous-code", "live/foreign-mapping", "live/memory-file", "live/writable-mapping"];
    assert_eq!(scan.codes_about(pid), expected, "{}", scan.troubles());
    scan.assert_only(&control, &["live"]);
    // The code that lies nowhere else is kept: `ret`, and nothing behind it.
    let kept = scan.report["capsules"][0]["pages"].as_array().unwrap();
    let code = |page: &serde_json::Value| base64::decode(page["content"].as_str().unwrap().as_bytes()).unwrap();
    assert!(kept.iter().any(|page| page["path"] == "" && code(page).starts_with(&[0xc3, 0])), "{kept:?}");
    assert!(control.report["capsules"].is_null());
    host.must(&["kill", &pid.to_string()]);
    wait_until("the preloaded server ends", || !host.listens(2222));

    let pid = host.start_sshd(2222, &[], &[&["/opt/from-memory", "/usr/sbin/sshd"], OPTIONS.as_slice()].concat());
    let scan = host.scan(&[]);
    assert_eq!(scan.codes_about(pid), ["live/memory-file"], "{}", scan.troubles());
    assert!(scan.troubles().contains("/memfd:x"), "{}", scan.troubles());
}

/// Deleting the file afterwards hides nothing.
fn a_deleted_library_is_foreign_still() {
    let root = two_factor();
    root.compile("/usr/lib/libforeign.so.1", "int foreign_symbol(void) { return 7; }", &["-shared", "-fPIC"]);
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let preload = [("LD_PRELOAD", "/usr/lib/libforeign.so.1")];
    let pid = host.start_sshd(2222, &preload, &[&["/usr/sbin/sshd"], OPTIONS.as_slice()].concat());
    host.must(&["rm", "/usr/lib/libforeign.so.1"]);
    let scan = host.scan(&[]);
    assert_eq!(scan.codes_about(pid), ["live/foreign-mapping"], "{}", scan.troubles());
    assert!(scan.troubles().contains("/usr/lib/libforeign.so.1"), "{}", scan.troubles());
}

fn a_tracer_is_named() {
    let root = two_factor();
    root.compile(
        "/opt/tracer",
        "#include <stdlib.h>\n#include <sys/ptrace.h>\n#include <unistd.h>\n\
         int main(int n, char **v) {\n\
           if (ptrace(PTRACE_SEIZE, atoi(v[1]), 0, 0)) return 1;\n\
           write(1, \"y\", 1);\n\
           for (;;) pause();\n\
         }\n",
        &[],
    );
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let pid = host.start_sshd(2222, &[], &[&["/usr/sbin/sshd"], OPTIONS.as_slice()].concat());
    let _tracer = Tracer::start(&host, pid);
    let scan = host.scan(&[]);
    assert_eq!(scan.codes_about(pid), ["live/traced"], "{}", scan.troubles());
}

/// Everybody still reads and executes what the package delivered; the next boot will not.
fn a_changed_block() {
    let host = Host::boot_on(two_factor(), program(), On::Disk);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let clean = host.scan(&["--deep", "--facts-out", "/run/facts.json"]);
    assert_eq!((clean.code, clean.verdict("live")), (0, "pass"), "{}", clean.troubles());
    let facts: serde_json::Value = serde_json::from_str(&host.root().read("/run/facts.json")).unwrap();
    let same = facts["roots"][0]["medium"]["same"].as_u64();
    assert!(same > Some(20), "{}", facts["roots"][0]["medium"]);
    // What remembers compares once, and tells so.
    let kept = ["--spool", "/run/spool", "--state", "/run/state", "--facts-out", "/run/facts.json"];
    for (key, other) in [("same", "earlier"), ("earlier", "same")] {
        let scan = host.scan(&kept);
        assert_eq!((scan.code, scan.verdict("live")), (0, "pass"), "{}", scan.troubles());
        let facts: serde_json::Value = serde_json::from_str(&host.root().read("/run/facts.json")).unwrap();
        let medium = &facts["roots"][0]["medium"];
        assert_eq!((medium[key].as_u64(), medium[other].as_u64().unwrap_or(0)), (same, 0), "{medium}");
        let told = scan.result("live")["gaps"].to_string().contains("by an earlier scan of this boot");
        assert_eq!(told, key == "earlier");
    }
    // Another name for the same file, since the host has covered the directory.
    let image = host.root().path().join("srv/programs.img");
    let bytes = std::fs::read(&image).unwrap();
    let marker = b"usage: sshd";
    let place = bytes.windows(marker.len()).position(|window| window == marker).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&image).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"U", place as u64).unwrap();
    file.sync_all().unwrap();
    let scan = host.scan(&["--deep"]);
    assert_eq!(scan.accused("live"), ["live/cache-differs-from-medium /usr/sbin/sshd"], "{}", scan.troubles());
    assert_eq!(scan.verdict("provenance"), "pass", "{}", scan.troubles());
    // The next boot forgets what was compared in this one.
    let state = host.root().read("/run/state/compared.json");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    host.root().write("/run/state/compared.json", state.replace(boot.trim(), "another"));
    let scan = host.scan(&kept);
    assert_eq!(scan.accused("live"), ["live/cache-differs-from-medium /usr/sbin/sshd"], "{}", scan.troubles());
    // What is executed is what the package delivered: that is all that a scan without either asks.
    let shallow = host.scan(&[]);
    assert_eq!(shallow.verdict("live"), "pass", "{}", shallow.troubles());
    assert!(shallow.report["not_covered"].to_string().contains("medium behind the page cache"));
}

/// What a package's reinstallation does: another inode, the same bytes.
fn the_same_bytes_again_are_no_trouble() {
    let host = Host::boot(two_factor());
    let pid = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    host.must(&["cp", "-a", "/usr/sbin/sshd", "/usr/sbin/sshd.new"]);
    host.must(&["mv", "/usr/sbin/sshd.new", "/usr/sbin/sshd"]);
    let scan = host.scan(&[]);
    assert_eq!(scan.verdict("live"), "pass", "{}", scan.troubles());
    let all = scan.result("live")["findings"].as_array().unwrap();
    assert!(
        all.iter().all(|finding| finding["code"] == "live/reinstalled" && finding["subject"]["pid"] == pid),
        "{all:#?}"
    );
    assert_eq!(all.len(), 1);
}

/// Wherever its root lies, a clean host is clean: also after an overlay has copied a file up under a running process, which
/// then maps another inode than its path names. A server replaced there is named as anywhere.
fn judged_by_content(on: On) {
    let host = Host::boot_on(two_factor(), program(), on);
    let clean = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let scan = host.scan(&[]);
    assert_eq!(
        (scan.code, scan.verdict("live"), scan.verdict("provenance")),
        (0, "pass", "pass"),
        "{}",
        scan.troubles()
    );
    host.must(&["touch", "-a", "/usr/sbin/sshd"]);
    host.must(&["chmod", "0755", "/usr/sbin/sshd", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"]);
    let scan = host.scan(&[]);
    assert_eq!((scan.code, scan.verdict("live")), (0, "pass"), "{}", scan.troubles());
    host.must(&[
        "sh",
        "-c",
        "cp -p /usr/sbin/sshd /usr/sbin/new; printf x >> /usr/sbin/new; mv /usr/sbin/new /usr/sbin/sshd",
    ]);
    let scan = host.scan(&[]);
    assert_eq!(scan.verdict("live"), "fail", "{}", scan.troubles());
    assert!(!scan.codes_about(clean).is_empty());
}

struct Tracer(Child);

impl Tracer {
    fn start(host: &Host, pid: i32) -> Self {
        use std::io::Read as _;
        let mut command = host.command(&["/opt/tracer", &pid.to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).expect("it traces");
        Self(child)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
