//! Discovers SSH servers: those that run, by the sockets they hold and by what their executable's bytes say; those that
//! units and scripts would start; those that lie at well-known paths. One instance becomes one [`ServerFacts`].

use std::collections::BTreeSet;

use super::containers::Place;
use super::identify::Identifier;
use super::namespaces::Bystanders;
use super::running::{self, Running};
use super::{scripts, units};
use crate::facts::server::{Implementation, Socket, StartedBy};
use crate::facts::{RootFacts, ServerFacts};
use crate::formats::program::{Part, Program};
use crate::formats::sshd_args;
use crate::host::process::Proc;
use crate::host::root::{PathProblem, Root};
use crate::host::snapshot::ReadProblem;
use crate::model::{Check, Gap, RootedPath, Subject, text};

/// Where servers lie when nothing says so.
const WELL_KNOWN: [&str; 12] = [
    "/usr/sbin/sshd",
    "/usr/bin/sshd",
    "/usr/local/sbin/sshd",
    "/usr/sbin/gsisshd",
    "/usr/sbin/hpnsshd",
    "/usr/local/sbin/hpnsshd",
    "/usr/sbin/dropbear",
    "/usr/local/sbin/dropbear",
    "/usr/bin/dropbear",
    "/usr/sbin/tinysshd",
    "/usr/local/sbin/tinysshd",
    "/usr/lib/openssh/sshd",
];
/// Names of servers in the `sbin` of packages under `/opt`.
const OPT_NAMES: [&str; 5] = ["sshd", "gsisshd", "hpnsshd", "dropbear", "tinysshd"];
/// Packages under `/opt` that are looked at.
const MAX_OPT: usize = 1024;

/// Fills `facts.servers`, and notes what could not be seen. `proc` is the running system's, absent for an image; `inside` is the
/// container that `root` belongs to. Returns what it has seen of all other processes.
pub fn observe(root: &Root, proc: Option<&Proc>, inside: Option<&Place>, facts: &mut RootFacts) -> Bystanders {
    let mut discovery = Discovery { root, identifier: Identifier::default(), facts };
    let planned = discovery.planned();
    let running = proc.map(|proc| running::observe(root, proc, inside, &mut discovery.identifier, &planned));
    let mut instances = Vec::new();
    let mut listening = Vec::new();
    let mut bystanders = Bystanders::default();
    if let Some(running) = running {
        bystanders = running.bystanders;
        listening = running.unclaimed;
        for gap in running.gaps {
            discovery.facts.gap(Check::Live, gap.clone());
            discovery.facts.gap(Check::Login, gap);
        }
        instances.extend(running.servers.into_iter().map(|server| discovery.running(server, &planned)));
    }
    for plan in &planned {
        discovery.add_planned(&mut instances, plan);
    }
    for path in discovery.well_known() {
        if !instances.iter().any(|server: &ServerFacts| server.binary == path)
            && let Some(program) = discovery.expected(&path)
        {
            let plan = Planned { started_by: StartedBy::Installed, ..Planned::new(path, program) };
            instances.push(plan.facts());
        }
    }
    socket_activated(&mut instances, &planned, &listening);
    label(&mut instances);
    if let Some(container) = &facts.container {
        instances.iter_mut().for_each(|server| server.label.push_str(&format!(" in {}", container.name)));
    }
    facts.servers = instances;
    bystanders
}

/// A server that something would start.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its executable, links resolved.
    pub binary: RootedPath,
    /// What that is.
    pub program: Program,
    /// Arguments without the program.
    pub words: Vec<Vec<u8>>,
    /// What would start it.
    pub started_by: StartedBy,
    /// Name of the unit; empty for others.
    pub unit: Vec<u8>,
    /// The files that say so.
    pub files: Vec<RootedPath>,
    /// Ports that something else listens on for it.
    pub ports: Vec<u16>,
}

impl Planned {
    fn new(binary: RootedPath, program: Program) -> Self {
        Self {
            binary,
            program,
            words: Vec::new(),
            started_by: StartedBy::Installed,
            unit: Vec::new(),
            files: Vec::new(),
            ports: Vec::new(),
        }
    }

    fn facts(&self) -> ServerFacts {
        let mut words = vec![self.binary.as_bytes().to_vec()];
        words.extend(self.words.iter().cloned());
        let mut server = server(self.binary.clone(), &self.program, &words);
        server.started_by = self.started_by.clone();
        server.unit_files = self.files.clone();
        server
    }
}

struct Discovery<'a> {
    root: &'a Root,
    identifier: Identifier,
    facts: &'a mut RootFacts,
}

impl Discovery<'_> {
    /// What units and scripts would start.
    fn planned(&mut self) -> Vec<Planned> {
        let units = units::observe(self.root);
        for (path, reason) in units.problems {
            self.unseen(&path, &format!("could not be read, so a server that it starts may be missing: {reason}"));
        }
        let mut planned = Vec::new();
        for service in units.services {
            for command in &service.commands {
                let Some((binary, program, words)) = self.command(&command.program, &command.arguments) else {
                    continue;
                };
                planned.push(Planned {
                    words,
                    started_by: StartedBy::Unit(service.path.clone()),
                    unit: service.name.clone(),
                    files: service.files.clone(),
                    ports: service.ports.clone(),
                    ..Planned::new(binary, program)
                });
            }
        }
        let (scripts, problems) = scripts::observe(self.root);
        for (path, reason) in problems {
            self.unseen(&path, &format!("could not be read, so a server that it starts may be missing: {reason}"));
        }
        for script in scripts {
            for (path, rest) in script.programs {
                // A script may name anything, sockets and devices too: only what can be read as a program counts.
                let Some((binary, program)) = self.quiet_program(&path) else { continue };
                let mut files = vec![script.path.clone()];
                let inetd = script.path.as_bytes().starts_with(b"/etc/inetd")
                    || script.path.as_bytes().starts_with(b"/etc/xinetd");
                let words = if inetd {
                    vec![b"-i".to_vec()]
                } else if let Some((defaults, words)) = scripts::options(self.root) {
                    files.push(defaults);
                    words
                } else {
                    rest.into_iter().filter(|word| word.starts_with(b"-D")).collect()
                };
                planned.push(Planned {
                    words,
                    started_by: StartedBy::Script(script.path.clone()),
                    files,
                    ..Planned::new(binary, program)
                });
            }
        }
        planned
            .retain(|plan| plan.program.part == Part::Server && plan.program.implementation != Implementation::Unknown);
        planned.retain(|plan| {
            plan.program.implementation != Implementation::OpenSsh || !sshd_args::sshd(&plan.words).test
        });
        planned
    }

    /// The server that a unit's command starts: its program, or one that its arguments name (`/bin/sh -c 'exec …'`,
    /// `/usr/bin/env … sshd`).
    fn command(&mut self, program: &[u8], arguments: &[Vec<u8>]) -> Option<(RootedPath, Program, Vec<Vec<u8>>)> {
        let path = self.searched(program)?;
        if let Some((binary, program)) = self.quiet_program(&path) {
            return Some((binary, program, arguments.to_vec()));
        }
        let flat: Vec<Vec<u8>> = arguments
            .iter()
            .flat_map(|argument| argument.split(|b| b.is_ascii_whitespace() || *b == b';').map(<[u8]>::to_vec))
            .collect();
        flat.iter().enumerate().filter(|(_, word)| word.starts_with(b"/")).find_map(|(at, word)| {
            let (binary, program) = self.quiet_program(&RootedPath::new(word)?)?;
            Some((binary, program, flat.get(at.saturating_add(1)..).unwrap_or_default().to_vec()))
        })
    }

    /// systemd searches a name without a slash in a fixed list (systemd.service(5), "Command Lines").
    fn searched(&self, program: &[u8]) -> Option<RootedPath> {
        if program.starts_with(b"/") {
            return RootedPath::new(program);
        }
        ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .iter()
            .filter_map(|directory| RootedPath::new(directory)?.join(program))
            .find(|path| self.root.stat(path).is_ok())
    }

    /// What lies at `path`; what cannot be read is no server that anything could start from here, or is found otherwise.
    fn quiet_program(&mut self, path: &RootedPath) -> Option<(RootedPath, Program)> {
        let canonical = self.root.canonical(path).ok()?;
        let program = self.identifier.planned(self.root, &canonical).ok()??;
        Some((canonical, program))
    }

    /// The same for a path at which a server is expected: what hinders reading it is a gap, and what lies there without
    /// being a server that we know (cut off, replaced by a script, somebody's own) is a server of an unknown kind, so that
    /// it is judged instead of passed over.
    fn expected(&mut self, path: &RootedPath) -> Option<Program> {
        match self.identifier.file(self.root, path) {
            Ok(Some(program)) => Some(program),
            Ok(None) => Some(Program {
                implementation: Implementation::Unknown,
                part: Part::Server,
                version: String::new(),
                config: None,
                parts: Vec::new(),
            }),
            Err(ReadProblem::Path(PathProblem::Missing)) => None,
            Err(problem) => {
                self.unseen(
                    path,
                    &format!("could not be read, so it is not known whether it is an SSH server: {problem}"),
                );
                None
            }
        }
    }

    fn well_known(&mut self) -> BTreeSet<RootedPath> {
        let mut paths: Vec<RootedPath> = WELL_KNOWN.iter().filter_map(RootedPath::new).collect();
        if let Some(opt) = RootedPath::new("/opt")
            && let Ok((packages, _)) = self.root.list(&opt, MAX_OPT)
        {
            for directory in packages.iter().filter_map(|package| opt.join(package)?.join("sbin")) {
                paths.extend(OPT_NAMES.iter().filter_map(|name| directory.join(name)));
            }
        }
        paths.iter().filter_map(|path| self.root.canonical(path).ok()).collect()
    }

    /// A running server; what would start it is found by the unit that owns its control group, else by what it is.
    fn running(&mut self, running: Running, planned: &[Planned]) -> ServerFacts {
        let by_unit =
            planned.iter().find(|plan| running.unit.as_ref().is_some_and(|unit| is_instance(unit, &plan.unit)));
        let mut words = running.words;
        if !running.complete {
            match by_unit {
                // The title was cut off; the unit says how it was started.
                Some(plan) => {
                    words = vec![plan.binary.as_bytes().to_vec()];
                    words.extend(plan.words.iter().cloned());
                }
                None => {
                    let reason = "its command line is cut off, so options may be missing";
                    let subject = Subject::Process { pid: running.pid, starttime: running.starttime };
                    self.facts.gap(Check::Login, Gap::mandatory(subject, reason));
                }
            }
        }
        let mut facts = server(running.binary, &running.program, &words);
        // Without a control group of a unit: whatever would start exactly this.
        let same = |plan: &&Planned| decisive(&plan.facts()) == decisive(&facts);
        let plan = by_unit.filter(|plan| plan.binary == facts.binary).or_else(|| planned.iter().find(same));
        facts.started_by = plan.map_or(StartedBy::CommandLine, |plan| plan.started_by.clone());
        facts.unit_files = plan.map(|plan| plan.files.clone()).unwrap_or_default();
        facts.parts.extend(running.parts);
        facts.parts.sort_unstable();
        facts.parts.dedup();
        facts.loaded = running.loaded;
        facts.loaded.sort_unstable();
        facts.loaded.dedup();
        facts.sockets = running.sockets;
        facts.pids = std::iter::once(running.pid).chain(running.children).collect();
        facts.inetd |= running.inetd;
        facts.user_server = running.user_server;
        facts
    }

    /// Adds what would be started, unless an instance is there already that is the same in all that matters.
    fn add_planned(&mut self, instances: &mut Vec<ServerFacts>, plan: &Planned) {
        let facts = plan.facts();
        let same = instances.iter_mut().find(|server| !server.user_server && decisive(server) == decisive(&facts));
        match same {
            Some(server) => {
                let known = |file: &&RootedPath| !server.unit_files.contains(file);
                let new: Vec<RootedPath> = facts.unit_files.iter().filter(known).cloned().collect();
                server.unit_files.extend(new);
            }
            None => instances.push(facts),
        }
    }

    fn unseen(&mut self, path: &RootedPath, reason: &str) {
        self.facts.gap(Check::Login, Gap::mandatory(Subject::file(path), reason));
    }
}

/// What makes two instances the same in all that matters to a login.
fn decisive(server: &ServerFacts) -> impl PartialEq + '_ {
    (&server.binary, &server.config, &server.options, &server.ports, &server.host_keys)
}

/// Whether `unit` is `plan`, or an instance of that template.
fn is_instance(unit: &[u8], plan: &[u8]) -> bool {
    if unit == plan {
        return true;
    }
    let Some(at) = unit.iter().position(|b| *b == b'@') else { return false };
    unit.get(..=at).is_some_and(|stem| plan.strip_suffix(b".service") == Some(stem))
}

/// An instance of `program`, called with `words` (program first).
fn server(binary: RootedPath, program: &Program, words: &[Vec<u8>]) -> ServerFacts {
    let rest = words.get(1..).unwrap_or_default();
    let escaped = |words: &[Vec<u8>]| words.iter().map(|word| text::escape(word)).collect::<Vec<_>>();
    let mut facts = ServerFacts {
        version: program.version.clone(),
        parts: program.parts.clone(),
        arguments: escaped(words),
        started_by: StartedBy::CommandLine,
        ..ServerFacts::new(program.implementation, binary)
    };
    match program.implementation {
        Implementation::OpenSsh => {
            let options = sshd_args::sshd(rest);
            // A relative path is taken from the directory sshd was started in; daemons are started in `/`.
            let given = options.config.as_ref().and_then(|path| RootedPath::root().join(path));
            facts.config = given.or_else(|| program.config.clone());
            facts.options = escaped(&options.options);
            facts.ports = options.ports;
            facts.host_keys = escaped(&options.host_keys);
            facts.inetd = options.inetd;
        }
        Implementation::Dropbear => {
            facts.ports = sshd_args::dropbear_ports(rest);
            facts.inetd = rest.iter().any(|word| word.starts_with(b"-") && word.contains(&b'i'));
        }
        Implementation::TinySsh => facts.inetd = true,
        Implementation::Unknown => {}
    }
    facts
}

/// A server that is handed its connections listens where its socket unit does.
fn socket_activated(instances: &mut [ServerFacts], planned: &[Planned], listening: &[Socket]) {
    for server in instances.iter_mut().filter(|server| server.sockets.is_empty() && !server.user_server) {
        let mine = |plan: &&Planned| plan.files.iter().any(|file| server.unit_files.contains(file));
        let ports: BTreeSet<u16> = planned.iter().filter(mine).flat_map(|plan| plan.ports.clone()).collect();
        server.sockets = listening.iter().filter(|socket| ports.contains(&socket.port)).cloned().collect();
    }
}

/// Names each instance by its program and what tells it from the others: its first socket, its unit, or its path.
fn label(instances: &mut [ServerFacts]) {
    let mut taken = BTreeSet::new();
    for server in instances {
        let name = text::escape(server.binary.file_name());
        // `[::]:22` says more than `0.0.0.0:22`: it usually means both.
        let socket =
            server.sockets.iter().max_by_key(|socket| (socket.address.is_unspecified(), socket.address.is_ipv6()));
        let mut label = match (socket, &server.started_by) {
            (Some(socket), _) => format!("{name} {socket}"),
            (None, StartedBy::Unit(path)) => format!("{name} ({})", text::escape(path.file_name())),
            (None, StartedBy::Script(path)) => format!("{name} ({path})"),
            (None, _) => server.binary.to_string(),
        };
        let plain = label.clone();
        let mut number: u32 = 2;
        while !taken.insert(label.clone()) {
            label = format!("{plain} #{number}");
            number = number.saturating_add(1);
        }
        server.label = label;
    }
}
