//! What the outcome of a stack depends on besides its text, and what one connection answers to it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::login::factor::GuardKind;
use crate::model::{FileKind, RootedPath};

use super::access::AccessTable;
use super::files::Files;
use super::listfile::ListFile;
use super::succeed_if::SucceedIf;

/// A condition that a module's behaviour hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What kind of guard it becomes where it stays open.
    pub kind: GuardKind,
    /// The condition as a clause: `the user is in group nomfa`.
    pub clause: Arc<str>,
    /// How it is settled.
    pub test: Test,
}

/// How a condition is settled for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The configuration has settled it, or it stays open for everybody.
    Fixed(Answer),
    /// One of these files exists for the account: templates, `~` its home directory, `%u` or `${USER}` its name.
    EnrolmentFile(Vec<Vec<u8>>),
    /// sshd lets PAM accept an empty password.
    EmptyPasswordsPermitted,
    /// The account stands in the root's passwd(5).
    LocalAccount,
    /// The account's uid is 0.
    Superuser,
    /// pam_succeed_if(8).
    SucceedIf(SucceedIf),
    /// access.conf(5).
    Access(AccessTable),
    /// pam_listfile(8).
    ListFile(ListFile),
    /// The login shell is one of these.
    Shell(Vec<Vec<u8>>),
    /// A public key has been accepted before.
    KeyShown,
}

/// What a connection answers to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It may or may not: both branches are followed, each with its guard.
    Open,
    /// It could not be found out: both branches are followed, each of them uncertain.
    Unknown,
}

impl Answer {
    /// The answer to the opposite.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            other => other,
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Open, _) | (_, Self::Open) => Self::Open,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// One class of connections, as far as PAM can tell them apart.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// The account; `None` for any name that no listed account has.
    pub account: Option<&'a Account>,
    /// `PAM_RHOST` for every connection of the class.
    pub remote: Remote,
    /// `PAM_SERVICE`.
    pub service: &'a [u8],
    /// `PermitEmptyPasswords yes`: otherwise sshd passes `PAM_DISALLOW_NULL_AUTHTOK`.
    pub empty_passwords_permitted: bool,
    /// A public key has been accepted before this step of the method list.
    pub key_shown: bool,
}

/// Where the connections of a class come from: an interval of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Addresses from the first to the second, both included, of one family.
    Range(IpAddr, IpAddr),
    /// Not told apart, or no IP transport.
    Any,
}

impl Remote {
    /// Whether all addresses of the class lie between `first` and `last`.
    #[must_use]
    pub fn within(self, first: IpAddr, last: IpAddr) -> Answer {
        match self {
            Self::Any => Answer::Open,
            Self::Range(low, high) if low.is_ipv4() == first.is_ipv4() => {
                if first <= low && high <= last {
                    Answer::Yes
                } else if high < first || last < low {
                    Answer::No
                } else {
                    Answer::Open
                }
            }
            Self::Range(..) => Answer::No,
        }
    }
}

/// An account as NSS shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// Login name.
    pub name: Vec<u8>,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Names of all its groups, the primary one included.
    pub groups: Vec<Vec<u8>>,
    /// Whether `groups` is complete: no directory service may add to it.
    pub groups_complete: bool,
    /// Home directory.
    pub home: Vec<u8>,
    /// Login shell.
    pub shell: Vec<u8>,
    /// Whether it stands in the root's own passwd(5).
    pub local: bool,
}

impl Account {
    /// Whether it is a member of the group named `group`.
    #[must_use]
    pub fn in_group(&self, group: &[u8]) -> Answer {
        if self.groups.iter().any(|name| name == group) {
            Answer::Yes
        } else if self.groups_complete {
            Answer::No
        } else {
            Answer::Open
        }
    }
}

impl Condition {
    /// Whether the answer may depend on where a connection comes from.
    #[must_use]
    pub fn asks_for_remote(&self) -> bool {
        match &self.test {
            Test::Access(_) | Test::ListFile(_) => true,
            Test::SucceedIf(comparisons) => comparisons.asks_for_remote(),
            _ => false,
        }
    }

    /// Whether the answer may depend on how the client typed the account's name (`PAM_USER`).
    #[must_use]
    pub fn asks_for_name(&self) -> bool {
        match &self.test {
            Test::SucceedIf(comparisons) => comparisons.asks_for_name(),
            Test::Access(table) => table.names().next().is_some(),
            Test::ListFile(list) => list.asks_for_name(),
            Test::EnrolmentFile(templates) => {
                let has = |template: &Vec<u8>, part: &[u8]| template.windows(part.len()).any(|window| window == part);
                templates.iter().any(|template| has(template, b"%u") || has(template, b"${USER}"))
            }
            _ => false,
        }
    }

    /// The names of groups that it asks for, among them perhaps some of accounts.
    #[must_use]
    pub fn group_names(&self) -> Vec<&[u8]> {
        match &self.test {
            Test::SucceedIf(comparisons) => comparisons.group_names().collect(),
            Test::Access(table) => table.names().collect(),
            Test::ListFile(list) => list.group_names().collect(),
            _ => Vec::new(),
        }
    }

    /// What `connection` answers.
    #[must_use]
    pub fn answer(&self, connection: &Connection<'_>, files: &dyn Files) -> Answer {
        let account = connection.account;
        match &self.test {
            Test::Fixed(answer) => *answer,
            Test::EmptyPasswordsPermitted if !connection.empty_passwords_permitted => Answer::No,
            // Whether the password is empty stands in shadow(5), which we do not read.
            Test::EmptyPasswordsPermitted => Answer::Open,
            Test::LocalAccount => account.map_or(Answer::Open, |account| account.local.into()),
            Test::Superuser => account.map_or(Answer::Open, |account| (account.uid == 0).into()),
            Test::Shell(shells) => account.map_or(Answer::Open, |account| shells.contains(&account.shell).into()),
            Test::KeyShown => connection.key_shown.into(),
            Test::SucceedIf(conditions) => conditions.answer(connection),
            Test::Access(table) => table.answer(connection),
            Test::ListFile(list) => list.answer(connection),
            Test::EnrolmentFile(templates) => match account {
                None => Answer::Open,
                Some(account) => enrolment_paths(templates, account)
                    .iter()
                    .map(|path| match files.inode(path) {
                        Ok(meta) => Answer::from(meta.is_some_and(|meta| meta.kind == FileKind::Regular)),
                        Err(_) => Answer::Unknown,
                    })
                    .fold(Answer::No, Answer::or),
            },
        }
    }
}

/// The files that `templates` mean for `account`.
#[must_use]
pub fn enrolment_paths(templates: &[Vec<u8>], account: &Account) -> Vec<RootedPath> {
    templates
        .iter()
        .filter_map(|template| {
            let text = match template.strip_prefix(b"~") {
                Some(rest) => [account.home.as_slice(), rest].concat(),
                None => template.clone(),
            };
            let text = replace(&text, b"${HOME}", &account.home);
            let text = replace(&text, b"${USER}", &account.name);
            let text = replace(&text, b"%h", &account.home);
            RootedPath::new(replace(&text, b"%u", &account.name))
        })
        .collect()
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    if !text.windows(from.len()).any(|window| window == from) {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(from) {
            Some(after) => {
                out.extend_from_slice(to);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_valued_logic_keeps_what_is_not_known() {
        use Answer::{No, Open, Unknown, Yes};
        let check = |left: Answer, right: Answer, and: Answer, or: Answer| {
            assert_eq!((left.and(right), left.or(right)), (and, or), "{left:?} {right:?}");
        };
        check(Yes, No, No, Yes);
        check(Yes, Open, Open, Yes);
        check(No, Open, No, Open);
        check(Open, Unknown, Unknown, Unknown);
        check(No, Unknown, No, Unknown);
    }

    #[test]
    fn templates_become_paths() {
        let account = Account {
            name: b"eve".to_vec(),
            uid: 1,
            gid: 1,
            groups: Vec::new(),
            groups_complete: true,
            home: b"/home/eve".to_vec(),
            shell: Vec::new(),
            local: true,
        };
        let check = |template: &str, expected: &str| {
            assert_eq!(enrolment_paths(&[template.into()], &account)[0].to_string(), expected);
        };
        check("~/.google_authenticator", "/home/eve/.google_authenticator");
        check("/var/otp/${USER}", "/var/otp/eve");
        check("${HOME}/.x/%u", "/home/eve/.x/eve");
    }
}
