//! Which configuration of sshd must be looked at: each server's main file, what it includes, and the files whose
//! existence decides whether a method can succeed.

use crate::facts::{Look, Role, RootFacts, Want};
use crate::formats::program::Implementation;
use crate::login::methods::METHOD_FILES;
use crate::login::sshd::Unasked;
use crate::login::sshd::config::Config;
use crate::model::RootedPath;

/// What sshd's configuration wants looked at, given what was seen of `root` so far.
#[must_use]
pub fn wants(root: &RootFacts) -> Vec<Want> {
    let mut wants = Vec::new();
    for server in root.servers.iter().filter(|server| server.implementation == Implementation::OpenSsh) {
        let proof = crate::facts::login::server(server);
        // Without a version the Includes are followed as the newest sshd would.
        let dialect = proof.dialect.unwrap_or(crate::formats::sshd_config::Dialect::DEBIAN_12);
        let config = Config::load(&proof.config, &proof.options, &proof.ports, dialect, &root.files);
        let asked = |source: &crate::login::sshd::config::Source| Want {
            path: source.path.clone(),
            role: Role::SshdConfig,
            look: Look::Text,
        };
        wants.extend(config.files.iter().map(asked));
        wants.extend(config.unasked.iter().map(|unasked| match unasked {
            Unasked::File(path) => Want { path: path.clone(), role: Role::SshdConfig, look: Look::Text },
            Unasked::Directory(path) => Want { path: path.clone(), role: Role::Probe, look: Look::Entries },
        }));
    }
    if !wants.is_empty() {
        let inode = |path| Want { path, role: Role::Probe, look: Look::Inode };
        wants.extend(METHOD_FILES.iter().filter_map(RootedPath::new).map(inode));
    }
    wants
}
