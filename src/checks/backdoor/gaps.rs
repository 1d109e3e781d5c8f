//! What the indicators could not be applied to, and how old they are.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Facts, FileFacts, FileState, Look, Role, RootFacts};
use crate::knowledge::family::Observation;
use crate::knowledge::{Kind, Knowledge};
use crate::model::code::KNOWLEDGE_OLD;
use crate::model::{Algorithm, CheckResult, Evidence, FileKind, Finding, Gap, RootedPath, Subject, Timestamp};
use crate::policy::Policy;

/// Adds a gap for everything that was not looked at though an indicator asks for it.
pub(super) fn add(result: &mut CheckResult, facts: &Facts, knowledge: &Knowledge) {
    if facts.byte_rules != knowledge.byte_rules() {
        let reason = format!(
            "files were matched with the byte rules of {}, not with those of {}: scan again to apply these",
            facts.knowledge,
            knowledge.date()
        );
        result.gap(Gap::mandatory(Subject::Host, reason));
    }
    let wanted = knowledge.digest_algorithms();
    let mut missing: BTreeMap<Algorithm, usize> = BTreeMap::new();
    for root in &facts.roots {
        for (path, file) in &root.files.files {
            if let Some(reason) = unread(file) {
                result.gap(Gap::mandatory(Subject::file(path), reason));
            } else if file.looks.contains(&Look::Binary) && !file.digests.is_empty() {
                for algorithm in wanted.iter().filter(|algorithm| file.digest(**algorithm).is_none()) {
                    let files = missing.entry(*algorithm).or_default();
                    *files = files.saturating_add(1);
                }
            }
        }
        unlisted(result, root, knowledge);
    }
    for (algorithm, files) in missing {
        let reason =
            format!("{algorithm} was not taken of {files} files: published {algorithm} digests were not compared");
        result.gap(Gap::noted(Subject::Host, reason));
    }
    if facts.roots.iter().any(|root| root.live)
        && facts.kernel.as_ref().is_none_or(|kernel| kernel.abstract_sockets.is_none())
    {
        let reason = "names of abstract UNIX sockets could not be read: control sockets were not looked for";
        result.gap(Gap::mandatory(Subject::Host, reason));
    }
    if let Some(gap) = unobserved(knowledge) {
        result.gap(gap);
    }
}

/// Why rules were not applied to a file that they are for.
fn unread(file: &FileFacts) -> Option<String> {
    if !file.looks.contains(&Look::Binary) && !file.roles.contains(&Role::Indicator) {
        return None;
    }
    match &file.state {
        FileState::Missing => None,
        FileState::Unknown(why) => Some(format!("could not be looked at: {why}")),
        FileState::Present(meta) => {
            let unmatched = meta.kind == FileKind::Regular && file.looks.contains(&Look::Binary) && file.hits.is_none();
            let why = file.problem.as_deref().unwrap_or("its content was not read");
            unmatched.then(|| format!("byte rules could not be applied: {why}"))
        }
    }
}

/// Directories of wildcards that are there and were not listed.
fn unlisted(result: &mut CheckResult, root: &RootFacts, knowledge: &Knowledge) {
    let mut dirs: BTreeSet<&RootedPath> = BTreeSet::new();
    for indicator in knowledge.families().iter().flat_map(|family| &family.indicators) {
        if let Kind::Path(rule) = &indicator.kind {
            dirs.extend(rule.places.iter().filter(|place| place.is_glob()).map(|place| &place.dir));
        }
    }
    for dir in dirs {
        let Some(file) = root.files.get(dir) else { continue };
        let is_dir = file.meta().is_some_and(|meta| meta.kind == FileKind::Directory);
        if is_dir && file.entries.is_none() {
            let why = file.problem.as_deref().unwrap_or("its names were not read");
            result.gap(Gap::mandatory(Subject::file(dir), format!("could not be listed: {why}")));
        }
    }
}

/// What is known but not looked at by this version.
fn unobserved(knowledge: &Knowledge) -> Option<Gap> {
    let mut needs: BTreeMap<Observation, usize> = BTreeMap::new();
    let mut families = BTreeSet::new();
    for family in knowledge.families() {
        for indicator in &family.indicators {
            if let Kind::Unobserved(rule) = &indicator.kind {
                let count = needs.entry(rule.needs).or_default();
                *count = count.saturating_add(1);
                families.insert(&family.id);
            }
        }
    }
    if needs.is_empty() {
        return None;
    }
    let total = needs.values().fold(0usize, |sum, count| sum.saturating_add(*count));
    let needs: Vec<String> = needs.iter().map(|(need, count)| format!("{} ({count})", need.name())).collect();
    let reason = format!(
        "{total} indicators of {} families were not looked for, they need: {}",
        families.len(),
        needs.join(", ")
    );
    Some(Gap::noted(Subject::Host, reason))
}

/// A finding if policy limits the age of knowledge and it is older.
pub(super) fn age(facts: &Facts, knowledge: &Knowledge, policy: &Policy) -> Option<Finding> {
    let limit = policy.knowledge_max_age_days?;
    let made = Timestamp::parse(knowledge.date())?;
    let days = facts.observed_at.0.saturating_sub(made.0) / 86_400;
    (days > u64::from(limit)).then(|| {
        let message = format!("knowledge of {} is {days} days old, policy allows {limit}", knowledge.date());
        let about = "date of the embedded signatures".to_owned();
        Finding::new(
            KNOWLEDGE_OLD,
            Subject::Host,
            message,
            Evidence::Fact { about, value: knowledge.date().to_owned() },
        )
    })
}
