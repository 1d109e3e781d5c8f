//! What the site demands: `sshproof.toml`, validated once.
//!
//! Without a file the defaults hold: two authenticators for every server that listens beyond loopback, and the strongest
//! provenance that the host's package system offers.

use std::path::PathBuf;

use serde::Deserialize;

use crate::model::report::Trust;
use crate::model::{Class, Code, Finding, RootedPath, Severity, Subject, Timestamp};

/// The whole policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// How much must stand behind each file of the surface.
    #[serde(default, alias = "minimum_trust")]
    pub minimum_trust: MinimumTrust,
    /// What logins must prove.
    #[serde(default)]
    pub login: LoginPolicy,
    /// Libraries that the site preloads on purpose (`/etc/ld.so.preload`).
    #[serde(default, alias = "declared_preloads")]
    pub declared_preloads: Vec<RootedPath>,
    /// Age in days from which the program's knowledge of backdoors is a finding; without it, never.
    #[serde(default, alias = "knowledge_max_age_days")]
    pub knowledge_max_age_days: Option<u32>,
    /// Findings that the site has accepted.
    #[serde(default, rename = "exception")]
    pub exceptions: Vec<Exception>,
    /// The file it was read from; `None` for the defaults.
    #[serde(skip)]
    pub source: Option<PathBuf>,
}

/// How much must stand behind a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MinimumTrust {
    /// The strongest evidence that this package system can give offline: dpkg has only unsigned MD5.
    #[default]
    BestOffered,
    /// A chain of signatures from the site's or the distributor's key.
    SiteSigned,
    /// A chain of signatures from the distributor's key.
    VendorSigned,
}

impl MinimumTrust {
    /// Whether `trust` is enough.
    #[must_use]
    pub fn accepts(self, trust: Trust) -> bool {
        match self {
            Self::BestOffered => true,
            Self::SiteSigned => trust <= Trust::SiteSigned,
            Self::VendorSigned => trust <= Trust::VendorSigned,
        }
    }
}

/// What a login must prove.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoginPolicy {
    /// How many factors.
    pub factors: u32,
    /// What is counted as one.
    pub count: FactorCount,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self { factors: 2, count: FactorCount::Authenticators }
    }
}

/// What counts as a factor (NIST SP 800-63B counts categories; many sites call key plus TOTP two factors).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactorCount {
    /// Independent authenticators: a key and a one-time password are two.
    #[default]
    Authenticators,
    /// Categories (knowledge, possession, inherence): a key and a one-time password are both possession, hence one.
    Categories,
}

/// A finding that somebody answers for. It is still reported, as informational, until the date.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Code of the finding.
    pub code: String,
    /// The file it is about; without it every finding of that code.
    pub path: Option<RootedPath>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Until when, `YYYY-MM-DD`.
    pub expires: Timestamp,
}

impl Exception {
    /// Whether it speaks of `finding`. A compromise is never excepted: a site that means a declared preload or a
    /// security agent declares that instead.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        finding.class != Class::Compromise
            && finding.code == Code::from_id(&self.code)
            && self.path.as_ref().is_none_or(|path| finding.subject == Subject::file(path))
    }

    /// The finding as accepted until the date; unchanged after it.
    #[must_use]
    pub fn apply(&self, mut finding: Finding, at: Timestamp) -> Finding {
        if at <= self.expires && self.covers(&finding) {
            finding.severity = Severity::Informational;
            finding.message =
                format!("{} (accepted by {} until {}: {})", finding.message, self.owner, self.expires, self.reason);
        }
        finding
    }
}

/// The policy does not parse: where and why, as the TOML reader says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The file.
    pub path: PathBuf,
    /// With line, column and the line itself.
    pub message: String,
}

impl std::fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message.trim_end())
    }
}

impl std::error::Error for PolicyProblem {}

impl Policy {
    /// The policy in `text`, which was read from `path`.
    ///
    /// # Errors
    /// Unknown keys, wrong types, codes that do not exist, impossible numbers; with line and column.
    pub fn parse(path: PathBuf, text: &str) -> Result<Self, PolicyProblem> {
        let problem = |message: String| PolicyProblem { path: path.clone(), message };
        let mut policy: Self = toml::from_str(text).map_err(|error| problem(error.to_string()))?;
        for exception in &policy.exceptions {
            if !exception.code.starts_with("backdoor/") && !Code::all().any(|info| info.id == exception.code) {
                return Err(problem(format!(
                    "exception for `{}`: there is no such code (see `sshproof explain list`)",
                    exception.code
                )));
            }
        }
        if policy.login.factors == 0 || policy.login.factors > 4 {
            return Err(problem(format!("login.factors = {}: must be 1 to 4", policy.login.factors)));
        }
        policy.source = Some(path);
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, PolicyProblem> {
        Policy::parse(PathBuf::from("sshproof.toml"), text)
    }

    #[test]
    fn an_empty_file_is_the_default() {
        let policy = parse("").unwrap();
        assert_eq!(policy, Policy { source: policy.source.clone(), ..Policy::default() });
        assert_eq!(policy.login.factors, 2);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let message = parse("minimum-trust = \"vendor-signed\"\nminimun = 1\n").unwrap_err().to_string();
        assert!(
            message.contains("sshproof.toml") && message.contains("line 2") && message.contains("minimun"),
            "{message}"
        );
        assert!(parse("[login]\nfactors = 9\n").is_err());
        assert!(parse("[[exception]]\ncode='no/such'\nowner='a'\nreason='b'\nexpires='2027-01-01'").is_err());
    }

    #[test]
    fn trust_is_ordered() {
        assert!(MinimumTrust::SiteSigned.accepts(Trust::VendorSigned));
        assert!(!MinimumTrust::SiteSigned.accepts(Trust::LocalStrong));
        assert!(!MinimumTrust::VendorSigned.accepts(Trust::SiteSigned));
        assert!(MinimumTrust::BestOffered.accepts(Trust::Unowned));
    }
}
