//! The proof for one server: every class of connections, every way in, against what policy demands.
//!
//! Soundness: what is not modelled, could not be read or was never compared with the real program only ever turns
//! `proved` into `unknown`. A refutation rests on ways that are certain.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::classes::AddressClass;
use super::classes::addresses::may_be_address;
use super::directory::Directory;
use super::explore::{Exploration, Known};
use super::methods::Way;
use super::pam;
use super::sshd::{Config, Global, Origin, Problem};
use super::standing::{Grant, Standing};
use super::tree::Tree;
use crate::formats::sshd_config::{Body, Criterion, Dialect, Distribution, pattern};
use crate::model::RootedPath;
use crate::model::report::Proof;
use crate::policy::LoginPolicy;

/// A server as the proof sees it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Which sshd it is; `None` if its version could not be told.
    pub dialect: Option<Dialect>,
    /// Its main configuration file.
    pub config: RootedPath,
    /// `-o` options, in order.
    pub options: Vec<Vec<u8>>,
    /// Ports of `-p`.
    pub ports: Vec<u16>,
    /// The name it was started under, which is its PAM service before 9.8.
    pub name: Vec<u8>,
    /// What it listens on; empty if it does not run.
    pub listeners: Vec<(IpAddr, u16)>,
    /// Whether something else accepts its connections, perhaps not from IP.
    pub inetd: bool,
}

/// The host that it runs on.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Configuration files.
    pub tree: &'a dyn Tree,
    /// Every account of the root's own files, and of directories that are listed.
    pub accounts: &'a [pam::Account],
    /// Where further accounts may come from; empty if nowhere.
    pub directories: &'a [String],
    /// What is known of directories whose accounts are all among `accounts`.
    pub listed: Option<&'a Directory>,
}

/// What could be shown.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// In one word.
    pub proof: Proof,
    /// Fewest authenticators of any way in that is certain; `None` if there is none.
    pub authenticators: Option<usize>,
    /// Fewest categories.
    pub categories: Option<usize>,
    /// Ways in that fall short, weakest first.
    pub violations: Vec<Violation>,
    /// Every way in that was met, once, weakest first.
    pub paths: Vec<Violation>,
    /// Those of them that are enough only because the site answers for them, weakest first.
    pub granted: Vec<Violation>,
    /// How many factors the server must demand of those who bring none from another zone.
    pub demanded: u32,
    /// What kept the proof from being complete, each a clause.
    pub unknowns: BTreeSet<String>,
    /// Why sshd refuses the configuration.
    pub refusals: Vec<Problem>,
    /// Match lines that no connection can satisfy, and why.
    pub dead: Vec<Problem>,
    /// Classes of connections examined.
    pub classes: u64,
    /// Questions among them whose ways in were searched for: what nothing tells apart is searched once.
    pub explored: u64,
    /// Whether nobody at all can log in.
    pub closed: bool,
}

/// A way in, with everybody who can take it.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Methods and evidence.
    pub way: Way,
    /// Keyword and origin of each value that decides it.
    pub origins: Vec<(&'static str, Origin)>,
    /// The keywords' values, in the same order.
    pub values: Vec<String>,
    /// The Match lines that took part.
    pub blocks: Vec<Origin>,
    /// Accounts that can take it, by name.
    pub users: BTreeSet<Vec<u8>>,
    /// Whether accounts of a directory can.
    pub others: bool,
    /// How many accounts there are in all.
    pub accounts: usize,
    /// Classes of addresses it is open from.
    pub from: Vec<AddressClass>,
    /// How many classes of addresses there are in all.
    pub classes: usize,
    /// An account that can take it, an address it can come from, and where it arrives.
    pub witness: Witness,
    /// Whether it rests on keys that only security keys have, as far as their type tells.
    pub hardware: bool,
    /// What policy makes of it.
    pub standing: Standing,
}

/// One connection that takes a way.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The account's name.
    pub user: Vec<u8>,
    /// Where it comes from.
    pub from: String,
    /// The address it arrives at; `None` where no Match line asks for it.
    pub to: Option<String>,
    /// The port it arrives at.
    pub port: u16,
    /// How good an example it is; higher is better.
    pub(super) rank: u8,
}

/// Proves or refutes that every way into `server` asks for what `policy` demands.
#[must_use]
pub fn prove(server: &Server, world: World<'_>, policy: &LoginPolicy) -> Outcome {
    prove_with(server, config(server, world).as_ref(), world, policy, &mut Known::default())
}

/// The configuration that `server` reads; `None` if its version could not be told.
#[must_use]
pub fn config(server: &Server, world: World<'_>) -> Option<Config> {
    Some(Config::load(&server.config, &server.options, &server.ports, server.dialect?, world.tree))
}

/// The same of the configuration that [`config`] loaded, with what another proof of `world` has left.
#[must_use]
pub fn prove_with(
    server: &Server,
    config: Option<&Config>,
    world: World<'_>,
    policy: &LoginPolicy,
    known: &mut Known,
) -> Outcome {
    let Some(config) = config else { return Outcome::of_no_version() };
    let mut outcome = Outcome::empty();
    if !config.dialect.is_compared() {
        outcome
            .unknowns
            .insert(format!("our reading of sshd_config was never compared with {} itself", config.dialect));
    }
    if config.dialect.distribution == Distribution::Gsi {
        outcome.unknowns.insert("whom GSI-OpenSSH lets in with a proxy certificate is not modelled".to_owned());
    }
    for unasked in &config.unasked {
        outcome.unknowns.insert(format!("{unasked} was not looked at"));
    }
    outcome.unknowns.extend(config.doubts());
    let global = match config.global() {
        Ok(global) => global,
        Err(problems) => {
            for problem in problems {
                if problem.refused {
                    outcome.refusals.push(problem);
                } else {
                    outcome.unknowns.insert(problem.to_string());
                }
            }
            if let Some(first) = outcome.refusals.first() {
                outcome.unknowns.insert(format!(
                    "sshd refuses the configuration, so what a running one holds is not in it: {first}"
                ));
            }
            return outcome;
        }
    };
    outcome.dead = dead_blocks(config, &global);
    Exploration::new(server, world, policy, config, &global, known).run(&mut outcome);
    outcome.closed = outcome.paths.is_empty();
    outcome.proof = if !outcome.violations.is_empty() { Proof::Refuted } else { outcome.without_violation() };
    outcome
}

/// Match lines that can never hold. Only what the text itself rules out, so that a block for an account that was removed
/// is not accused.
fn dead_blocks(config: &Config, global: &Global<'_>) -> Vec<Problem> {
    let dns = global.values().flag("usedns");
    let mut dead = Vec::new();
    for (file, source) in config.files.iter().enumerate() {
        for (index, line) in source.lines.iter().enumerate() {
            let Body::Match(criteria) = &line.body else { continue };
            let reason = criteria.0.iter().find_map(|criterion| match criterion {
                Criterion::Host(list) if !dns && !host_may_match(list) => Some(
                    "can never match: without `UseDNS yes` the host is the address as text, which none of its patterns is",
                ),
                Criterion::Version(false) => None,
                criterion if criterion.is_void() => {
                    Some("can never match: its list holds negated patterns only; `*,!…` is what is usually meant")
                }
                _ => None,
            });
            if let Some(reason) = reason {
                dead.push(config.problem(Origin::Line { file, line: index }, None, reason));
            }
        }
    }
    dead
}

fn host_may_match(list: &[u8]) -> bool {
    let list = list.to_ascii_lowercase();
    pattern::items(&list).0.iter().any(|item| !item.negated && may_be_address(&item.pattern))
}

impl Outcome {
    fn empty() -> Self {
        Self {
            proof: Proof::Unknown,
            authenticators: None,
            categories: None,
            violations: Vec::new(),
            paths: Vec::new(),
            granted: Vec::new(),
            demanded: 0,
            unknowns: BTreeSet::new(),
            refusals: Vec::new(),
            dead: Vec::new(),
            classes: 0,
            explored: 0,
            closed: false,
        }
    }

    /// The verdict where no way in is known to fall short.
    fn without_violation(&self) -> Proof {
        match (self.unknowns.is_empty(), self.granted.is_empty()) {
            (false, _) => Proof::Unknown,
            (true, false) => Proof::ProvedWithExemptions,
            (true, true) => Proof::Proved,
        }
    }

    /// Takes reasons from outside the proof for why it may not hold. What is refuted stays so.
    pub fn doubt(&mut self, reasons: &[String]) {
        self.unknowns.extend(reasons.iter().cloned());
        if self.proof != Proof::Refuted && !self.unknowns.is_empty() {
            self.proof = Proof::Unknown;
        }
    }

    /// What the site answers for that some way in rests on.
    #[must_use]
    pub fn grants(&self) -> BTreeSet<Grant> {
        let used = self.granted.iter().filter_map(|violation| match &violation.standing {
            Standing::Granted(grants) => Some(grants),
            _ => None,
        });
        used.flatten().copied().collect()
    }

    fn of_no_version() -> Self {
        let reason = "the server's version could not be told, so neither how it reads its configuration";
        Self { unknowns: BTreeSet::from([reason.to_owned()]), ..Self::empty() }
    }
}

impl Violation {
    /// Whether it is known to be open, for its witness at least.
    pub(super) fn is_certain(&self) -> bool {
        !self.way.evidence.is_uncertain()
    }

    /// Weakest, and plainest to a reader, first.
    pub(super) fn weight(&self) -> (usize, usize, bool, usize, std::cmp::Reverse<usize>, usize) {
        let evidence = &self.way.evidence;
        let knowledge = evidence.atoms.iter().any(|atom| atom.kind == super::factor::Kind::Knowledge);
        let methods = self.way.methods.len();
        let users = std::cmp::Reverse(self.users.len());
        (evidence.authenticators(), evidence.guards.len(), !knowledge, methods, users, evidence.trace.len())
    }
}
