//! pam_listfile(8): is a property of the connection listed in a file? (Linux-PAM 1.5.2, `pam_listfile.c`)

use super::condition::{Answer, Connection, Remote};
use super::files::Seen;

/// A list and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFile {
    item: Item,
    /// Being listed lets pass.
    allow: bool,
    /// The lines; `Err` with what a missing list answers.
    lines: Result<Vec<Vec<u8>>, Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    User,
    Group,
    Shell,
    Rhost,
    Other,
}

impl ListFile {
    /// The list that `item=`, `sense=`, `onerr=` and the content of `file=` make. `None` if an argument is missing or
    /// unknown: the module fails then, or ignores the account.
    #[must_use]
    pub fn new(value: &dyn Fn(&[u8]) -> Option<Vec<u8>>, content: &Seen<'_>) -> Option<Self> {
        let item = match value(b"item=")?.as_slice() {
            b"user" => Item::User,
            b"group" => Item::Group,
            b"shell" => Item::Shell,
            b"rhost" => Item::Rhost,
            b"tty" | b"ruser" => Item::Other,
            _ => return None,
        };
        let allow = match value(b"sense=")?.as_slice() {
            b"allow" => true,
            b"deny" => false,
            _ => return None,
        };
        let on_error = match value(b"onerr=").as_deref() {
            Some(b"succeed") => Answer::Yes,
            Some(b"fail") | None => Answer::No,
            Some(_) => return None,
        };
        let lines = match content {
            Seen::Text(bytes) => {
                Ok(bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec).collect())
            }
            Seen::Missing => Err(on_error),
            Seen::Opaque(_) | Seen::Unasked => Err(Answer::Unknown),
        };
        Some(Self { item, allow, lines })
    }

    /// Whether it is a list of accounts.
    #[must_use]
    pub fn asks_for_name(&self) -> bool {
        self.item == Item::User
    }

    /// The groups listed.
    pub fn group_names(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.lines.iter().flatten().map(Vec::as_slice);
        lines.filter(|_| self.item == Item::Group)
    }

    /// Whether the connection passes.
    #[must_use]
    pub fn answer(&self, connection: &Connection<'_>) -> Answer {
        let lines = match &self.lines {
            Ok(lines) => lines,
            Err(answer) => return *answer,
        };
        let is_listed = |text: &[u8]| Answer::from(lines.iter().any(|line| line == text));
        let listed = match (self.item, connection.account) {
            (Item::User, Some(account)) => is_listed(&account.name),
            (Item::Shell, Some(account)) => is_listed(&account.shell),
            (Item::Group, Some(account)) => {
                lines.iter().map(|line| account.in_group(line)).fold(Answer::No, Answer::or)
            }
            (Item::Rhost, _) => match connection.remote {
                Remote::Range(low, high) if low == high => is_listed(low.to_string().as_bytes()),
                _ => Answer::Open,
            },
            // A name that no listed account has may still be in the list.
            (Item::User | Item::Group | Item::Shell, None) | (Item::Other, _) => Answer::Open,
        };
        if self.allow { listed } else { listed.negated() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::condition::Account;
    use super::*;

    fn check(arguments: &[&str], content: Option<&str>, expected: Option<Answer>) {
        let account = Account {
            name: b"alice".to_vec(),
            uid: 1000,
            gid: 1000,
            groups: vec![b"staff".to_vec()],
            groups_complete: true,
            home: Vec::new(),
            shell: b"/bin/sh".to_vec(),
            local: true,
        };
        let connection = Connection {
            account: Some(&account),
            remote: Remote::Any,
            service: b"sshd",
            empty_passwords_permitted: false,
            key_shown: false,
        };
        let value = |name: &[u8]| arguments.iter().find_map(|a| a.as_bytes().strip_prefix(name).map(<[u8]>::to_vec));
        let seen = content.map_or(Seen::Missing, |text| Seen::Text(text.as_bytes()));
        let list = ListFile::new(&value, &seen);
        assert_eq!(list.map(|list| list.answer(&connection)), expected, "{arguments:?}");
    }

    #[test]
    fn lists() {
        check(&["item=user", "sense=allow"], Some("bob\nalice\n"), Some(Answer::Yes));
        check(&["item=user", "sense=deny"], Some("alice\n"), Some(Answer::No));
        check(&["item=group", "sense=deny"], Some("staff"), Some(Answer::No));
        check(&["item=user", "sense=deny", "onerr=succeed"], None, Some(Answer::Yes));
        check(&["item=user", "sense=deny"], None, Some(Answer::No));
        check(&["item=rhost", "sense=allow"], Some("10.0.0.1"), Some(Answer::Open));
        check(&["item=user"], Some(""), None);
    }
}
