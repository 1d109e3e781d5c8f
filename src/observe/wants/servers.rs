//! Which programs and configuration files belong to the SSH servers and clients of this root.

use std::collections::BTreeSet;

use crate::facts::{Look, Role, RootFacts, Want};
use crate::model::RootedPath;

/// Directories of programs that everybody runs.
const PROGRAMS: [&str; 2] = ["/usr/bin", "/usr/local/bin"];
/// Clients and key tools that see credentials.
const CLIENTS: [&str; 6] = ["ssh", "ssh-agent", "ssh-add", "scp", "sftp", "ssh-keygen"];
/// Where distributions and OpenSSH's own build put programs that others start.
const HELPER_DIRECTORIES: [&str; 6] =
    ["/usr/lib/openssh", "/usr/libexec/openssh", "/usr/lib/ssh", "/usr/libexec", "/usr/local/libexec", "/usr/lib"];
/// Helpers of a server: the file service, the host's signature, the split parts.
const SERVER_HELPERS: [&str; 4] = ["sftp-server", "ssh-keysign", "sshd-session", "sshd-auth"];
/// Helpers of clients: key containers outside the process.
const CLIENT_HELPERS: [&str; 2] = ["ssh-pkcs11-helper", "ssh-sk-helper"];

/// What the servers that were found, and the clients that may be there, want of this root; each wish once, sorted.
#[must_use]
pub fn wants(root: &RootFacts) -> Vec<Want> {
    let mut wants = BTreeSet::new();
    let mut add = |path: &RootedPath, role, look| {
        wants.insert(Want { path: path.clone(), role, look });
    };
    for server in &root.servers {
        if server.user_server {
            // Outside the verdict, but searched for indicators.
            add(&server.binary, Role::Extra, Look::Binary);
            continue;
        }
        for program in server.programs() {
            add(program, Role::Server, Look::Binary);
        }
        for library in &server.loaded {
            add(library, Role::Library, Look::Binary);
        }
        if let Some(config) = &server.config {
            add(config, Role::SshdConfig, Look::Text);
        }
        for file in &server.unit_files {
            add(file, Role::Unit, Look::Text);
        }
    }
    for path in beneath(&PROGRAMS, &CLIENTS).chain(beneath(&HELPER_DIRECTORIES, &CLIENT_HELPERS)) {
        add(&path, Role::Client, Look::Binary);
    }
    for path in beneath(&HELPER_DIRECTORIES, &SERVER_HELPERS) {
        add(&path, Role::Server, Look::Binary);
    }
    wants.into_iter().collect()
}

fn beneath(directories: &'static [&str], names: &'static [&str]) -> impl Iterator<Item = RootedPath> {
    let directories = directories.iter().filter_map(RootedPath::new);
    directories.flat_map(|directory| names.iter().filter_map(move |name| directory.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::ServerFacts;
    use crate::facts::server::{Implementation, StartedBy};

    fn server(user_server: bool) -> ServerFacts {
        let path = |path: &str| RootedPath::new(path).unwrap();
        ServerFacts {
            label: "sshd".to_owned(),
            parts: vec![path("/opt/sshd-session")],
            loaded: vec![path("/lib/libgcc_s.so.1")],
            config: Some(path("/etc/x")),
            started_by: StartedBy::CommandLine,
            unit_files: vec![path("/etc/u.service")],
            user_server,
            ..ServerFacts::new(Implementation::OpenSsh, path("/tmp/foo"))
        }
    }

    fn check(user_server: bool, expected: &[(&str, Role)]) {
        let root = RootFacts { servers: vec![server(user_server)], ..RootFacts::default() };
        let without = wants(&RootFacts::default());
        let seen: Vec<(String, Role)> = wants(&root)
            .into_iter()
            .filter(|want| !without.contains(want))
            .map(|want| (want.path.to_string(), want.role))
            .collect();
        let expected: Vec<(String, Role)> = expected.iter().map(|(path, role)| ((*path).to_owned(), *role)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_server_wants_all_of_itself() {
        check(
            false,
            &[
                ("/etc/u.service", Role::Unit),
                ("/etc/x", Role::SshdConfig),
                ("/lib/libgcc_s.so.1", Role::Library),
                ("/opt/sshd-session", Role::Server),
                ("/tmp/foo", Role::Server),
            ],
        );
    }

    #[test]
    fn a_user_server_is_only_searched() {
        check(true, &[("/tmp/foo", Role::Extra)]);
    }
}
