//! Who stands behind a program that watches servers: a security agent that the site has declared, some package, or nobody.

use std::cell::OnceCell;

use super::past::Past;
use crate::checks::standing::Standings;
use crate::checks::trust;
use crate::facts::pages::PageCopy;
use crate::facts::watch::{Holder, WatchFacts};

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// An agent that the site's policy declares, and its file is as a package records it.
    Agent,
    /// Its file is as a package records it.
    Packaged,
    /// It runs in another root, so that nobody here can say.
    Elsewhere,
    /// It cannot be seen what it runs.
    Unseen,
    /// Its file is no package's, or was changed.
    Nobody,
    /// Its file was deleted, and where it lay there is one as a package records it: it was upgraded and not started anew.
    Upgraded,
    /// Its file was deleted, or never was one.
    Deleted,
}

/// Asks for owners; what stands behind packages is judged when somebody asks first.
pub struct Owners<'a> {
    past: &'a Past<'a>,
    standings: OnceCell<Standings<'a>>,
}

impl<'a> Owners<'a> {
    /// Of the root that `past` speaks about.
    pub const fn new(past: &'a Past<'a>) -> Self {
        Self { past, standings: OnceCell::new() }
    }

    /// Who stands behind it.
    pub fn of(&self, holder: &Holder) -> Owner {
        let Some(path) = holder.file.as_ref().or(holder.replaced_by.as_ref()) else {
            return match holder {
                Holder { deleted: true, .. } => Owner::Deleted,
                Holder { elsewhere: true, .. } => Owner::Elsewhere,
                Holder { exe, .. } if exe.is_empty() => Owner::Unseen,
                _ => Owner::Nobody,
            };
        };
        let Past { root, knowledge, policy, at } = self.past;
        let standings = self.standings.get_or_init(|| Standings::of(root, knowledge, *at));
        if !trust::is_as_recorded(root, standings, path) {
            return if holder.deleted { Owner::Deleted } else { Owner::Nobody };
        }
        if holder.deleted {
            return Owner::Upgraded;
        }
        let declared = |agent| root.files.canonical(agent).unwrap_or(agent) == path;
        if policy.declared_agents.iter().any(declared) { Owner::Agent } else { Owner::Packaged }
    }

    /// The declared agents that alone can have set the breakpoints in these pages of the file at `path`: every process that
    /// could hold one is such an agent, every BPF program on that file is held by one, and none stands in the list of
    /// tracefs, which holds breakpoints without any process. `None` if there may be another.
    pub fn alone(&self, path: &str, copies: &[&PageCopy]) -> Option<Vec<&'a Holder>> {
        let root = self.past.root;
        let (probes, watch) = (root.probes.as_ref()?, root.watch.as_ref()?);
        let known = |pid: i32| watch.probing.iter().find(|holder| holder.pid == pid);
        let agents: Vec<&Holder> = probes.holders.iter().map(|holder| known(holder.pid)).collect::<Option<_>>()?;
        let all = || agents.iter().copied().chain(&watch.probing);
        if agents.is_empty() || !watch.all_seen || all().any(|holder| self.of(holder) != Owner::Agent) {
            return None;
        }
        let is_held = |pids: &[i32]| !pids.is_empty() && pids.iter().all(|pid| known(*pid).is_some());
        let links = watch.links.as_ref()?;
        let mut here = links.iter().filter(|link| link.path.is_empty() || link.path == path);
        let listed = super::pages::lines(probes.events.as_ref()?, copies).next().is_some();
        (here.all(|link| is_held(&link.holders)) && !listed).then_some(agents)
    }
}

/// Those who hold the link with this id, in words.
pub fn told(watch: &WatchFacts, pids: &[i32]) -> String {
    let name = |pid: &i32| {
        let holder = watch.probing.iter().find(|holder| holder.pid == *pid);
        holder.map_or_else(|| format!("process {pid}"), |holder| format!("process {pid} (`{}`)", holder.exe))
    };
    if pids.is_empty() {
        return "no process: it is pinned (bpffs), or its holder could not be seen".to_owned();
    }
    pids.iter().take(8).map(name).collect::<Vec<_>>().join(", ")
}
