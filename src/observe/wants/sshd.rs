//! Which configuration of sshd must be looked at: each server's main file, what it includes, the programs it splits off to,
//! and the files whose existence decides whether a method can succeed.

use super::pam;
use crate::facts::{Look, Role, RootFacts, ServerFacts, Want};
use crate::formats::program::Implementation;
use crate::formats::sshd_config::Body;
use crate::login::authority;
use crate::login::methods::METHOD_FILES;
use crate::login::sshd::Unasked;
use crate::login::sshd::config::Config;
use crate::model::RootedPath;

/// What sshd's configuration wants looked at, given what was seen of `root` so far.
#[must_use]
pub fn wants(root: &RootFacts) -> Vec<Want> {
    let mut wants = Vec::new();
    // A user's own server is outside the verdict: its configuration is the user's, not the host's.
    let judged = |server: &&ServerFacts| server.implementation == Implementation::OpenSsh && !server.user_server;
    for server in root.servers.iter().filter(judged) {
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
        wants.extend(parts(&config));
        wants.extend(keys(root, &config));
        wants.extend(authorities(&config));
    }
    if !wants.is_empty() {
        let inode = |path| Want { path, role: Role::Probe, look: Look::Inode };
        wants.extend(METHOD_FILES.iter().filter_map(RootedPath::new).map(inode));
    }
    wants
}

/// Keys of accounts, where a list asks for more than one: whether one of them may certify the others. Only beneath `.ssh`,
/// where what is kept is redacted; what lies elsewhere stays unknown.
fn keys(root: &RootFacts, config: &Config) -> Vec<Want> {
    let templates = authority::key_files(config);
    if templates.is_empty() {
        return Vec::new();
    }
    let accounts = pam::accounts_of(root);
    let near = |path: &RootedPath| !root.distant.iter().any(|mount| path.is_beneath(mount));
    accounts
        .iter()
        .take(pam::MAX_ENROLMENTS)
        .flat_map(|account| templates.iter().filter_map(|template| authority::path(template, account)))
        .filter(|path| near(path) && path.components().any(|part| part == b".ssh"))
        .map(|path| Want { path, role: Role::Probe, look: Look::Redacted })
        .collect()
}

/// The keys of the authorities whose certificates log in, wherever a line names them.
fn authorities(config: &Config) -> Vec<Want> {
    let lines = config.files.iter().flat_map(|file| &file.lines).chain(&config.options);
    let named = lines.filter_map(|line| match &line.body {
        Body::Setting { keyword, words, .. } if keyword.name == "trustedusercakeys" => words.first(),
        _ => None,
    });
    let paths = named.filter(|name| name.starts_with(b"/")).filter_map(RootedPath::new);
    paths.map(|path| Want { path, role: Role::Probe, look: Look::PublicKeys }).collect()
}

/// The programs that serve one connection, where configuration names others than those compiled in (sshd_config(5),
/// `SshdSessionPath` since OpenSSH 9.8, `SshdAuthPath` since 10.0). Both are global keywords.
fn parts(config: &Config) -> Vec<Want> {
    let Ok(global) = config.global() else { return Vec::new() };
    let values = global.values();
    let named = ["sshdsessionpath", "sshdauthpath"].into_iter().filter_map(|name| values.list(name).first());
    let paths = named.filter_map(RootedPath::new);
    paths.map(|path| Want { path, role: Role::Server, look: Look::Binary }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{FileFacts, FileState};
    use crate::model::{FileKind, Meta};

    fn check(version: &str, user_server: bool, config: &str, expected: &[&str]) {
        let path = |path: &str| RootedPath::new(path).unwrap();
        let mut file = FileFacts::new(FileState::Present(Meta {
            kind: FileKind::Regular,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 1,
            nlink: 1,
            mtime: 0,
            ctime: 0,
            dev: 1,
            ino: 1,
        }));
        file.text = Some(config.into());
        let mut root = RootFacts::default();
        root.files.files.insert(path("/etc/ssh/sshd_config"), file);
        root.servers.push(ServerFacts {
            label: "sshd".to_owned(),
            version: version.to_owned(),
            config: Some(path("/etc/ssh/sshd_config")),
            user_server,
            ..ServerFacts::new(Implementation::OpenSsh, path("/usr/sbin/sshd"))
        });
        let programs: Vec<String> = wants(&root)
            .into_iter()
            .filter(|want| want.role == Role::Server)
            .map(|want| want.path.to_string())
            .collect();
        assert_eq!(programs, expected);
    }

    #[test]
    fn split_programs_are_followed() {
        let both = "SshdSessionPath /opt/s\nSshdAuthPath /opt/a\n";
        check("OpenSSH_10.0p2", false, both, &["/opt/s", "/opt/a"]);
        check("OpenSSH_10.0p2", false, "UsePAM yes", &[]);
        check("OpenSSH_10.0p2", true, both, &[]);
        // Before 10.0 sshd does not know the second and refuses to start.
        check("OpenSSH_9.8p1", false, "SshdSessionPath /opt/s", &["/opt/s"]);
    }
}
