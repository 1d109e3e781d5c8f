//! Is each file of the surface what its distributor, or the site, signed or recorded?
//!
//! `trust` judges a file against its records, `standing` who vouches for those; here both become findings and gaps. How much
//! a match is worth is said once for the host.

mod archive;
mod attributes;
mod file;
mod manifest;
mod package;
mod purpose;
mod rollback;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::standing::Standings;
use super::trust::{self, Judgement, Unknown};
use crate::facts::package::{PackageSystem, Reading};
use crate::facts::{Facts, RootFacts};
use crate::knowledge::Knowledge;
use crate::model::code::{TRUST_BELOW_POLICY, UNSIGNED_RECORD};
use crate::model::report::Trust;
use crate::model::{Check, CheckResult, Evidence, Finding, Gap, RootedPath, Subject};
use crate::policy::{MinimumTrust, Policy};

/// Answers the question for every root in `facts`.
#[must_use]
pub fn check(facts: &Facts, knowledge: &Knowledge, policy: &Policy) -> CheckResult {
    let mut result = CheckResult::new(Check::Provenance);
    for root in &facts.roots {
        let standings = Standings::of(root, knowledge, facts.observed_at);
        check_root(root, &standings, knowledge, policy, &mut result);
    }
    result
}

fn check_root(
    root: &RootFacts,
    standings: &Standings<'_>,
    knowledge: &Knowledge,
    policy: &Policy,
    result: &mut CheckResult,
) {
    let mut weak: BTreeMap<Trust, Vec<&RootedPath>> = BTreeMap::new();
    let mut unowned = Vec::new();
    for (path, facts) in root.files.surface() {
        let Some(judgement) = trust::judge(root, standings, path) else { continue };
        // Configuration may name a directory of drop-ins; one in the place of a recorded file is another matter.
        let recorded = root.packages.records.get(path).into_iter().flatten().any(|record| record.digest.is_some());
        let only_a_directory = file::is_directory(facts) && !recorded;
        if !matches!(judgement, Judgement::Unknown(Unknown::Absent)) && !only_a_directory {
            result.examined += 1;
            if matches!(judgement, Judgement::Differs { .. }) && standings.has_prelink() && file::is_prelinked(facts) {
                let reason =
                    "it was prelinked: its package's digest is of the file before that, which only undoing it gives";
                result.gap(Gap::mandatory(Subject::file(path), reason));
                continue;
            }
            file::check(root, path, facts, &judgement, result);
            match &judgement {
                Judgement::Matches(_) if trust::is_code(facts) => {
                    weak.entry(trust::trust(standings, &judgement)).or_default().push(path);
                }
                Judgement::Unknown(Unknown::NoDatabase | Unknown::Incomplete) if trust::is_code(facts) => {
                    unowned.push(path);
                }
                _ => {}
            }
        }
    }
    // Whoever alters a server so that it is not recognised as one takes it out of the surface, not out of its package.
    for (path, facts) in root.files.files.iter().filter(|(_, file)| !file.roles.iter().any(|role| role.in_surface())) {
        let Some(judgement) = trust::judge(root, standings, path) else { continue };
        if matches!(judgement, Judgement::Differs { .. }) {
            result.examined += 1;
            file::check(root, path, facts, &judgement, result);
        }
    }
    file::check_kinds(root, result);
    attributes::check(root, standings, result);
    rollback::check(root, standings, result);
    signature::check(root, standings, knowledge, result);
    archive::check(root, result);
    manifest::check(root, standings, result);
    purpose::check(root, result);
    package::check(root, result);
    report_weak(&weak, policy, result);
    report_databases(root, &unowned, result);
}

/// How much the matches are worth: said once, or a finding where policy demands more.
fn report_weak(matches: &BTreeMap<Trust, Vec<&RootedPath>>, policy: &Policy, result: &mut CheckResult) {
    /// Files named in one finding; the report lists all with their trust.
    const NAMED: usize = 20;
    for (trust, paths) in matches {
        let enough = policy.minimum_trust.accepts(*trust);
        if enough && *trust <= Trust::SiteSigned {
            continue;
        }
        let code = if enough { UNSIGNED_RECORD } else { TRUST_BELOW_POLICY };
        let count = match paths.len() {
            1 => "1 file of code matches".to_owned(),
            n => format!("{n} files of code match"),
        };
        let demand = match policy.minimum_trust {
            MinimumTrust::BestOffered => "",
            MinimumTrust::SiteSigned => ", policy demands `site-signed`",
            MinimumTrust::VendorSigned => ", policy demands `vendor-signed`",
        };
        let record =
            if *trust <= Trust::SiteSigned { "a record that the site vouches for" } else { "an unsigned record" };
        let message = format!("{count} only {record} (`{}`){}", trust.name(), if enough { "" } else { demand });
        let fact = |path: &&RootedPath| Evidence::Fact { about: path.to_string(), value: trust.name().to_owned() };
        let mut evidence = paths.iter().take(NAMED).map(fact);
        let Some(first) = evidence.next() else { continue };
        let finding = Finding::new(code, Subject::Host, message, first);
        result.findings.push(evidence.fold(finding, Finding::and));
    }
}

/// Databases that are not there, or that we cannot read, and what that keeps us from telling.
fn report_databases(root: &RootFacts, unowned: &[&RootedPath], result: &mut CheckResult) {
    let unread = match unowned {
        [] => String::new(),
        [one] => format!("; the origin of `{one}` is unknown"),
        [first, _] => format!("; the origin of `{first}` and of one more file of code is unknown"),
        [first, rest @ ..] => format!("; the origin of `{first}` and of {} more files of code is unknown", rest.len()),
    };
    if root.packages.systems.is_empty() && result.examined > 0 {
        let reason = format!("there is no package database beneath `{}`{unread}", root.path);
        result.gap(Gap::mandatory(Subject::Host, reason));
    }
    for database in &root.packages.systems {
        let name = database.system.name();
        match database.reading {
            Reading::Unsupported => {
                let reason = format!("{name} has a database here, which this version does not read yet{unread}");
                // Where every file of code has its record in another database, this one is beside the point.
                let mandatory = !unowned.is_empty();
                result.gap(Gap { subject: Subject::file(&database.place), reason, mandatory });
            }
            Reading::Part if !unowned.is_empty() => {
                let reason = format!("the database of {name} could be read in part only{unread}");
                result.gap(Gap::mandatory(Subject::file(&database.place), reason));
            }
            Reading::Part => {}
            // It has modes and owners, and is of one day: what is newer is the site's to say.
            Reading::Whole if database.system == PackageSystem::Manifest => {}
            Reading::Whole if database.system == PackageSystem::Rpm => {
                let reason = "nothing here is signed that says which version of a package is current: packages that were put \
                              back to older signed versions together cannot be told from new ones";
                result.gap(Gap::noted(Subject::file(&database.place), reason));
            }
            Reading::Whole => {
                let reason = format!(
                    "{name} records no modes, owners or capabilities of files: whether a set-id bit was added cannot be told \
                     from its database"
                );
                result.gap(Gap::noted(Subject::file(&database.place), reason));
            }
        }
    }
}
