//! The stable name of each kind of finding, with its explanation.
//!
//! One file per check holds that check's codes as a table; `sshproof explain CODE` prints them. Codes of backdoor
//! families are not here: a family is data, its code is `backdoor/` and its id.

mod anomaly;
mod backdoor;
mod coverage;
mod hygiene;
mod live;
mod login;
mod provenance;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Class, Severity};

pub use anomaly::*;
pub use backdoor::*;
pub use coverage::*;
pub use hygiene::*;
pub use live::*;
pub use login::*;
pub use provenance::*;

/// All that is known about a code.
#[derive(Debug)]
pub struct CodeInfo {
    /// `check/kebab-case`.
    pub id: &'static str,
    /// Its class.
    pub class: Class,
    /// Its usual severity.
    pub severity: Severity,
    /// What it says, one sentence.
    pub summary: &'static str,
    /// What it means, how it can come about innocently, how sure it is: a paragraph for `explain`.
    pub explanation: &'static str,
    /// What to do.
    pub remediation: &'static str,
    /// Man page sections, RFCs, reports.
    pub references: &'static [&'static str],
}

/// The stable id of a kind of finding.
#[derive(Clone, Debug)]
pub enum Code {
    /// One of the tables in this folder.
    Known(&'static CodeInfo),
    /// A backdoor family, `backdoor/` and the id of its file under `signatures/`; or a code of a newer version, met in
    /// stored reports.
    Named(Cow<'static, str>),
}

impl Code {
    /// The code of the backdoor family `id`.
    #[must_use]
    pub fn family(id: &str) -> Self {
        Self::Named(Cow::Owned(format!("backdoor/{id}")))
    }

    /// The code with this id.
    #[must_use]
    pub fn from_id(id: &str) -> Self {
        Self::all().find(|info| info.id == id).map_or_else(|| Self::Named(Cow::Owned(id.to_owned())), Self::Known)
    }

    /// Every code of the tables, in the order of the checks.
    pub fn all() -> impl Iterator<Item = &'static CodeInfo> {
        [PROVENANCE, LIVE, BACKDOOR, ANOMALY, LOGIN, HYGIENE, COVERAGE].into_iter().flatten().copied()
    }

    /// `check/kebab-case`.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Known(info) => info.id,
            Self::Named(id) => id,
        }
    }

    /// Its class; a backdoor family is `compromise`.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Known(info) => info.class,
            Self::Named(_) => Class::Compromise,
        }
    }

    /// Its usual severity; a backdoor family is `critical`.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Known(info) => info.severity,
            Self::Named(_) => Severity::Critical,
        }
    }

    /// What to do; empty for a family, whose file says it.
    #[must_use]
    pub const fn remediation(&self) -> &'static str {
        match self {
            Self::Known(info) => info.remediation,
            Self::Named(_) => "",
        }
    }

    /// Where to read more; empty for a family.
    #[must_use]
    pub const fn references(&self) -> &'static [&'static str] {
        match self {
            Self::Known(info) => info.references,
            Self::Named(_) => &[],
        }
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Code {}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self::from_id(&Cow::<'de, str>::deserialize(d)?))
    }
}

/// Defines the codes of one check as constants named as the code is, and the table of them.
macro_rules! codes {
    ($table:ident; $($(#[$doc:meta])* $name:ident = $id:literal, $class:ident, $severity:ident;
        $summary:literal; $explanation:literal; $remediation:literal; [$($reference:literal),* $(,)?])*) => {
        $(
            #[doc = $summary]
            pub const $name: $crate::model::Code = {
                static INFO: $crate::model::code::CodeInfo = $crate::model::code::CodeInfo {
                    id: $id,
                    class: $crate::model::Class::$class,
                    severity: $crate::model::Severity::$severity,
                    summary: $summary,
                    explanation: $explanation,
                    remediation: $remediation,
                    references: &[$($reference),*],
                };
                $crate::model::Code::Known(&INFO)
            };
        )*
        /// Every code of this check.
        pub const $table: &[&$crate::model::code::CodeInfo] = &[
            $(match $name { $crate::model::Code::Known(info) => info, $crate::model::Code::Named(_) => unreachable!() }),*
        ];
    };
}
use codes;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_kebab_case_and_explained() {
        let mut seen = BTreeSet::new();
        for info in Code::all() {
            assert!(seen.insert(info.id), "{} twice", info.id);
            let (check, name) = info.id.split_once('/').unwrap();
            assert!(
                !check.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
            assert!(
                !info.summary.ends_with('.') && info.explanation.len() > 40 && !info.remediation.is_empty(),
                "{}",
                info.id
            );
            for text in [info.summary, info.explanation, info.remediation] {
                assert!(!text.contains("  ") && text.trim() == text, "{}: blanks in `{text}`", info.id);
            }
        }
        for limit in crate::model::limits::LIMITS {
            assert!(!limit.what.contains("  ") && !limit.why.contains("  "), "blanks in `{}`", limit.what);
        }
    }
}
