//! Does any indicator of a known family match?
//!
//! `sightings` finds what matches; here it is weighed. A family's name becomes the verdict only on a decisive indicator;
//! weaker ones add up to a score whose parts are shown (docs/signatures.md, "From indicators to a verdict").

mod gaps;
mod sightings;

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::Facts;
use crate::knowledge::{Family, Knowledge, Specificity};
use crate::model::code::{BACKDOOR_SUSPECTED, BACKDOOR_TRACE};
use crate::model::{Check, CheckResult, Code, Confidence, Evidence, Finding, Subject};
use crate::policy::Policy;
use sightings::Sighting;

/// Points from which a host is suspected of a family.
pub const SUSPECTED: u32 = 50;
/// Points from which the suspicion has medium instead of low confidence.
pub const SUSPECTED_MEDIUM: u32 = 100;
/// Points from which a trace is told at all.
pub const TRACE: u32 = 25;
/// Most pieces of evidence in one finding.
const MAX_EVIDENCE: usize = 64;

/// Weighs every indicator of every family against `facts`. `examined` counts the families.
#[must_use]
pub fn check(facts: &Facts, knowledge: &Knowledge, policy: &Policy) -> CheckResult {
    let mut result = CheckResult::new(Check::Backdoor);
    result.examined = u64::try_from(knowledge.families().len()).unwrap_or(u64::MAX);
    gaps::add(&mut result, facts, knowledge);
    result.findings.extend(gaps::age(facts, knowledge, policy));
    let mut by_family: BTreeMap<String, Vec<Sighting>> = BTreeMap::new();
    for (family, sighting) in sightings::all(facts, knowledge) {
        by_family.entry(family).or_default().push(sighting);
    }
    for (id, sightings) in by_family {
        result.findings.extend(weigh(&id, knowledge.family(&id), sightings));
    }
    result
}

/// Every indicator that matches `facts`, as `family/indicator`, whatever its weight; sorted, each once.
#[must_use]
pub fn matched(facts: &Facts, knowledge: &Knowledge) -> BTreeSet<String> {
    let sightings = sightings::all(facts, knowledge);
    sightings.into_iter().map(|(family, sighting)| format!("{family}/{}", sighting.indicator)).collect()
}

/// The findings that the sightings of one family amount to.
fn weigh(id: &str, family: Option<&Family>, mut sightings: Vec<Sighting>) -> Vec<Finding> {
    // Strongest first, so that what is cut off by the limit on evidence is the weakest.
    sightings.sort_by(|a, b| b.specificity.cmp(&a.specificity).then_with(|| a.indicator.cmp(&b.indicator)));
    let title = family.map_or(id, |family| family.title.as_str());
    if sightings.iter().any(|sighting| sighting.specificity == Specificity::Decisive) {
        return named(id, title, family, &sightings);
    }
    suspected(title, family, &sightings).into_iter().collect()
}

/// One finding for each subject with a decisive sighting; weaker ones elsewhere are evidence of the first.
fn named(id: &str, title: &str, family: Option<&Family>, sightings: &[Sighting]) -> Vec<Finding> {
    let mut subjects: Vec<&Subject> = Vec::new();
    for sighting in sightings.iter().filter(|sighting| sighting.specificity == Specificity::Decisive) {
        if !subjects.contains(&&sighting.subject) {
            subjects.push(&sighting.subject);
        }
    }
    let mut findings = Vec::new();
    for (at, subject) in subjects.iter().enumerate() {
        let mine: Vec<&Sighting> = sightings
            .iter()
            .filter(|sighting| sighting.subject == **subject || at == 0 && !subjects.contains(&&sighting.subject))
            .collect();
        let what: BTreeSet<&str> = mine
            .iter()
            .filter(|sighting| sighting.subject == **subject)
            .map(|sighting| sighting.title.as_str())
            .collect();
        let what: Vec<&str> = what.into_iter().collect();
        let message = format!("`{subject}` bears the mark of {title}: {}", what.join("; "));
        findings.extend(finding(Code::family(id), (*subject).clone(), message, family, &mine));
    }
    findings
}

/// A suspicion or a trace, if the points suffice.
fn suspected(title: &str, family: Option<&Family>, sightings: &[Sighting]) -> Option<Finding> {
    let mut counted = BTreeSet::new();
    let mut score = 0u32;
    let mut parts = Vec::new();
    for sighting in sightings {
        if counted.insert(&sighting.indicator) {
            let points = sighting.specificity.points();
            score = score.saturating_add(points);
            parts.push(format!("{} ({} {points})", sighting.title, sighting.specificity));
        }
    }
    let code = if score >= SUSPECTED {
        BACKDOOR_SUSPECTED
    } else if score >= TRACE {
        BACKDOOR_TRACE
    } else {
        return None;
    };
    let confidence = if score >= SUSPECTED_MEDIUM { Confidence::Medium } else { Confidence::Low };
    let subject = sightings.first()?.subject.clone();
    let message = format!("traces that {title} leaves, {score} points: {}", parts.join("; "));
    let remediation = code.remediation();
    let mine: Vec<&Sighting> = sightings.iter().collect();
    let finding = finding(code, subject, message, family, &mine)?;
    Some(finding.with_confidence(confidence).with_remediation(remediation))
}

fn finding(
    code: Code,
    subject: Subject,
    message: String,
    family: Option<&Family>,
    sightings: &[&Sighting],
) -> Option<Finding> {
    let mut evidence: Vec<&Evidence> = Vec::new();
    for piece in sightings.iter().flat_map(|sighting| &sighting.evidence) {
        if evidence.len() < MAX_EVIDENCE && !evidence.contains(&piece) {
            evidence.push(piece);
        }
    }
    let mut evidence = evidence.into_iter().cloned();
    let mut finding = Finding::new(code, subject, message, evidence.next()?);
    finding.evidence.extend(evidence);
    if let Some(family) = family {
        finding.remediation.clone_from(&family.remediation);
        let used: BTreeSet<&str> = sightings.iter().map(|sighting| sighting.source.as_str()).collect();
        let sources = family.sources.iter().filter(|source| used.contains(source.id.as_str()));
        finding.references = sources.map(|source| source.reference.clone()).collect();
        finding.references.extend(family.attack.iter().map(|id| format!("ATT&CK {id}")));
    }
    Some(finding)
}

#[cfg(test)]
mod tests;
