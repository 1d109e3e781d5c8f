//! What logins depend on besides configuration text: accounts, groups, enrolment, and the modules' own settings.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ServerFacts;
use super::file::{FileFacts, FileState, FileTable, Look};
use crate::formats::sshd_config::Dialect;
use crate::login::pam::{Files, Seen};
use crate::login::prove::Server;
use crate::login::tree::{Names, Tree};
use crate::model::{FileKind, Meta, RootedPath, text};

/// Accounts and enrolment as far as this root shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginFacts {
    /// passwd(5) entries; never a password hash.
    pub accounts: Vec<Account>,
    /// group(5) entries.
    pub groups: Vec<Group>,
    /// Other sources of accounts and groups that nsswitch.conf(5) names: `sss`, `ldap` …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<String>,
    /// Why accounts or groups may be missing above, each one sentence; none: the lists are complete but for
    /// `directories`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
}

impl LoginFacts {
    /// Whether no account and no group can exist besides those listed.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.directories.is_empty() && self.incomplete.is_empty()
    }

    /// Names of accounts that belong to persons: user ids from 1000 on, but for nobody's (login.defs(5), `UID_MIN`).
    pub fn persons(&self) -> impl Iterator<Item = &str> {
        let personal = |account: &&Account| account.uid >= 1000 && account.uid != 65_534;
        self.accounts.iter().filter(personal).map(|account| account.name.as_str())
    }

    /// Every account as PAM and sshd see it.
    #[must_use]
    pub fn for_logins(&self) -> Vec<crate::login::pam::Account> {
        self.with_groups(&self.accounts)
    }

    /// These accounts, which may be a directory's, with the groups that this root's own file puts them in.
    pub(super) fn with_groups(&self, accounts: &[Account]) -> Vec<crate::login::pam::Account> {
        // A group of everybody is asked once for each of its members, not for all of them by each.
        let mut named: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        let mut primary: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        for (index, group) in self.groups.iter().enumerate() {
            primary.entry(group.gid).or_default().insert(index);
            for member in &group.members {
                named.entry(member).or_default().insert(index);
            }
        }
        let none = BTreeSet::new();
        let of = |account: &Account| {
            let groups = named.get(account.name.as_str()).unwrap_or(&none);
            let groups = groups | primary.get(&account.gid).unwrap_or(&none);
            self.in_groups(account, groups.iter().filter_map(|index| self.groups.get(*index)))
        };
        accounts.iter().map(of).collect()
    }

    /// The account as PAM and sshd see it, with the names of its groups.
    #[must_use]
    pub fn for_login(&self, account: &Account) -> crate::login::pam::Account {
        let member = |group: &&Group| group.gid == account.gid || group.members.contains(&account.name);
        self.in_groups(account, self.groups.iter().filter(member))
    }

    fn in_groups<'a>(&self, account: &Account, groups: impl Iterator<Item = &'a Group>) -> crate::login::pam::Account {
        let bytes = |text: &str| crate::model::text::unescape(text).unwrap_or_else(|| text.as_bytes().to_vec());
        crate::login::pam::Account {
            name: bytes(&account.name),
            uid: account.uid,
            gid: account.gid,
            groups: groups.map(|group| bytes(&group.name)).collect(),
            groups_complete: self.is_complete(),
            home: bytes(&account.home),
            shell: bytes(&account.shell),
            local: true,
        }
    }
}

/// The observer's files, as the login algebra asks for them.
impl Files for FileTable {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        self.content(path, Look::Text, FileFacts::text_bytes)
    }

    fn public_keys(&self, path: &RootedPath) -> Seen<'_> {
        self.content(path, Look::PublicKeys, |file| file.keys.as_ref().map(text::Text::as_bytes))
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        match self.get(path).map(|file| &file.state) {
            None => Err("nobody has looked".to_owned()),
            Some(FileState::Missing) => Ok(None),
            Some(FileState::Unknown(reason)) => Err(reason.clone()),
            Some(FileState::Present(meta)) => Ok(Some(meta.clone())),
        }
    }
}

impl FileTable {
    /// What was kept of a file's content when it was looked at so closely.
    fn content<'a>(
        &'a self,
        path: &RootedPath,
        look: Look,
        kept: impl Fn(&'a FileFacts) -> Option<&'a [u8]>,
    ) -> Seen<'a> {
        let Some(file) = self.get(path) else { return Seen::Unasked };
        match &file.state {
            FileState::Missing => Seen::Missing,
            FileState::Unknown(reason) => Seen::Opaque(reason.clone()),
            FileState::Present(meta) if meta.kind != FileKind::Regular => {
                Seen::Opaque(format!("it is {}, no regular file", meta.kind.words()))
            }
            FileState::Present(_) => match (kept(file), &file.problem) {
                (Some(bytes), _) => Seen::Text(bytes),
                (None, Some(problem)) => Seen::Opaque(problem.clone()),
                (None, None) if file.looks.contains(&look) => Seen::Opaque("its content was not kept".to_owned()),
                (None, None) => Seen::Unasked,
            },
        }
    }
}

impl Tree for FileTable {
    fn names(&self, path: &RootedPath) -> Names {
        let Some(file) = self.get(path) else { return Names::Unasked };
        match &file.state {
            FileState::Missing => Names::Missing,
            FileState::Unknown(reason) => Names::Opaque(reason.clone()),
            FileState::Present(meta) if meta.kind != FileKind::Directory => Names::Missing,
            FileState::Present(_) => match (&file.entries, &file.problem) {
                (_, Some(problem)) => Names::Opaque(problem.clone()),
                (Some(names), None) => Names::Listed(names.iter().filter_map(|name| text::unescape(name)).collect()),
                (None, None) => Names::Unasked,
            },
        }
    }
}

/// An OpenSSH server as the login proof sees it.
#[must_use]
pub fn server(facts: &ServerFacts) -> Server {
    let bytes = |text: &String| text::unescape(text).unwrap_or_else(|| text.clone().into_bytes());
    let argument = facts.arguments.first().map(bytes).unwrap_or_default();
    let name = argument.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    // A server that rewrote its title shows `sshd: …` as its first argument.
    let plain = !name.is_empty() && !name.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b':');
    let config = facts.config.clone().or_else(|| RootedPath::new("/etc/ssh/sshd_config"));
    Server {
        dialect: Dialect::from_banner(&facts.version),
        config: config.unwrap_or_else(RootedPath::root),
        options: facts.options.iter().map(bytes).collect(),
        ports: facts.ports.clone(),
        name: if plain { name.to_vec() } else { facts.binary.file_name().to_vec() },
        listeners: facts.sockets.iter().map(|socket| (socket.address, socket.port)).collect(),
        inetd: facts.inetd,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_accounts_at_once_are_as_each_by_itself() {
        let account = |name: &str, gid| Account {
            name: name.to_owned(),
            uid: 1000,
            gid,
            home: "/".to_owned(),
            shell: "/bin/sh".to_owned(),
        };
        let group = |name: &str, gid, members: &[&str]| Group {
            name: name.to_owned(),
            gid,
            members: members.iter().map(|member| (*member).to_owned()).collect(),
        };
        let facts = LoginFacts {
            accounts: vec![account("a", 1), account("b", 2), account("c", 9)],
            groups: vec![group("x", 1, &["b", "b"]), group("y", 2, &["a", "b"]), group("z", 1, &["c"])],
            ..LoginFacts::default()
        };
        let each: Vec<_> = facts.accounts.iter().map(|account| facts.for_login(account)).collect();
        assert_eq!(facts.for_logins(), each);
        let groups: Vec<String> = each.iter().map(|one| String::from_utf8(one.groups.join(&b' ')).unwrap()).collect();
        assert_eq!(groups, ["x y z", "x y", "z"]);
    }
}
