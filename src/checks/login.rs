//! Does every login path need the factors that policy demands?
//!
//! Each OpenSSH server is proved on its own. A server that listens on loopback only, and one that runs as an ordinary
//! user, is proved and listed too but stands outside policy.

use std::net::IpAddr;
use std::rc::Rc;

use crate::facts::directory::{Given, Population, population};
use crate::facts::server::Loaded;
use crate::facts::{Facts, RootFacts, ServerFacts};
use crate::formats::program::Implementation;
use crate::login::explore::Known;
use crate::login::prove::{self, Outcome, Server, Violation, World};
use crate::login::simple::{self, Demand};
use crate::login::sshd::{Config, Problem};
use crate::login::standing::{Grant, Standing};
use crate::login::tree::Texts;
use crate::login::{explain, fix, reach, sentence};
use crate::model::loaded::ConfigFiles;
use crate::model::report::{self, Proof};
use crate::model::text::escape;
use crate::model::{Check, CheckResult, Evidence, Finding, Gap, RootedPath, Subject, code};
use crate::policy::{LoginPolicy, Policy};

/// The proof of every server. Dear: made once, judged by [`check`] and shown by [`Proved::entry`].
#[must_use]
pub fn prove_all<'a>(facts: &'a Facts, policy: &Policy, given: Option<&Given>) -> Vec<Proved<'a>> {
    let policy = Rc::new(policy.login.at(facts.observed_at));
    let of_root = |root| prove_root(root, &population(&root.login, &root.files, facts.observed_at, given), &policy);
    facts.roots.iter().flat_map(of_root).collect()
}

/// Judges every server.
#[must_use]
pub fn check(proofs: &[Proved<'_>]) -> CheckResult {
    let mut result = CheckResult::new(Check::Login);
    for proved in proofs {
        judge(proved, &mut result);
    }
    for ended in proofs.first().iter().flat_map(|proved| &proved.policy.1) {
        let evidence = Evidence::Fact { about: "policy".to_owned(), value: ended.clone() };
        let message = format!("no longer applied: {ended}");
        result.findings.push(Finding::new(code::LOGIN_EXEMPTION_ENDED, Subject::Host, message, evidence));
    }
    result
}

/// What was shown about one server.
pub struct Proved<'a> {
    facts: &'a ServerFacts,
    /// The configuration that it was judged by, if not the one that lies on the disk.
    loaded: Option<&'a ConfigFiles>,
    /// As the report shows it.
    pub entry: report::Login,
    /// `None` for servers that are not OpenSSH.
    outcome: Option<Outcome>,
    /// Lines behind each counterexample.
    evidence: Vec<Vec<Evidence>>,
    /// Secrets of one-time codes that their accounts can replace.
    seeds: Vec<reach::Seed>,
    /// What a server that is not OpenSSH asks for.
    demand: Option<Demand>,
    /// The policy as it was when the host was looked at, and what of it had ended by then.
    policy: Rc<(LoginPolicy, Vec<String>)>,
}

fn prove_root<'a>(
    root: &'a RootFacts,
    population: &Population<'_>,
    policy: &Rc<(LoginPolicy, Vec<String>)>,
) -> Vec<Proved<'a>> {
    let mut proofs = Vec::new();
    for facts in &root.servers {
        if facts.implementation != Implementation::OpenSsh {
            proofs.push(other(facts, policy));
            continue;
        }
        proofs.push(openssh(root, population, facts, None, policy));
        // What it runs with counts until it starts anew, what lies on the disk from then on: both must hold.
        if let Some(Loaded::Other(files)) = &facts.loaded_config {
            proofs.push(openssh(root, population, facts, Some(files), policy));
        }
    }
    proofs
}

/// What a running server is called when it is judged by the configuration that it holds.
fn label(facts: &ServerFacts, loaded: Option<&ConfigFiles>) -> String {
    if loaded.is_some() { format!("{} with the configuration it runs with", facts.label) } else { facts.label.clone() }
}

fn openssh<'a>(
    root: &RootFacts,
    population: &Population<'_>,
    facts: &'a ServerFacts,
    loaded: Option<&'a ConfigFiles>,
    dated: &Rc<(LoginPolicy, Vec<String>)>,
) -> Proved<'a> {
    let policy = &dated.0;
    let server = crate::facts::login::server(facts);
    let world = population.world();
    let config = match loaded {
        Some(files) => {
            let bytes = files.iter().map(|(path, text)| (path.clone(), text.as_bytes().to_vec()));
            prove::config(&server, World { tree: &Texts(bytes.collect()), ..world })
        }
        None => prove::config(&server, world),
    };
    let mut known = Known::default();
    let mut outcome = prove::prove_with(&server, config.as_ref(), world, policy, &mut known);
    outcome.doubt(&population.unknowns);
    let (mut counterexamples, mut evidence) = (Vec::new(), Vec::new());
    let seeds = reach::seeds(&known, world.accounts, world.tree);
    if let Some(config) = &config {
        let mut fixes = fix::Search::new(&server, world, policy, config, known);
        for violation in outcome.violations.iter().take(MAX_COUNTEREXAMPLES) {
            // What lies on the disk is judged by itself: here the only remedy is to have it read.
            let fix = if loaded.is_some() { reload(facts) } else { fixes.smallest(violation) };
            let mut example = explain::counterexample(violation, &server, config, fix);
            if loaded.is_some() {
                example.replay = explain::attempt(violation);
            }
            counterexamples.push(example);
            evidence.push(lines(violation, config));
        }
    }
    let number = |count: Option<usize>| count.and_then(|count| u32::try_from(count).ok());
    let entry = report::Login {
        server: label(facts, loaded),
        proof: outcome.proof,
        authenticators: number(outcome.authenticators),
        categories: number(outcome.categories),
        counterexamples,
        assumptions: assumptions(&server, facts.loaded_config.is_some(), &outcome, (root, population), policy),
        exemptions: outcome.grants().into_iter().filter_map(|grant| exemption(grant, &outcome, policy)).collect(),
    };
    let policy = Rc::clone(dated);
    Proved { facts, loaded, entry, outcome: Some(outcome), evidence, seeds, demand: None, policy }
}

/// Most counterexamples shown for one server; the number of others is told.
const MAX_COUNTEREXAMPLES: usize = 8;

/// What the site answers for, with the logins that it allows.
fn exemption(grant: Grant, outcome: &Outcome, policy: &LoginPolicy) -> Option<report::Exemption> {
    let (assumed, what, warrant) = match grant {
        Grant::Exemption(number) => policy.exemptions.get(number).map(|one| (false, one.words(), &one.warrant))?,
        Grant::Assumption(number) => policy.assumptions.get(number).map(|one| (true, one.words(), &one.warrant))?,
    };
    let uses = |violation: &&Violation| matches!(&violation.standing, Standing::Granted(used) if used.contains(&grant));
    let logins = outcome.granted.iter().filter(uses).take(MAX_COUNTEREXAMPLES);
    Some(report::Exemption {
        assumed,
        what,
        owner: warrant.owner.clone(),
        reason: warrant.reason.clone(),
        expires: warrant.expires,
        logins: logins.map(sentence::login).collect(),
    })
}

/// How a server is made to read what lies on the disk.
fn reload(facts: &ServerFacts) -> String {
    let pid = facts.pids.first().map_or_else(|| "its process".to_owned(), ToString::to_string);
    format!("let it read its files as they are now: `kill -HUP {pid}`, or reload its unit")
}

fn other<'a>(facts: &'a ServerFacts, policy: &Rc<(LoginPolicy, Vec<String>)>) -> Proved<'a> {
    let bytes = |text: &String| crate::model::text::unescape(text).unwrap_or_else(|| text.clone().into_bytes());
    let arguments: Vec<Vec<u8>> = facts.arguments.iter().map(bytes).collect();
    let demand = simple::demand(facts.implementation, &arguments);
    let proof = demand.proof;
    let entry = report::Login {
        server: facts.label.clone(),
        proof,
        authenticators: (proof == Proof::Refuted).then_some(1),
        categories: (proof == Proof::Refuted).then_some(1),
        counterexamples: Vec::new(),
        assumptions: Vec::new(),
        exemptions: Vec::new(),
    };
    let (evidence, seeds, policy) = (Vec::new(), Vec::new(), Rc::clone(policy));
    Proved { facts, loaded: None, entry, outcome: None, evidence, seeds, demand: Some(demand), policy }
}

fn assumptions(
    server: &Server,
    is_known: bool,
    outcome: &Outcome,
    (root, population): (&RootFacts, &Population<'_>),
    policy: &LoginPolicy,
) -> Vec<String> {
    let mut assumptions = vec![
        "the programs are what their distributor built (checks `provenance` and `live`)".to_owned(),
        "every account may have a password and a key: neither is read".to_owned(),
        "secrets of one-time codes are known to their owners only".to_owned(),
    ];
    if root.login.directories.is_empty() {
        assumptions.push(format!("there are no accounts besides the {} of passwd(5)", root.login.accounts.len()));
    }
    assumptions.extend(population.taken.clone());
    if let Some(dialect) = server.dialect.filter(|_| !is_known) {
        assumptions.push(format!("{} read {} as it is now", dialect, server.config));
    }
    if outcome.paths.iter().any(|path| path.hardware) {
        assumptions
            .push("a key of type `sk-…` lies in a security key: sshd does not ask for its attestation".to_owned());
    }
    assumptions.extend(outcome.grants().into_iter().filter_map(|grant| match grant {
        Grant::Assumption(number) => policy.assumptions.get(number).map(sentence::assumed),
        Grant::Exemption(_) => None,
    }));
    if outcome.closed && outcome.proof == Proof::Proved {
        assumptions.push("holds because there is no way in at all: nobody can log in".to_owned());
    }
    assumptions
}

/// Whether policy speaks of the server: it can log others in, and can be reached from elsewhere.
fn is_exposed(facts: &ServerFacts) -> bool {
    let loopback = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
    };
    !facts.user_server && (facts.sockets.is_empty() || facts.sockets.iter().any(|socket| !loopback(socket.address)))
}

fn judge(proved: &Proved<'_>, result: &mut CheckResult) {
    let policy = &proved.policy.0;
    let subject = Subject::Login { server: proved.entry.server.clone() };
    let exposed = is_exposed(proved.facts);
    if let Some(files) = proved.loaded {
        let first = Evidence::Fact { about: "files it read".to_owned(), value: listed(files.keys()) };
        let message =
            "runs with a configuration that is not the one on the disk: its files have changed since it read them";
        result.findings.push(
            Finding::new(code::LOGIN_CONFIG_NOT_LOADED, subject.clone(), message, first)
                .with_remediation(reload(proved.facts)),
        );
    }
    let Some(outcome) = &proved.outcome else {
        if !exposed {
            return;
        }
        result.examined += 1;
        let reason =
            proved.demand.as_ref().map_or("authenticates in a way that is not modelled", |demand| &demand.reason);
        match proved.entry.proof {
            Proof::Refuted => result.findings.push(Finding::new(
                code::LOGIN_UNMODELLED_SERVER,
                subject,
                format!("`{}` {reason}", proved.facts.binary),
                Evidence::Fact { about: proved.facts.label.clone(), value: proved.facts.version.clone() },
            )),
            _ => result.gap(Gap::mandatory(subject, format!("this server {reason}"))),
        }
        return;
    };
    result.examined += outcome.classes.max(u64::from(!exposed));
    let examples = proved.entry.counterexamples.iter().zip(&proved.evidence).zip(&outcome.violations);
    for ((example, lines), violation) in examples {
        if !exposed {
            break;
        }
        let message = sentence::of(violation, policy);
        let first = Evidence::Counterexample {
            user: example.user.clone(),
            from: example.from.clone(),
            methods: example.methods.clone(),
        };
        let mut finding = Finding::new(code::LOGIN_SINGLE_FACTOR_PATH, subject.clone(), message, first)
            .with_remediation(format!("{}; try `{}`", example.fix, example.replay));
        for line in lines {
            finding = finding.and(line.clone());
        }
        result.findings.push(finding);
    }
    for problem in &outcome.dead {
        let message = format!("`{}` {}", problem.text, problem.message);
        result.findings.push(Finding::new(code::LOGIN_DEAD_MATCH_BLOCK, subject.clone(), message, line(problem)));
    }
    for problem in &outcome.refusals {
        let message = format!("sshd refuses its configuration: {problem}");
        result.findings.push(Finding::new(code::LOGIN_CONFIG_REFUSED, subject.clone(), message, line(problem)));
    }
    if exposed {
        for violation in outcome.granted.iter().take(MAX_COUNTEREXAMPLES) {
            result.findings.push(exempted(violation, policy, &subject));
        }
        result.findings.extend(in_reach(&proved.seeds, &subject));
        for reason in &outcome.unknowns {
            result.gap(Gap::mandatory(subject.clone(), reason.clone()));
        }
        let more = outcome.violations.len().saturating_sub(proved.entry.counterexamples.len());
        if more > 0 {
            result.gap(Gap::noted(subject, format!("{more} more ways in fall short and are not written out")));
        }
    }
}

/// Told, and no reason to fail: the site answers for it.
fn exempted(violation: &Violation, policy: &LoginPolicy, subject: &Subject) -> Finding {
    let first = Evidence::Counterexample {
        user: escape(&violation.witness.user),
        from: violation.witness.from.clone(),
        methods: violation.way.methods.clone(),
    };
    Finding::new(code::LOGIN_EXEMPTED_PATH, subject.clone(), sentence::of(violation, policy), first)
}

/// Told, and no reason to fail: it is what the module's own set-up does.
fn in_reach(seeds: &[reach::Seed], subject: &Subject) -> Option<Finding> {
    let (first, rest) = seeds.split_first()?;
    let name = escape(&first.account);
    let who = match rest.len() {
        0 => format!("account `{name}`"),
        1 => format!("`{name}` and one more account"),
        more => format!("`{name}` and {more} more accounts"),
    };
    let message =
        format!("{who} can replace the secret of the one-time codes, `{}`, without giving a code", first.path);
    let shown = |seed: &reach::Seed| Evidence::Fact { about: seed.path.to_string(), value: escape(&seed.account) };
    let mut finding = Finding::new(code::LOGIN_SEED_IN_REACH, subject.clone(), message, shown(first));
    for seed in rest.iter().take(MAX_COUNTEREXAMPLES) {
        finding = finding.and(shown(seed));
    }
    Some(finding)
}

fn listed<'a>(paths: impl Iterator<Item = &'a RootedPath>) -> String {
    paths.map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

fn line(problem: &Problem) -> Evidence {
    match &problem.path {
        Some(path) => Evidence::Line { path: path.clone(), line: problem.line, text: problem.text.clone() },
        None => Evidence::Fact { about: "command line of sshd".to_owned(), value: problem.text.clone() },
    }
}

/// The lines that decide a way, and the defaults.
fn lines(violation: &Violation, config: &Config) -> Vec<Evidence> {
    let mut evidence: Vec<Evidence> = Vec::new();
    for ((keyword, origin), value) in violation.origins.iter().zip(&violation.values) {
        evidence.push(match config.line(*origin) {
            Some((Some(path), line)) => {
                Evidence::Line { path: path.clone(), line: line.number, text: crate::model::text::escape(&line.text) }
            }
            _ => Evidence::Fact {
                about: config.place(*origin),
                value: format!("{} {value}", explain::spelling(keyword)),
            },
        });
    }
    for step in &violation.way.evidence.trace {
        evidence.push(Evidence::Line { path: step.path.clone(), line: step.line, text: step.text.to_string() });
    }
    let mut seen: Vec<Evidence> = Vec::new();
    evidence.retain(|one| {
        let new = !seen.contains(one);
        if new {
            seen.push(one.clone());
        }
        new
    });
    evidence
}
