//! systemd's units beneath a root: which services exist, what they start, and which sockets start them. Fragments and
//! drop-ins are found as systemd.unit(5), "Unit File Load Path", says; no systemd is asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::formats::unit::{self, Command, Unit};
use crate::formats::{envfile, envfile::EnvFile};
use crate::host::root::{PathProblem, Root};
use crate::host::snapshot::{ReadProblem, Snapshot};
use crate::model::RootedPath;

/// Where units lie, strongest first (systemd.unit(5), Table 1, with the generators' and transient directories).
const DIRECTORIES: [&str; 13] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];
/// Names in one directory that are looked at.
const MAX_NAMES: usize = 16_384;
/// Largest unit or environment file; systemd's own limit for one line is 1 MiB.
const MAX_UNIT: u64 = 1 << 20;

/// A service with what it would start.
#[derive(Clone, Debug)]
pub struct Service {
    /// `ssh.service`, `sshd@.service`.
    pub name: Vec<u8>,
    /// Its fragment, links resolved.
    pub path: RootedPath,
    /// Fragment, drop-ins, environment files, socket unit and that one's drop-ins.
    pub files: Vec<RootedPath>,
    /// Its `ExecStart=` commands, variables replaced.
    pub commands: Vec<Command>,
    /// Ports of the TCP sockets that start it.
    pub ports: Vec<u16>,
}

/// All services, and what could not be read.
#[derive(Debug, Default)]
pub struct Units {
    /// By name.
    pub services: Vec<Service>,
    /// Paths with the reason.
    pub problems: Vec<(RootedPath, String)>,
}

/// Reads them all.
#[must_use]
pub fn observe(root: &Root) -> Units {
    let mut reader = Reader { root, problems: Vec::new(), listing: Vec::new(), drop_ins: BTreeMap::new() };
    reader.list();
    let mut services: Vec<Service> = Vec::new();
    let mut sockets: Vec<(Vec<u8>, Unit, Vec<RootedPath>)> = Vec::new();
    let mut inodes: BTreeSet<(u64, u64)> = BTreeSet::new();
    let mut names: BTreeSet<Vec<u8>> = BTreeSet::new();
    for (directory, name) in std::mem::take(&mut reader.listing) {
        if !names.insert(name.clone()) {
            continue;
        }
        let Some(path) = directory.join(&name) else { continue };
        let Some(snapshot) = reader.read(&path) else { continue };
        // An alias (`sshd.service` → `ssh.service`) is the same unit.
        if !inodes.insert((snapshot.meta().dev, snapshot.meta().ino)) {
            continue;
        }
        let (mut unit, _) = unit::parse(snapshot.bytes());
        let mut files = vec![root.canonical(&path).unwrap_or(path)];
        reader.apply_drop_ins(&name, &mut unit, &mut files);
        if name.ends_with(b".socket") {
            sockets.push((name, unit, files));
        } else {
            let commands = reader.commands(&name, &unit, &mut files);
            let path = files.first().cloned().unwrap_or_else(RootedPath::root);
            services.push(Service { name, path, files, commands, ports: Vec::new() });
        }
    }
    for (name, unit, files) in sockets {
        let ports = listen_ports(&unit);
        let started = started_by_socket(&name, &unit);
        for service in services.iter_mut().filter(|service| service.name == started) {
            service.ports.extend(&ports);
            service.files.extend(files.iter().cloned());
        }
    }
    Units { services, problems: reader.problems }
}

struct Reader<'a> {
    root: &'a Root,
    problems: Vec<(RootedPath, String)>,
    /// Canonical directory and name of each service and socket, strongest directory first.
    listing: Vec<(RootedPath, Vec<u8>)>,
    /// Name of a drop-in directory → name of a drop-in → the strongest file of that name.
    drop_ins: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, RootedPath>>,
}

impl Reader<'_> {
    fn list(&mut self) {
        // On a merged `/usr` two of them are one.
        let mut listed = BTreeSet::new();
        for directory in DIRECTORIES.iter().filter_map(RootedPath::new) {
            let directory = self.root.canonical(&directory).unwrap_or(directory);
            if !listed.insert(directory.clone()) {
                continue;
            }
            for name in self.names(&directory) {
                if name.ends_with(b".service") || name.ends_with(b".socket") {
                    self.listing.push((directory.clone(), name));
                } else if [&b"service.d"[..], b"socket.d"].iter().any(|kind| name.ends_with(kind)) {
                    let Some(path) = directory.join(&name) else { continue };
                    for drop_in in self.names(&path).into_iter().filter(|drop_in| drop_in.ends_with(b".conf")) {
                        if let Some(file) = path.join(&drop_in) {
                            self.drop_ins.entry(name.clone()).or_default().entry(drop_in).or_insert(file);
                        }
                    }
                }
            }
        }
    }

    fn names(&mut self, directory: &RootedPath) -> Vec<Vec<u8>> {
        match self.root.list(directory, MAX_NAMES) {
            Ok((names, more)) => {
                if more {
                    self.problems.push((directory.clone(), format!("has more than {MAX_NAMES} entries")));
                }
                names
            }
            Err(PathProblem::Missing) => Vec::new(),
            Err(problem) => {
                self.problems.push((directory.clone(), problem.to_string()));
                Vec::new()
            }
        }
    }

    /// `None` for what is masked (a link to `/dev/null`, or an empty file would be the same) or cannot be read.
    fn read(&mut self, path: &RootedPath) -> Option<Snapshot> {
        match Snapshot::read(self.root, path, MAX_UNIT) {
            Ok(snapshot) => Some(snapshot),
            // In an image `/dev/null` may be missing, and a unit of another package may have left a dangling link.
            Err(ReadProblem::Path(PathProblem::Missing) | ReadProblem::NotRegular(_)) => None,
            Err(problem) => {
                self.problems.push((path.clone(), problem.to_string()));
                None
            }
        }
    }

    /// Those of `ssh@.service` as well for an instance, those of `system-.service.d` for every name that begins so, and
    /// those of the whole type, weakest first (systemd.unit(5), "drop-in").
    fn apply_drop_ins(&mut self, name: &[u8], unit: &mut Unit, files: &mut Vec<RootedPath>) {
        // A file in a closer directory hides one of the same name in a wider one.
        let mut chosen: BTreeMap<Vec<u8>, RootedPath> = BTreeMap::new();
        for directory in drop_in_directories(name) {
            for (drop_in, path) in self.drop_ins.get(&directory).into_iter().flatten() {
                chosen.insert(drop_in.clone(), path.clone());
            }
        }
        for path in chosen.into_values() {
            if let Some(snapshot) = self.read(&path) {
                unit.extend(unit::parse(snapshot.bytes()).0);
                files.push(self.root.canonical(&path).unwrap_or(path));
            }
        }
    }

    fn commands(&mut self, name: &[u8], unit: &Unit, files: &mut Vec<RootedPath>) -> Vec<Command> {
        let values = unit.list("Service", "ExecStart");
        if values.is_empty() {
            return Vec::new();
        }
        let mut variables = EnvFile::default();
        for words in unit.list("Service", "Environment").into_iter().filter_map(unit::words) {
            for word in words {
                if let Some(equals) = word.iter().position(|b| *b == b'=') {
                    let (key, value) = word.split_at(equals);
                    variables.variables.push((key.to_vec(), value.get(1..).unwrap_or_default().to_vec()));
                }
            }
        }
        for value in unit.list("Service", "EnvironmentFile") {
            let (optional, path) = match value.strip_prefix(b"-") {
                Some(path) => (true, path),
                None => (false, value),
            };
            let Some(path) = RootedPath::new(path) else { continue };
            match self.read(&path) {
                Some(snapshot) => {
                    variables.variables.extend(envfile::parse(snapshot.bytes()).variables);
                    files.push(self.root.canonical(&path).unwrap_or(path));
                }
                None if optional => {}
                None => self.problems.push((path, "is named by a unit and could not be read".to_owned())),
            }
        }
        let instance = instance(name);
        // A variable that nothing sets is empty (systemd.service(5), "Command Lines").
        let lookup = |name: &[u8]| Some(variables.get(name).unwrap_or_default().to_vec());
        values.into_iter().filter_map(|value| unit::command(value, instance, &lookup)).collect()
    }
}

/// Widest first: `service.d`, then `a-.service.d`, `a-b-.service.d`, then the template's, then the unit's own.
fn drop_in_directories(name: &[u8]) -> Vec<Vec<u8>> {
    let Some(dot) = name.iter().rposition(|b| *b == b'.') else { return Vec::new() };
    let (stem, kind) = name.split_at(dot);
    let mut directories = vec![[kind.get(1..).unwrap_or_default(), b".d"].concat()];
    for (at, _) in stem.iter().enumerate().filter(|(_, b)| **b == b'-') {
        directories.push([stem.get(..=at).unwrap_or_default(), kind, b".d"].concat());
    }
    if let Some(at) = stem.iter().position(|b| *b == b'@')
        && at.checked_add(1) != Some(stem.len())
    {
        directories.push([stem.get(..=at).unwrap_or_default(), kind, b".d"].concat());
    }
    directories.push([name, b".d"].concat());
    directories
}

/// What stands between `@` and the suffix; empty for a template itself.
fn instance(name: &[u8]) -> &[u8] {
    let stem = name.iter().rposition(|b| *b == b'.').and_then(|dot| name.get(..dot)).unwrap_or(name);
    stem.iter().position(|b| *b == b'@').and_then(|at| stem.get(at.saturating_add(1)..)).unwrap_or_default()
}

/// The service that a socket unit starts: `Service=`, or the one of its name; with `Accept=yes` an instance of the
/// template for each connection (systemd.socket(5)).
fn started_by_socket(name: &[u8], unit: &Unit) -> Vec<u8> {
    if let Some(service) = unit.last("Socket", "Service").filter(|service| !service.is_empty()) {
        return service.to_vec();
    }
    let stem = name.strip_suffix(b".socket").unwrap_or(name);
    let accept = unit.last("Socket", "Accept").is_some_and(|value| {
        matches!(value.to_ascii_lowercase().as_slice(), b"yes" | b"true" | b"on" | b"1" | b"y" | b"t")
    });
    if accept { [stem, b"@.service"].concat() } else { [stem, b".service"].concat() }
}

/// Ports of `ListenStream=` values: `22`, `0.0.0.0:22`, `[::]:22`. UNIX and vsock sockets have none.
fn listen_ports(unit: &Unit) -> Vec<u16> {
    let port = |value: &[u8]| {
        let tail = value.rsplit(|b| *b == b':').next()?;
        std::str::from_utf8(tail).ok()?.parse().ok()
    };
    let tcp = |value: &&[u8]| !value.starts_with(b"/") && !value.starts_with(b"@") && !value.starts_with(b"vsock");
    unit.list("Socket", "ListenStream").into_iter().filter(tcp).filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &[&str]) {
        let directories: Vec<String> =
            drop_in_directories(name.as_bytes()).iter().map(|d| String::from_utf8_lossy(d).into_owned()).collect();
        assert_eq!(directories, expected);
    }

    #[test]
    fn drop_ins_from_wide_to_close() {
        check("ssh.service", &["service.d", "ssh.service.d"]);
        check("a-b.socket", &["socket.d", "a-.socket.d", "a-b.socket.d"]);
        check("sshd@.service", &["service.d", "sshd@.service.d"]);
        check("sshd@x.service", &["service.d", "sshd@.service.d", "sshd@x.service.d"]);
    }

    #[test]
    fn sockets_name_their_service() {
        let check = |name: &str, text: &str, expected: &str, ports: &[u16]| {
            let (unit, _) = unit::parse(text.as_bytes());
            assert_eq!(started_by_socket(name.as_bytes(), &unit), expected.as_bytes());
            assert_eq!(listen_ports(&unit), ports);
        };
        check("ssh.socket", "[Socket]\nListenStream=22\nAccept=no\n", "ssh.service", &[22]);
        check("sshd.socket", "[Socket]\nListenStream=[::1]:2222\nAccept=yes\n", "sshd@.service", &[2222]);
        check(
            "a.socket",
            "[Socket]\nListenStream=/run/x\nListenStream=vsock::22\nService=b.service\n",
            "b.service",
            &[],
        );
    }
}
