//! A scenario set up as a host of its own, and the client that tries to log in to it with just the evidence it is given.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use sshproof::formats::authorized_keys;
use sshproof::login::factor::GuardKind;
use sshproof::login::prove::Violation;

use super::case::Case;
use super::namespace::Host;
use super::root::{Root, run};

/// Why a scenario cannot be set up on the test's host.
pub fn unfit(case: &Case) -> Option<String> {
    if case.expected.server != "openssh" {
        return Some(format!("needs {}", case.expected.server));
    }
    if !case.expected.banner.starts_with("OpenSSH_9.2p1 Debian") {
        return Some(format!("needs {}", case.expected.banner));
    }
    if let Some((_, reason)) = UNFIT.iter().find(|(name, _)| *name == case.name) {
        return Some((*reason).to_owned());
    }
    if !case.expected.directories.is_empty() {
        return Some(format!("needs accounts from {}", case.expected.directories.join(", ")));
    }
    if !["proved", "proved-with-exemptions", "refuted"].contains(&case.expected.proof.as_str()) {
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
    ("54_touch_required", "needs a security key"),
    ("59_kerberos_password", "needs a KDC"),
    ("policy_09_security_keys", "needs a security key"),
    ("policy_11_certificates_in_a_block", "needs a second authority"),
    ("policy_12_tickets", "needs a KDC"),
    ("policy_14_zone_of_one_factor", "its policy demands one factor"),
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

/// Whether the test can act as the client of this way: nothing but what it has, under no condition that it cannot bring
/// about, and as an account that has a shell.
pub fn can_be_shown(way: &Violation) -> bool {
    let evidence = &way.way.evidence;
    let possible = |kind: GuardKind| matches!(kind, GuardKind::Connection | GuardKind::NotEnrolled);
    ["alice", "bob", "root"].iter().any(|user| user.as_bytes() == way.witness.user)
        && evidence.atoms.iter().all(|atom| HAS.contains(&&*atom.identity))
        && evidence.guards.iter().all(|guard| possible(guard.kind) && !guard.condition.contains("empty"))
}

/// What the client can have, as the proof calls it.
const HAS: [&str; 7] = [
    "public key",
    "public key no. 2",
    "certified public key",
    OWN_AUTHORITY,
    "password",
    "one-time code (google_authenticator)",
    "one-time code (oath)",
];

/// A key that signs certificates for others.
const OWN_AUTHORITY: &str = "key marked `cert-authority` in its own authorized_keys";

/// What the client has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer {
    /// How many of its two keys; where the host trusts an authority, certified by that.
    pub keys: usize,
    /// Two keys that nobody knows, certified by a key that the account trusts.
    pub own_authority: bool,
    pub password: bool,
    pub code: bool,
}

impl Offer {
    /// Just what the way says that it takes.
    pub fn of(way: &Violation) -> Self {
        let evidence = &way.way.evidence;
        let has = |name: &str| evidence.atoms.iter().any(|atom| atom.identity.starts_with(name));
        let keys = evidence.atoms.iter().filter(|atom| atom.identity.contains("public key")).count();
        Self { keys, own_authority: has(OWN_AUTHORITY), password: has("password"), code: has("one-time code") }
    }

    /// Nothing, and each single authenticator.
    pub fn singles() -> [Self; 4] {
        let nothing = Self::default();
        [nothing, Self { keys: 1, ..nothing }, Self { password: true, ..nothing }, Self { code: true, ..nothing }]
    }
}

/// The accounts' password, its hash as crypt(5) has it with the salt `invented`, the seed of their codes in base32 (RFC 4648) and in hexadecimal. Invented.
const PASSWORD: &str = "tried and trusted";
const PASSWORD_HASH: &str =
    "$6$invented$XQfLF52LDfTFuJnZYRCbRK/QoUKhdNng8Q4ib63mZzJQOSXmt6svRE4tWL9hLEg/9AwNQ1F7jlmn1h26.BdEp1";
const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const SEED_HEX: &str = "48656c6c6f21deadbeef48656c6c6f21deadbeef";

/// A host with the scenario's files, and what its accounts have.
pub fn set_up(case: &Case) -> Host {
    let root = Root::with_otp_modules();
    client(&root);
    furnish(&root, case);
    Host::boot(root)
}

/// The client's own things.
pub fn client(root: &Root) {
    root.write("/run/client/answer", ANSWER);
    root.chmod("/run/client/answer", 0o755);
    for name in ["key", "key2", "certified", "certified2", "authority"] {
        let file = format!("/run/client/{name}");
        root.chroot(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &file]);
    }
    let authority = ["ssh-keygen", "-q", "-s", "/run/client/authority", "-I", "client", "-n", "alice,bob,root"];
    root.chroot(&[authority.as_slice(), &["/run/client/certified.pub", "/run/client/certified2.pub"]].concat());
}

/// The scenario's configuration, accounts and enrolment. [`client`] has been there.
pub fn furnish(root: &Root, case: &Case) {
    let privileges = "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n";
    for (path, text) in &case.root.texts.0 {
        root.write(&path.to_string(), text);
    }
    let passwd = root.read("/etc/passwd");
    if !passwd.contains("\nsshd:") {
        root.write("/etc/passwd", passwd + privileges);
    }
    for path in case.root.texts.0.keys().map(ToString::to_string) {
        let text = root.read(&path);
        if text.starts_with(SEED) {
            root.chmod(&path, 0o400);
        }
        root.write(&path, with_session(&path, text));
    }
    let trusts_authority = |text: &[u8]| String::from_utf8_lossy(text).contains("TrustedUserCAKeys /etc/ssh/ca.pub");
    if case.root.texts.0.values().any(|text| trusts_authority(text)) {
        root.write("/etc/ssh/ca.pub", root.read("/run/client/authority.pub"));
    }
    let names_command =
        |text: &[u8]| String::from_utf8_lossy(text).contains(&format!("AuthorizedKeysCommand {KEYS_COMMAND} "));
    if case.root.texts.0.values().any(|text| names_command(text)) {
        root.write(KEYS_COMMAND, "#!/bin/sh\ncat /run/client/key.pub\n");
        root.chmod(KEYS_COMMAND, 0o755);
    }
    let texts = case.root.texts.0.values().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<String>();
    for command in texts.lines().filter_map(|line| line.trim().strip_prefix("ForceCommand /")) {
        root.write(&format!("/{command}"), "#!/bin/sh\nid -un\n");
        root.chmod(&format!("/{command}"), 0o755);
    }
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
        // The case shows which lines there are; the keys on them are the client's.
        let own = case.root.texts.0.iter().find(|(path, _)| path.to_string() == keys);
        let mut lines = root.read("/run/client/key.pub") + &root.read("/run/client/key2.pub");
        if own.is_some_and(|(_, text)| authorized_keys::trusts_an_authority(text)) {
            lines = format!("{lines}restrict,pty,cert-authority {}", root.read("/run/client/authority.pub"));
        }
        root.write(&keys, lines);
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
}

/// The command that scenarios ask for keys; here it knows the client's, whoever logs in.
const KEYS_COMMAND: &str = "/usr/bin/sss_ssh_authorizedkeys";

/// What stands in a file of the case on the host: a session is no part of the question, and many scenarios have none.
pub fn with_session(path: &str, text: String) -> String {
    let service = path == "/etc/pam.d/sshd" || path == "/etc/pam.d/other";
    if service { text + "\nsession required pam_permit.so\n" } else { text }
}

/// The ports that the scenario's server listens on.
pub fn ports(case: &Case) -> BTreeSet<u16> {
    case.expected.listen.iter().map(|socket| socket.port()).collect()
}

/// The command that starts the scenario's server on these ports.
pub fn sshd(case: &Case, ports: &BTreeSet<u16>) -> Vec<String> {
    let mut arguments = vec!["/usr/sbin/sshd".to_owned()];
    for option in &case.expected.options {
        arguments.extend(["-o".to_owned(), option.clone()]);
    }
    let ports_of_lines = case.root.texts.0.values().any(|text| String::from_utf8_lossy(text).contains("\nPort "));
    if !ports_of_lines {
        arguments.extend(ports.iter().map(|port| format!("-p{port}")));
    }
    arguments
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
pub fn log_in(
    host: &Host,
    user: &str,
    from: &str,
    port: u16,
    offer: Offer,
    methods: Option<&str>,
    joined: bool,
) -> Result<(), String> {
    let v6 = from.contains(':');
    let certified = host.root().path().join("etc/ssh/ca.pub").exists();
    if !from.starts_with("127.") {
        let bits = if v6 { 128 } else { 32 };
        // It may be there already.
        host.run(&["ip", "address", "add", &format!("{from}/{bits}"), "dev", "lo"]);
    }
    let now = || run(Command::new("oathtool").args(["--totp", "--base32", SEED])).trim().to_owned();
    let code = if offer.code { now() } else { "000000".to_owned() };
    let password = if offer.password { PASSWORD } else { "wrong" };
    // Whoever has the code alone types that where a password is asked for.
    let secret = match (joined, offer.password) {
        (true, true) => format!("{password}{code}"),
        (true, false) if offer.code => code.clone(),
        _ => password.to_owned(),
    };
    // A list may ask for the password more than once.
    let prompts = format!("NumberOfPasswordPrompts={}", methods.map_or(1, |methods| methods.split(',').count()));
    let (port, to) = (port.to_string(), format!("{user}@{}", if v6 { "::1" } else { "127.0.0.1" }));
    let mut ssh = vec!["timeout", "60", "ssh", "-F", "none", "-p", &port, "-b", from, "-o", "StrictHostKeyChecking=no"];
    ssh.extend(["-o", "UserKnownHostsFile=/run/client/known", "-o", "LogLevel=ERROR"]);
    // The cheapest of them: it is no part of the question.
    ssh.extend(["-o", "KexAlgorithms=curve25519-sha256", "-o", "HostKeyAlgorithms=ssh-ed25519"]);
    ssh.extend(["-o", &prompts, "-o", "IdentitiesOnly=yes", "-o", "UpdateHostKeys=no"]);
    ssh.extend(match (offer.own_authority, offer.keys) {
        (true, _) => ["-i", "/run/client/certified", "-i", "/run/client/certified2"].as_slice(),
        (_, 0) => &["-o", "PubkeyAuthentication=no"],
        (_, 1) if certified => &["-i", "/run/client/certified"],
        (_, 1) => &["-i", "/run/client/key"],
        (_, _) => &["-i", "/run/client/key", "-i", "/run/client/key2"],
    });
    let preferred = methods.map(|methods| format!("PreferredAuthentications={methods}"));
    if let Some(preferred) = preferred.as_deref().filter(|preferred| !preferred.ends_with("=none")) {
        ssh.extend(["-o", preferred]);
    }
    ssh.extend([to.as_str(), "id -un"]);
    let answers = [("SSH_ASKPASS", "/run/client/answer"), ("SSH_ASKPASS_REQUIRE", "force")];
    let secrets = [("CODE", code.as_str()), ("SECRET", secret.as_str())];
    let output = host.command(&ssh).envs(answers).envs(secrets).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = output.status.code();
    if said.trim() == user { Ok(()) } else { Err(format!("{said}{}{code:?}", String::from_utf8_lossy(&output.stderr))) }
}
