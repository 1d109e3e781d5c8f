//! Who and from where: the part of all logins that a paragraph of the policy speaks of.

use std::fmt;

use serde::Deserialize;

use crate::formats::sshd_config::address::{self, Range, What};
use crate::formats::sshd_config::pattern;
use crate::model::text::printable;

/// Users or groups, from addresses or from a zone. What is not named does not narrow it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Names of accounts, as typed; `*` and `?` as in sshd_config(5).
    pub users: Vec<String>,
    /// Names of groups, the same way. An account in one of them belongs to it, like one that `users` names.
    pub groups: Vec<String>,
    /// Networks that connections come from.
    pub addresses: Vec<Network>,
    /// The zone that they come from.
    pub zone: Option<String>,
}

impl Region {
    /// Whether it speaks of everybody, from everywhere.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.addresses.is_empty() && self.zone.is_none()
    }

    /// Whether it speaks of an account of this name in these groups.
    #[must_use]
    pub fn names(&self, name: &[u8], groups: &[Vec<u8>]) -> bool {
        let matches = |pattern: &String, text: &[u8]| pattern::matches(text, pattern.as_bytes());
        self.users.is_empty() && self.groups.is_empty()
            || self.users.iter().any(|pattern| matches(pattern, name))
            || self.groups.iter().any(|pattern| groups.iter().any(|group| matches(pattern, group)))
    }

    /// Whether every address of `range`, which is all of the zone `zone`, belongs to it.
    #[must_use]
    pub fn reaches(&self, range: Range, zone: &str) -> bool {
        self.addresses.is_empty() && self.zone.is_none()
            || self.addresses.iter().any(|network| network.contains(range))
            || self.zone.as_deref() == Some(zone)
    }

    /// What is wrong with its patterns.
    pub(super) fn mistake(&self) -> Option<String> {
        let mut words = self.users.iter().chain(&self.groups);
        let bad = words.find(|word| {
            word.is_empty()
                || word.starts_with('!')
                || word.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control())
        })?;
        Some(format!("`{bad}` is no name or pattern: each stands by itself, and none is negated"))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let everybody = self.groups.is_empty() && self.users == ["*"];
        let quoted = |names: &[String]| format!("`{}`", printable(&names.join("`, `")));
        let mut who = Vec::new();
        match self.users.len() {
            0 => {}
            1 if everybody => {}
            1 => who.push(format!("account {}", quoted(&self.users))),
            _ => who.push(format!("accounts {}", quoted(&self.users))),
        }
        match self.groups.len() {
            0 => {}
            1 => who.push(format!("members of {}", quoted(&self.groups))),
            _ => who.push(format!("members of one of {}", quoted(&self.groups))),
        }
        let mut from: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        from.extend(self.zone.iter().map(|zone| format!("zone `{zone}`")));
        f.write_str(if who.is_empty() { "everybody" } else { "" })?;
        f.write_str(&who.join(" and "))?;
        if from.is_empty() { Ok(()) } else { write!(f, " from {}", from.join(", ")) }
    }
}

/// An address or a network, `10.0.0.0/8`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    range: Range,
    text: String,
}

impl Network {
    /// Its addresses.
    #[must_use]
    pub const fn range(&self) -> Range {
        self.range
    }

    /// Whether all of `range` lies in it.
    #[must_use]
    pub fn contains(&self, range: Range) -> bool {
        match (self.range, range) {
            (Range::V4(first, last), Range::V4(low, high)) => first <= low && high <= last,
            (Range::V6(first, last), Range::V6(low, high)) => first <= low && high <= last,
            _ => false,
        }
    }

    /// How many addresses it has, less one.
    pub(super) fn size(&self) -> u128 {
        match self.range {
            Range::V4(first, last) => u128::from(last.saturating_sub(first)),
            Range::V6(first, last) => last.saturating_sub(first),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_plain = |item: &address::Item| !item.negated;
        match address::parse_list(text.as_bytes())?.as_slice() {
            [item] if is_plain(item) => match &item.what {
                What::Net(range) => Ok(Self { range: *range, text }),
                What::Text(_) => Err(format!("`{text}` is no address and no network such as `10.0.0.0/8`")),
            },
            _ => Err(format!("`{text}` is not one network such as `10.0.0.0/8`")),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
