//! SSH servers that run: whoever holds a listening socket and executes one, and whoever executes a program that is known
//! to be one. Attributes to each the processes that serve its connections.

use std::collections::{BTreeMap, BTreeSet};

use super::containers::{self, Elsewhere};
use super::identify::{Executable, Identifier, Unknown};
use super::namespaces::Bystanders;
use super::servers::Planned;
use super::sockets::{self, Listening, Row, Table};
use crate::facts::server::{Implementation, Socket};
use crate::formats::proc::{cgroup, idmap, status};
use crate::formats::program::{Part, Program};
use crate::formats::sshd_args;
use crate::host::process::{Proc, Process};
use crate::host::root::Root;
use crate::model::{Gap, RootedPath, Subject, text};

/// Largest `/proc/PID/cmdline` that is read; the kernel's limit for arguments and environment together is 6 MiB by default.
const MAX_CMDLINE: usize = 8 << 20;
/// Largest `status`, `cgroup` and `uid_map`.
const MAX_SMALL: usize = 64 << 10;
/// Generations from a listener down to the last process of a session: monitor, user's process, authentication.
const MAX_DEPTH: usize = 6;
/// The port of RFC 4253, section 4.2.
const SSH_PORT: u16 = 22;
/// `/proc/self/ns/pid` in the first pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const FIRST_PID_NAMESPACE: &[u8] = b"pid:[4026531836]";

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// The process that listens, or that serves a connection something else accepted.
    pub pid: i32,
    /// Its start time.
    pub starttime: u64,
    /// The file it was started from, links resolved.
    pub binary: RootedPath,
    /// What that is.
    pub program: Program,
    /// Its command line, program first.
    pub words: Vec<Vec<u8>>,
    /// Whether all of that could be seen.
    pub complete: bool,
    /// What it listens on.
    pub sockets: Vec<Socket>,
    /// Name of the systemd service it belongs to.
    pub unit: Option<Vec<u8>>,
    /// Processes that serve its connections.
    pub children: Vec<i32>,
    /// Further programs that those execute.
    pub parts: Vec<RootedPath>,
    /// Libraries that the C library loaded into any of its processes by itself.
    pub loaded: Vec<RootedPath>,
    /// Whether something else accepts its connections.
    pub inetd: bool,
    /// Whether it cannot become any other user.
    pub user_server: bool,
}

/// All of them, and what could not be seen.
#[derive(Debug, Default)]
pub struct Found {
    /// By process id.
    pub servers: Vec<Running>,
    /// Mandatory for whoever asks about servers, unless they say otherwise.
    pub gaps: Vec<Gap>,
    /// Listening sockets that none of the servers holds.
    pub unclaimed: Vec<Socket>,
    /// What was seen of all processes on the way.
    pub bystanders: Bystanders,
}

/// Looks at every process and every listening socket; of a container, only at the processes that are `inside`.
pub fn observe(
    root: &Root,
    proc: &Proc,
    inside: Option<&containers::Place>,
    identifier: &mut Identifier,
    planned: &[Planned],
) -> Found {
    let mut table = match sockets::observe(proc) {
        Ok(table) => table,
        Err(problem) => {
            let gap = Gap::mandatory(Subject::Host, format!("processes cannot be listed: {problem}"));
            return Found { gaps: vec![gap], ..Found::default() };
        }
    };
    let bystanders = std::mem::take(&mut table.bystanders);
    let taken = BTreeSet::new();
    let mut search = Search { root, proc, inside, identifier, table: &table, found: Found::default(), taken };
    search.found.bystanders = bystanders;
    if table.broken && inside.is_none() {
        search.gap(Subject::Host, "a table of TCP sockets could not be read whole".to_owned());
    }
    search.listeners();
    if inside.is_none() {
        search.unowned(planned);
    }
    search.others(planned);
    let claimed = |listening: &&Listening| !listening.owners.iter().any(|pid| search.taken.contains(pid));
    let all = table.listening.iter().filter(|_| inside.is_none());
    search.found.unclaimed = all.filter(claimed).map(|listening| listening.socket.clone()).collect();
    search.found
}

struct Search<'a> {
    root: &'a Root,
    proc: &'a Proc,
    /// The container that is looked at; `None` for the host.
    inside: Option<&'a containers::Place>,
    identifier: &'a mut Identifier,
    table: &'a Table,
    found: Found,
    /// Processes that belong to a server already.
    taken: BTreeSet<i32>,
}

/// The processes below a listener.
#[derive(Default)]
struct Family {
    pids: Vec<i32>,
    parts: BTreeSet<RootedPath>,
    loaded: BTreeSet<RootedPath>,
}

/// Where the file that a process executes lies.
enum Place {
    /// Beneath the examined root.
    Here(RootedPath),
    /// In another root: a container, a chroot.
    Elsewhere,
}

impl Search<'_> {
    fn gap(&mut self, subject: Subject, reason: String) {
        self.found.gaps.push(Gap::mandatory(subject, reason));
    }

    /// Whoever holds a listening socket, by what it executes. Children that a server forked still hold its sockets for a
    /// moment, so a process whose parent is a listener of the same program is no server of its own.
    fn listeners(&mut self) {
        let mut held: BTreeMap<i32, Vec<Socket>> = BTreeMap::new();
        for listening in &self.table.listening {
            for pid in &listening.owners {
                held.entry(*pid).or_default().push(listening.socket.clone());
            }
        }
        let parent = |pid: &i32| self.table.rows.get(pid).map(|row| row.parent);
        let (first, forked): (Vec<i32>, Vec<i32>) =
            held.keys().partition(|pid| parent(pid).is_none_or(|parent| !held.contains_key(&parent)));
        for pid in first.into_iter().chain(forked) {
            if self.taken.contains(&pid) || !self.concerns(pid) {
                continue;
            }
            let Some(row) = self.table.rows.get(&pid) else { continue };
            let sockets = held.get(&pid).cloned().unwrap_or_default();
            match self.executable(pid) {
                Ok(executable) => self.listener(row, executable, sockets),
                Err(Unknown::Gone) => {}
                Err(Unknown::Because(reason)) => {
                    let sockets: Vec<String> = sockets.iter().map(|socket| format!("`{socket}`")).collect();
                    let reason = format!("listens on {} and may be an SSH server; {reason}", sockets.join(", "));
                    self.gap(Subject::Process { pid, starttime: row.starttime }, reason);
                }
            }
        }
    }

    /// Whether a process is where we look: of the host, all are looked at.
    fn concerns(&self, pid: i32) -> bool {
        let place = || self.proc.process(pid).ok().as_ref().and_then(containers::Place::of);
        self.inside.is_none_or(|inside| place().as_ref() == Some(inside))
    }

    /// Notes a server of a container, if it is one, so that the container is entered.
    fn note_elsewhere(&mut self, row: &Row, process: &Process) -> bool {
        let place = containers::Place::of(process).filter(|place| place.is_container(self.proc, self.root));
        let Some(place) = place else { return false };
        self.taken.insert(row.pid);
        let known = |known: &Elsewhere| known.place == place;
        if self.inside.is_none() && !self.found.bystanders.elsewhere.iter().any(known) {
            let found = Elsewhere { pid: row.pid, starttime: row.starttime, place };
            self.found.bystanders.elsewhere.push(found);
        }
        true
    }

    fn listener(&mut self, row: &Row, executable: Executable, sockets: Vec<Socket>) {
        let Some(program) = executable.program.clone() else { return };
        let subject = Subject::Process { pid: row.pid, starttime: row.starttime };
        if program.implementation == Implementation::Unknown {
            let reason = format!(
                "`{}` listens and speaks the SSH protocol, as client or server; it is not judged",
                text::escape(&executable.path)
            );
            self.found.gaps.push(Gap::noted(subject, reason));
            return;
        }
        self.server(row, &executable, program, sockets, false);
    }

    /// Notes a server unless it belongs to another root.
    fn server(&mut self, row: &Row, executable: &Executable, program: Program, sockets: Vec<Socket>, inetd: bool) {
        let Ok(process) = self.proc.process(row.pid) else { return };
        let subject = Subject::Process { pid: row.pid, starttime: row.starttime };
        let Ok(status) = process.read("status", MAX_SMALL).map(|bytes| status::parse(&bytes)) else { return };
        let user_server = status.is_some_and(|status| !status.any_root() && !self.can_become_others(&process, &status));
        let binary = match self.place(&process, executable) {
            Place::Here(path) => path,
            Place::Elsewhere if self.inside.is_some() => return,
            Place::Elsewhere if !user_server && self.note_elsewhere(row, &process) => return,
            Place::Elsewhere => {
                self.taken.insert(row.pid);
                let reason = format!(
                    "an SSH server runs in another root (a container or chroot); judge that with `--root /proc/{}/root`",
                    row.pid
                );
                self.found.gaps.push(Gap { subject, reason, mandatory: !user_server });
                return;
            }
        };
        let line =
            process.read("cmdline", MAX_CMDLINE).map(|bytes| sshd_args::command_line(&bytes)).unwrap_or_default();
        let unit = process.read("cgroup", MAX_SMALL).ok().and_then(|bytes| cgroup::service(&bytes));
        self.taken.insert(row.pid);
        let mut family = Family { loaded: executable.loaded.iter().cloned().collect(), ..Family::default() };
        self.children(row.pid, executable, 0, &mut family);
        self.found.servers.push(Running {
            pid: row.pid,
            starttime: row.starttime,
            binary,
            program,
            words: line.words,
            complete: line.complete,
            sockets,
            unit,
            children: family.pids,
            parts: family.parts.into_iter().collect(),
            loaded: family.loaded.into_iter().collect(),
            inetd,
            user_server,
        });
    }

    /// Whether it may take on the identity of other users: CAP_SETUID reaches what its user namespace maps, and a user's
    /// own namespace maps no system account.
    fn can_become_others(&self, process: &Process, status: &status::Status) -> bool {
        if !status.can_change_uid() {
            return false;
        }
        let own = self.proc.link("self/ns/user");
        let theirs = process.link("ns/user");
        if theirs.is_err() || own == theirs {
            return true;
        }
        process.read("uid_map", MAX_SMALL).map_or(true, |map| idmap::reaches(&map, 0))
    }

    fn executable(&mut self, pid: i32) -> Result<Executable, Unknown> {
        let process = self.proc.process(pid)?;
        self.identifier.process(&process)
    }

    /// A process whose own root is another directory reads another configuration, so it belongs to that root even where its
    /// program lies beneath ours.
    fn place(&self, process: &Process, executable: &Executable) -> Place {
        let Some(path) = RootedPath::new(&executable.path) else { return Place::Elsewhere };
        if let Some(inside) = self.inside {
            let here = containers::Place::of(process).as_ref() == Some(inside);
            return if here { Place::Here(self.root.canonical(&path).unwrap_or(path)) } else { Place::Elsewhere };
        }
        let ours = self.root.stat(&RootedPath::root()).map(|meta| (meta.dev, meta.ino));
        let theirs = process.stat("root").map(|meta| (meta.dev, meta.ino));
        // The name tells a chroot into another mount of the same directory, the inode another mount namespace.
        let top = process.link("root").is_ok_and(|name| name == b"/");
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) if ours == theirs && top => Place::Here(self.root.canonical(&path).unwrap_or(path)),
            _ => Place::Elsewhere,
        }
    }

    /// The processes below `parent` that execute a server's program: its own inode, or one whose content says so. What a
    /// user runs in his session is none.
    fn children(&mut self, parent: i32, listener: &Executable, depth: usize, family: &mut Family) {
        if depth == MAX_DEPTH {
            return;
        }
        let children: Vec<i32> = self.table.children(parent).map(|row| row.pid).collect();
        for pid in children {
            if self.taken.contains(&pid) {
                continue;
            }
            let executable = match self.executable(pid) {
                Ok(executable) => executable,
                Err(Unknown::Gone) => continue,
                // What cannot be looked at counts as one of its processes: there the reason is told.
                Err(Unknown::Because(_)) => {
                    self.taken.insert(pid);
                    family.pids.push(pid);
                    continue;
                }
            };
            let same = (executable.meta.dev, executable.meta.ino) == (listener.meta.dev, listener.meta.ino);
            let known =
                executable.program.as_ref().is_some_and(|program| program.implementation != Implementation::Unknown);
            if !same && !known {
                continue;
            }
            self.taken.insert(pid);
            family.pids.push(pid);
            family.loaded.extend(executable.loaded.iter().cloned());
            if !same
                && let Some(path) = RootedPath::new(&executable.path)
                && !executable.path.starts_with(b"/memfd:")
            {
                family.parts.insert(self.root.canonical(&path).unwrap_or(path));
            }
            self.children(pid, listener, depth.saturating_add(1), family);
        }
    }

    /// Processes that execute a known server and belong to none yet: sessions whose listener has ended, and servers that
    /// inetd, xinetd or a socket unit hands connections to.
    fn others(&mut self, planned: &[Planned]) {
        let mut inodes: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut paths: BTreeSet<Vec<u8>> = BTreeSet::new();
        let programs = planned.iter().flat_map(|plan| std::iter::once(&plan.binary).chain(&plan.program.parts));
        let running = self.found.servers.iter().flat_map(|server| std::iter::once(&server.binary).chain(&server.parts));
        for path in programs.chain(running) {
            inodes.extend(self.root.stat(path).map(|meta| (meta.dev, meta.ino)));
            paths.insert(path.as_bytes().to_vec());
        }
        for row in self.table.rows.values().filter(|row| row.exe.is_some()) {
            if self.taken.contains(&row.pid) {
                continue;
            }
            let named =
                row.exe.as_ref().is_some_and(|exe| paths.contains(exe.strip_suffix(b" (deleted)").unwrap_or(exe)));
            let Ok(process) = self.proc.process(row.pid) else { continue };
            if !named && !process.stat("exe").is_ok_and(|meta| inodes.contains(&(meta.dev, meta.ino))) {
                continue;
            }
            if !self.concerns(row.pid) {
                continue;
            }
            // A name is not enough: what it executes decides.
            let Ok(executable) = self.executable(row.pid) else { continue };
            let program = executable.program.clone().filter(|p| p.implementation != Implementation::Unknown);
            // A session in a container has a path that the host's server has too.
            let inside = self.inside.is_some();
            if let Some(program) = program.filter(|_| inside || !self.note_elsewhere(row, &process)) {
                self.other(row, &executable, program);
            }
        }
    }

    fn other(&mut self, row: &Row, executable: &Executable, program: Program) {
        let owner = RootedPath::new(&executable.path).and_then(|path| {
            let path = self.root.canonical(&path).unwrap_or(path);
            self.found.servers.iter().position(|server| {
                !server.user_server
                    && (server.binary == path || server.parts.contains(&path) || server.program.parts.contains(&path))
            })
        });
        match owner {
            Some(owner) => {
                self.taken.insert(row.pid);
                let mut family = Family::default();
                family.pids.push(row.pid);
                family.loaded.extend(executable.loaded.iter().cloned());
                self.children(row.pid, executable, 0, &mut family);
                if let Some(server) = self.found.servers.get_mut(owner) {
                    server.children.extend(family.pids);
                    server.parts.extend(family.parts);
                    server.loaded.extend(family.loaded);
                }
            }
            None if program.part == Part::Server => self.server(row, executable, program, Vec::new(), true),
            None => {
                let reason = "serves an SSH connection of a server that was not found";
                self.gap(Subject::Process { pid: row.pid, starttime: row.starttime }, reason.to_owned());
            }
        }
    }

    /// Listening sockets that no process was seen to hold.
    fn unowned(&mut self, planned: &[Planned]) {
        let first = self.proc.link("self/ns/pid").is_ok_and(|link| link == FIRST_PID_NAMESPACE);
        // Mounted with `hidepid`, proc(5) does not even list other users' processes, process 1 among them.
        let all_listed = self.table.rows.contains_key(&1);
        let all_seen = self.table.hidden.is_empty() && first && all_listed;
        let ssh_ports: BTreeSet<u16> = planned.iter().flat_map(|plan| plan.ports.clone()).chain([SSH_PORT]).collect();
        let unowned: Vec<&Listening> = self.table.listening.iter().filter(|l| l.owners.is_empty()).collect();
        for listening in unowned {
            let socket = &listening.socket;
            let gap = if all_seen && !ssh_ports.contains(&socket.port) {
                let reason = format!(
                    "no process holds the listening socket `{socket}`: it belongs to the kernel (NFS, Lustre) or to a hidden process"
                );
                Gap::noted(Subject::Host, reason)
            } else {
                let reason = format!(
                    "the process that listens on `{socket}` could not be found, and it may be an SSH server; \
                     root in the first pid namespace sees all"
                );
                Gap::mandatory(Subject::Host, reason)
            };
            self.found.gaps.push(gap);
        }
    }
}
