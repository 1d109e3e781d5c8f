//! A finding: our product.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Code, Evidence, Subject};

/// What kind of trouble it is. Hooks, drain requests and paging use the first two only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Somebody put something here: a backdoor, an implant, altered code.
    Compromise,
    /// Something is not what its distributor or the site signed or recorded.
    Integrity,
    /// A way in that policy does not allow.
    Exposure,
    /// Careless, not yet dangerous.
    Hygiene,
    /// Something about our own sight: expired exceptions, knowledge too old.
    Coverage,
}

impl Class {
    /// All, most alarming first.
    pub const ALL: [Self; 5] = [Self::Compromise, Self::Integrity, Self::Exposure, Self::Hygiene, Self::Coverage];

    /// The word used in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compromise => "compromise",
            Self::Integrity => "integrity",
            Self::Exposure => "exposure",
            Self::Hygiene => "hygiene",
            Self::Coverage => "coverage",
        }
    }
}

/// How bad it is if true. Everything above `informational` fails its check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; never fails a check.
    Informational,
    /// Should be put in order.
    Low,
    /// Weakens a defence.
    Medium,
    /// Opens a door or breaks the chain.
    High,
    /// Somebody is in.
    Critical,
}

impl Severity {
    /// The word used in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How sure we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A hint that needs corroboration.
    Low,
    /// Hard to explain otherwise.
    Medium,
    /// Decisive.
    High,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// Where, what was found, what was expected and who says so, what to do. Its serialised form is part of the report's
/// contract. Made by [`Finding::new`], which takes the first piece of evidence, so that none is without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable id, explained by `sshproof explain CODE`.
    pub code: Code,
    /// What kind of trouble.
    pub class: Class,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What it is about.
    pub subject: Subject,
    /// One sentence, literals in backticks, no full stop. Names of the host's are escaped already.
    pub message: String,
    /// At least one.
    pub evidence: Vec<Evidence>,
    /// What to do, one sentence or a few.
    pub remediation: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
}

impl Finding {
    /// A finding of `code` with that code's class, severity, remediation and references, confidence high.
    #[must_use]
    pub fn new(code: Code, subject: Subject, message: impl Into<String>, evidence: Evidence) -> Self {
        Self {
            class: code.class(),
            severity: code.severity(),
            confidence: Confidence::High,
            subject,
            message: message.into(),
            evidence: vec![evidence],
            remediation: code.remediation().to_owned(),
            references: code.references().iter().map(|r| (*r).to_owned()).collect(),
            code,
        }
    }

    /// The same with one more piece of evidence.
    #[must_use]
    pub fn and(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// The same with another severity.
    #[must_use]
    pub const fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same with another confidence.
    #[must_use]
    pub const fn with_confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// The same with another remedy.
    #[must_use]
    pub fn with_remediation(mut self, remediation: impl Into<String>) -> Self {
        self.remediation = remediation.into();
        self
    }
}
