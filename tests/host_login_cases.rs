//! The scenarios of the login proof tried out: each on a host of its own, with the distribution's sshd and PAM modules. What
//! the proof says is open lets a client in that has just the evidence it names; where two factors are proved, none of them
//! alone does.
//!
//! By default every twelfth; `SSHPROOF_LOGIN_CASES=all` asks for all, and then lists those that cannot be set up here (another
//! release of sshd, a module that is not packaged, a directory service) as ignored with the reason.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};

use common::case::Case;
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::root::{Root, run};
use libtest_mimic::{Failed, Trial};
use sshproof::login::factor::GuardKind;
use sshproof::login::prove::{self, Violation};
use sshproof::model::report::Proof;
use sshproof::model::text::escape;

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces, Part::Program("oathtool")];
    let all = std::env::var_os("SSHPROOF_LOGIN_CASES").is_some_and(|asked| asked == "all");
    let cases: Vec<Case> = if all {
        Case::all()
    } else {
        Case::all().into_iter().filter(|case| unfit(case).is_none()).step_by(12).collect()
    };
    let trials = cases.into_iter().map(|case| {
        let name = case.name.clone();
        match unfit(&case) {
            Some(reason) => Trial::test(name, move || Err(Failed::from("it cannot be set up here")))
                .with_kind(reason)
                .with_ignored_flag(true),
            None => trial(&name, parts, move || try_out(&case)),
        }
    });
    mimic::run(trials.collect())
}

/// Why a scenario cannot be set up on the test's host.
fn unfit(case: &Case) -> Option<String> {
    if !case.expected.banner.starts_with("OpenSSH_9.2p1 Debian") {
        return Some(format!("needs {}", case.expected.banner));
    }
    if let Some((_, reason)) = UNFIT.iter().find(|(name, _)| *name == case.name) {
        return Some((*reason).to_owned());
    }
    if !case.expected.directories.is_empty() {
        return Some(format!("needs accounts from {}", case.expected.directories.join(", ")));
    }
    if !["proved", "refuted"].contains(&case.expected.proof.as_str()) {
        return Some("proves nothing that could be tried".to_owned());
    }
    let files = case.root.texts.0.iter().filter(|(path, _)| path.to_string().starts_with("/etc/pam.d/"));
    for (_, text) in files {
        for line in String::from_utf8_lossy(text).lines().filter(|line| !line.trim_start().starts_with('#')) {
            let modules = line.split_whitespace().filter(|word| word.starts_with("pam_") && word.ends_with(".so"));
            for module in modules {
                if !MODULES.contains(&module) && !case.expected.missing.iter().any(|missing| missing == module) {
                    return Some(format!("needs {module}"));
                }
            }
        }
    }
    None
}

/// Scenarios whose client has what the test's client has not, by name.
const UNFIT: &[(&str, &str)] = &[
    ("30_two_keys_strict", "needs a client with two keys"),
    ("54_touch_required", "needs a security key"),
    ("59_kerberos_password", "needs a KDC"),
];

/// Modules of the host's packages.
const MODULES: &[&str] = &[
    "pam_access.so",
    "pam_deny.so",
    "pam_env.so",
    "pam_exec.so",
    "pam_faildelay.so",
    "pam_faillock.so",
    "pam_google_authenticator.so",
    "pam_listfile.so",
    "pam_localuser.so",
    "pam_nologin.so",
    "pam_oath.so",
    "pam_permit.so",
    "pam_rootok.so",
    "pam_shells.so",
    "pam_succeed_if.so",
    "pam_unix.so",
    "pam_warn.so",
];

fn try_out(case: &Case) {
    let (server, world, policy) = (case.server(), case.world(), case.policy());
    let outcome = prove::prove(&server, world, &policy);
    let host = set_up(case);
    let ports: BTreeSet<u16> = case.expected.listen.iter().map(|socket| socket.port()).collect();
    let mut arguments = vec!["/usr/sbin/sshd"];
    for option in &case.expected.options {
        arguments.extend(["-o", option]);
    }
    let ports_of_lines = case.root.texts.0.values().any(|text| String::from_utf8_lossy(text).contains("\nPort "));
    let given: Vec<String> = ports.iter().map(|port| format!("-p{port}")).collect();
    if !ports_of_lines {
        arguments.extend(given.iter().map(String::as_str));
    }
    host.start_sshd(*ports.first().unwrap(), &[], &arguments);

    // What is said to be open is open.
    let open: Vec<&Violation> = outcome.paths.iter().filter(|way| can_be_shown(way)).take(2).collect();
    for way in &open {
        let evidence = &way.way.evidence;
        let has = |name: &str| evidence.atoms.iter().any(|atom| atom.identity.starts_with(name));
        let offer = Offer { key: has("public key"), password: has("password"), code: has("one-time code") };
        let user = escape(&way.witness.user);
        let (from, port, methods) = (way.witness.from.as_str(), way.witness.port, way.way.methods.join(","));
        let plain = log_in(&host, &user, from, port, offer, Some(&methods), false);
        let done = plain.clone().or_else(|_| log_in(&host, &user, from, port, offer, Some(&methods), true));
        assert!(done.is_ok(), "{user} from {from} with {offer:?} by {methods} is not let in: {}", plain.unwrap_err());
    }
    assert!(!open.is_empty() || outcome.proof == Proof::Proved, "nothing of the counterexample could be tried");

    // Where two are demanded, one does not do; nor does none.
    if outcome.proof == Proof::Proved {
        let nothing = Offer { key: false, password: false, code: false };
        let singles = [
            nothing,
            Offer { key: true, ..nothing },
            Offer { password: true, ..nothing },
            Offer { code: true, ..nothing },
        ];
        std::thread::scope(|scope| {
            for user in ["alice", "bob", "root"] {
                let (host, port) = (&host, *ports.first().unwrap());
                scope.spawn(move || {
                    for offer in singles {
                        let done = log_in(host, user, "127.0.0.1", port, offer, None, false);
                        assert!(done.is_err(), "{user} is let in with {offer:?}");
                    }
                });
            }
        });
    }
}

/// Whether the test can act as the client of this way: nothing but what it has, under no condition that it cannot bring
/// about, and as an account that has a shell.
fn can_be_shown(way: &Violation) -> bool {
    let evidence = &way.way.evidence;
    let known = ["public key", "password", "one-time code (google_authenticator)", "one-time code (oath)"];
    let possible = |kind: GuardKind| matches!(kind, GuardKind::Connection | GuardKind::NotEnrolled);
    ["alice", "bob", "root"].iter().any(|user| user.as_bytes() == way.witness.user)
        && evidence.atoms.iter().all(|atom| known.contains(&&*atom.identity))
        && evidence.guards.iter().all(|guard| possible(guard.kind) && !guard.condition.contains("empty"))
}

/// What the client has.
#[derive(Clone, Copy, Debug)]
struct Offer {
    key: bool,
    password: bool,
    code: bool,
}

/// The accounts' password, its hash as crypt(5) has it with the salt `invented`, the seed of their codes in base32 (RFC 4648) and in hexadecimal. Invented.
const PASSWORD: &str = "tried and trusted";
const PASSWORD_HASH: &str =
    "$6$invented$XQfLF52LDfTFuJnZYRCbRK/QoUKhdNng8Q4ib63mZzJQOSXmt6svRE4tWL9hLEg/9AwNQ1F7jlmn1h26.BdEp1";
const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const SEED_HEX: &str = "48656c6c6f21deadbeef48656c6c6f21deadbeef";

/// A host with the scenario's files, and what its accounts have.
fn set_up(case: &Case) -> Host {
    let root = Root::with_otp_modules();
    let privileges = "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n";
    for (path, text) in &case.root.texts.0 {
        root.write(&path.to_string(), text);
    }
    let passwd = root.read("/etc/passwd");
    if !passwd.contains("\nsshd:") {
        root.write("/etc/passwd", passwd + privileges);
    }
    // A session is no part of the question, and many scenarios have none.
    for path in case.root.texts.0.keys().map(ToString::to_string).filter(|path| path.starts_with("/etc/pam.d/")) {
        if path.ends_with("/sshd") || path.ends_with("/other") {
            root.append(&path, "\nsession required pam_permit.so\n");
        }
    }
    root.write("/run/client/answer", ANSWER);
    root.chmod("/run/client/answer", 0o755);
    root.chroot(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "client", "-f", "/run/client/key"]);
    let (mut shadow, mut seeds) = (String::new(), String::new());
    for line in root.read("/etc/passwd").lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields[..] else { continue };
        let person = !shell.ends_with("nologin");
        let password = if person { PASSWORD_HASH } else { "*" };
        let _ = writeln!(shadow, "{name}:{password}:19000:0:99999:7:::");
        if !person {
            continue;
        }
        let (uid, gid) = (uid.parse().unwrap(), gid.parse().unwrap());
        let keys = format!("{home}/.ssh/authorized_keys");
        root.write(&keys, root.read("/run/client/key.pub"));
        let mut own = vec![home.to_owned(), format!("{home}/.ssh"), keys];
        if case.expected.enrolled.iter().any(|enrolled| enrolled == name) {
            let file = format!("{home}/.google_authenticator");
            root.write(&file, format!("{SEED}\n\" WINDOW_SIZE 17\n\" TOTP_AUTH\n"));
            root.chmod(&file, 0o400);
            own.push(file);
            let _ = writeln!(seeds, "HOTP/T30/6 {name} - {SEED_HEX}");
        }
        for path in own {
            root.chown(&path, uid, gid);
        }
    }
    root.write("/etc/shadow", shadow);
    root.chmod("/etc/shadow", 0o600);
    if case.root.texts.0.keys().all(|path| path.to_string() != "/etc/users.oath") {
        root.write("/etc/users.oath", seeds);
        root.chmod("/etc/users.oath", 0o600);
    }
    Host::boot(root)
}

/// Answers prompts by what they ask for.
const ANSWER: &str = r#"#!/bin/sh
case "$1" in
*"code"* | *"One-time"*) printf '%s\n' "$CODE" ;;
*) printf '%s\n' "$SECRET" ;;
esac
"#;

/// Logs in to the host from `from`, an address that it is given for the purpose. `joined`: the code is typed behind the
/// password.
fn log_in(
    host: &Host,
    user: &str,
    from: &str,
    port: u16,
    offer: Offer,
    methods: Option<&str>,
    joined: bool,
) -> Result<(), String> {
    let v6 = from.contains(':');
    if !from.starts_with("127.") {
        let bits = if v6 { 128 } else { 32 };
        // It may be there already.
        host.run(&["ip", "address", "add", &format!("{from}/{bits}"), "dev", "lo"]);
    }
    let code = run(Command::new("oathtool").args(["--totp", "--base32", SEED]));
    let code = if offer.code { code.trim() } else { "000000" };
    let password = if offer.password { PASSWORD } else { "wrong" };
    let secret = if joined { format!("{password}{code}") } else { password.to_owned() };
    // A list may ask for the password more than once.
    let prompts = format!("NumberOfPasswordPrompts={}", methods.map_or(1, |methods| methods.split(',').count()));
    let (port, to) = (port.to_string(), format!("{user}@{}", if v6 { "::1" } else { "127.0.0.1" }));
    let mut ssh = vec!["timeout", "60", "ssh", "-F", "none", "-p", &port, "-b", from, "-o", "StrictHostKeyChecking=no"];
    ssh.extend(["-o", "UserKnownHostsFile=/run/client/known", "-o", "LogLevel=ERROR"]);
    ssh.extend(["-o", &prompts, "-o", "IdentitiesOnly=yes", "-o", "UpdateHostKeys=no"]);
    ssh.extend(if offer.key { ["-i", "/run/client/key"] } else { ["-o", "PubkeyAuthentication=no"] });
    let preferred = methods.map(|methods| format!("PreferredAuthentications={methods}"));
    if let Some(preferred) = preferred.as_deref().filter(|preferred| !preferred.ends_with("=none")) {
        ssh.extend(["-o", preferred]);
    }
    ssh.extend([to.as_str(), "id -un"]);
    let answers = [("SSH_ASKPASS", "/run/client/answer"), ("SSH_ASKPASS_REQUIRE", "force")];
    let secrets = [("CODE", code), ("SECRET", secret.as_str())];
    let output = host.command(&ssh).envs(answers).envs(secrets).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if said.trim() == user { Ok(()) } else { Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr))) }
}
