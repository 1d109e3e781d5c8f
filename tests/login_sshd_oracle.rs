//! The evaluator of sshd_config against the real `sshd -T -C`: seeded random configurations, every keyword that decides
//! who may log in, and whether sshd takes the configuration at all. `SSHPROOF_ORACLE_CASES` sets how many (default 1,500),
//! `SSHPROOF_ORACLE_SEED` where to begin, `SSHPROOF_RELEASES` which other releases of the distribution are fetched and
//! compared with as well (`bullseye,trixie,sid`).
//!
//! sshd is the one of the distribution's package, run within a scratch root of its own with the test's accounts; it opens
//! no socket.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use common::mimic::{self, Part, trial};
use common::root::Root;
use libtest_mimic::Failed;
use sshproof::formats::program;
use sshproof::formats::sshd_config::Dialect;
use sshproof::login::sshd::{Config, Connection};
use sshproof::login::tree::Texts;
use sshproof::model::RootedPath;

const SSHD: &str = "/usr/sbin/sshd";

fn main() -> ExitCode {
    let mut trials = vec![trial("random_configurations", &[Part::Packages], || random_configurations(Root::stock()))];
    let asked = std::env::var("SSHPROOF_RELEASES").unwrap_or_default();
    for release in
        ["bullseye", "trixie", "sid"].into_iter().filter(|release| asked.split(',').any(|one| one == *release))
    {
        let name = format!("random_configurations_{release}");
        let run = move || random_configurations(Root::of_release(release));
        trials.push(trial(&name, &[Part::Packages], run));
    }
    mimic::run(trials)
}

fn random_configurations(root: Root) {
    if let Err(failed) = compare(&root) {
        panic!("{}", failed.message().unwrap_or_default());
    }
}

fn compare(root: &Root) -> Result<(), Failed> {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let count = number("SSHPROOF_ORACLE_CASES", 1_500);
    let seed = number("SSHPROOF_ORACLE_SEED", 1);
    let announced = program::identify(&std::fs::read(root.join(SSHD))?).map(|program| program.version);
    let dialect = announced.as_deref().and_then(Dialect::from_banner).filter(|dialect| dialect.is_compared());
    let Some(dialect) = dialect else {
        return Err(format!(
            "the distribution's sshd is {announced:?}, which no dialect claims to have been compared with"
        )
        .into());
    };
    prepare(root);
    let cases: Vec<Case> = (0..count).map(|index| Case::random(seed + index)).collect();
    for case in &cases {
        case.write(root);
    }
    run_sshd(&cases, root);

    let mut report = String::new();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let (mut accepted, mut different, mut doubted) = (0_u64, 0_u64, 0_u64);
    for case in &cases {
        let theirs = case.theirs(root);
        let (ours, doubts) = case.ours(dialect);
        accepted += u64::from(theirs.is_ok());
        // What cannot be told from the file is never called proved: sshd may refuse it.
        if !doubts.is_empty() && theirs.is_err() {
            doubted += 1;
            continue;
        }
        let difference = match (&theirs, &ours) {
            (Ok(theirs), Ok(ours)) => first_difference(theirs, ours),
            (Err(theirs), Ok(_)) => Some(format!("sshd refuses: {theirs}")),
            (Ok(_), Err(ours)) => Some(format!("we refuse: {ours}")),
            (Err(_), Err(_)) => None,
        };
        if let Some(difference) = difference {
            different += 1;
            let first = difference.lines().next().unwrap_or_default();
            let refused = first.contains(" refuse");
            let kind = if refused { first.rsplit(": ").next() } else { first.split(':').next() };
            let kind = kind.unwrap_or_default().to_owned();
            let seen = kinds.entry(kind).or_default();
            *seen += 1;
            // One example of each kind says more than five of one.
            if *seen == 1 {
                write!(report, "\nseed {}: {difference}\n{}", case.seed, case.show())?;
            }
        }
    }
    println!(
        "{dialect}: {count} configurations, {accepted} accepted by sshd, {different} differences, {doubted} left open"
    );
    if different > 0 {
        return Err(format!("{different} of {count} differ: {kinds:?}{report}").into());
    }
    if accepted * 10 < count * 6 {
        return Err(format!("only {accepted} of {count} accepted: the generator is too wild").into());
    }
    Ok(())
}

/// Values by keyword, in order.
type Values = BTreeMap<String, Vec<String>>;

fn first_difference(theirs: &Values, ours: &Values) -> Option<String> {
    for (keyword, value) in ours {
        let real = theirs.get(keyword).cloned().unwrap_or_default();
        if real != *value {
            return Some(format!("{keyword}: sshd {real:?}, we {value:?}"));
        }
    }
    let relevant = ["allowusers", "denyusers", "allowgroups", "denygroups", "acceptenv", "setenv"];
    relevant
        .iter()
        .find(|keyword| theirs.contains_key(**keyword) && !ours.contains_key(**keyword))
        .map(|keyword| format!("{keyword}: sshd {:?}, we nothing", theirs.get(*keyword)))
}

/// Gives the root the test's accounts, a host key and files for relative Includes.
fn prepare(root: &Root) {
    let accounts = ACCOUNTS.iter().fold(String::new(), |mut text, (name, uid, gid, _)| {
        let _ = writeln!(text, "{name}:x:{uid}:{gid}::/home/{name}:/bin/sh");
        text
    });
    let groups = GROUPS.iter().fold(String::new(), |mut text, (name, gid)| {
        let members: Vec<&str> =
            ACCOUNTS.iter().filter(|account| account.3.contains(name)).map(|account| account.0).collect();
        let _ = writeln!(text, "{name}:x:{gid}:{}", members.join(","));
        text
    });
    root.write("/etc/passwd", accounts);
    root.write("/etc/group", groups);
    root.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n");
    root.write("/etc/services", "ssh 22/tcp\n");
    for (name, text) in RELATIVE {
        root.write(&format!("/etc/ssh/{name}"), text);
    }
    root.chroot(&["sh", "-c", "mkdir -p -m 755 /run/sshd && ssh-keygen -q -t ed25519 -N '' -f /cases.key"]);
}

/// Runs sshd on every case, two at a time.
fn run_sshd(cases: &[Case], root: &Root) {
    std::thread::scope(|scope| {
        for (number, chunk) in cases.chunks(cases.len().div_ceil(2).max(1)).enumerate() {
            let mut script = "cd /\n".to_owned();
            for case in chunk {
                let dir = &case.dir;
                let options: String = case.options.iter().map(|option| format!(" -o '{option}'")).collect();
                let _ = writeln!(
                    script,
                    "{SSHD} -T -f {dir}/sshd_config -h /cases.key{options} -C '{}' >{dir}/out 2>{dir}/err; \
                     echo $? >{dir}/status",
                    case.connection.specification(),
                );
            }
            let path = format!("/script-{number}");
            root.write(&path, script);
            scope.spawn(move || root.chroot(&["sh", &path]));
        }
    });
}

/// Name, uid, gid, supplementary groups.
const ACCOUNTS: &[(&str, u32, u32, &[&str])] = &[
    ("root", 0, 0, &[]),
    ("sshd", 100, 65534, &[]),
    ("alice", 1000, 1000, &["staff", "mfa"]),
    ("bob", 1001, 1000, &["nomfa"]),
    ("svc-backup", 1002, 4242, &[]),
    ("Carol", 1003, 1001, &["staff", "nomfa"]),
];

/// Name and gid. Group 4242 has no name.
const GROUPS: &[(&str, u32)] =
    &[("root", 0), ("users", 1000), ("staff", 1001), ("mfa", 1002), ("nomfa", 1003), ("nogroup", 65534)];

/// Files under `/etc/ssh`, for Includes with a relative name.
const RELATIVE: &[(&str, &str)] = &[
    ("relative/10.conf", "PasswordAuthentication no\n"),
    ("relative/20.conf", "MaxAuthTries 2\nMatch User alice\nPasswordAuthentication yes\n"),
];

struct Who {
    user: Option<&'static str>,
    host: Option<&'static str>,
    address: Option<&'static str>,
    local_address: Option<&'static str>,
    local_port: u16,
}

impl Who {
    fn specification(&self) -> String {
        let mut parts = vec![format!("lport={}", self.local_port)];
        for (key, value) in
            [("user", self.user), ("host", self.host), ("addr", self.address), ("laddr", self.local_address)]
        {
            parts.extend(value.map(|value| format!("{key}={value}")));
        }
        parts.join(",")
    }

    fn connection(&self) -> Connection<'static> {
        let bytes = |text: Option<&'static str>| text.map(|text| Cow::Borrowed(text.as_bytes()));
        let account = self.user.and_then(|user| ACCOUNTS.iter().find(|account| account.0 == user));
        let groups = account.and_then(|(_, _, gid, more)| {
            let primary = GROUPS.iter().filter(|group| group.1 == *gid).map(|group| group.0);
            let names: Vec<Vec<u8>> =
                primary.chain(more.iter().copied()).map(|name| name.as_bytes().to_vec()).collect();
            (!names.is_empty()).then_some(Cow::Owned(names))
        });
        Connection {
            user: bytes(self.user),
            groups,
            invalid_user: account.is_none(),
            host: bytes(self.host),
            address: bytes(self.address),
            local_address: bytes(self.local_address),
            local_port: Some(self.local_port),
            rdomain: None,
        }
    }
}

struct Case {
    seed: u64,
    /// Within the root.
    dir: String,
    /// File name in `dir` and content.
    files: Vec<(String, Vec<u8>)>,
    options: Vec<String>,
    connection: Who,
}

impl Case {
    fn random(seed: u64) -> Self {
        let dir = format!("/cases/{seed}");
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.next();
        }
        let mut files = Vec::new();
        for name in ["inc/20.conf", "inc/10.conf", "inc/deep.inc"] {
            if random.one_in(2) {
                let text = file(&mut random, &dir, name == "inc/deep.inc");
                files.push((name.to_owned(), text));
            }
        }
        files.push(("sshd_config".to_owned(), file(&mut random, &dir, false)));
        let mut options = Vec::new();
        while random.one_in(6) {
            let (keyword, values) = random.pick(SETTINGS);
            let value = random.pick(values);
            if !value.contains('\'') && !["AllowUsers", "ForceCommand"].contains(keyword) {
                let separator = random.pick(&["=", " "]);
                options.push(format!("{keyword}{separator}{value}"));
            }
        }
        let connection = Who {
            user: random.maybe(&["alice", "bob", "root", "svc-backup", "Carol", "nobody-here"]),
            host: random.maybe(&["host.example.org", "10.1.2.3", "EVIL.example.com"]),
            address: random.maybe(&[
                "10.1.2.3",
                "10.200.0.1",
                "192.0.2.9",
                "2001:db8::5",
                "::ffff:10.1.2.3",
                "UNKNOWN",
            ]),
            local_address: random.maybe(&["192.0.2.1", "10.0.0.1", "::1"]),
            local_port: *random.pick(&[22, 22, 2222]),
        };
        Self { seed, dir, files, options, connection }
    }

    fn write(&self, root: &Root) {
        for (name, bytes) in &self.files {
            root.write(&format!("{}/{name}", self.dir), bytes);
        }
    }

    fn theirs(&self, root: &Root) -> Result<Values, String> {
        let read = |name: &str| root.read(&format!("{}/{name}", self.dir));
        if read("status").trim() != "0" {
            return Err(read("err"));
        }
        let mut values = Values::new();
        // Not `lines`, which would take a carriage return for part of the end.
        for line in read("out").split_terminator('\n') {
            let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
            // Up to 8.4 sshd printed the older names; since 10.5 it prints capitals.
            let keyword = keyword.to_ascii_lowercase().replace("acceptedkeytypes", "acceptedalgorithms");
            values.entry(keyword).or_default().push(value.to_owned());
        }
        Ok(values)
    }

    /// Our values, or why we refuse; and what we leave open.
    fn ours(&self, dialect: Dialect) -> (Result<Values, String>, Vec<String>) {
        let path = |path: String| RootedPath::new(path).unwrap();
        let own = self.files.iter().map(|(name, bytes)| (path(format!("{}/{name}", self.dir)), bytes.clone()));
        let relative = RELATIVE.iter().map(|(name, text)| (path(format!("/etc/ssh/{name}")), text.as_bytes().to_vec()));
        let files: BTreeMap<RootedPath, Vec<u8>> = own.chain(relative).collect();
        let options: Vec<Vec<u8>> = self.options.iter().map(|option| option.as_bytes().to_vec()).collect();
        let main = path(format!("{}/sshd_config", self.dir));
        let config = Config::load(&main, &options, &[], dialect, &Texts(files));
        assert!(config.unasked.is_empty());
        (self.evaluated(&config), config.doubts().collect())
    }

    fn evaluated(&self, config: &Config) -> Result<Values, String> {
        let global = config
            .global()
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let effective = global.effective(&self.connection.connection()).map_err(|problem| problem.to_string())?;
        let mut values = Values::new();
        for line in effective.lines() {
            let (keyword, value) = line.text.split_once(' ').unwrap();
            let value = String::from_utf8(sshproof::model::text::unescape(value).unwrap()).unwrap();
            values.entry(keyword.to_owned()).or_default().push(value);
        }
        Ok(values)
    }

    fn show(&self) -> String {
        let mut out = format!("-C {} -o {:?}\n", self.connection.specification(), self.options);
        for (name, bytes) in &self.files {
            let _ = writeln!(
                out,
                "--- {name}\n{}",
                String::from_utf8_lossy(bytes).escape_debug().to_string().replace("\\n", "\n")
            );
        }
        out
    }
}

/// One random file.
fn file(random: &mut Random, dir: &str, deep: bool) -> Vec<u8> {
    let mut text = Vec::new();
    let mut in_match = false;
    let end: &[u8] = if random.one_in(12) { b"\r\n" } else { b"\n" };
    for _ in 0..random.below(if deep { 4 } else { 9 }) {
        let line = match random.below(100) {
            0..=17 => {
                in_match = true;
                match_line(random)
            }
            18..=22 if !deep => {
                let target = match random.below(6) {
                    0 => "relative/*.conf".to_owned(),
                    1 => format!("{dir}/inc/none*"),
                    2 => format!("{dir}/inc/deep.inc {dir}/inc/??.conf"),
                    3 => format!("\"{dir}/inc/[12]0.conf\""),
                    _ => format!("{dir}/inc/deep.inc"),
                };
                format!("Include {target}")
            }
            23..=25 => random.pick(&["", "# comment", "   ", "\t# x=y"]).to_string(),
            26 => random.pick(ODD).to_string(),
            _ => setting(random, in_match),
        };
        if random.one_in(10) {
            text.extend_from_slice(random.pick(&["  ", "\t", " \r"]).as_bytes());
        }
        text.extend_from_slice(line.as_bytes());
        if random.one_in(12) {
            text.extend_from_slice(random.pick(&[" ", "\t", " \x0c", " # trailing", "\r"]).as_bytes());
        }
        if random.one_in(150) {
            text.extend_from_slice(b" \0 hidden");
        }
        text.extend_from_slice(end);
    }
    if random.one_in(10) {
        text.truncate(text.len().saturating_sub(end.len()));
    }
    text
}

fn setting(random: &mut Random, in_match: bool) -> String {
    loop {
        let side = random.one_in(4);
        let (keyword, values) = random.pick(if side { SIDE } else { SETTINGS });
        if in_match && GLOBAL.contains(keyword) && !random.one_in(60) {
            continue;
        }
        let value = if side && !random.one_in(4) { &values[0] } else { random.pick(values) };
        let keyword = match random.below(6) {
            0 => keyword.to_lowercase(),
            1 => keyword.to_uppercase(),
            2 if random.one_in(4) => format!("\"{keyword}\""),
            _ => (*keyword).to_owned(),
        };
        let value = match random.below(12) {
            0 if !value.contains([' ', '"', '\'', '/']) => format!("\"{value}\""),
            1 if !value.contains([' ', '"', '\'', '/']) => format!("'{value}'"),
            _ => (*value).to_owned(),
        };
        let separator = random.pick(&[" ", " ", " ", "=", " = ", "\t", "  "]);
        return format!("{keyword}{separator}{value}");
    }
}

fn match_line(random: &mut Random) -> String {
    if random.one_in(12) {
        return random.pick(&["Match all", "Match ALL # x", "match all "]).to_string();
    }
    let mut line = random.pick(&["Match", "match", "MATCH"]).to_string();
    for _ in 0..=random.below(2) {
        let (name, values) = random.pick(CRITERIA);
        let value = random.pick(values);
        let separator = random.pick(&[" ", " ", "=", "  "]);
        let value = if random.one_in(8) { format!("\"{value}\"") } else { (*value).to_owned() };
        let _ = write!(line, " {name}{separator}{value}");
    }
    line
}

const CRITERIA: &[(&str, &[&str])] = &[
    (
        "User",
        &["alice", "!alice", "*,!root", "a*,b*", "?ob", "svc-*", "Alice", "'alice'", "alice,", "!root,*", "carol"],
    ),
    ("Group", &["staff", "!nomfa", "*,!nomfa", "mfa,staff", "users", "*", "root", "4242"]),
    ("Host", &["*.example.org", "10.*", "!evil.example.com,*", "EVIL.*", "*"]),
    (
        "Address",
        &[
            "10.0.0.0/8",
            "!10.0.0.0/8",
            "*,!10.0.0.0/8",
            "10.1.*",
            "192.0.2.9",
            "2001:db8::/32",
            "::ffff:10.1.2.3",
            "10.1.0.0/16,!10.1.2.3",
            "0.0.0.0/0",
        ],
    ),
    ("LocalAddress", &["192.0.2.1", "10.0.0.0/8", "::1", "*"]),
    ("LocalPort", &["22", "2222", "ssh"]),
    ("user", &["bob", "root"]),
    ("RDomain", &["*", "vrf1"]),
];

/// Not allowed in a Match block.
const GLOBAL: &[&str] = &[
    "UsePAM",
    "Port",
    "LoginGraceTime",
    "IgnoreUserKnownHosts",
    "StrictModes",
    "UseDNS",
    "DSAAuthentication",
    "KerberosOrLocalPasswd",
    "GSSAPIKeyExchange",
    "GSSAPIStrictAcceptorCheck",
    "DebianBanner",
    "PermitUserEnvironment",
    "HostKeyAlgorithms",
    "UsePrivilegeSeparation",
    "PidFile",
    "KeepAlive",
    "Ciphers",
    "MACs",
    "KexAlgorithms",
    "GSSAPIKexAlgorithms",
    "Subsystem",
    "MaxStartups",
    "PerSourceMaxStartups",
    "PerSourceNetBlockSize",
    "SyslogFacility",
    "FingerprintHash",
    "VersionAddendum",
    "SecurityKeyProvider",
    "AddressFamily",
    "ListenAddress",
    "HostCertificate",
    "ModuliFile",
    "Compression",
];

const YES_NO: &[&str] = &["yes", "no", "yes", "no", "Yes", "NO"];

const SETTINGS: &[(&str, &[&str])] = &[
    ("UsePAM", YES_NO),
    ("Port", &["22", "2222", "8022", "ssh"]),
    ("LoginGraceTime", &["30", "1m30s", "0", "2H"]),
    ("MaxAuthTries", &["1", "6", "+3", "0"]),
    ("RequiredRSASize", &["2048", "4096"]),
    ("PermitRootLogin", &["yes", "no", "prohibit-password", "without-password", "forced-commands-only"]),
    ("IgnoreRhosts", &["yes", "no", "shosts-only"]),
    ("IgnoreUserKnownHosts", YES_NO),
    ("HostbasedAuthentication", YES_NO),
    ("HostbasedUsesNameFromPacketOnly", YES_NO),
    ("PubkeyAuthentication", YES_NO),
    ("DSAAuthentication", YES_NO),
    ("KerberosAuthentication", YES_NO),
    ("KerberosOrLocalPasswd", YES_NO),
    ("GSSAPIAuthentication", YES_NO),
    ("GSSAPIKeyExchange", YES_NO),
    ("GSSAPIStrictAcceptorCheck", YES_NO),
    ("PasswordAuthentication", YES_NO),
    ("PasswordAuthentication", YES_NO),
    ("KbdInteractiveAuthentication", YES_NO),
    ("ChallengeResponseAuthentication", YES_NO),
    ("SKeyAuthentication", YES_NO),
    ("PermitEmptyPasswords", YES_NO),
    ("StrictModes", YES_NO),
    ("UseDNS", YES_NO),
    ("ExposeAuthInfo", YES_NO),
    ("DebianBanner", YES_NO),
    ("KeepAlive", YES_NO),
    ("PermitUserEnvironment", &["yes", "no", "LANG,LC_*"]),
    ("ForceCommand", &["/bin/true", "echo a # b", "none", "\"a b\" c", "NONE"]),
    ("ChrootDirectory", &["/srv/%u", "none", "\"/srv/a b\""]),
    ("Banner", &["none", "/etc/issue.net", "NONE"]),
    ("PidFile", &["none", "/run/x.pid"]),
    ("TrustedUserCAKeys", &["/etc/ssh/ca.pub", "none"]),
    ("RevokedKeys", &["/etc/ssh/revoked", "none"]),
    ("AuthorizedPrincipalsFile", &["/etc/ssh/principals/%u", "none"]),
    ("AuthorizedKeysCommand", &["/bin/keys %u # x", "none", "none"]),
    ("AuthorizedKeysCommandUser", &["nobody", "root"]),
    ("AuthorizedPrincipalsCommand", &["/bin/principals", "none"]),
    ("AuthorizedPrincipalsCommandUser", &["nobody"]),
    ("AuthorizedKeysFile", &["none", ".ssh/authorized_keys", "/etc/keys/%u .ssh/k2", "'a b' c"]),
    ("CASignatureAlgorithms", &["ssh-ed25519", "+ssh-rsa", "-ecdsa*", "^rsa-sha2-256", "*"]),
    ("HostbasedAcceptedAlgorithms", &["ssh-ed25519", "-*cert*", "+ssh-dss"]),
    (
        "PubkeyAcceptedAlgorithms",
        &["sk-*", "ssh-ed25519,rsa-sha2-512", "+ssh-rsa", "-ssh-*", "^ecdsa-sha2-nistp521", "*cert*", "nonsense", "-*"],
    ),
    ("PubkeyAcceptedKeyTypes", &["ssh-ed25519", "rsa-sha2-*"]),
    ("HostKeyAlgorithms", &["ssh-ed25519", "-rsa*"]),
    ("AllowUsers", &["alice bob", "*@10.0.0.0/8", "'x y' bob", "!bob", "alice", "a@b@10.*"]),
    ("DenyUsers", &["root", "bob@192.0.2.*", "a b c"]),
    ("AllowGroups", &["staff mfa", "users"]),
    ("DenyGroups", &["nomfa", "a\\ b"]),
    ("AcceptEnv", &["LANG LC_*", "X"]),
    ("SetEnv", &["A=b", "A=b C=d", "'E=f g'"]),
    (
        "AuthenticationMethods",
        &[
            "publickey,password",
            "any",
            "publickey",
            "publickey,keyboard-interactive",
            "publickey password",
            "password,password",
            "keyboard-interactive:pam",
            "publickey,keyboard-interactive:pam password,publickey",
            "hostbased",
            "gssapi-with-mic gssapi-keyex",
            "none",
            "publickey,",
        ],
    ),
    ("AuthenticationMethods", &["publickey,password", "publickey,keyboard-interactive"]),
    ("PubkeyAuthOptions", &["none", "touch-required", "verify-required", "verify-required touch-required"]),
    ("LogLevel", &["VERBOSE", "debug", "info"]),
    ("PermitTTY", YES_NO),
    ("DisableForwarding", YES_NO),
    ("AllowTcpForwarding", &["yes", "no", "local", "all"]),
    ("UsePrivilegeSeparation", &["sandbox", "yes no"]),
    ("RSAAuthentication", YES_NO),
];

/// Keywords that say nothing about logins, but that sshd checks. The first value is good in every release.
const SIDE: &[(&str, &[&str])] = &[
    ("ClientAliveInterval", &["30", "5m", "'1m 30'", "+5", "-0", "m"]),
    (
        "Ciphers",
        &[
            "aes256-ctr,aes128-gcm@openssh.com",
            "+3des-cbc",
            "-aes*",
            "^chacha20-poly1305@openssh.com",
            "aes*",
            "none",
            "aes256-ctr,",
            "arcfour",
            "rijndael-cbc@lysator.liu.se",
        ],
    ),
    ("MACs", &["hmac-sha2-512-etm@openssh.com,umac-128@openssh.com", "-hmac-md5*", "+hmac-md5", "hmac-ripemd160"]),
    (
        "KexAlgorithms",
        &[
            "curve25519-sha256,curve25519-sha256@libssh.org",
            "-diffie*",
            "sntrup761x25519-sha512@openssh.com",
            "+sntrup761x25519-sha512",
            "^ecdh-sha2-nistp521",
            "+mlkem768x25519-sha256",
            "sntrup4591761x25519-sha512@tinyssh.org",
            "curve25519",
        ],
    ),
    ("GSSAPIKexAlgorithms", &["gss-gex-sha1-,gss-group14-sha256-", "gss-curve25519-sha256-x", "+gss-gex-sha1-"]),
    (
        "Subsystem",
        &[
            "sftp /usr/lib/openssh/sftp-server",
            "sftp internal-sftp -f AUTHPRIV -l INFO",
            "'a b' /bin/true",
            "netconf",
            "other ''",
        ],
    ),
    ("MaxStartups", &["10:30:100", "100", "10:30", "10:0:100", "10:101:100", "100:30:10", "5x", "-1", "1:1:1x"]),
    ("PerSourceMaxStartups", &["none", "5", "None", "-1"]),
    ("PerSourceNetBlockSize", &["32:128", "24", "33", "24:129", "x", "24:x"]),
    (
        "IPQoS",
        &["af21 cs1", "ef", "lowdelay throughput", "0x10", "010", "08", "256", "none", "af21 cs1 le", "va", "+8"],
    ),
    (
        "RekeyLimit",
        &["default", "default none", "1G 1h", "1.5g", "15", "16", "0", "512K 5", "1Kb", "K", "1..5", "default x"],
    ),
    (
        "PermitOpen",
        &["any", "none", "host:80", "host:80 [::1]:*", "host", "any host:1", "host:0", "a:1 any", ":1", "[a:1"],
    ),
    ("PermitListen", &["any", "none x", "8080", "localhost:80 *:1", "*", "a:", "70000"]),
    ("StreamLocalBindMask", &["0177", "0", "9", "1000", "77x", "-1"]),
    ("SyslogFacility", &["AUTH", "authpriv", "LOCAL7", "KERN", "none"]),
    ("FingerprintHash", &["sha256", "MD5", "sha3"]),
    ("VersionAddendum", &["none", "acme # x", "'a b'"]),
    ("SecurityKeyProvider", &["internal", "/usr/lib/x.so"]),
    ("LogVerbose", &["none", "kex.c:*:1000 packet.c", "none x", "a none", "''"]),
    ("ChannelTimeout", &["none", "session:*=5m x11=1h", "session", "=5", "x=-5", "none a=1"]),
    ("UnusedConnectionTimeout", &["none", "5m", "NONE", "x"]),
    ("PermitTunnel", &["yes", "no", "point-to-point", "YES", "ethernet"]),
    ("GatewayPorts", &["yes", "clientspecified", "x"]),
    ("Compression", &["yes", "delayed", "no", "x"]),
    ("AddressFamily", &["any", "inet", "inet6", "ipv4"]),
    ("ListenAddress", &["0.0.0.0", "::", "[::1]:22", "127.0.0.1:2222", "127.0.0.1:0", "[::1", "[::1]x", "127.0.0.1 x"]),
    ("HostCertificate", &["/etc/ssh/cert.pub"]),
    ("ModuliFile", &["/etc/ssh/moduli", "moduli"]),
    ("X11DisplayOffset", &["10", "x"]),
    ("MaxSessions", &["10", "0"]),
    ("RefuseConnection", YES_NO),
    ("PAMServiceName", &["sshd", "other"]),
    ("PerSourcePenalties", &["no", "crash:3600s authfail:5", "max-sources4:100 overflow:deny-all", "x:1", "yes min:1"]),
    ("PerSourcePenaltyExemptList", &["10.0.0.0/8,::1", "10.0.0.1/8"]),
];

/// Lines that are refused, skipped or read in an unexpected way.
const ODD: &[&str] = &[
    "PasswordAuthentication maybe",
    "PasswordAuthentication",
    "Nonsense yes",
    "Password\"Authentication no",
    "PasswordAuthentication==no",
    "=PasswordAuthentication no",
    "PasswordAuthentication no yes",
    "Banner 'x",
    "Match User alice, bob",
    "Match Address 10.0.0.1/8",
    "Match User alice all",
    "Match",
    "Match User",
    "Match Final all",
    "Match \"\" x",
    "RDomain none",
    "Include",
    "MaxAuthTries -1",
    "LoginGraceTime 1x",
    "AllowUsers root@10.0.0.1/8",
    "AllowUsers ''",
    "AcceptEnv A=b",
    "AuthenticationMethods publickey any",
    "AuthenticationMethods # none",
    "AllowUsers # none",
    "KerberosGetAFSToken yes",
    "GSSAPIUseSessionCredCache yes",
    "\x0c",
    "AuthorizedKeysCommand relative",
    "UsePAM 'yes'",
    "ForceCommand it's",
];

/// A xorshift generator: the same seed gives the same configuration on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.below(items.len() as u64);
        &items[usize::try_from(index).unwrap()]
    }

    fn maybe(&mut self, items: &[&'static str]) -> Option<&'static str> {
        (!self.one_in(10)).then(|| *self.pick(items))
    }
}
