//! Builds `Facts` from a host or an image. Touches the machine, knows no policy, judges nothing.

pub mod bindings;
pub mod capsule;
pub mod containers;
pub mod directory;
pub mod files;
pub mod history;
pub mod identify;
pub mod inspect;
pub mod kernel;
mod loaded;
pub mod login;
pub mod mapped;
pub mod medium;
pub mod namespaces;
pub mod packages;
pub mod pages;
pub mod parse;
pub mod probes;
pub mod processes;
pub mod rights;
pub mod running;
pub mod scripts;
pub mod servers;
pub mod sockets;
pub mod sweep;
pub mod units;
pub mod vdso;
pub mod views;
pub mod wants;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::facts::{self, Facts, KernelFacts, PackageFacts, Remember, RootFacts};
use crate::formats::os_release;
use crate::host::process::Proc;
use crate::host::root::Root;
use crate::knowledge::Knowledge;
use crate::model::manifest::Manifest;
use crate::model::text::escape;
use crate::model::{Algorithm, Check, Gap, RootedPath, Subject, Timestamp};
use crate::own;

use containers::{Elsewhere, Place};
use files::Looker;
use namespaces::Bystanders;

/// Rounds of wanting and looking before we stop asking: the longest chain of includes and libraries is far shorter.
const MAX_ROUNDS: usize = 256;

/// What to observe.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The root: `/` for the running system, otherwise where an image is mounted.
    pub root: PathBuf,
    /// Whether every ELF file beneath the root is searched for byte rules, not just the surface.
    pub scan_all: bool,
    /// Whether all code and read-only data in the memory of servers is read, not just what was copied there.
    pub deep: bool,
    /// Whether code in memory that is not the files' is kept for the report (see [`crate::model::capsule`]).
    pub capsule: bool,
    /// When to stop looking and report what was not seen.
    pub deadline: Option<Instant>,
    /// Key files of the operator's, name and content, to check signatures against beside those that the root holds.
    pub keyrings: Vec<(String, Vec<u8>)>,
    /// Our own state directory, where earlier scans left what this one may need; nothing is written there by observing.
    pub state: Option<PathBuf>,
    /// Directories with packages and the signed lists that name them.
    pub archives: Vec<PathBuf>,
    /// Whether what apt keeps on the root itself is passed over.
    pub without_own_archive: bool,
    /// Manifests of the site, each with where it was read from.
    pub manifests: Vec<(String, Manifest)>,
}

impl Request {
    /// What the package databases are read with.
    fn aids(&self) -> packages::Aids<'_> {
        packages::Aids {
            keyrings: &self.keyrings,
            archives: &self.archives,
            without_own_archive: self.without_own_archive,
            manifests: &self.manifests,
            state: self.state.as_deref(),
        }
    }
}

/// How far it got.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A new station of the line begins.
    Station(&'static str),
    /// This path was just looked at.
    File(&'a RootedPath),
}

/// Nothing could be observed at all.
#[derive(Debug)]
pub struct ObserveProblem {
    /// The root.
    pub root: PathBuf,
    /// Why it cannot be opened.
    pub error: io::Error,
}

impl std::fmt::Display for ObserveProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot open {} as the root to examine: {}", self.root.display(), self.error)
    }
}

impl std::error::Error for ObserveProblem {}

/// Looks at a host or an image.
///
/// # Errors
/// If the root itself cannot be opened. Everything else that cannot be seen is a gap in the facts.
pub fn observe(
    request: &Request,
    knowledge: &Knowledge,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Facts, ObserveProblem> {
    let start = Start::now();
    let problem = |error| ObserveProblem { root: request.root.clone(), error };
    let live = request.root.as_os_str() == "/";
    let root = Root::open(&request.root, live).map_err(problem)?;
    let mut facts =
        RootFacts { path: escape(request.root.as_os_str().as_encoded_bytes()), live, ..RootFacts::default() };
    let proc = live.then(|| Proc::open(Path::new("/proc")));
    if let Some(Err(error)) = &proc {
        let gap = Gap::mandatory(Subject::Host, format!("`/proc` cannot be opened: {error}"));
        facts.gap(Check::Live, gap.clone());
        facts.gap(Check::Login, gap);
    }
    let proc = proc.and_then(Result::ok);
    let mut examined = examine(request, &root, proc.as_ref(), None, facts, knowledge, progress);
    if let (Some(proc), Some(state)) = (&proc, &request.state) {
        examined.remember.loaded = loaded::observe(proc, state, start.at, &mut examined.facts);
    }
    let elsewhere = std::mem::take(&mut examined.bystanders.elsewhere);
    let contained = proc.as_ref().map(|proc| {
        progress(Progress::Station("looking into containers"));
        enter(request, proc, &elsewhere, &mut examined, knowledge, progress)
    });
    let kernel = live.then(|| kernel::observe(proc.as_ref(), &examined.bystanders));
    let Examined { facts, remember, bytes_read, .. } = examined;
    let roots = std::iter::once(facts).chain(contained.into_iter().flatten()).collect();
    Ok(Facts { remember, ..start.facts(roots, kernel, bytes_read, knowledge) })
}

/// What was seen beneath one root.
struct Examined {
    facts: RootFacts,
    remember: Remember,
    /// What was seen of other processes on the way.
    bystanders: Bystanders,
    bytes_read: u64,
}

/// The roots of containers in which servers run. What cannot be entered is a gap of the host's.
fn enter(
    request: &Request,
    proc: &Proc,
    elsewhere: &[Elsewhere],
    host: &mut Examined,
    knowledge: &Knowledge,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Vec<RootFacts> {
    let mut roots = Vec::new();
    for (number, found) in elsewhere.iter().enumerate() {
        let entered = if number < containers::MAX_CONTAINERS {
            containers::enter(proc, found)
        } else {
            Err(format!("more than {} containers with servers are not entered", containers::MAX_CONTAINERS))
        };
        let (container, root) = match entered {
            Ok(entered) => entered,
            Err(why) => {
                let reason = format!("an SSH server runs in a container that cannot be entered: {why}");
                let gap = Gap::mandatory(Subject::Process { pid: found.pid, starttime: found.starttime }, reason);
                host.facts.gap(Check::Live, gap.clone());
                host.facts.gap(Check::Login, gap);
                continue;
            }
        };
        let path = container.root();
        let request = Request { root: path.clone().into(), scan_all: false, state: None, ..request.clone() };
        let facts = RootFacts { path, live: true, container: Some(container), ..RootFacts::default() };
        let examined = examine(&request, &root, Some(proc), Some(&found.place), facts, knowledge, progress);
        host.bytes_read = host.bytes_read.saturating_add(examined.bytes_read);
        roots.push(examined.facts);
    }
    roots
}

/// Looks at one root: the examined one, or that of the container `inside`.
fn examine(
    request: &Request,
    root: &Root,
    proc: Option<&Proc>,
    inside: Option<&Place>,
    mut facts: RootFacts,
    knowledge: &Knowledge,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Examined {
    let mut looker = Looker::new(root, knowledge, request.deadline);
    progress(Progress::Station("looking for SSH servers"));
    let whose = facts.container.as_ref().map_or_else(|| "self".to_owned(), |container| container.pid.to_string());
    facts.distant = proc.map(|proc| kernel::distant_mounts(proc, &whose)).unwrap_or_default();
    let bystanders = servers::observe(root, proc, inside, &mut facts);

    if let Some(proc) = proc {
        if inside.is_none() {
            watch::observe(root, proc, &bystanders, &mut facts);
        }
        looker.keep_tables_of(processes::mapped_inodes(proc, &facts.servers));
    }

    progress(Progress::Station("looking at files"));
    look_until_nothing_is_wanted(&mut looker, &mut facts, knowledge, progress);
    identify(&mut facts);
    facts.login = login::observe(&facts);
    if request.scan_all {
        progress(Progress::Station("searching every file"));
        sweep::sweep(&mut looker, root, &request.root, &mut facts, progress);
    }

    facts.gaps.extend(wants::gaps(&facts));

    progress(Progress::Station("asking the package databases"));
    let answer = packages::observe(root, &facts.files, request.aids());
    looker.digest_further(&recorded_digests(&answer.facts), &mut facts.files);
    facts.packages = answer.facts;
    facts.gaps.extend(answer.gaps);
    let mut remember = Remember { evidence: answer.evidence, archive: answer.archive, ..Remember::default() };

    if let Some(proc) = proc {
        progress(Progress::Station("looking at processes"));
        processes::observe(root, proc, knowledge, looker.take_tables(), request.deep, &mut facts);
        if request.capsule {
            capsule::observe(proc, &mut facts);
        }
        probes::observe(proc, &mut facts);
        if inside.is_none() {
            views::observe(proc, request.deep, &mut facts);
            rights::observe(proc, &mut facts);
        }
        history::observe(root, proc, request, &remember.evidence, &mut facts);
        // Once in a boot and after each change, where something remembers; else only if asked for.
        if request.deep || request.state.is_some() {
            let state = request.state.as_deref().filter(|_| !request.deep);
            let before = state.map(own::state::compared).unwrap_or_default();
            remember.medium = medium::observe(proc, &before, &mut facts);
        }
    }
    Examined { facts, remember, bystanders, bytes_read: looker.bytes_read() }
}

/// When an observation began; at its end it becomes the facts.
struct Start {
    at: Timestamp,
    timer: Instant,
}

impl Start {
    fn now() -> Self {
        Self { at: own::clock::now(), timer: Instant::now() }
    }

    /// What was observed since, with when, by what and at what cost.
    fn facts(
        self,
        roots: Vec<RootFacts>,
        kernel: Option<KernelFacts>,
        bytes_read: u64,
        knowledge: &Knowledge,
    ) -> Facts {
        Facts {
            schema: facts::SCHEMA.to_owned(),
            observer: env!("CARGO_PKG_VERSION").to_owned(),
            knowledge: knowledge.date().to_owned(),
            byte_rules: knowledge.byte_rules().to_owned(),
            observed_at: self.at,
            duration_ms: u64::try_from(self.timer.elapsed().as_millis()).unwrap_or(u64::MAX),
            usage: own::usage::so_far(bytes_read),
            kernel,
            roots,
            remember: Remember::default(),
        }
    }
}

fn look_until_nothing_is_wanted(
    looker: &mut Looker<'_>,
    facts: &mut RootFacts,
    knowledge: &Knowledge,
    progress: &mut dyn FnMut(Progress<'_>),
) {
    // How often something new was seen, and how often it had been when each of them wanted no more: who has seen nothing new
    // since is not asked again.
    let mut learned = 0;
    let mut content = [None; wants::ALL.len()];
    for _ in 0..MAX_ROUNDS {
        for (wants, content) in wants::ALL.into_iter().zip(&mut content) {
            if *content == Some(learned) {
                continue;
            }
            match look_for(wants, looker, facts, knowledge, progress) {
                Ok((times, settled)) => {
                    learned += times;
                    *content = settled.then_some(learned);
                }
                Err(files::TimeUp { left }) => {
                    let reason =
                        format!("the time allowed for the scan was over, {left} wanted files were not looked at");
                    stopped(facts, &reason);
                    return;
                }
            }
        }
        if content.iter().all(|content| *content == Some(learned)) {
            return;
        }
    }
    stopped(facts, &format!("files wanted further files {MAX_ROUNDS} times over, the rest was not looked at"));
}

/// Asks one until it wants nothing new, or for [`MAX_ROUNDS`]: how often something was learned, and whether it wants no more.
fn look_for(
    wants: wants::Wants,
    looker: &mut Looker<'_>,
    facts: &mut RootFacts,
    knowledge: &Knowledge,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(usize, bool), files::TimeUp> {
    for round in 0..MAX_ROUNDS {
        let wanted = wants(facts, knowledge);
        if !looker.fulfil(wanted, &mut facts.files, &mut |path| progress(Progress::File(path)))? {
            return Ok((round, true));
        }
    }
    Ok((MAX_ROUNDS, false))
}

/// Every check misses something then.
fn stopped(facts: &mut RootFacts, reason: &str) {
    for check in Check::ALL {
        facts.gap(check, Gap::mandatory(Subject::Host, reason));
    }
}

/// By which functions packages record digests of each file.
fn recorded_digests(packages: &PackageFacts) -> BTreeMap<RootedPath, BTreeSet<Algorithm>> {
    let algorithms = |records: &Vec<facts::package::Record>| {
        records.iter().filter_map(|record| Some(record.digest?.algorithm())).collect::<BTreeSet<_>>()
    };
    packages.records.iter().map(|(path, records)| (path.clone(), algorithms(records))).collect()
}

/// Which system this is.
fn identify(facts: &mut RootFacts) {
    let text = |path: &str| facts.files.get(&RootedPath::new(path)?)?.text_bytes();
    let release = text("/etc/os-release").or_else(|| text("/usr/lib/os-release"));
    let hostname = text("/etc/hostname").map(|name| escape(name.trim_ascii())).unwrap_or_default();
    let before = || text("/etc/redhat-release").map(os_release::parse_redhat_release);
    facts.os_release = release.map(os_release::parse).or_else(before).unwrap_or_default();
    facts.hostname = hostname;
    // An empty directory, or one level too high: nothing found there means nothing.
    if facts.os_release.is_empty() && facts.servers.is_empty() {
        let reason = "has neither an os-release file nor an SSH server: is this the root of a system?";
        facts.gap(Check::Provenance, Gap::mandatory(Subject::Host, reason));
    }
}
