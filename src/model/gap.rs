//! What could not be seen. "Could not look" is never "clean".

use serde::{Deserialize, Serialize};

use super::Subject;

/// Something a check wanted to see and could not. A mandatory one keeps its check from passing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// What was not seen.
    pub subject: Subject,
    /// Why, in one sentence, and what would help.
    pub reason: String,
    /// Whether the check's answer depends on it.
    pub mandatory: bool,
}

impl Gap {
    /// A gap without which the check cannot pass.
    #[must_use]
    pub fn mandatory(subject: Subject, reason: impl Into<String>) -> Self {
        Self { subject, reason: reason.into(), mandatory: true }
    }

    /// A gap worth telling that does not change the answer.
    #[must_use]
    pub fn noted(subject: Subject, reason: impl Into<String>) -> Self {
        Self { subject, reason: reason.into(), mandatory: false }
    }
}
