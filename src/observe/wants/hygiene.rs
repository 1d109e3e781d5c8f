//! What `checks::hygiene` needs to see: who may write what decides a login, host keys, preloaded libraries, the service
//! manager's environment. Of secrets only the inode is wanted.

use std::collections::BTreeSet;

use crate::facts::{Look, Role, RootFacts, Want, preload};
use crate::formats::accounts;
use crate::formats::program::Implementation;
use crate::formats::sshd_config::Dialect;
use crate::knowledge::Knowledge;
use crate::login::sshd::Config;
use crate::model::{RootedPath, text};

/// Directories of sshd's own configuration and keys.
const SSH_DIR: &str = "/etc/ssh";
/// Host keys that sshd looks for without configuration (servconf.c `fill_default_server_options`, sshd_config(5) HostKey).
const HOST_KEYS: [&str; 4] = [
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_dsa_key",
];
/// Looked at for owner and mode only.
const INODES: [&str; 4] = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];
/// Where the service manager's own environment is set (systemd-system.conf(5)).
const MANAGER: [&str; 3] = ["/etc/systemd/system.conf", "/run/systemd/system.conf", "/usr/lib/systemd/system.conf"];

/// The wishes that follow from what is known so far.
#[must_use]
pub fn wants(root: &RootFacts, _: &Knowledge) -> Vec<Want> {
    let mut wants = Vec::new();
    let mut want = |path: Option<RootedPath>, role, look| {
        wants.extend(path.map(|path| Want { path, role, look }));
    };
    for path in HOST_KEYS {
        want(RootedPath::new(path), Role::HostKey, Look::Inode);
    }
    for path in configured_keys(root) {
        want(Some(path), Role::HostKey, Look::Inode);
    }
    want(RootedPath::new(SSH_DIR), Role::Probe, Look::Entries);
    for path in names_in(root, SSH_DIR) {
        if is_host_key(path.file_name()) {
            want(Some(path), Role::HostKey, Look::Inode);
        }
    }
    for path in INODES {
        want(RootedPath::new(path), Role::Probe, Look::Inode);
    }
    want(RootedPath::new("/etc/ld.so.preload"), Role::LoaderConfig, Look::Text);
    for path in preload::libraries(root) {
        want(RootedPath::new(&path), Role::Library, Look::Binary);
    }
    for path in MANAGER {
        want(RootedPath::new(path), Role::Unit, Look::Text);
        let directory = format!("{path}.d");
        want(RootedPath::new(&directory), Role::Probe, Look::Entries);
        for path in names_in(root, &directory).filter(|path| path.file_name().ends_with(b".conf")) {
            want(Some(path), Role::Unit, Look::Text);
        }
    }
    for home in homes_of_root(root) {
        want(home.join(".ssh"), Role::Probe, Look::Inode);
        want(home.join(".ssh/authorized_keys"), Role::Probe, Look::Inode);
    }
    for directory in directories(root) {
        want(Some(directory), Role::Probe, Look::Inode);
    }
    wants
}

/// `ssh_host_*_key`: as named by ssh-keygen(1) `-A`, whatever the algorithm.
fn is_host_key(name: &[u8]) -> bool {
    name.starts_with(b"ssh_host_") && name.ends_with(b"_key")
}

/// What was seen in the directory `path`.
fn names_in(root: &RootFacts, path: &str) -> impl Iterator<Item = RootedPath> {
    let directory = RootedPath::new(path);
    let entries = directory.as_ref().and_then(|path| root.files.get(path)?.entries.clone()).unwrap_or_default();
    entries.into_iter().filter_map(move |name| directory.as_ref()?.join(text::unescape(&name)?))
}

/// Home directories of accounts with uid 0.
fn homes_of_root(root: &RootFacts) -> BTreeSet<RootedPath> {
    let passwd =
        RootedPath::new("/etc/passwd").and_then(|path| root.files.get(&path)?.text_bytes()).unwrap_or_default();
    let (accounts, _) = accounts::passwd(passwd);
    let homes = accounts.iter().filter(|account| account.uid == 0).filter_map(|account| RootedPath::new(account.home));
    homes.chain(RootedPath::new("/root")).filter(|home| *home != RootedPath::root()).collect()
}

/// Host keys that configuration or command line of a server name.
fn configured_keys(root: &RootFacts) -> BTreeSet<RootedPath> {
    let mut keys = BTreeSet::new();
    for facts in
        root.servers.iter().filter(|server| server.implementation == Implementation::OpenSsh && !server.user_server)
    {
        keys.extend(facts.host_keys.iter().filter_map(|key| RootedPath::new(text::unescape(key)?)));
        let server = crate::facts::login::server(facts);
        let dialect = server.dialect.unwrap_or(Dialect::DEBIAN_12);
        let config = Config::load(&server.config, &server.options, &server.ports, dialect, &root.files);
        if let Ok(global) = config.global() {
            keys.extend(global.values().list("hostkey").iter().filter_map(RootedPath::new));
        }
    }
    keys
}

/// Every directory on the way to a file of the surface or a host key, both as asked and as it really is.
fn directories(root: &RootFacts) -> BTreeSet<RootedPath> {
    let matters = |path: &&RootedPath| {
        root.files.get(path).is_some_and(|file| {
            file.meta().is_some() && file.roles.iter().any(|role| role.in_surface() || *role == Role::HostKey)
        })
    };
    let asked = root.files.links.keys().filter(matters);
    let mut directories = BTreeSet::new();
    for path in root.files.files.keys().filter(matters).chain(asked) {
        let mut at = path.parent();
        while let Some(directory) = at {
            at = directory.parent();
            if !directories.insert(directory) {
                break;
            }
        }
    }
    directories
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{FileFacts, FileState, ServerFacts};
    use crate::model::{FileKind, Meta};

    fn place(root: &mut RootFacts, name: &str, content: &str) {
        let meta = Meta {
            kind: FileKind::Regular,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 0,
            nlink: 1,
            mtime: 0,
            ctime: 0,
            dev: 1,
            ino: 1,
        };
        let mut file = FileFacts::new(FileState::Present(meta));
        file.text = Some(content.into());
        file.looks.insert(Look::Text);
        file.roles.insert(Role::SshdConfig);
        root.files.files.insert(RootedPath::new(name).unwrap(), file);
    }

    #[test]
    fn what_configuration_names_is_wanted_and_of_secrets_only_the_inode() {
        let mut root = RootFacts::default();
        place(&mut root, "/etc/ssh/sshd_config", "HostKey /srv/keys/host\n");
        place(&mut root, "/etc/passwd", "root:x:0:0::/home/boss:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n");
        place(&mut root, "/etc/ld.so.preload", "/opt/x.so\n");
        root.servers.push(ServerFacts {
            label: "sshd".to_owned(),
            config: RootedPath::new("/etc/ssh/sshd_config"),
            host_keys: vec!["/srv/keys/other".to_owned()],
            ..ServerFacts::new(Implementation::OpenSsh, RootedPath::new("/usr/sbin/sshd").unwrap())
        });
        let wanted = wants(&root, &Knowledge::new("2026-01-01", Vec::new()));
        let check = |path: &str, role, look| {
            let want = Want { path: RootedPath::new(path).unwrap(), role, look };
            assert!(wanted.contains(&want), "{want:?}");
        };
        check("/srv/keys/host", Role::HostKey, Look::Inode);
        check("/srv/keys/other", Role::HostKey, Look::Inode);
        check("/home/boss/.ssh/authorized_keys", Role::Probe, Look::Inode);
        check("/opt/x.so", Role::Library, Look::Binary);
        check("/etc/ssh", Role::Probe, Look::Inode);
        assert!(!wanted.iter().any(|want| want.path.as_bytes().starts_with(b"/home/ann")));
        let secret = |want: &&Want| want.role == Role::HostKey || want.path.file_name().ends_with(b"shadow");
        assert!(wanted.iter().filter(secret).all(|want| want.look == Look::Inode));
    }
}
