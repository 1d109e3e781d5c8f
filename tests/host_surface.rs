//! The surface, that is the files that the report answers for, against two oracles: the loader of the root itself
//! (`ld.so --list` of every program and module that configuration names) and what strace sees a real login load.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use common::login::{Offer, log_in, two_factor};
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::report::Scan;
use common::root::Root;

fn main() -> ExitCode {
    let strace = &[Part::Packages, Part::Namespaces, Part::Program("strace"), Part::Program("oathtool")];
    mimic::run(vec![
        trial("equals_what_the_loader_lists", &[Part::Packages], equals_what_the_loader_lists),
        trial("holds_all_code_of_a_real_login", strace, holds_all_code_of_a_real_login),
        trial(
            "follows_a_renamed_server_its_runpath_and_hwcaps",
            &[Part::Packages, Part::Namespaces, Part::Program("patchelf"), Part::Program("strace")],
            follows_a_renamed_server_its_runpath_and_hwcaps,
        ),
    ])
}

/// The loader of the root (the ELF interpreter of its programs).
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Programs that stand in the design's list of a surface and in these packages.
const PROGRAMS: &[&str] = &[
    "/usr/sbin/sshd",
    "/usr/lib/openssh/sftp-server",
    "/usr/lib/openssh/ssh-keysign",
    "/usr/bin/ssh",
    "/usr/bin/ssh-agent",
    "/usr/bin/ssh-add",
    "/usr/bin/scp",
    "/usr/bin/ssh-keygen",
    "/usr/bin/sftp",
    "/usr/lib/openssh/ssh-pkcs11-helper",
    "/usr/lib/openssh/ssh-sk-helper",
];

/// `path` with no link in it, as seen within the root.
fn canonical(root: &Root, path: &str) -> String {
    let resolved = root.join(path);
    format!("/{}", resolved.strip_prefix(root.path()).unwrap().to_str().unwrap())
}

/// Everything that the root's loader would map for `program`, and the loader itself.
fn listed(root: &Root, program: &str) -> BTreeSet<String> {
    let said = root.chroot(&[LOADER, "--list", program]);
    // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`, `linux-vdso.so.1 (0x…)`
    let paths = said.lines().filter_map(|line| line.rsplit_once(" (0x")?.0.split_whitespace().next_back());
    let files: BTreeSet<String> =
        paths.filter(|path| path.starts_with('/')).map(|path| canonical(root, path)).collect();
    assert!(files.len() >= 2 || said.trim() == "statically linked", "{program}: {said}");
    files
}

/// The PAM modules that the services `sshd` and, where that has no line of a kind, `other` name.
fn pam_modules(root: &Root) -> BTreeSet<String> {
    let mut services = vec!["sshd".to_owned(), "other".to_owned()];
    let mut seen = BTreeSet::new();
    let mut modules = BTreeSet::new();
    while let Some(service) = services.pop() {
        if !seen.insert(service.clone()) {
            continue;
        }
        for line in root.read(&format!("/etc/pam.d/{service}")).lines() {
            let code = line.split('#').next().unwrap_or_default();
            let mut words = code.split_whitespace();
            if words.next() == Some("@include") {
                services.push(words.next().unwrap().to_owned());
            }
            modules.extend(
                code.split_whitespace().filter(|w| w.starts_with("pam_") && w.ends_with(".so")).map(str::to_owned),
            );
        }
    }
    modules.into_iter().map(|module| canonical(root, &root.find(&format!("/usr/lib/*/security/{module}")))).collect()
}

/// The NSS modules that nsswitch.conf(5) names and the root has, for the databases that a login asks.
fn nss_modules(root: &Root) -> BTreeSet<String> {
    let databases = ["passwd:", "group:", "shadow:", "hosts:", "initgroups:", "gshadow:"];
    let text = root.read("/etc/nsswitch.conf");
    let lines = text.lines().filter(|line| databases.iter().any(|database| line.starts_with(database)));
    let names = lines.flat_map(|line| line.split_whitespace().skip(1)).filter(|word| !word.starts_with('['));
    let multiarch = root.find("/usr/lib/*/libc.so.6").replace("libc.so.6", "");
    let files = names.map(|name| format!("{multiarch}libnss_{name}.so.2")).filter(|path| root.join(path).exists());
    files.map(|path| canonical(root, &path)).collect()
}

/// The ELF files of a surface.
fn code(root: &Root, scan: &Scan) -> BTreeSet<String> {
    let is_elf = |path: &String| std::fs::read(root.join(path)).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
    scan.surface().into_iter().filter(is_elf).collect()
}

fn equals_what_the_loader_lists() {
    let root = two_factor();
    let modules: BTreeSet<String> = pam_modules(&root).union(&nss_modules(&root)).cloned().collect();
    let named: BTreeSet<String> = PROGRAMS.iter().map(|path| (*path).to_owned()).chain(modules).collect();
    let mut oracle = named.clone();
    for path in &named {
        oracle.extend(listed(&root, path));
    }
    let scan = Scan::image(root.path(), &[]);
    let ours = code(&root, &scan);
    let missing: Vec<&String> = oracle.difference(&ours).collect();
    // Named by no file: glibc before 2.34 takes `compat` for databases that nsswitch.conf leaves out, so it is looked at.
    let extra: Vec<&String> = ours.difference(&oracle).filter(|path| !path.ends_with("/libnss_compat.so.2")).collect();
    assert!(missing.is_empty() && extra.is_empty(), "not in the surface: {missing:#?}\nbeyond the oracle: {extra:#?}");
    assert!(oracle.len() > 40, "the oracle knows only {} files", oracle.len());
}

/// Logs in under strace and returns the files that sshd's processes mapped to execute, until each became another program;
/// and those programs.
fn loaded_by_a_login(host: &Host, server: &[&str], port: u16, offer: Offer) -> (BTreeSet<String>, BTreeSet<String>) {
    let trace = host.root().path().with_extension("strace");
    let mut strace = Command::new("strace");
    // -y: the file behind each descriptor, as the kernel names it.
    strace.args(["-f", "-y", "-qq", "-s", "4096", "-e", "trace=execve,mmap", "-e", "signal=none", "-o"]).arg(&trace);
    let inner = host.command(server);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear().env("PATH", common::namespace::PATH);
    let mut child = strace.stdin(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !host.listens(port) {
        assert!(start.elapsed() < Duration::from_secs(60), "{server:?} does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let done = log_in(host, port, offer, "true");
    assert!(done.status.success(), "{done:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let text = String::from_utf8_lossy(&std::fs::read(&trace).unwrap()).into_owned();
    std::fs::remove_file(&trace).unwrap();
    read_trace(&text, server[0])
}

/// Reads `PID mmap(…, PROT_READ|PROT_EXEC, …, 3</usr/lib/…>, …) = 0x…` and `PID execve("/bin/bash", …) = 0`.
fn read_trace(text: &str, server: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut mapped = BTreeSet::new();
    let mut programs = BTreeSet::new();
    // What each process is now: a child is what its parent was, which strace's order of lines tells only by its first
    // execve; before the server's own execve, processes are nsenter.
    let mut is_server: BTreeMap<&str, bool> = BTreeMap::new();
    let mut started = false;
    for line in text.lines() {
        let Some((pid, call)) = line.split_once(char::is_whitespace) else { continue };
        let call = call.trim_start();
        if let Some(rest) = call.strip_prefix("execve(\"") {
            if !call.trim_end().ends_with("= 0") && !call.contains("<unfinished") {
                continue;
            }
            let program = rest.split('"').next().unwrap_or_default().to_owned();
            is_server.insert(pid, program == server);
            if program == server {
                started = true;
            } else if started {
                programs.insert(program);
            }
        } else if started
            && call.starts_with("mmap(")
            && call.contains("PROT_EXEC")
            && *is_server.get(pid).unwrap_or(&true)
            && let Some(path) = call.split_once('<').and_then(|(_, rest)| rest.split('>').next())
        {
            mapped.insert(path.to_owned());
        }
    }
    (mapped, programs)
}

fn holds_all_code_of_a_real_login() {
    let host = Host::boot(two_factor());
    let (mapped, programs) = loaded_by_a_login(&host, &["/usr/sbin/sshd", "-D"], 22, Offer::KeyAndCode);
    let pam = mapped.iter().filter(|path| path.contains("/security/pam_")).count();
    assert!(mapped.len() > 20 && pam > 5, "the trace shows {} files, {pam} PAM modules", mapped.len());
    let surface: BTreeSet<String> = host.scan(&[]).surface().into_iter().collect();
    let missing: Vec<&String> = mapped.difference(&surface).collect();
    assert!(missing.is_empty(), "loaded by a login, not in the surface: {missing:#?}");
    // What sshd becomes: the user's shell, and pam_motd's run-parts through a shell; none that decides a login.
    let shells = ["/bin/bash", "/bin/sh", "/usr/bin/bash", "/usr/bin/dash"];
    let other: Vec<&String> =
        programs.iter().filter(|p| !shells.contains(&p.as_str()) && !surface.contains(*p)).collect();
    let motd: Vec<&&String> = other.iter().filter(|path| !is_motd(path)).collect();
    assert!(motd.is_empty(), "started by a login, not in the surface: {motd:#?}");
}

/// Programs that the scripts of `/etc/update-motd.d` and the shell's start-up files run, after the login was decided.
fn is_motd(path: &str) -> bool {
    path.starts_with("/etc/update-motd.d/")
        || ["env", "run-parts", "uname", "true"].iter().any(|name| path.ends_with(&format!("/{name}")))
}

fn follows_a_renamed_server_its_runpath_and_hwcaps() {
    let root = two_factor();
    // A build of its own: another name, another place, libraries beside it, one of them for this kind of CPU.
    let server = "/opt/service/daemon";
    root.write(server, std::fs::read(root.join("/usr/sbin/sshd")).unwrap());
    root.chmod(server, 0o755);
    // The PAM service is the program's name (auth-pam.c: SSHD_PAM_SERVICE is __progname).
    root.write("/etc/pam.d/daemon", root.read("/etc/pam.d/sshd"));
    common::root::run(Command::new("patchelf").args(["--set-rpath", "/opt/service/lib"]).arg(root.join(server)));
    let library = |name: &str| std::fs::read(root.join(&root.find(&format!("/usr/lib/*/{name}")))).unwrap();
    let own = ["/opt/service/lib/libcrypt.so.1", "/opt/service/lib/glibc-hwcaps/x86-64-v2/libcrypto.so.3"];
    root.write(own[0], library("libcrypt.so.1"));
    root.write(own[1], library("libcrypto.so.3"));
    let oracle = listed(&root, server);
    assert!(own.iter().all(|path| oracle.contains(*path)), "the loader does not take them: {oracle:#?}");
    let host = Host::boot(root);
    let arguments = [server, "-D", "-p", "2222"];
    let (mapped, _) = loaded_by_a_login(&host, &arguments, 2222, Offer::KeyAndScratchCode(0));
    assert!(own.iter().all(|path| mapped.contains(*path)), "the login does not load them: {mapped:#?}");
    // The traced one may outlive its tracer: another port.
    host.start_sshd(2223, &[], &[server, "-p", "2223"]);
    let scan = host.scan(&[]);
    let surface: BTreeSet<String> = scan.surface().into_iter().collect();
    let missing: Vec<&String> = oracle.union(&mapped).filter(|path| !surface.contains(*path)).collect();
    assert!(missing.is_empty(), "not in the surface: {missing:#?}");
    let servers = scan.report["servers"].as_array().unwrap();
    let mut ours = servers.iter().filter(|found| found["binary"] == server);
    let listens = ours.any(|found| found["sockets"].to_string().contains(":2223"));
    assert!(listens, "{server} on port 2223 is not among {servers:#?}");
    // The control: what nobody's RUNPATH names is in nobody's surface.
    assert!(!surface.iter().any(|path| path.starts_with("/opt/other")));
}
