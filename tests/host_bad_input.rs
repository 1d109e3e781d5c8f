//! Input that is broken, hostile or not what it should be: each is told with its path and place, ends in time, and costs no
//! other check its answer.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use common::login::two_factor;
use common::mimic::{self, Part, trial};
use common::program::program;
use common::report::{CHECKS, Scan};
use common::root::{Root, run, scratch};
use libtest_mimic::Trial;

fn main() -> ExitCode {
    let mut trials: Vec<Trial> = CASES.iter().map(Case::trial).collect();
    trials.push(trial(
        "links_never_leave_the_image",
        &[Part::Packages, Part::Program("strace")],
        links_never_leave_the_image,
    ));
    trials.push(trial("an_unreadable_include_is_told", &[Part::Packages], an_unreadable_include_is_told));
    trials.push(trial("an_unknown_key_of_the_policy_is_told", &[Part::Root], an_unknown_key_of_the_policy_is_told));
    mimic::run(trials)
}

/// One thing wrong in an image that is otherwise clean.
struct Case {
    name: &'static str,
    change: fn(&Root),
    /// Checks that may say something else than for the clean image; at least the first one does.
    affected: &'static [&'static str],
    /// What the finding or gap of the first one says: path, place and reason.
    says: &'static [&'static str],
}

const DROP_INS: &str = "/etc/ssh/sshd_config.d";

const CASES: &[Case] = &[
    Case {
        name: "truncated_elf",
        change: |root| {
            let whole = std::fs::read(root.join("/usr/sbin/sshd")).unwrap();
            root.write("/usr/sbin/sshd", &whole[..1000]);
        },
        affected: &["provenance", "anomaly", "backdoor", "live", "login"],
        says: &["/usr/sbin/sshd", "provenance/digest-mismatch"],
    },
    Case {
        name: "unknown_keyword",
        change: |root| root.write(&format!("{DROP_INS}/50-new.conf"), "# one\nPermitTelepathy yes\n"),
        affected: &["login"],
        says: &["/etc/ssh/sshd_config.d/50-new.conf", "2", "PermitTelepathy"],
    },
    Case {
        name: "nul_in_sshd_config",
        change: |root| root.write(&format!("{DROP_INS}/50-nul.conf"), b"# one\n\nUsePAM\0yes\n"),
        affected: &["login"],
        says: &["/etc/ssh/sshd_config.d/50-nul.conf", "3"],
    },
    Case {
        name: "directory_as_include",
        change: |root| std::fs::create_dir(root.join(&format!("{DROP_INS}/50-dir.conf"))).unwrap(),
        affected: &["login"],
        says: &["/etc/ssh/sshd_config.d/50-dir.conf", "no regular file"],
    },
    Case {
        name: "fifo_as_include",
        change: |root| mkfifo(root, &format!("{DROP_INS}/50-fifo.conf")),
        affected: &["login", "hygiene"],
        says: &["/etc/ssh/sshd_config.d/50-fifo.conf", "no regular file"],
    },
    Case {
        name: "fifo_as_pam_file",
        change: |root| mkfifo(root, "/etc/pam.d/sshd"),
        affected: &["login", "hygiene", "provenance"],
        says: &["/etc/pam.d/sshd", "no regular file"],
    },
    Case {
        name: "device_as_library",
        change: |root| {
            let library = root.find("/usr/lib/*/libaudit.so.1");
            let path = root.join(&library);
            std::fs::remove_file(&path).unwrap();
            // zero(4): reads for ever.
            run(Command::new("mknod").args(["-m", "0644"]).arg(&path).args(["c", "1", "5"]));
        },
        affected: &["provenance", "anomaly", "backdoor", "live", "login"],
        says: &["needs `libaudit.so.1`", "/usr/sbin/sshd"],
    },
    Case {
        name: "sparse_terabyte_as_library",
        change: |root| {
            let path = root.join(&root.find("/usr/lib/*/libaudit.so.1"));
            std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 40).unwrap();
        },
        affected: &["provenance", "anomaly", "backdoor", "live", "login"],
        says: &["libaudit.so.1", "1099511627776"],
    },
    Case {
        name: "sparse_terabyte_as_sshd_config",
        change: |root| {
            let path = root.join("/etc/ssh/sshd_config");
            std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 40).unwrap();
        },
        affected: &["login", "provenance", "hygiene", "backdoor"],
        says: &["/etc/ssh/sshd_config", "1099511627776"],
    },
    Case {
        name: "loop_of_links_as_include",
        change: |root| symlink("50-loop.conf", root.join(DROP_INS).join("50-loop.conf")).unwrap(),
        affected: &["login", "hygiene"],
        says: &["/etc/ssh/sshd_config.d/50-loop.conf", "loop"],
    },
    Case {
        name: "newline_and_no_utf8_in_a_name",
        change: |root| {
            let path = root.join(DROP_INS).join(OsStr::from_bytes(b"50-\n\xff.conf"));
            std::fs::write(path, "PermitTelepathy yes\n").unwrap();
        },
        affected: &["login"],
        says: &["/etc/ssh/sshd_config.d/50-\\x0a\\xff.conf", "PermitTelepathy"],
    },
    Case {
        name: "broken_dpkg_status",
        change: |root| {
            let text = root.read("/var/lib/dpkg/status");
            let at = text.find("Package: openssh-server").expect("it is installed");
            root.write(
                "/var/lib/dpkg/status",
                [&text.as_bytes()[..at], b"\x00\xffPackage openssh-server\n:::\n"].concat(),
            );
        },
        affected: &["provenance", "anomaly", "backdoor", "live"],
        says: &["/var/lib/dpkg/status"],
    },
];

fn mkfifo(root: &Root, inside: &str) {
    let path = root.join(inside);
    let _ = std::fs::remove_file(&path);
    run(Command::new("mkfifo").args(["-m", "0644"]).arg(path));
}

/// The clean image's answers.
fn control() -> &'static Scan {
    static CONTROL: OnceLock<Scan> = OnceLock::new();
    CONTROL.get_or_init(|| {
        let scan = Scan::image(two_factor().path(), &[]);
        for check in CHECKS {
            let expected = if check == "live" { "not-applicable" } else { "pass" };
            assert_eq!(scan.verdict(check), expected, "{check} of the clean image\n{}", scan.troubles());
        }
        scan
    })
}

impl Case {
    fn trial(&self) -> Trial {
        let &Self { name, change, affected, says } = self;
        trial(name, &[Part::Packages], move || {
            let control = control();
            let root = two_factor();
            change(&root);
            let scan = Scan::image(root.path(), &[]);
            let first = affected[0];
            assert!(["fail", "inconclusive"].contains(&scan.verdict(first)), "{first}\n{}", scan.troubles());
            assert_says(&scan, first, says);
            for check in CHECKS.iter().filter(|check| !affected.contains(check)) {
                assert_eq!(scan.verdict(check), control.verdict(check), "{check}\n{}", scan.troubles());
                assert_eq!(scan.result(check)["findings"], control.result(check)["findings"], "{check}");
            }
            // Whatever else is affected looked at something all the same.
            for check in CHECKS.iter().filter(|check| !["live", first].contains(check)) {
                assert!(scan.result(check)["examined"].as_u64().unwrap() > 0, "{check}\n{}", scan.troubles());
            }
        })
    }
}

/// One finding or gap of `check` says all of these.
fn assert_says(scan: &Scan, check: &str, says: &[&str]) {
    let result = scan.result(check);
    let all = ["findings", "gaps"].iter().flat_map(|kind| result[*kind].as_array().unwrap());
    // The serialised form doubles backslashes.
    let texts: Vec<String> = all.map(|item| item.to_string().replace("\\\\", "\\")).collect();
    let hit = texts.iter().any(|text| says.iter().all(|word| text.contains(word)));
    assert!(hit, "{check} does not say {says:?}:\n{}", texts.join("\n"));
}

/// Every link of the image that points out of it resolves within it, and no file beyond it is opened.
fn links_never_leave_the_image() {
    let root = two_factor();
    // What lies outside would be believed: a policy of key alone, where the image's own says both.
    let outside = scratch().join("outside.conf");
    std::fs::write(&outside, "AuthenticationMethods publickey\n").unwrap();
    symlink(&outside, root.join(DROP_INS).join("01-absolute.conf")).unwrap();
    let up = "../".repeat(40) + outside.strip_prefix("/").unwrap().to_str().unwrap();
    symlink(up, root.join(DROP_INS).join("02-up.conf")).unwrap();
    let moved = root.read("/etc/pam.d/sshd");
    std::fs::remove_file(root.join("/etc/pam.d/sshd")).unwrap();
    root.write("/srv/pam-sshd", moved);
    symlink("/srv/pam-sshd", root.path().join("etc/pam.d/sshd")).unwrap();

    let trace = root.path().with_extension("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-y", "-qq", "-s", "4096", "-e", "trace=open,openat,openat2", "-e", "signal=none", "-o"])
        .arg(&trace);
    strace.arg(program()).args(["scan", "--format", "json", "--root"]).arg(root.path());
    let scan = Scan::of(&strace.stdin(Stdio::null()).output().unwrap());
    let text = std::fs::read_to_string(&trace).unwrap();
    std::fs::remove_file(&trace).unwrap();
    std::fs::remove_file(&outside).unwrap();

    // `… = 3</path>`: what the kernel opened in the end.
    let opened: Vec<&str> =
        text.lines().filter_map(|line| line.rsplit_once(" = ")?.1.split_once('<')?.1.strip_suffix('>')).collect();
    let inside = root.path().to_str().unwrap();
    let within = opened.iter().filter(|path| path.starts_with(inside)).count();
    assert!(within > 50, "only {within} files of the image were opened");
    let beyond: Vec<&&str> = opened.iter().filter(|path| !path.starts_with(inside) && !is_our_own(path)).collect();
    assert!(beyond.is_empty(), "opened outside of the image: {beyond:#?}");
    // The relative target exists in the image as little as the absolute one: both dangle, as they do for a system booted
    // from it. glob(3) lists a dangling link, and sshd ends when it cannot open what glob(3) listed (servconf.c,
    // load_server_config).
    assert_says(&scan, "login", &["login/config-refused", "/etc/ssh/sshd_config.d/01-absolute.conf", "no such file"]);
}

/// What any program of ours opens: its libraries (this is not the static build), itself, its configuration.
fn is_our_own(path: &str) -> bool {
    let exact = ["/etc/ld.so.cache", "/dev/null"];
    let under = ["/etc/sshproof", "/proc/", "/sys/fs/cgroup", "/sys/devices/system/cpu"];
    let library = path.contains("/lib/")
        && (path.contains("/libc.so") || path.contains("/libm.so") || path.contains("/libgcc_s"));
    exact.contains(&path) || under.iter().any(|dir| path.starts_with(dir)) || library
}

/// To an ordinary user, who may read the image but for one file.
fn an_unreadable_include_is_told() {
    let root = two_factor();
    let secret = format!("{DROP_INS}/50-secret.conf");
    root.write(&secret, "PermitEmptyPasswords no\n");
    let scan = |mode: u32| {
        root.chmod(&secret, mode);
        // The target folder may lie where others cannot go: the image is entered by descriptor, as the working directory.
        let mut scan = Command::new("setpriv");
        scan.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program());
        scan.args(["scan", "--format", "json", "--root", "."]).current_dir(root.path());
        Scan::of(&scan.stdin(Stdio::null()).output().unwrap())
    };
    let control = scan(0o644);
    let scan = scan(0o600);
    assert_says(&scan, "login", &["/etc/ssh/sshd_config.d/50-secret.conf", "permission denied"]);
    let clean = control.result("login").to_string();
    assert!(!clean.contains("50-secret.conf"), "{clean}");
    assert_eq!(scan.verdict("login"), "inconclusive", "{}", scan.troubles());
    for check in ["provenance", "backdoor", "anomaly"] {
        assert_eq!(scan.verdict(check), control.verdict(check), "{check}\n{}", scan.troubles());
    }
}

/// A mistake of ours, not of the host's: told with file and line; nothing is judged by half a policy.
fn an_unknown_key_of_the_policy_is_told() {
    let dir = tempfile::tempdir_in(scratch()).unwrap();
    let policy = dir.path().join("sshproof.toml");
    let scan = |text: &str| {
        std::fs::write(&policy, text).unwrap();
        let mut scan = Command::new(program());
        scan.args(["scan", "--format", "json", "--root"]).arg(dir.path()).arg("--config").arg(&policy);
        scan.stdin(Stdio::null()).output().unwrap()
    };
    let wrong = scan("[login]\nfactors = 2\nfactor-count = 3\n");
    let stderr = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(2), "{stderr}");
    for word in [policy.to_str().unwrap(), "3", "factor-count"] {
        assert!(stderr.contains(word), "no {word:?} in {stderr}");
    }
    assert!(wrong.stdout.is_empty());
    let right = scan("[login]\nfactors = 2\n");
    assert!(!right.stdout.is_empty(), "{}", String::from_utf8_lossy(&right.stderr));
}
