//! The accounts snapshot: which accounts and groups a directory had at one moment, and who of them had enrolled what, written on
//! a host that can read both, so that hosts which cannot are judged with it.
//!
//! It never holds a secret: no password hash, no seed, no key; only names, numbers, existence, owner and mode. Names are escaped
//! (`model::text`).

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The name and version of the serialised form.
pub const SCHEMA: &str = "sshproof.accounts/1";

/// The whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the sshproof that made it.
    pub tool: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Sources of nsswitch.conf(5) that it answers for: `sss`, `ldap` …
    pub services: Vec<String>,
    /// What it was made of.
    pub inputs: Vec<Input>,
    /// Which other forms of a name the directory takes; absent if nobody has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
    /// Every account, by name.
    pub accounts: Vec<Account>,
    /// Every group, by name.
    pub groups: Vec<Group>,
    /// Files that were looked for of each account, `~` its home directory and `%u` its name; none: nobody looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looked_for: Vec<String>,
    /// Why something may be missing above, each one sentence; none: it is complete.
    pub incomplete: Vec<String>,
    /// The public key that it is signed with, 64 digits of lower-case hexadecimal; absent before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The signature, 128 such digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// A text that accounts or groups were read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What it is.
    pub form: Form,
    /// Its name as it was given, escaped; `-` for standard input.
    pub name: String,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// LDIF (RFC 2849).
    Ldif,
    /// passwd(5), as `getent passwd` prints it.
    Passwd,
    /// group(5), as `getent group` prints it.
    Group,
}

/// Which other forms of a name the directory takes for an account's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Whether capital and small letters are the same to it.
    pub any_case: bool,
    /// Forms with `%n` for the name: `%n@example.org`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forms: Vec<String>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// Those of the files looked for that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Enrolment>,
    /// Why they could not be looked for; absent: they could, and what is not in `files` is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

/// A file that belongs to an account's enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Where it is, as the login would ask for it.
    pub path: String,
    /// Whether it is a regular file: nothing else counts as enrolment.
    pub regular: bool,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Permission bits, as a number.
    pub mode: u32,
    /// Of a file of public keys: whether one of its lines trusts its key to certify others (`cert-authority`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<bool>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Names of its members, but for those whose primary group it is.
    pub members: Vec<String>,
}
