//! The straight line: discover → read once → observe → facts → check → report.

mod containers;

use std::collections::BTreeSet;

use crate::checks::{self, inspect::Inspected, login::Proved, standing::Standings};
use crate::facts::directory::Given;
use crate::facts::{Facts, Remember, RootFacts, ServerFacts};
use crate::knowledge::Knowledge;
use crate::model::capsule::Capsule;
use crate::model::limits;
use crate::model::report::{self, Host, Report, Tool};
use crate::model::{Check, CheckResult, Class, Finding, RootedPath, Severity, Subject};
use crate::observe::{self, ObserveProblem, Progress, Request};
use crate::own;
use crate::policy::Policy;

/// One scan of one host or image: its facts and what they say.
///
/// # Errors
/// If the root cannot be opened: that is our failure to produce findings, not a finding.
pub fn scan(
    request: &Request,
    wanted: &BTreeSet<Check>,
    knowledge: &Knowledge,
    policy: &Policy,
    accounts: Option<&Given>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(Facts, Report), ObserveProblem> {
    let facts = observe::observe(request, knowledge, progress)?;
    progress(Progress::Station("judging"));
    let mut report = judge(&facts, wanted, knowledge, policy, accounts);
    report.usage = own::usage::so_far(facts.usage.bytes_read);
    Ok((facts, report))
}

/// Single files, each by itself.
///
/// # Errors
/// If the root directory cannot be opened.
pub fn inspect(paths: &[RootedPath], knowledge: &Knowledge) -> Result<Vec<Inspected>, ObserveProblem> {
    let facts = observe::inspect::inspect(paths, knowledge)?;
    Ok(checks::inspect::check(&facts, knowledge))
}

/// What the facts say about the wanted checks, by this knowledge and policy, with the accounts of a directory if somebody has
/// listed them.
#[must_use]
pub fn judge(
    facts: &Facts,
    wanted: &BTreeSet<Check>,
    knowledge: &Knowledge,
    policy: &Policy,
    accounts: Option<&Given>,
) -> Report {
    let [host, containers @ ..] = facts.roots.as_slice() else {
        return judge_root(facts, wanted, knowledge, policy, accounts);
    };
    if containers.is_empty() {
        return judge_root(facts, wanted, knowledge, policy, accounts);
    }
    let alone = |root: &RootFacts| Facts { roots: vec![root.clone()], remember: Remember::default(), ..facts.clone() };
    let mut report = judge_root(&alone(host), wanted, knowledge, policy, accounts);
    for root in containers {
        // Its accounts are its own, and no directory's list was made for it.
        if let Some(container) = &root.container {
            containers::join(&mut report, judge_root(&alone(root), wanted, knowledge, policy, None), container);
        }
    }
    report
}

/// What the facts of one root say, the examined one's or a container's.
fn judge_root(
    facts: &Facts,
    wanted: &BTreeSet<Check>,
    knowledge: &Knowledge,
    policy: &Policy,
    accounts: Option<&Given>,
) -> Report {
    let asked = wanted.contains(&Check::Login);
    let proofs = if asked { checks::login::prove_all(facts, policy, accounts) } else { Vec::new() };
    let results: Vec<CheckResult> = Check::ALL
        .into_iter()
        .filter(|check| wanted.contains(check))
        .map(|check| ask(check, facts, &proofs, knowledge, policy))
        .collect();
    let (verdict, classes) = report::verdicts(&results);
    let roots: Vec<(&RootFacts, Standings<'_>)> =
        facts.roots.iter().map(|root| (root, Standings::of(root, knowledge, facts.observed_at))).collect();
    Report {
        schema: report::SCHEMA.to_owned(),
        tool: Tool {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            knowledge: knowledge.date().to_owned(),
            families: knowledge.families().len(),
        },
        host: host(facts),
        started: facts.observed_at,
        duration_ms: facts.duration_ms,
        verdict,
        classes,
        trust_floor: roots.iter().filter_map(|(root, standings)| checks::trust::floor(root, standings)).max(),
        servers: facts
            .roots
            .iter()
            .flat_map(|root| root.servers.iter().map(|found| server(root, found, wanted.contains(&Check::Live))))
            .collect(),
        files: roots.iter().flat_map(|(root, standings)| files(root, standings, &results)).collect(),
        login: proofs.into_iter().map(|proved| proved.entry).collect(),
        not_covered: limits::of(is_live(facts)).map(|limit| limit.what.to_owned()).collect(),
        sweep: facts.roots.first().and_then(|root| root.sweep),
        capsules: capsules(facts, &results),
        usage: facts.usage,
        results,
    }
}

/// One check's answer: what it concludes, what the observer could not see for it, and what the site has accepted.
fn ask(check: Check, facts: &Facts, proofs: &[Proved<'_>], knowledge: &Knowledge, policy: &Policy) -> CheckResult {
    let mut result = match check {
        Check::Provenance => checks::provenance::check(facts, knowledge, policy),
        Check::Anomaly => checks::anomaly::check(facts, knowledge),
        Check::Live => checks::live::check(facts, knowledge, policy),
        Check::Backdoor => checks::backdoor::check(facts, knowledge, policy),
        Check::Hygiene => checks::hygiene::check(facts, knowledge, policy),
        Check::Login => checks::login::check(proofs),
    };
    for observed in facts.roots.iter().flat_map(|root| &root.gaps).filter(|observed| observed.check == check) {
        result.gap(observed.gap.clone());
    }
    let findings = std::mem::take(&mut result.findings);
    result.findings = findings.into_iter().map(|finding| accepted(finding, facts, policy)).collect();
    result
}

/// The finding as the site's exceptions leave it.
fn accepted(finding: Finding, facts: &Facts, policy: &Policy) -> Finding {
    policy.exceptions.iter().fold(finding, |finding, exception| exception.apply(finding, facts.observed_at))
}

fn host(facts: &Facts) -> Host {
    let root = facts.roots.first();
    let kernel_name = facts.kernel.as_ref().map(|kernel| kernel.hostname.clone()).filter(|name| !name.is_empty());
    let of_root = |pick: fn(&RootFacts) -> String| root.map(pick).unwrap_or_default();
    Host {
        name: kernel_name.unwrap_or_else(|| of_root(|root| root.hostname.clone())),
        os: of_root(|root| root.os_release.get("PRETTY_NAME").cloned().unwrap_or_default()),
        root: of_root(|root| root.path.clone()),
        live: is_live(facts),
    }
}

fn is_live(facts: &Facts) -> bool {
    facts.roots.first().is_some_and(|root| root.live)
}

/// The files of the surface; the chain of a server's executable goes on to the processes that run it.
fn files(root: &RootFacts, standings: &Standings<'_>, results: &[CheckResult]) -> Vec<report::File> {
    let mut files = checks::trust::report_files(root, standings);
    for live in results.iter().filter(|result| result.check == Check::Live) {
        for (path, link) in checks::live::link::links(root, live) {
            if let Some(file) = files.iter_mut().find(|file| file.path == path) {
                file.chain.push(link);
            }
        }
    }
    files
}

/// Of those processes that are accused of a compromise.
fn capsules(facts: &Facts, results: &[CheckResult]) -> Vec<Capsule> {
    let live = results.iter().filter(|result| result.check == Check::Live).flat_map(|result| &result.findings);
    let accused: BTreeSet<i32> = live
        .filter(|finding| finding.class == Class::Compromise && finding.severity > Severity::Informational)
        .filter_map(|finding| match &finding.subject {
            Subject::Process { pid, .. } | Subject::Mapping { pid, .. } => Some(*pid),
            _ => None,
        })
        .collect();
    let kept = facts.roots.iter().flat_map(|root| &root.capsules);
    kept.filter(|capsule| accused.contains(&capsule.pid)).cloned().collect()
}

fn server(root: &RootFacts, server: &ServerFacts, judged: bool) -> report::Server {
    report::Server {
        label: server.label.clone(),
        binary: server.binary.clone(),
        config: server.config.clone(),
        started_by: server.started_by.to_string(),
        sockets: server.sockets.iter().map(|s| std::net::SocketAddr::new(s.address, s.port).to_string()).collect(),
        pids: server.pids.clone(),
        user_server: server.user_server,
        memory: checks::live::link::compared(root, server).filter(|_| judged),
    }
}
