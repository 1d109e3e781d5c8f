//! Which configuration each running sshd holds: what its files said when it began, by the state that earlier scans left. A
//! server that reads its files for each connection (`-i`) holds none.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::facts::login::server;
use crate::facts::server::{Implementation, Loaded};
use crate::facts::{FileState, RootFacts, ServerFacts};
use crate::formats::proc::stat;
use crate::host::process::{Proc, clock_ticks};
use crate::login::pam::{Files, Seen};
use crate::login::sshd::Config;
use crate::login::tree::{Names, Tree};
use crate::model::loaded::{ConfigFiles, Execution, LoadedConfig};
use crate::model::text::Text;
use crate::model::{Algorithm, Digest, Meta, RootedPath, Timestamp};
use crate::own;

/// Largest `/proc/PID/stat` and `/proc/PID/auxv`.
const MAX_SMALL: usize = 8192;
/// Largest `/proc/stat`: a line for each processor, and one with a number for each interrupt.
const MAX_STAT: usize = 4 << 20;
/// Seconds by which times of files and of processes may be off: both are cut to whole seconds, and the time of boot is
/// reckoned back from a clock that is being adjusted (proc(5), `btime`).
const SLACK: u64 = 2;

/// Fills `loaded` of the servers, and returns what the state at `state` is to remember of them.
pub fn observe(proc: &Proc, state: &Path, now: Timestamp, facts: &mut RootFacts) -> Vec<LoadedConfig> {
    let before = own::state::loaded(state);
    let booted = proc.read("stat", MAX_STAT).ok().and_then(|table| stat::booted(&table));
    let mut remembered = Vec::new();
    for index in 0..facts.servers.len() {
        let Some(server) = facts.servers.get(index).filter(|server| holds_configuration(server)) else { continue };
        let Some(execution) = server.pids.first().and_then(|pid| execution(proc, *pid)) else { continue };
        let Some(current) = Current::of(facts, server) else { continue };
        let known = before.iter().find(|known| known.execution == execution);
        let files = match known {
            Some(known) => known.files.clone(),
            None => {
                let begun = begun(&execution, &before, booted);
                begun.filter(|begun| current.stood(*begun)).map(|_| current.files.clone())
            }
        };
        let loaded =
            files.clone().map(|files| if files == current.files { Loaded::AsItIs } else { Loaded::Other(files) });
        remembered.push(LoadedConfig { execution, seen: now, files });
        if let Some(server) = facts.servers.get_mut(index) {
            server.loaded_config = loaded;
        }
    }
    remembered
}

fn holds_configuration(server: &ServerFacts) -> bool {
    server.implementation == Implementation::OpenSsh && !server.inetd && !server.user_server
}

fn execution(proc: &Proc, pid: i32) -> Option<Execution> {
    let process = proc.process(pid).ok()?;
    let starttime = stat::parse(&process.read("stat", MAX_SMALL).ok()?)?.starttime;
    let image = Digest::of(Algorithm::Sha256, &process.read("auxv", MAX_SMALL).ok()?);
    Some(Execution { pid, starttime, image })
}

/// A time at which the program had not begun yet: when its process was started or, if it has begun anew since, when it was
/// last seen before that.
fn begun(execution: &Execution, before: &[LoadedConfig], booted: Option<u64>) -> Option<Timestamp> {
    let same_process = |known: &&LoadedConfig| {
        (known.execution.pid, known.execution.starttime) == (execution.pid, execution.starttime)
    };
    if let Some(known) = before.iter().find(same_process) {
        return Some(known.seen);
    }
    let seconds = execution.starttime.checked_div(clock_ticks())?;
    Some(Timestamp(booted?.saturating_add(seconds)))
}

/// A configuration as it lies on the disk now.
struct Current {
    files: ConfigFiles,
    /// The last change of anything that was asked for; `None` if not all of it could be dated.
    changed: Option<u64>,
}

impl Current {
    /// The configuration of `server`; `None` if it could not be read as a whole.
    fn of(facts: &RootFacts, server_facts: &ServerFacts) -> Option<Self> {
        let server = server(server_facts);
        let asked = Asked { facts, paths: RefCell::default() };
        let config = Config::load(&server.config, &server.options, &server.ports, server.dialect?, &asked);
        if !config.unasked.is_empty() || config.problems.iter().any(|problem| !problem.refused) {
            return None;
        }
        let text = |path: &RootedPath| match facts.files.text(path) {
            Seen::Text(bytes) => Some((path.clone(), Text::from(bytes))),
            _ => None,
        };
        let files: Option<BTreeMap<_, _>> = config.files.iter().map(|source| text(&source.path)).collect();
        let dates: Option<Vec<u64>> = asked.paths.into_inner().iter().map(|path| changed(facts, path)).collect();
        Some(Self { files: files?, changed: dates.and_then(|dates| dates.into_iter().max()) })
    }

    /// Whether nothing of it has changed since `time`.
    fn stood(&self, time: Timestamp) -> bool {
        self.changed.is_some_and(|changed| changed.saturating_add(SLACK) <= time.0)
    }
}

/// When what lies at `path` was last changed. `None` for what is not there, which may have been removed, and for a path with
/// links in it, of which each could have been changed.
fn changed(facts: &RootFacts, path: &RootedPath) -> Option<u64> {
    let canonical = facts.files.canonical(path).filter(|canonical| *canonical == path)?;
    match &facts.files.get(canonical)?.state {
        FileState::Present(meta) => u64::try_from(meta.ctime.max(meta.mtime)).ok(),
        FileState::Missing | FileState::Unknown(_) => None,
    }
}

/// Files that note what they were asked for.
struct Asked<'a> {
    facts: &'a RootFacts,
    paths: RefCell<BTreeSet<RootedPath>>,
}

impl Files for Asked<'_> {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        self.paths.borrow_mut().insert(path.clone());
        self.facts.files.text(path)
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        self.facts.files.inode(path)
    }
}

impl Tree for Asked<'_> {
    fn names(&self, path: &RootedPath) -> Names {
        self.paths.borrow_mut().insert(path.clone());
        self.facts.files.names(path)
    }
}
