//! What could not be seen, each thing once, alike reasons together.

use std::collections::{BTreeMap, BTreeSet};

use super::Page;
use crate::model::report::Report;
use crate::model::{Check, Class, Subject};

/// Names shown for one reason.
const NAMED: usize = 8;

/// Both kinds: those that the answer depends on, and those worth telling.
pub fn write(page: &mut Page, report: &Report) {
    for (mandatory, heading) in
        [(true, "could not look, and the answer depends on it"), (false, "could not look, worth knowing")]
    {
        let reasons = by_reason(report, mandatory);
        if !reasons.is_empty() {
            page.heading(heading);
        }
        for ((reason, checks), subjects) in reasons {
            let checks: Vec<_> = checks.into_iter().map(Check::name).collect();
            let mut names: Vec<String> = subjects.iter().take(NAMED).map(ToString::to_string).collect();
            if subjects.len() > NAMED {
                names.push(format!("{} more (`--format json` has all)", subjects.len() - NAMED));
            }
            let many = if subjects.len() > 1 { format!("{}: ", subjects.len()) } else { String::new() };
            page.text(2, &format!("{many}{}", names.join(", ")));
            page.text(6, &format!("{reason} [{}]", checks.join(", ")));
        }
    }
}

/// The things not seen, by reason and the checks that missed them. A thing that one check depends on is mandatory.
pub fn by_reason(report: &Report, mandatory: bool) -> BTreeMap<(&str, BTreeSet<Check>), Vec<&Subject>> {
    let mut reasons: BTreeMap<(&str, BTreeSet<Check>), Vec<&Subject>> = BTreeMap::new();
    for ((subject, reason), seen) in merged(report, |_| true) {
        if seen.mandatory == mandatory {
            reasons.entry((reason, seen.checks)).or_default().push(subject);
        }
    }
    reasons
}

/// Number of things not seen that the answer depends on.
pub fn mandatory(report: &Report) -> usize {
    merged(report, |_| true).values().filter(|seen| seen.mandatory).count()
}

/// The same for the checks that answer for `class`; `coverage` asks all.
pub fn mandatory_for(report: &Report, class: Class) -> usize {
    merged(report, |check| class == Class::Coverage || check.class() == class).values().filter(|s| s.mandatory).count()
}

/// Which checks missed a thing, and whether the answer of one of them depends on it.
#[derive(Default)]
struct Unseen {
    checks: BTreeSet<Check>,
    mandatory: bool,
}

/// Every gap of the checks that `of` takes, by subject and reason, however many checks met it.
fn merged(report: &Report, of: impl Fn(Check) -> bool) -> BTreeMap<(&Subject, &str), Unseen> {
    let mut merged: BTreeMap<(&Subject, &str), Unseen> = BTreeMap::new();
    for result in report.results.iter().filter(|result| of(result.check)) {
        for gap in &result.gaps {
            let seen = merged.entry((&gap.subject, gap.reason.as_str())).or_default();
            seen.checks.insert(result.check);
            seen.mandatory |= gap.mandatory;
        }
    }
    merged
}
