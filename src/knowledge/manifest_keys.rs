//! Keys whose site manifests count: `[[manifest-key]]` in the files of `trust.d`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::Timestamp;

/// What of a file of `trust.d` is read here.
#[derive(Debug, Deserialize)]
struct File {
    /// [`super::site_keys`] reads those.
    #[serde(default, rename = "key")]
    _key: IgnoredAny,
    #[serde(default, rename = "manifest-key")]
    manifest_key: Vec<toml::Spanned<ManifestKey>>,
}

/// A key that the site answers for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestKey {
    /// The public key, 64 digits of lower-case hexadecimal, as `sshproof manifest keygen` prints it.
    key: String,
    /// Who answers for it.
    owner: String,
    /// Why.
    reason: String,
    /// The last day on which it counts.
    expires: Timestamp,
    /// File and line of the pin.
    #[serde(skip)]
    source: String,
}

impl ManifestKey {
    /// The public key, 64 digits of lower-case hexadecimal.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whose it is and since which pin: one clause.
    #[must_use]
    pub fn words(&self) -> String {
        let until = self.expires.to_string();
        format!(
            "{} until {} ({}, {})",
            self.owner,
            until.split('T').next().unwrap_or_default(),
            self.reason,
            self.source
        )
    }

    /// Whether the pin has ended at `at`; the day itself still counts.
    #[must_use]
    pub const fn has_ended(&self, at: Timestamp) -> bool {
        at.0 > self.expires.0
    }
}

/// The keys in one file of `trust.d`, which was read from `name`.
///
/// # Errors
/// What is wrong with it, with file and line; a file with a mistake pins nothing.
pub fn parse(name: &str, text: &str) -> Result<Vec<ManifestKey>, String> {
    let file: File = toml::from_str(text).map_err(|error| format!("{name}: {}", error.to_string().trim_end()))?;
    let place = |start: usize| {
        let line = text.get(..start).unwrap_or_default().matches('\n').count().saturating_add(1);
        format!("{name}:{line}")
    };
    file.manifest_key
        .into_iter()
        .map(|written| {
            let source = place(written.span().start);
            let key = ManifestKey { source, ..written.into_inner() };
            let is_key = key.key.len() == 64 && key.key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if !is_key {
                return Err(format!("{}: `key` has not 64 lower-case hexadecimal digits", key.source));
            }
            if key.owner.trim().is_empty() || key.reason.trim().is_empty() {
                return Err(format!("{}: `owner` and `reason` must say something", key.source));
            }
            Ok(key)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_an_owner_and_a_last_day() {
        let good = format!(
            "[[manifest-key]]\nkey = '{}'\nowner = 'images'\nreason = 'compute image'\nexpires = '2027-06-30'\n",
            "0a".repeat(32)
        );
        let [key] = parse("a.toml", &good).unwrap().try_into().unwrap();
        assert_eq!(key.words(), "images until 2027-06-30 (compute image, a.toml:1)");
        assert!(!key.has_ended(Timestamp::parse("2027-06-30").unwrap()));
        assert!(key.has_ended(Timestamp::parse("2027-07-01").unwrap()));
        for (from, to) in [("0a", "0A"), ("images", " "), ("expires", "expries"), ("'2027-06-30'", "'soon'")] {
            assert!(parse("a.toml", &good.replacen(from, to, 1)).unwrap_err().starts_with("a.toml"), "{from}");
        }
        assert_eq!(parse("a.toml", "").unwrap(), []);
    }
}
