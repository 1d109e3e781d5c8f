//! Keys that the site pins beside those of distributors: the files of `trust.d`.
//!
//! A pin names packages, never the base system: that is the distributor's alone. Only a distribution that the program knows
//! no keys for, an in-house one under a name of its own in os-release(5), may be pinned whole.

use serde::Deserialize;

use super::vendor_keys::{VendorKeys, is_fingerprint};
use crate::formats::sshd_config::pattern;
use crate::model::Timestamp;

/// A file of `trust.d`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    key: Vec<toml::Spanned<SiteKey>>,
    /// [`super::manifest_keys`] reads those.
    #[serde(default, rename = "manifest-key")]
    _manifest_key: serde::de::IgnoredAny,
}

/// A key that the site answers for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteKey {
    /// Of the primary key, upper-case hexadecimal.
    fingerprint: String,
    /// File with the key, beside the pin unless the path is absolute; without it the key must lie where distributions put
    /// theirs, or come with `--keyring`.
    file: Option<String>,
    /// Names of packages that it may sign; `*` stands for any characters, `?` for one.
    packages: Vec<String>,
    /// ID of os-release(5) of an in-house distribution, whose base packages it may sign too; on others it counts nothing.
    distribution: Option<String>,
    /// Who answers for it.
    owner: String,
    /// Why.
    reason: String,
    /// Until when, `YYYY-MM-DD`.
    expires: Timestamp,
    /// File and line of the pin.
    #[serde(skip)]
    source: String,
}

impl SiteKey {
    /// Fingerprint of the primary key, upper-case hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The file with the key, as the pin spells it.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The in-house distribution that it is pinned for as a whole.
    #[must_use]
    pub fn distribution(&self) -> Option<&str> {
        self.distribution.as_deref()
    }

    /// Who answers for it, and until when: one clause.
    #[must_use]
    pub fn answered_for(&self) -> String {
        let until = self.expires.to_string();
        format!("{} until {}", self.owner, until.split('T').next().unwrap_or_default())
    }

    /// Why it is pinned.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// File and line of the pin.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the pin has ended at `at`; the day itself still counts.
    #[must_use]
    pub fn has_ended(&self, at: Timestamp) -> bool {
        at > self.expires
    }

    /// Whether it is for the package of this name, on the distribution with this ID of os-release(5); without a word on
    /// whether that package is of the base.
    #[must_use]
    pub fn is_for(&self, package: &str, distribution: Option<&str>) -> bool {
        self.distribution.as_deref().is_none_or(|own| Some(own) == distribution)
            && self.packages.iter().any(|own| pattern::matches(package.as_bytes(), own.as_bytes()))
    }

    /// The packages that it is for, in words.
    #[must_use]
    pub fn scope(&self) -> String {
        self.packages.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    /// What is wrong with it.
    fn mistake(&self, vendor: &VendorKeys) -> Option<String> {
        if !is_fingerprint(&self.fingerprint) {
            return Some(format!("`{}` is no fingerprint of 40 or 64 upper-case digits", self.fingerprint));
        }
        if self.owner.trim().is_empty() || self.reason.trim().is_empty() {
            return Some("`owner` and `reason` must say something".to_owned());
        }
        if self.packages.is_empty() {
            return Some("`packages` must name some".to_owned());
        }
        match &self.distribution {
            Some(id) if vendor.of(id).next().is_some() => Some(format!(
                "`{id}` is signed by its distributor: for packages of its base no other key counts; pin the key for \
                 packages of your own, without `distribution`"
            )),
            Some(_) => None,
            // Any name at all would be no scope.
            None => self
                .packages
                .iter()
                .find(|name| !name.bytes().any(|byte| byte.is_ascii_alphanumeric()))
                .map(|name| format!("`{name}` names no package: say which ones the key is for")),
        }
    }
}

/// The keys in one file of `trust.d`, which was read from `name`.
///
/// # Errors
/// What is wrong with it, with file and line; a file with a mistake pins nothing.
pub fn parse(name: &str, text: &str, vendor: &VendorKeys) -> Result<Vec<SiteKey>, String> {
    let file: File = toml::from_str(text).map_err(|error| format!("{name}: {}", error.to_string().trim_end()))?;
    file.key
        .into_iter()
        .map(|written| {
            let before = text.get(..written.span().start).unwrap_or_default();
            let source = format!("{name}:{}", before.matches('\n').count() + 1);
            let key = SiteKey { source, ..written.into_inner() };
            match key.mistake(vendor) {
                Some(mistake) => Err(format!("{}: {mistake}", key.source)),
                None => Ok(key),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "[[key]]\nfingerprint = '963A2BEB02009608FE67EA4249FD77499570FF31'\nfile = 'duo.asc'\n\
        packages = ['duo_unix', 'pam_duo*']\nowner = 'HPC operations'\nreason = 'second factor'\nexpires = '2027-06-30'\n";

    fn load(text: &str) -> Result<Vec<SiteKey>, String> {
        parse("duo.toml", text, &VendorKeys::embedded())
    }

    #[test]
    fn a_pin_is_for_the_packages_that_it_names() {
        let [key] = load(&format!("# Duo\n{KEY}")).unwrap().try_into().unwrap();
        assert_eq!((key.source(), key.file()), ("duo.toml:2", Some("duo.asc")));
        assert_eq!(key.answered_for(), "HPC operations until 2027-06-30");
        let check =
            |package: &str, expected: bool| assert_eq!(key.is_for(package, Some("rhel")), expected, "{package}");
        check("duo_unix", true);
        check("pam_duo-devel", true);
        check("duo_unix2", false);
        check("openssh-server", false);
        let [key] = load(&format!("{KEY}distribution = 'sitelinux'")).unwrap().try_into().unwrap();
        assert!(key.is_for("duo_unix", Some("sitelinux")) && !key.is_for("duo_unix", Some("rhel")));
    }

    #[test]
    fn a_pin_ends_with_its_day() {
        let [key] = load(KEY).unwrap().try_into().unwrap();
        assert!(!key.has_ended(Timestamp::parse("2027-06-30").unwrap()));
        assert!(key.has_ended(Timestamp::parse("2027-07-01").unwrap()));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let check = |from: &str, to: &str, expected: &str| {
            let message = load(&KEY.replace(from, to)).unwrap_err();
            assert!(message.starts_with("duo.toml") && message.contains(expected), "{message}");
        };
        check("963A", "963a", "no fingerprint");
        check("'duo_unix', 'pam_duo*'", "", "must name some");
        check("'duo_unix'", "'*'", "names no package");
        check("'second factor'", "' '", "must say something");
        check("owner = 'HPC operations'\n", "", "owner");
        check("expires = '2027-06-30'\n", "", "expires");
        check("2027-06-30", "soon", "soon");
        check("file =", "flie =", "flie");
        check("expires", "distribution = 'rhel'\nexpires", "no other key counts");
        // One of the names under which a distributor's keys serve.
        check("expires", "distribution = 'opensuse-leap'\nexpires", "no other key counts");
    }
}
