//! One root with everything in order, and each single disorder.

use std::collections::BTreeSet;

use super::*;
use crate::facts::login::{Account, Group};
use crate::facts::{LoginFacts, Role};
use crate::model::{FileKind, Severity, Timestamp, Verdict};

/// Path, role, kind, mode: as Debian 12 installs them.
const STOCK: &[(&str, Role, FileKind, u32)] = &[
    ("/", Role::Probe, FileKind::Directory, 0o755),
    ("/etc", Role::Probe, FileKind::Directory, 0o755),
    ("/etc/pam.d", Role::PamConfig, FileKind::Directory, 0o755),
    ("/etc/pam.d/sshd", Role::PamConfig, FileKind::Regular, 0o644),
    ("/etc/passwd", Role::Probe, FileKind::Regular, 0o644),
    ("/etc/shadow", Role::Probe, FileKind::Regular, 0o640),
    ("/etc/ssh", Role::Probe, FileKind::Directory, 0o755),
    ("/etc/ssh/ssh_host_ed25519_key", Role::HostKey, FileKind::Regular, 0o600),
    ("/etc/ssh/sshd_config", Role::SshdConfig, FileKind::Regular, 0o644),
    ("/etc/ssh/sshd_config.d", Role::SshdConfig, FileKind::Directory, 0o755),
    ("/root/.ssh", Role::Probe, FileKind::Directory, 0o700),
    ("/root/.ssh/authorized_keys", Role::Probe, FileKind::Regular, 0o600),
    ("/tmp", Role::Probe, FileKind::Directory, 0o1777),
    ("/usr/lib/openssh/ssh-keysign", Role::Server, FileKind::Regular, 0o4755),
    ("/usr/lib/systemd/system/ssh.service", Role::Unit, FileKind::Regular, 0o644),
    ("/usr/sbin", Role::Probe, FileKind::Directory, 0o755),
    ("/usr/sbin/sshd", Role::Server, FileKind::Regular, 0o755),
];

const UNIT: &str = "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n";

fn path(path: &str) -> RootedPath {
    RootedPath::new(path).unwrap()
}

fn meta(kind: FileKind, mode: u32) -> Meta {
    Meta { kind, mode, uid: 0, gid: 0, size: 0, nlink: 1, mtime: 0, ctime: 0, dev: 1, ino: 1 }
}

fn file(role: Role, state: FileState, content: Option<&str>) -> FileFacts {
    FileFacts { roles: BTreeSet::from([role]), text: content.map(Into::into), ..FileFacts::new(state) }
}

fn stock() -> RootFacts {
    let account = |name: &str, uid, gid| Account {
        name: name.to_owned(),
        uid,
        gid,
        home: format!("/home/{name}"),
        shell: "/bin/sh".to_owned(),
    };
    let group = |name: &str, gid, members: &[&str]| Group {
        name: name.to_owned(),
        gid,
        members: members.iter().map(|member| (*member).to_owned()).collect(),
    };
    let mut root = RootFacts {
        login: LoginFacts {
            accounts: vec![account("root", 0, 0), account("ann", 1000, 1000)],
            groups: vec![
                group("root", 0, &[]),
                group("shadow", 42, &[]),
                group("ssh_keys", 101, &[]),
                group("staff", 50, &[]),
            ],
            ..LoginFacts::default()
        },
        ..RootFacts::default()
    };
    for (name, role, kind, mode) in STOCK {
        let content = (*role == Role::Unit).then_some(UNIT);
        root.files.files.insert(path(name), file(*role, FileState::Present(meta(*kind, *mode)), content));
    }
    change(&mut root, "/etc/shadow", |meta| meta.gid = 42);
    root
}

fn change(root: &mut RootFacts, name: &str, change: impl FnOnce(&mut Meta)) {
    let file = root.files.files.get_mut(&path(name)).unwrap();
    let FileState::Present(meta) = &mut file.state else { panic!("{name} is not there") };
    change(meta);
}

fn judge(root: RootFacts, policy: &Policy) -> CheckResult {
    let facts = Facts {
        schema: String::new(),
        observer: String::new(),
        knowledge: String::new(),
        byte_rules: String::new(),
        observed_at: Timestamp(0),
        duration_ms: 0,
        usage: crate::model::report::Usage::default(),
        kernel: None,
        roots: vec![root],
        remember: crate::facts::Remember::default(),
    };
    check(&facts, &Knowledge::new("2026-01-01", Vec::new()), policy)
}

/// The stock root with one change gives exactly these findings above informational, as `code subject`.
fn expect(change: impl FnOnce(&mut RootFacts), expected: &[&str]) {
    let mut root = stock();
    change(&mut root);
    let result = judge(root, &Policy::default());
    let found: Vec<String> = result
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Informational)
        .map(|finding| format!("{} {}", finding.code, finding.subject))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_stock_root_passes() {
    let result = judge(stock(), &Policy::default());
    assert_eq!((result.verdict(), result.findings.len(), result.gaps.len()), (Verdict::Pass, 0, 0), "{result:#?}");
    assert_eq!(result.examined, STOCK.len() as u64);
}

#[test]
fn each_disorder_is_named() {
    let mode = |name: &'static str, mode: u32| move |root: &mut RootFacts| change(root, name, |meta| meta.mode = mode);
    let key = "/etc/ssh/ssh_host_ed25519_key";
    expect(mode(key, 0o644), &["hygiene/host-key-exposed /etc/ssh/ssh_host_ed25519_key"]);
    expect(mode(key, 0o640), &[]);
    let group = |gid| move |root: &mut RootFacts| change(root, key, |meta| (meta.mode, meta.gid) = (0o640, gid));
    expect(group(101), &[]);
    expect(group(50), &["hygiene/host-key-exposed /etc/ssh/ssh_host_ed25519_key"]);
    expect(|root| change(root, "/etc/shadow", |meta| meta.gid = 50), &["hygiene/secrets-readable /etc/shadow"]);
    expect(|root| root.login.groups.clear(), &[]);
    expect(mode("/etc/shadow", 0o644), &["hygiene/secrets-readable /etc/shadow"]);
    expect(mode("/usr/sbin/sshd", 0o757), &["hygiene/writable-by-others /usr/sbin/sshd"]);
    expect(mode("/etc/ssh/sshd_config", 0o664), &[]);
    expect(mode("/usr/sbin", 0o777), &["hygiene/directory-writable-by-others /usr/sbin"]);
    expect(mode("/usr/sbin", 0o1777), &[]);
    expect(mode("/etc/pam.d", 0o1777), &["hygiene/directory-writable-by-others /etc/pam.d"]);
    expect(
        |root| change(root, "/root/.ssh/authorized_keys", |meta| meta.uid = 1000),
        &["hygiene/writable-by-others /root/.ssh/authorized_keys"],
    );
    expect(
        |root| change(root, "/etc/ssh/sshd_config", |meta| (meta.mode, meta.gid) = (0o664, 50)),
        &["hygiene/writable-by-others /etc/ssh/sshd_config"],
    );
    expect(
        |root| {
            change(root, "/etc/ssh/sshd_config", |meta| meta.mode = 0o664);
            root.login.groups[0].members.push("ann".to_owned());
        },
        &["hygiene/writable-by-others /etc/ssh/sshd_config"],
    );
}

#[test]
fn what_could_not_be_seen_is_a_gap() {
    for name in ["/usr/sbin/sshd", "/etc/ssh/ssh_host_ed25519_key", "/etc/shadow", "/root/.ssh/authorized_keys"] {
        let mut root = stock();
        root.files.files.get_mut(&path(name)).unwrap().state = FileState::Unknown("permission denied".to_owned());
        let result = judge(root, &Policy::default());
        assert_eq!(result.verdict(), Verdict::Inconclusive, "{name}");
        assert_eq!(result.gaps.len(), 1, "{name} {:?}", result.gaps);
        assert_eq!(result.gaps[0].subject, Subject::file(&path(name)));
    }
}

#[test]
fn owners_of_an_image_unpacked_by_a_user_are_a_gap_not_an_accusation() {
    let mut root = stock();
    for (name, ..) in STOCK {
        change(&mut root, name, |meta| (meta.uid, meta.gid) = (1000, 1000));
    }
    change(&mut root, "/usr/sbin/sshd", |meta| meta.mode = 0o777);
    let result = judge(root, &Policy::default());
    assert_eq!(result.gaps.len(), 1);
    assert_eq!(result.findings.len(), 1, "{:?}", result.findings);
    assert!(result.findings[0].message.starts_with("everybody"));
}

#[test]
fn preloads_are_findings_unless_declared() {
    let with = |content: &str| {
        let mut root = stock();
        let state = FileState::Present(meta(FileKind::Regular, 0o644));
        root.files.files.insert(path("/etc/ld.so.preload"), file(Role::LoaderConfig, state, Some(content)));
        root
    };
    let result = judge(with("# none\n"), &Policy::default());
    assert_eq!(result.verdict(), Verdict::Pass);
    let result = judge(with("# x\n/lib/a.so /lib/b.so\n"), &Policy::default());
    assert_eq!(result.findings.len(), 2);
    assert!(matches!(result.findings[0].evidence[0], Evidence::Line { line: 2, .. }), "{:?}", result.findings[0]);
    let policy = Policy { declared_preloads: vec![path("/lib/a.so")], ..Policy::default() };
    let severities: Vec<_> =
        judge(with("/lib/a.so /lib/b.so"), &policy).findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Informational, Severity::High]);
    // The loader opens the name with the carriage return, which nobody declared.
    assert_eq!(judge(with("/lib/a.so\\x0d\n"), &policy).findings[0].severity, Severity::High);
}

#[test]
fn units_may_not_choose_libraries() {
    let unit = |name: &str, content: &str, expected: &[(&str, Severity)]| {
        let mut root = stock();
        let state = FileState::Present(meta(FileKind::Regular, 0o644));
        root.files.files.insert(path(name), file(Role::Unit, state, Some(content)));
        let result = judge(root, &Policy::default());
        let found: Vec<_> = result.findings.iter().map(|finding| (finding.code.id(), finding.severity)).collect();
        assert_eq!(found, expected, "{content}");
    };
    let drop_in = "/etc/systemd/system/ssh.service.d/site.conf";
    unit(drop_in, "[Service]\nRestart=always\n#Environment=LD_PRELOAD=/x\n", &[]);
    unit(drop_in, "[Service]\nEnvironment=LD_PRELOAD=/x\n", &[("hygiene/unit-preload", Severity::High)]);
    unit("/etc/default/ssh", "LD_LIBRARY_PATH=/opt/lib\n", &[("hygiene/unit-preload", Severity::Medium)]);
    unit(
        drop_in,
        "[Service]\nExecStartPre=/bin/x\nExecStart=\n",
        &[("hygiene/unit-override", Severity::Informational)],
    );
}

#[test]
fn a_users_own_server_is_outside_the_verdict() {
    let mut root = stock();
    let binary = path("/home/ann/bin/sshd");
    let mut owned = meta(FileKind::Regular, 0o775);
    (owned.uid, owned.gid) = (1000, 1000);
    root.files.files.insert(binary.clone(), file(Role::Server, FileState::Present(owned), None));
    let accused = judge(root.clone(), &Policy::default());
    assert_eq!(accused.findings.len(), 1);
    root.servers.push(crate::facts::ServerFacts {
        label: "x".to_owned(),
        started_by: crate::facts::server::StartedBy::CommandLine,
        user_server: true,
        ..crate::facts::ServerFacts::new(crate::facts::server::Implementation::OpenSsh, binary)
    });
    assert_eq!(judge(root, &Policy::default()).verdict(), Verdict::Pass);
}
