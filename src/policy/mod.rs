//! What the site demands: `sshproof.toml`, validated once.
//!
//! Without a file the defaults hold: two authenticators for every server that listens beyond loopback, and the strongest
//! provenance that the host's package system offers.

pub mod accounts;
pub mod login;
pub mod region;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub use self::accounts::AccountsPolicy;
pub use self::login::{FactorCount, LoginPolicy, Zone};
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
    /// Which accounts snapshots count.
    #[serde(default)]
    pub accounts: AccountsPolicy,
    /// The parts of the site as they stand in the file; [`Policy::parse`] moves them to `login`, which needs them.
    #[serde(default, rename = "zone")]
    pub zones: BTreeMap<String, Zone>,
    /// Libraries that the site preloads on purpose (`/etc/ld.so.preload`).
    #[serde(default, alias = "declared_preloads")]
    pub declared_preloads: Vec<RootedPath>,
    /// Programs of security agents that probe servers on purpose; each counts only while its file is as its package delivered it.
    #[serde(default, alias = "declared_agents")]
    pub declared_agents: Vec<RootedPath>,
    /// Age in days from which the program's knowledge of backdoors is a finding; without it, never.
    #[serde(default, alias = "knowledge_max_age_days")]
    pub knowledge_max_age_days: Option<u32>,
    /// Days after which a server that still runs replaced files of an earlier signed version is a finding; until then it is a
    /// note. 7 if absent.
    #[serde(default, alias = "restart_within_days")]
    pub restart_within_days: Option<u32>,
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

/// The policy does not parse: where and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The file.
    pub path: PathBuf,
    /// With line and column where there are any; one line.
    pub message: String,
}

impl std::fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message.trim_end())
    }
}

impl std::error::Error for PolicyProblem {}

impl Policy {
    /// Days that the restart of a server may wait after an upgrade.
    #[must_use]
    pub fn restart_within_days(&self) -> u32 {
        self.restart_within_days.unwrap_or(7)
    }

    /// The policy in `text`, which was read from `path`.
    ///
    /// # Errors
    /// Unknown keys, wrong types, codes that do not exist, impossible numbers; with line and column.
    pub fn parse(path: PathBuf, text: &str) -> Result<Self, PolicyProblem> {
        let problem = |message: String| PolicyProblem { path: path.clone(), message };
        let mut policy: Self = toml::from_str(text).map_err(|error| {
            let place = error.span().map(|span| placed(text, span.start, error.message()));
            problem(place.unwrap_or_else(|| error.message().to_owned()))
        })?;
        for exception in &policy.exceptions {
            if !exception.code.starts_with("backdoor/") && !Code::all().any(|info| info.id == exception.code) {
                return Err(problem(format!(
                    "exception for `{}`: there is no such code (see `sshproof explain list`)",
                    exception.code
                )));
            }
        }
        policy.login.zones = std::mem::take(&mut policy.zones);
        if let Some((at, mistake)) = policy.login.mistake() {
            return Err(problem(at.map_or_else(|| mistake.clone(), |at| placed(text, at, &mistake))));
        }
        policy.source = Some(path);
        Ok(policy)
    }
}

/// A mistake with its place, in one line: whoever prints it escapes line ends.
fn placed(text: &str, at: usize, mistake: &str) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    format!("line {line}, column {column}: {}", mistake.replace('\n', " "))
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
    fn mistakes_about_logins_are_named_with_their_place() {
        let check = |text: &str, line: usize, expected: &str| {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(&format!("line {line},")) && message.contains(expected), "{text}\n{message}");
        };
        let tail = "owner = 'a'\nreason = 'b'\nexpires = '2027-01-01'\n";
        let exemption = |what: &str| format!("# first\n[[login.exemption]]\n{what}\n{tail}");
        check(&exemption(""), 2, "an exemption of everybody");
        check(&exemption("users = ['!root']"), 2, "`!root` is no name");
        check(&exemption("addresses = ['10.0.0.1/8']"), 3, "mask that does not fit");
        check(&exemption("addresses = ['10.*']"), 3, "`10.*` is no address");
        check(&exemption("zone = 'nowhere'"), 3, "there is no [zone.nowhere]");
        check(&exemption("when = ['sometimes']"), 3, "fail-open");
        check(&exemption("users = ['a']\nfactor = 1"), 4, "factor");
        check("[[login.exemption]]\nusers = ['a']\nowner = ' '\nreason = 'b'\nexpires = '2027-01-01'\n", 1, "`owner`");
        check("[[login.exemption]]\nusers = ['a']\nowner = 'a'\nreason = 'b'\n", 1, "expires");
        check("[[login.exemption]]\nusers = ['a']\nowner = 'a'\nreason = 'b'\nexpires = 'soon'\n", 5, "soon");
        check("[[login.phishing-resistant]]\nkeys = 'hardware'\n", 1, "for whom?");
        check("[accounts]\nkeys = ['abc']\n", 2, "no public key");
        check("[accounts]\nmax-age = 'soon'\n", 2, "soon");
        check("[zone.lab]\nfactors = 'some'\n", 2, "\"inherited\"");
        check("[zone.lab]\nnetwork = []\n", 2, "network");
        check("[login]\nzone = 'lab'\n", 2, "there is no [zone.lab]");
        let assumption = |what: &str| format!("[[login.assumption]]\n{what}\n{tail}");
        check(&assumption("certificates = ['SHA256:x']\nprove = ['knowledge']"), 1, "no fingerprint");
        check(&assumption("tickets = true"), 1, "`prove` must say");
        check(&assumption("tickets = true\nzone = 'lab'"), 1, "about one thing");
        check(&assumption("zone = 'lab'\nprove = ['knowledge']"), 1, "as a whole");
        check(&assumption("zone = 'lab'"), 2, "there is no [zone.lab]");
        check(&assumption("zone = 'internet'"), 1, "nobody proves himself");
        let whole = |text: &str, expected: &str| {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains("sshproof.toml") && message.contains(expected), "{message}");
        };
        whole("[zone.internet]\nfactors = 'inherited'\n", "[zone.internet] factors");
        whole(
            "[zone.a]\nnetworks = ['10.0.0.0/8']\n[zone.b]\nnetworks = ['10.0.0.0/8']\n",
            "in [zone.a] and in [zone.b]",
        );
    }

    #[test]
    fn an_address_stands_in_the_zone_of_the_narrowest_network() {
        let policy = parse(
            "[zone.site]\nnetworks = ['10.0.0.0/8', '2001:db8::/32']\n[zone.compute]\nnetworks = ['10.2.0.0/16']\n",
        );
        let login = policy.unwrap().login;
        let check = |address: &str, expected: &str| {
            let address = address.parse().unwrap();
            assert_eq!(login.zone_of(crate::formats::sshd_config::address::Range::one(address)), expected);
        };
        check("10.2.3.4", "compute");
        check("10.3.3.4", "site");
        check("2001:db8::1", "site");
        check("192.0.2.1", "internet");
        let server = |listens: &[&str]| {
            let listens: Vec<std::net::IpAddr> = listens.iter().map(|address| address.parse().unwrap()).collect();
            login.zone_of_server(listens.into_iter()).map(str::to_owned)
        };
        assert_eq!(server(&["10.2.0.1", "127.0.0.1"]).as_deref(), Some("compute"));
        assert_eq!(server(&["10.2.0.1", "10.3.0.1"]), None);
        assert_eq!(server(&["10.2.0.1", "0.0.0.0"]), None);
        assert_eq!(server(&["192.0.2.1"]), None);
    }

    #[test]
    fn what_has_ended_is_told_and_not_applied() {
        let text = "[[login.exemption]]\nusers = ['a']\nowner = 'ops'\nreason = 'b'\nexpires = '2027-01-01'\n";
        let login = parse(text).unwrap().login;
        let at = |day: &str| login.at(Timestamp::parse(day).unwrap());
        assert_eq!(at("2027-01-01"), (login.clone(), Vec::new()));
        let (after, ended) = at("2027-01-02");
        assert!(after.exemptions.is_empty() && !login.exemptions.is_empty());
        assert_eq!(ended, ["the exemption of account `a`: answered for by ops until 2027-01-01"]);
    }

    #[test]
    fn trust_is_ordered() {
        assert!(MinimumTrust::SiteSigned.accepts(Trust::VendorSigned));
        assert!(!MinimumTrust::SiteSigned.accepts(Trust::LocalStrong));
        assert!(!MinimumTrust::VendorSigned.accepts(Trust::SiteSigned));
        assert!(MinimumTrust::BestOffered.accepts(Trust::Unowned));
    }
}
