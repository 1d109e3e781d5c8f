//! The findings: alike ones together, each with where, what, expected, found and what to do.

use super::{Page, Tone, count, evidence, informational};
use crate::model::report::{Counterexample, Report};
use crate::model::{Confidence, Evidence, Finding, Severity, Subject};

/// Findings of one code shown in full; more are named only.
pub const IN_FULL: usize = 10;
/// Names shown of the rest.
const NAMED: usize = 40;
/// Pieces of evidence shown of one finding.
const EVIDENCE: usize = 6;

/// All of them: those that fail first, then what is merely worth knowing.
pub fn write(page: &mut Page, report: &Report) {
    let alarms: Vec<&Finding> = report.alarms().into_iter().map(|(_, finding)| finding).collect();
    if !alarms.is_empty() {
        page.heading("findings, worst first");
    }
    for group in groups(&alarms) {
        write_group(page, report, &group);
    }
    let known: Vec<_> = informational(report).collect();
    if !known.is_empty() {
        page.heading("worth knowing");
    }
    for group in groups(&known) {
        for finding in group.iter().take(IN_FULL) {
            page.hang(&[("  ", Tone::Plain), (finding.code.id(), Tone::Faint)], 4, &finding.message);
        }
        write_rest(page, group.get(IN_FULL..).unwrap_or_default());
    }
}

/// Findings of the same code, class, severity and confidence, in order of first appearance.
pub fn groups<'a>(findings: &[&'a Finding]) -> Vec<Vec<&'a Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let alike = |group: &&mut Vec<&Finding>| {
            group.first().is_some_and(|first| {
                (&first.code, first.class, first.severity, first.confidence)
                    == (&finding.code, finding.class, finding.severity, finding.confidence)
            })
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// A finding, and the other servers of which the same is to be said.
pub struct Told<'a> {
    /// The first of them.
    pub finding: &'a Finding,
    /// Subjects of the others.
    also: Vec<&'a Subject>,
}

impl Told<'_> {
    /// What it is about, where the message does not say so; empty if it does.
    pub fn place(&self) -> String {
        let subjects = std::iter::once(&self.finding.subject).chain(self.also.iter().copied());
        let names = subjects.map(ToString::to_string).filter(|name| !self.finding.message.contains(name));
        names.collect::<Vec<_>>().join(", ")
    }
}

/// The findings of a group, servers with the same way in told together: a running server and the unit that would start it read
/// one configuration.
pub fn told_once<'a>(report: &Report, group: &[&'a Finding]) -> Vec<Told<'a>> {
    let mut all: Vec<Told<'a>> = Vec::new();
    for finding in group {
        let example = counterexample(report, finding);
        let is_same = |told: &&mut Told<'_>| {
            let one = told.finding;
            example.is_some()
                && counterexample(report, one) == example
                && (&one.message, &one.evidence, &one.remediation)
                    == (&finding.message, &finding.evidence, &finding.remediation)
        };
        match all.iter_mut().find(is_same) {
            Some(told) => told.also.push(&finding.subject),
            None => all.push(Told { finding, also: Vec::new() }),
        }
    }
    all
}

fn write_group(page: &mut Page, report: &Report, group: &[&Finding]) {
    let Some(first) = group.first() else { return };
    page.gap();
    let mut rank = format!("{}, {}", first.class, first.severity);
    if first.confidence != Confidence::High {
        rank.push_str(&format!(", confidence {}", first.confidence));
    }
    if group.len() > 1 {
        rank.push_str(&format!(" · {} times", group.len()));
    }
    let tone = if first.severity >= Severity::Medium { Tone::Alarm } else { Tone::Doubt };
    page.hang(&[(first.code.id(), tone)], 0, &format!("  {rank}"));
    let one_remedy = group.iter().all(|finding| finding.remediation == first.remediation);
    let mut told_apart = false;
    let told = told_once(report, group);
    for (number, told) in told.iter().take(IN_FULL).enumerate() {
        if number > 0 {
            page.gap();
        }
        page.text(2, &told.finding.message);
        let has_own_fix = write_details(page, report, told);
        told_apart |= has_own_fix;
        if !has_own_fix && (!one_remedy || group.len() == 1) {
            fix(page, told.finding);
        }
    }
    if told.len() > 1 {
        page.gap();
    }
    let rest: Vec<&Finding> = told.iter().skip(IN_FULL).map(|told| told.finding).collect();
    write_rest(page, &rest);
    if one_remedy && !told_apart && group.len() > 1 {
        fix(page, first);
    }
    page.field("more", &format!("sshproof explain {}", first.code));
}

/// Everything but message and remedy; whether that held a remedy made for this very finding.
fn write_details(page: &mut Page, report: &Report, told: &Told<'_>) -> bool {
    let (finding, place) = (told.finding, told.place());
    if !place.is_empty() {
        page.field("where", &place);
    }
    let example = counterexample(report, finding);
    for piece in finding.evidence.iter().take(EVIDENCE) {
        // The counterexample says the same with the reason beside each line.
        if example.is_some() && is_told_by_example(piece) {
            continue;
        }
        for (label, text) in evidence::lines(piece) {
            page.field(label, &text);
        }
    }
    if example.is_none() && finding.evidence.len() > EVIDENCE {
        page.field(
            "",
            &format!("and {} more pieces of evidence in the JSON report", finding.evidence.len() - EVIDENCE),
        );
    }
    let Some(example) = example else { return false };
    page.field("who", &example.region);
    page.field("example", &format!("{} from {} by `{}`", example.user, example.from, example.methods.join(",")));
    if !example.factors.is_empty() {
        page.field("proves only", &example.factors.join(", "));
    }
    for line in &example.decided_by {
        page.field("decided by", &evidence::spaced(line));
    }
    page.field("fix", &example.fix);
    page.field("try", &example.replay);
    true
}

/// Whether a counterexample shows this piece of evidence too.
pub const fn is_told_by_example(piece: &Evidence) -> bool {
    matches!(piece, Evidence::Counterexample { .. } | Evidence::Line { .. } | Evidence::Fact { .. })
}

fn fix(page: &mut Page, finding: &Finding) {
    if !finding.remediation.is_empty() {
        page.field("fix", &finding.remediation);
    }
}

fn write_rest(page: &mut Page, rest: &[&Finding]) {
    if rest.is_empty() {
        return;
    }
    let mut names: Vec<String> = rest.iter().take(NAMED).map(|finding| finding.subject.to_string()).collect();
    if rest.len() > NAMED {
        names.push(format!("{} more (`--format json` has all)", rest.len() - NAMED));
    }
    page.field("also", &format!("{}: {}", count(rest.len(), ("other", "others")), names.join(", ")));
}

/// The login proof's counterexample that a finding speaks of, which knows more than the finding's evidence.
pub fn counterexample<'a>(report: &'a Report, finding: &Finding) -> Option<&'a Counterexample> {
    let Subject::Login { server } = &finding.subject else { return None };
    let named = finding.evidence.iter().find_map(|piece| match piece {
        Evidence::Counterexample { user, from, methods } => Some((user, from, methods)),
        _ => None,
    })?;
    let login = report.login.iter().find(|login| login.server == *server)?;
    login.counterexamples.iter().find(|example| (&example.user, &example.from, &example.methods) == named)
}
