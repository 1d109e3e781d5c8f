//! Which PAM configuration, modules, module settings and enrolment files must be looked at.
//!
//! It assembles the stacks of every server's service from what was seen so far and wants what they asked for, round by
//! round: the service's file names what it includes, its lines name modules, modules name their own files.

use std::collections::BTreeSet;

use crate::facts::{Look, Role, RootFacts, Want};
use crate::formats::accounts;
use crate::login::pam::{self, Account, Group, Program, modules, stack};
use crate::model::{FileKind, RootedPath};

/// Accounts whose enrolment is looked at; that of more stays unknown.
pub(super) const MAX_ENROLMENTS: usize = 2000;

/// Names of files that hold secrets and are never kept as text, whatever names them.
const SECRET_NAMES: [&[u8]; 7] =
    [b"shadow", b"shadow-", b"gshadow", b"gshadow-", b"opasswd", b".google_authenticator", b"users.oath"];

/// What PAM wants looked at, given what was seen of `root` so far. Nothing where there is no SSH server.
#[must_use]
pub fn wants(root: &RootFacts) -> Vec<Want> {
    if root.servers.is_empty() {
        return Vec::new();
    }
    let mut wants = Vec::new();
    let mut want = |path: &RootedPath, role, look| wants.push(Want { path: path.clone(), role, look });
    let fixed = |path: &str| RootedPath::new(path);
    for dir in stack::DIRECTORIES.into_iter().chain(modules::DIRECTORIES).filter_map(fixed) {
        want(&dir, Role::Probe, Look::Inode);
    }
    for path in ["/etc/passwd", "/etc/group"].into_iter().filter_map(fixed) {
        want(&path, Role::SystemConfig, Look::Redacted);
    }
    for path in ["/etc/nsswitch.conf", "/etc/pam.conf"].into_iter().filter_map(fixed) {
        want(&path, if path.file_name() == b"pam.conf" { Role::PamConfig } else { Role::SystemConfig }, Look::Text);
    }
    if let Some(path) = fixed("/etc/security/access.d") {
        want(&path, Role::Probe, Look::Inode);
    }
    let accounts = accounts_of(root);
    let programs = programs(root);
    let modules: BTreeSet<&[u8]> = programs.iter().flat_map(Program::modules).collect();
    for path in modules.into_iter().flat_map(modules::candidates).filter(|path| may_be_there(root, path)) {
        want(&path, Role::PamModule, Look::Binary);
    }
    for program in &programs {
        for path in program.unasked.iter().filter(|path| !is_secret(path)) {
            want(path, Role::PamConfig, Look::Text);
        }
        for path in &program.unasked_secret {
            want(path, Role::PamConfig, Look::Redacted);
        }
        let enrolments = accounts.iter().take(MAX_ENROLMENTS).flat_map(|account| program.enrolment_files(account));
        for path in enrolments.filter(|path| !root.distant.iter().any(|mount| path.is_beneath(mount))) {
            want(&path, Role::Probe, Look::Inode);
        }
    }
    wants
}

/// The stacks of every service that a server of this root may use.
fn programs(root: &RootFacts) -> Vec<Program> {
    let groups = [Group::Auth, Group::Account, Group::Password, Group::Session];
    services(root).iter().flat_map(|service| groups.map(|group| pam::compile(service, group, &root.files))).collect()
}

/// PAM service names: `sshd` since OpenSSH 9.8, the program's own name before, and what `PAMServiceName` says anywhere.
#[must_use]
pub fn services(root: &RootFacts) -> BTreeSet<Vec<u8>> {
    let mut services = BTreeSet::from([b"sshd".to_vec()]);
    services.extend(root.servers.iter().map(|server| server.binary.file_name().to_ascii_lowercase()));
    for (_, file) in root.files.with_role(Role::SshdConfig) {
        for line in file.text_bytes().unwrap_or_default().split(|b| *b == b'\n') {
            let mut words = line
                .split(|b| b.is_ascii_whitespace() || matches!(b, b'=' | b'"' | b'\''))
                .filter(|word| !word.is_empty());
            if words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"PAMServiceName")) {
                services.extend(words.next().map(<[u8]>::to_ascii_lowercase));
            }
        }
    }
    services
}

/// The accounts of the root's own passwd(5), without their groups.
pub(super) fn accounts_of(root: &RootFacts) -> Vec<Account> {
    let path = RootedPath::new("/etc/passwd");
    let text = path.and_then(|path| root.files.get(&path)?.text_bytes()).unwrap_or_default();
    let account = |entry: accounts::PasswdEntry<'_>| Account {
        name: entry.name.to_vec(),
        uid: entry.uid,
        gid: entry.gid,
        groups: Vec::new(),
        groups_complete: false,
        home: entry.home.to_vec(),
        shell: entry.shell.to_vec(),
        local: true,
    };
    accounts::passwd(text).0.into_iter().map(account).collect()
}

/// Whether the directory of a module's path exists, as far as anybody knows.
fn may_be_there(root: &RootFacts, path: &RootedPath) -> bool {
    let dir = path.parent().and_then(|dir| root.files.get(&dir));
    match dir.map(crate::facts::FileFacts::meta) {
        Some(meta) => meta.is_some_and(|meta| meta.kind == FileKind::Directory),
        // An absolute path outside the known directories.
        None => !path
            .parent()
            .is_some_and(|dir| modules::DIRECTORIES.iter().any(|known| known.as_bytes() == dir.as_bytes())),
    }
}

fn is_secret(path: &RootedPath) -> bool {
    let name = path.file_name();
    SECRET_NAMES.contains(&name)
        || (name.starts_with(b"ssh_host_") && name.ends_with(b"_key"))
        || path.components().any(|part| part == b".ssh")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::server::{Implementation, ServerFacts};
    use crate::facts::{FileFacts, FileState};
    use crate::model::Meta;

    fn path(text: &str) -> RootedPath {
        RootedPath::new(text).unwrap()
    }

    fn server() -> ServerFacts {
        ServerFacts { label: "sshd".into(), ..ServerFacts::new(Implementation::OpenSsh, path("/usr/sbin/sshd-int")) }
    }

    /// A root in which `files` exist, looked at as the wants ask, until nothing more is wanted; the paths wanted.
    fn settle(files: &[(&str, &str)]) -> (RootFacts, BTreeSet<Want>) {
        let distant = vec![path("/net")];
        let mut root = RootFacts { servers: vec![server()], distant, ..RootFacts::default() };
        let mut all = BTreeSet::new();
        for _ in 0..20 {
            let new: Vec<Want> = wants(&root).into_iter().filter(|want| !all.contains(want)).collect();
            if new.is_empty() {
                return (root, all);
            }
            for want in &new {
                let name = want.path.to_string();
                let beneath = format!("{name}/");
                let text = files.iter().find(|(at, _)| *at == name).map(|(_, text)| *text);
                let directory = files.iter().any(|(at, _)| at.starts_with(&beneath));
                let kind = if directory { FileKind::Directory } else { FileKind::Regular };
                let (mode, uid, gid, size, nlink, mtime, ctime, dev, ino) = (0o644, 0, 0, 1, 1, 0, 0, 1, 1);
                let meta = Meta { kind, mode, uid, gid, size, nlink, mtime, ctime, dev, ino };
                let state = if text.is_some() || directory { FileState::Present(meta) } else { FileState::Missing };
                let file = root.files.files.entry(want.path.clone()).or_insert_with(|| FileFacts::new(state));
                file.looks.insert(want.look);
                if matches!(want.look, Look::Text | Look::Redacted) {
                    file.text = text.map(Into::into);
                }
            }
            all.extend(new);
        }
        panic!("the wants never end");
    }

    #[test]
    fn includes_modules_settings_and_enrolment_are_followed() {
        let (_, wants) = settle(&[
            (
                "/etc/pam.d/sshd",
                "auth include common\nauth required pam_listfile.so item=user sense=deny file=/etc/shadow\n",
            ),
            (
                "/etc/pam.d/common",
                "auth required pam_google_authenticator.so nullok\nauth required pam_duo.so\nsession optional pam_x.so\n",
            ),
            ("/etc/pam.d/sshd-int", "@include deeper\n"),
            (
                "/etc/pam.d/deeper",
                "account required pam_access.so accessfile=/etc/a.conf\nsession required /opt/y.so\n",
            ),
            ("/usr/lib64/security/pam_unix.so", ""),
            ("/etc/passwd", "alice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:1001::/net/bob:/bin/sh\n"),
        ]);
        let has = |at: &str, look| assert!(wants.iter().any(|w| w.path == path(at) && w.look == look), "{at} {look:?}");
        has("/etc/pam.d/deeper", Look::Text);
        has("/etc/a.conf", Look::Text);
        has("/usr/lib64/security/pam_google_authenticator.so", Look::Binary);
        has("/opt/y.so", Look::Binary);
        has("/etc/security/pam_duo.conf", Look::Redacted);
        has("/home/alice/.google_authenticator", Look::Inode);
        has("/etc/passwd", Look::Redacted);
        let not = |at: &str| assert!(!wants.iter().any(|w| w.path == path(at) && w.look != Look::Inode), "{at}");
        assert!(!wants.iter().any(|want| want.path.is_beneath(&path("/net"))), "a distant home is touched");
        not("/etc/shadow");
        not("/lib/security/pam_duo.so");
        not("/home/alice/.google_authenticator");
    }

    #[test]
    fn no_server_no_wants() {
        assert!(wants(&RootFacts::default()).is_empty());
    }
}
