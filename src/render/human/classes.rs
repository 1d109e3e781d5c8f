//! One line for each class of finding: its verdict, and what that verdict rests on.

use super::{Page, Tone, count, gaps};
use crate::model::report::{Proof, Report, Trust};
use crate::model::{Check, Class, Verdict};

/// Column of the verdict, and of the words after it.
const VERDICT_COLUMN: usize = 14;
const TEXT_COLUMN: usize = 28;

/// The lines, failed classes first.
pub fn write(page: &mut Page, report: &Report) {
    for (class, verdict) in ordered(report) {
        // A good answer about our own sight needs no line of its own.
        if class == Class::Coverage && matches!(verdict, Verdict::Pass | Verdict::NotApplicable) {
            continue;
        }
        let word = match verdict {
            Verdict::Fail => "FAIL",
            Verdict::NotApplicable => "not examined",
            other => other.name(),
        };
        let class_name = format!("  {:width$}", class.name(), width = VERDICT_COLUMN - 2);
        page.hang(
            &[(&class_name, Tone::Strong), (word, Tone::of(verdict))],
            TEXT_COLUMN,
            &basis(report, class, verdict),
        );
    }
}

/// The classes with their verdicts, failed ones first.
pub fn ordered(report: &Report) -> Vec<(Class, Verdict)> {
    let rank = |verdict: Verdict| match verdict {
        Verdict::Fail => 0,
        Verdict::Inconclusive => 1,
        Verdict::Pass => 2,
        Verdict::NotApplicable => 3,
    };
    let mut classes: Vec<_> = report.classes.iter().map(|(class, verdict)| (*class, *verdict)).collect();
    classes.sort_by_key(|(class, verdict)| (rank(*verdict), *class));
    classes
}

/// What findings of a class are called in the answer, singular and plural.
pub const fn alarm_noun(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Compromise => ("sign of a compromise", "signs of a compromise"),
        Class::Integrity => ("file or process not as recorded", "files or processes not as recorded"),
        Class::Exposure => ("way in that policy does not allow", "ways in that policy does not allow"),
        Class::Hygiene => ("careless setting", "careless settings"),
        Class::Coverage => ("blind spot", "blind spots"),
    }
}

/// What may be said when a class passes; nothing for what goes without saying.
pub fn good_news(report: &Report, class: Class) -> Option<&'static str> {
    let answered_for = || report.login.iter().any(|login| login.proof == Proof::ProvedWithExemptions);
    match class {
        Class::Compromise => Some("no trace of a known backdoor"),
        Class::Integrity => Some("the SSH server is as its packages record it"),
        Class::Exposure if answered_for() => Some("every way in needs what policy demands, or the site answers for it"),
        Class::Exposure => Some("every way in needs the factors that policy demands"),
        Class::Hygiene | Class::Coverage => None,
    }
}

/// What the verdict of `class` rests on.
pub fn basis(report: &Report, class: Class, verdict: Verdict) -> String {
    let mut parts = Vec::new();
    let alarms = report.alarms().iter().filter(|(_, finding)| finding.class == class).count();
    if alarms > 0 {
        parts.push(count(alarms, ("finding", "findings")));
    }
    match class {
        Class::Compromise => {
            if alarms == 0 && examined(report, Check::Backdoor) > 0 {
                parts.push(format!(
                    "no indicator of {}",
                    count(report.tool.families, ("known family", "known families"))
                ));
            }
        }
        Class::Integrity => parts.extend(integrity(report)),
        Class::Exposure => parts.extend(exposure(report)),
        Class::Hygiene => {
            let n = examined(report, Check::Hygiene);
            if n > 0 {
                parts.push(format!("permissions and owners of {}", count(n, ("file", "files"))));
            }
        }
        Class::Coverage => {}
    }
    let unseen = gaps::mandatory_for(report, class);
    if unseen > 0 {
        parts.push(format!("{} could not be looked at", count(unseen, ("thing", "things"))));
    }
    if parts.is_empty() && verdict == Verdict::NotApplicable {
        parts.push("nothing here to examine".to_owned());
    }
    parts.join(" · ")
}

fn integrity(report: &Report) -> Vec<String> {
    let mut parts = Vec::new();
    let packages: std::collections::BTreeSet<_> = report.files.iter().filter_map(|f| f.package.as_ref()).collect();
    if !report.files.is_empty() {
        parts.push(format!(
            "{} of {}",
            count(report.files.len(), ("file", "files")),
            count(packages.len(), ("package", "packages"))
        ));
    }
    let pids: usize = report.servers.iter().map(|server| server.pids.len()).sum();
    if examined(report, Check::Live) > 0 && pids > 0 {
        parts.push(count(pids, ("process", "processes")));
    }
    if let Some(trust) = report.trust_floor {
        parts.push(format!("trust floor {} ({})", trust.name(), trust_meaning(trust)));
    }
    parts
}

/// What the weakest evidence amounts to.
const fn trust_meaning(trust: Trust) -> &'static str {
    match trust {
        Trust::VendorSigned => "the distributor's signatures",
        Trust::SiteSigned => "the site's signatures",
        Trust::LocalStrong => "local records, unsigned: root could rewrite them",
        Trust::LocalWeak => "local MD5 records, unsigned: root could rewrite them",
        Trust::Unowned => "no record of some files at all",
    }
}

fn exposure(report: &Report) -> Vec<String> {
    let of = |proof| report.login.iter().filter(|login| login.proof == proof).count();
    let servers = |n| count(n, ("server", "servers"));
    let mut parts = Vec::new();
    let weakest = report.login.iter().filter_map(|login| login.authenticators).min();
    match (of(Proof::Proved) + of(Proof::ProvedWithExemptions), weakest) {
        (0, _) => {}
        (n, Some(least)) if n == report.login.len() => parts.push(format!(
            "proved for {}: every way in needs {} or more",
            servers(n),
            count(least as usize, ("authenticator", "authenticators"))
        )),
        (n, _) => parts.push(format!("proved for {}", servers(n))),
    }
    match of(Proof::ProvedWithExemptions) {
        0 => {}
        n => parts.push(format!("with exemptions or assumptions that the site answers for: {}", servers(n))),
    }
    match of(Proof::Refuted) {
        0 => {}
        n => parts.push(format!("refuted for {}", servers(n))),
    }
    match of(Proof::Unknown) {
        0 => {}
        n => parts.push(format!("undecided for {}", servers(n))),
    }
    parts
}

fn examined(report: &Report, check: Check) -> usize {
    report
        .results
        .iter()
        .filter(|result| result.check == check)
        .map(|result| usize::try_from(result.examined).unwrap_or(usize::MAX))
        .fold(0, usize::saturating_add)
}
