//! What `checks::hygiene` needs to see: who may write what decides a login, host keys, preloaded libraries, the service
//! manager's environment. Of secrets only the inode is wanted.

use std::collections::BTreeSet;

use crate::facts::{Look, Role, RootFacts, Want};
use crate::knowledge::Knowledge;
use crate::model::RootedPath;

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
    for path in crate::facts::preload::libraries(root) {
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
    entries.into_iter().filter_map(move |name| directory.as_ref()?.join(crate::model::text::unescape(&name)?))
}

/// Home directories of accounts with uid 0.
fn homes_of_root(root: &RootFacts) -> BTreeSet<RootedPath> {
    let accounts = root.login.accounts.iter().filter(|account| account.uid == 0);
    let homes = accounts.filter_map(|account| RootedPath::new(crate::model::text::unescape(&account.home)?));
    homes.chain(RootedPath::new("/root")).filter(|home| *home != RootedPath::root()).collect()
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
