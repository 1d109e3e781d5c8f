//! What logins depend on besides configuration text: accounts, groups, enrolment, and the modules' own settings.

use serde::{Deserialize, Serialize};

/// Accounts and enrolment as far as this root shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginFacts {
    /// passwd(5) entries; never a password hash.
    pub accounts: Vec<Account>,
    /// group(5) entries.
    pub groups: Vec<Group>,
}

/// A passwd(5) entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Login name, escaped.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory, escaped.
    pub home: String,
    /// Login shell, escaped.
    pub shell: String,
}

/// A group(5) entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Name, escaped.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Members named in the file, escaped.
    pub members: Vec<String>,
}
