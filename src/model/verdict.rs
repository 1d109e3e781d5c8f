//! Verdicts. Always derived, never set.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Class, Finding, Gap, Severity};

/// The six questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// Is each file of the surface what its distributor, or the site, signed?
    Provenance,
    /// Do the running processes execute exactly those bytes?
    Live,
    /// Does any indicator of a known family match?
    Backdoor,
    /// Does a file not proven by provenance look tampered?
    Anomaly,
    /// Does every login path need the factors that policy demands?
    Login,
    /// Keys, permissions, preload, unit drop-ins.
    Hygiene,
}

impl Check {
    /// All six, in the order they are reported.
    pub const ALL: [Self; 6] =
        [Self::Provenance, Self::Live, Self::Backdoor, Self::Anomaly, Self::Login, Self::Hygiene];

    /// The word used on the command line and in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provenance => "provenance",
            Self::Live => "live",
            Self::Backdoor => "backdoor",
            Self::Anomaly => "anomaly",
            Self::Login => "login",
            Self::Hygiene => "hygiene",
        }
    }

    /// The class it answers for: when it could not see, that class is not clean. Its findings may be of any class.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Provenance | Self::Live => Class::Integrity,
            Self::Backdoor | Self::Anomaly => Class::Compromise,
            Self::Login => Class::Exposure,
            Self::Hygiene => Class::Hygiene,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An answer. `fail` and `inconclusive` are different things: the second means we could not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// We looked at something, saw all of it, and it is in order.
    Pass,
    /// There is a finding above informational.
    Fail,
    /// Something that the answer depends on could not be seen.
    Inconclusive,
    /// There was nothing to examine.
    NotApplicable,
}

impl Verdict {
    /// The verdict over a set of findings and gaps after `examined` things were looked at.
    pub fn derive<'a>(
        findings: impl IntoIterator<Item = &'a Finding>,
        gaps: impl IntoIterator<Item = &'a Gap>,
        examined: u64,
    ) -> Self {
        if findings.into_iter().any(|finding| finding.severity > Severity::Informational) {
            Self::Fail
        } else if gaps.into_iter().any(|gap| gap.mandatory) {
            Self::Inconclusive
        } else if examined == 0 {
            Self::NotApplicable
        } else {
            Self::Pass
        }
    }

    /// The verdict over several: fail › inconclusive › pass; nothing applicable is inconclusive.
    pub fn overall(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let mut passed = false;
        let mut unsure = false;
        for verdict in verdicts {
            match verdict {
                Self::Fail => return Self::Fail,
                Self::Inconclusive => unsure = true,
                Self::Pass => passed = true,
                Self::NotApplicable => {}
            }
        }
        if passed && !unsure { Self::Pass } else { Self::Inconclusive }
    }

    /// The word used in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::NotApplicable => "not-applicable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What one check says. The verdict is derived from the rest and only written out for readers of the JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// Which question.
    pub check: Check,
    /// How many things (files, processes, login paths, families) were looked at.
    pub examined: u64,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}

impl CheckResult {
    /// Nothing looked at yet.
    #[must_use]
    pub const fn new(check: Check) -> Self {
        Self { check, examined: 0, findings: Vec::new(), gaps: Vec::new() }
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::derive(&self.findings, &self.gaps, self.examined)
    }

    /// Adds a gap unless the same one is there already.
    pub fn gap(&mut self, gap: Gap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }
}

/// The serialised form of a [`CheckResult`]: with the verdict first, which is checked when it is read back.
#[derive(Serialize, Deserialize)]
struct Wire {
    check: Check,
    verdict: Verdict,
    examined: u64,
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
}

impl Serialize for CheckResult {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        Wire {
            check: self.check,
            verdict: self.verdict(),
            examined: self.examined,
            findings: self.findings.clone(),
            gaps: self.gaps.clone(),
        }
        .serialize(s)
    }
}

impl<'de> Deserialize<'de> for CheckResult {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Wire { check, verdict, examined, findings, gaps } = Wire::deserialize(d)?;
        let result = Self { check, examined, findings, gaps };
        if result.verdict() == verdict {
            Ok(result)
        } else {
            Err(serde::de::Error::custom(format!(
                "check `{check}` says `{verdict}`, its findings and gaps say `{}`",
                result.verdict()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subject;

    #[test]
    fn could_not_look_is_never_clean() {
        let mut result = CheckResult::new(Check::Live);
        assert_eq!(result.verdict(), Verdict::NotApplicable);
        result.examined = 1;
        assert_eq!(result.verdict(), Verdict::Pass);
        result.gap(Gap::noted(Subject::Host, "x"));
        assert_eq!(result.verdict(), Verdict::Pass);
        result.gap(Gap::mandatory(Subject::Host, "y"));
        result.gap(Gap::mandatory(Subject::Host, "y"));
        assert_eq!(result.gaps.len(), 2);
        assert_eq!(result.verdict(), Verdict::Inconclusive);
    }

    #[test]
    fn overall_is_the_worst_and_nothing_is_inconclusive() {
        use Verdict::{Fail, Inconclusive, NotApplicable, Pass};
        let check = |verdicts: &[Verdict], expected| assert_eq!(Verdict::overall(verdicts.iter().copied()), expected);
        check(&[Pass, NotApplicable], Pass);
        check(&[Pass, Inconclusive], Inconclusive);
        check(&[Inconclusive, Fail, Pass], Fail);
        check(&[NotApplicable], Inconclusive);
        check(&[], Inconclusive);
    }
}
