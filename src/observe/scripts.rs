//! What else may start an SSH server: init scripts, inittab(5), rc.local, inetd and xinetd. Scripts are not run and not
//! understood: an absolute path in one that leads to a server is enough to list that server.

use std::collections::BTreeSet;

use crate::formats::envfile;
use crate::host::root::{PathProblem, Root};
use crate::host::snapshot::Snapshot;
use crate::model::RootedPath;

/// Directories whose files are looked through.
const DIRECTORIES: [&str; 4] = ["/etc/init.d", "/etc/rc.d/init.d", "/etc/xinetd.d", "/etc/sv/ssh"];
/// Files that are looked through.
const FILES: [&str; 5] = ["/etc/inittab", "/etc/rc.local", "/etc/rc.d/rc.local", "/etc/inetd.conf", "/etc/xinetd.conf"];
/// Where distributions keep the options of the script that starts sshd, and the variable they use.
const OPTIONS: [(&str, &[u8]); 3] =
    [("/etc/default/ssh", b"SSHD_OPTS"), ("/etc/sysconfig/sshd", b"OPTIONS"), ("/etc/conf.d/sshd", b"SSHD_OPTS")];
/// Names in one directory, bytes of one file, and different paths in one file that are looked at.
const MAX_NAMES: usize = 1024;
const MAX_SCRIPT: u64 = 256 << 10;
const MAX_PATHS: usize = 256;

/// A script, or a configuration of inetd, that names programs.
#[derive(Debug)]
pub struct Script {
    /// Which file.
    pub path: RootedPath,
    /// The absolute paths in it, each once, with the words that follow it on its line.
    pub programs: Vec<(RootedPath, Vec<Vec<u8>>)>,
}

/// Reads them all.
#[must_use]
pub fn observe(root: &Root) -> (Vec<Script>, Vec<(RootedPath, String)>) {
    let mut paths: Vec<RootedPath> = FILES.iter().filter_map(RootedPath::new).collect();
    let mut problems = Vec::new();
    for directory in DIRECTORIES.iter().filter_map(RootedPath::new) {
        match root.list(&directory, MAX_NAMES) {
            Ok((names, _)) => paths.extend(names.iter().filter_map(|name| directory.join(name))),
            Err(PathProblem::Missing) => {}
            Err(problem) => problems.push((directory, problem.to_string())),
        }
    }
    let scripts = paths
        .into_iter()
        .filter_map(|path| {
            let snapshot = Snapshot::read(root, &path, MAX_SCRIPT).ok()?;
            let programs = programs(snapshot.bytes());
            (!programs.is_empty()).then_some(Script { path, programs })
        })
        .collect();
    (scripts, problems)
}

/// The options that a distribution's script gives to sshd, with the file they stand in.
#[must_use]
pub fn options(root: &Root) -> Option<(RootedPath, Vec<Vec<u8>>)> {
    OPTIONS.iter().find_map(|(path, variable)| {
        let path = RootedPath::new(path)?;
        let snapshot = Snapshot::read(root, &path, MAX_SCRIPT).ok()?;
        let file = envfile::parse(snapshot.bytes());
        let value = file.get(variable)?;
        Some((path, crate::formats::unit::words(value).unwrap_or_default()))
    })
}

/// The absolute paths of a text, one per different path.
fn programs(text: &[u8]) -> Vec<(RootedPath, Vec<Vec<u8>>)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for line in text.split(|b| *b == b'\n').filter(|line| !line.trim_ascii_start().starts_with(b"#")) {
        let words: Vec<&[u8]> = line
            .split(|b| b.is_ascii_whitespace() || b"\"'`;|&()<>=:".contains(b))
            .filter(|word| !word.is_empty())
            .collect();
        for (at, word) in words.iter().enumerate().filter(|(_, word)| word.starts_with(b"/") && word.len() > 2) {
            let Some(path) = RootedPath::new(word) else { continue };
            if found.len() < MAX_PATHS && seen.insert(path.clone()) {
                let rest = words.get(at.saturating_add(1)..).unwrap_or_default();
                found.push((path, rest.iter().map(|word| word.to_vec()).collect()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &[&str])]) {
        let found: Vec<(String, Vec<String>)> = programs(text.as_bytes())
            .into_iter()
            .map(|(path, words)| {
                (path.to_string(), words.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect())
            })
            .collect();
        let expected: Vec<(String, Vec<String>)> = expected
            .iter()
            .map(|(path, words)| ((*path).to_owned(), words.iter().map(|w| (*w).to_owned()).collect()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_in_scripts() {
        check("# /bin/no\nexec /usr/sbin/sshd -D\n", &[("/usr/sbin/sshd", &["-D"])]);
        check("DAEMON=\"/opt/x/sshd\"\n/opt/x/sshd -p 1\n", &[("/opt/x/sshd", &[])]);
        check("ssh stream tcp nowait root /usr/sbin/sshd sshd -i\n", &[("/usr/sbin/sshd", &["sshd", "-i"])]);
        check("server = /usr/sbin/sshd\n", &[("/usr/sbin/sshd", &[])]);
    }
}
