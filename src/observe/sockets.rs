//! Listening TCP sockets of every network namespace that a process is in, and which processes hold them.

use std::collections::{BTreeMap, BTreeSet};

use super::namespaces::{Bystanders, PROBING};
use crate::facts::server::Socket;
use crate::formats::proc::{stat, tcp};
use crate::host::process::{Proc, ProcProblem, Process};

/// Largest socket table that is read: some 400,000 sockets.
const MAX_TABLE: usize = 64 << 20;
/// Largest `/proc/PID/stat`.
const MAX_STAT: usize = 4096;

/// One process, as much as discovery needs.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Clock ticks since boot.
    pub starttime: u64,
    /// `/proc/PID/exe` as the kernel prints it; `None` for kernel threads and where it may not be read.
    pub exe: Option<Vec<u8>>,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Table {
    /// The processes that live, by id.
    pub rows: BTreeMap<i32, Row>,
    /// Listening sockets with the processes that hold them.
    pub listening: Vec<Listening>,
    /// Processes whose descriptors could not be listed.
    pub hidden: BTreeSet<i32>,
    /// Whether some socket table could not be read or had lines that could not.
    pub broken: bool,
    /// What was seen of all processes on the way.
    pub bystanders: Bystanders,
}

/// One listening socket.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Where it listens.
    pub socket: Socket,
    /// Its inode.
    pub inode: u64,
    /// Who holds it.
    pub owners: Vec<i32>,
}

/// Reads all of it.
///
/// # Errors
/// If the processes cannot be listed.
pub fn observe(proc: &Proc) -> Result<Table, ProcProblem> {
    let mut table = Table::default();
    let mut listeners = table.sockets(|name| proc.read(name, MAX_TABLE));
    let mut namespaces = BTreeSet::from([proc.link("self/ns/net").unwrap_or_default()]);
    let mut owners: BTreeMap<u64, Vec<i32>> = BTreeMap::new();
    for pid in proc.pids()? {
        let Ok(process) = proc.process(pid) else { continue };
        let Some(row) = row(&process) else { continue };
        if let Ok(namespace) = process.link("ns/net")
            && namespaces.insert(namespace)
        {
            listeners.extend(table.sockets(|name| process.read(name, MAX_TABLE)));
            table.bystanders.networks.push(pid);
        }
        match process.descriptors() {
            Ok(targets) => {
                if targets.iter().any(|target| PROBING.contains(&target.as_slice())) {
                    table.bystanders.probing.insert(pid);
                }
                for inode in targets.iter().filter_map(|target| socket_inode(target)) {
                    owners.entry(inode).or_default().push(pid);
                }
            }
            Err(ProcProblem::Gone) => continue,
            Err(_) => {
                table.hidden.insert(pid);
            }
        }
        table.rows.insert(pid, row);
    }
    for listener in listeners {
        let owners = owners.get(&listener.inode).cloned().unwrap_or_default();
        let socket = Socket { address: listener.address, port: listener.port };
        table.listening.push(Listening { socket, inode: listener.inode, owners });
    }
    if table.listening.iter().any(|listening| listening.owners.is_empty()) {
        table.forget_closed(proc);
    }
    table.bystanders.complete = table.hidden.is_empty();
    table.bystanders.sockets = owners;
    table.listening.sort_by(|a, b| (&a.socket, a.inode).cmp(&(&b.socket, b.inode)));
    Ok(table)
}

impl Table {
    fn sockets(&mut self, read: impl Fn(&str) -> Result<Vec<u8>, ProcProblem>) -> Vec<tcp::Listener> {
        let mut found = Vec::new();
        for name in ["net/tcp", "net/tcp6"] {
            match read(name) {
                Ok(bytes) => {
                    let (listeners, broken) = tcp::listeners(&bytes);
                    self.broken |= broken > 0;
                    found.extend(listeners);
                }
                // A kernel without IPv6 has no tcp6.
                Err(ProcProblem::Gone) if name == "net/tcp6" => {}
                Err(_) => self.broken = true,
            }
        }
        found
    }

    /// A socket that was closed between the two looks has no owner either: it must not be called hidden.
    fn forget_closed(&mut self, proc: &Proc) {
        let mut namespaces = BTreeSet::from([proc.link("self/ns/net").unwrap_or_default()]);
        let mut open = self.sockets(|name| proc.read(name, MAX_TABLE));
        for pid in self.rows.keys().copied().collect::<Vec<_>>() {
            if let Ok(process) = proc.process(pid)
                && let Ok(namespace) = process.link("ns/net")
                && namespaces.insert(namespace)
            {
                open.extend(self.sockets(|name| process.read(name, MAX_TABLE)));
            }
        }
        let open: BTreeSet<u64> = open.iter().map(|listener| listener.inode).collect();
        self.listening.retain(|listening| !listening.owners.is_empty() || open.contains(&listening.inode));
    }

    /// The processes whose parent is `pid`.
    pub fn children(&self, pid: i32) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(move |row| row.parent == pid)
    }
}

/// `None` if it has ended.
fn row(process: &Process) -> Option<Row> {
    let stat = stat::parse(&process.read("stat", MAX_STAT).ok()?)?;
    (!stat.is_dead()).then(|| Row {
        pid: process.pid(),
        parent: stat.parent,
        starttime: stat.starttime,
        exe: process.link("exe").ok(),
    })
}

/// The `N` of `socket:[N]`.
fn socket_inode(target: &[u8]) -> Option<u64> {
    let digits = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
