//! Which accounts snapshots count: whose, and how old they may be.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// `[accounts]` of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct AccountsPolicy {
    /// Public keys whose signature counts, 64 digits of lower-case hexadecimal each.
    #[serde(deserialize_with = "keys")]
    pub keys: Vec<String>,
    /// How far apart a snapshot and the look at a host may be.
    #[serde(alias = "max_age", deserialize_with = "age")]
    pub max_age: Duration,
}

impl Default for AccountsPolicy {
    fn default() -> Self {
        Self { keys: Vec::new(), max_age: Duration::from_secs(7 * 86_400) }
    }
}

/// Whether `text` is a public key as `sshproof accounts` writes it.
#[must_use]
pub fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn keys<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let keys = Vec::<String>::deserialize(d)?;
    match keys.iter().find(|key| !is_key(key)) {
        Some(key) => Err(de::Error::custom(format!("`{key}` is no public key of 64 hexadecimal digits"))),
        None => Ok(keys),
    }
}

fn age<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(d)?;
    humantime::parse_duration(&text).map_err(|error| de::Error::custom(format!("`{text}`: {error}")))
}
