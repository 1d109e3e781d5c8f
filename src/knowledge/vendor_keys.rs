//! Keys of distributors, pinned by fingerprint: `signatures/vendor-keys.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::Timestamp;

/// What is known of distributors' keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VendorKeys {
    /// Version of the file's form: 1.
    pub schema: u32,
    /// Date of the facts, `YYYY-MM-DD`.
    pub generated: String,
    /// Further IDs of os-release(5) that a distribution's keys serve, by its own ID.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// Names of packages that only base keys may sign; `*` stands for any characters.
    pub base_packages: Vec<String>,
    /// Releases whose packages are signed with SHA-1.
    #[serde(rename = "sha1-release")]
    pub sha1_releases: Vec<Sha1Release>,
    /// The keys.
    #[serde(rename = "key")]
    pub keys: Vec<VendorKey>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorKey {
    /// ID of the distribution in os-release(5).
    pub distro: String,
    /// Of the primary key, upper-case hexadecimal.
    pub fingerprint: String,
    /// Kind and size: `rsa4096`.
    pub algorithm: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it expires, as the certificate said when the facts were taken.
    pub expires: Option<Timestamp>,
    /// Whose it is.
    pub user_id: String,
    /// The distributor's file that it comes from.
    pub file: String,
    /// Subkeys for signing, by fingerprint.
    #[serde(default)]
    pub signing_subkeys: Vec<String>,
    /// Whether it may sign packages of the base.
    #[serde(default = "yes")]
    pub base: bool,
    /// That the distributor revoked it.
    pub revoked: Option<PinnedRevocation>,
}

/// A revocation that we know of, whether the host's copy of the key carries it or not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedRevocation {
    /// From when on.
    pub at: Timestamp,
    /// Whether earlier signatures are void too.
    pub hard: bool,
    /// Who says so.
    pub source: String,
}

/// Releases of a distribution, at their end of life, that are signed with SHA-1.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sha1Release {
    /// ID of the distribution.
    pub distro: String,
    /// Major versions.
    pub major: Vec<String>,
    /// Where that is known from.
    pub source: String,
}

/// Whether `text` is a fingerprint as we write them.
pub(super) fn is_fingerprint(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

const fn yes() -> bool {
    true
}

impl VendorKeys {
    /// Those that the program carries.
    ///
    /// # Panics
    /// Never: a test loads the file.
    #[must_use]
    pub fn embedded() -> Self {
        let keys = Self::parse(include_str!("../../signatures/vendor-keys.toml"));
        keys.unwrap_or_else(|problem| panic!("embedded vendor keys are broken: {problem}"))
    }

    /// The keys in a file of this form.
    ///
    /// # Errors
    /// What is wrong with it, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let keys: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for key in &keys.keys {
            for fingerprint in std::iter::once(&key.fingerprint).chain(&key.signing_subkeys) {
                if !is_fingerprint(fingerprint) {
                    return Err(format!("`{fingerprint}` is no fingerprint of 40 or 64 upper-case digits"));
                }
            }
        }
        Ok(keys)
    }

    /// The ID under which the keys of the distribution `id` stand here.
    #[must_use]
    pub fn distribution<'a>(&'a self, id: &'a str) -> &'a str {
        let alias = self.aliases.iter().find(|(_, others)| others.iter().any(|other| other == id));
        alias.map_or(id, |(own, _)| own)
    }

    /// The keys of a distribution, by one of its IDs.
    pub fn of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a VendorKey> {
        let distro = self.distribution(id);
        self.keys.iter().filter(move |key| key.distro == distro)
    }

    /// Whether only a base key may sign the package of this name.
    #[must_use]
    pub fn is_base(&self, package: &str) -> bool {
        self.base_packages.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => package.starts_with(start),
            None => pattern == package,
        })
    }

    /// Whether packages of this release are signed with SHA-1.
    #[must_use]
    pub fn allows_sha1(&self, id: &str, major: &str) -> bool {
        let distro = self.distribution(id);
        self.sha1_releases
            .iter()
            .any(|release| release.distro == distro && release.major.iter().any(|own| own == major))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_is_sound() {
        let keys = VendorKeys::embedded();
        assert!(keys.keys.len() > 100);
        assert!(keys.of("sle_hpc").count() > 4, "an alias leads to the keys");
        assert_eq!(keys.of("no-such-distribution").count(), 0);
        for (release, distro) in keys.sha1_releases.iter().map(|release| (release, &release.distro)) {
            assert!(keys.of(distro).count() > 0, "{release:?}");
        }
        let mut fingerprints: Vec<_> = keys.keys.iter().map(|key| (&key.distro, &key.fingerprint)).collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        assert_eq!(fingerprints.len(), keys.keys.len(), "a key stands twice");
        assert!(keys.keys.iter().any(|key| !key.base), "some keys are not for the base");
    }

    #[test]
    fn base_packages_are_those_of_the_login() {
        let keys = VendorKeys::embedded();
        for name in
            ["openssh-server", "openssh", "pam", "pam-libs", "glibc", "openssl-libs", "libopenssl1_1", "krb5-libs"]
        {
            assert!(keys.is_base(name), "{name}");
        }
        for name in ["pam_duo", "duo_unix", "pamtester", "nano", "openafs"] {
            assert!(!keys.is_base(name), "{name}");
        }
    }

    #[test]
    fn a_broken_file_is_refused() {
        let good = include_str!("../../signatures/vendor-keys.toml");
        assert!(VendorKeys::parse(good).is_ok());
        assert!(VendorKeys::parse(&good.replacen("567E347A", "567e347a", 1)).is_err());
        assert!(VendorKeys::parse(&good.replacen("algorithm", "algorithn", 1)).is_err());
    }
}
