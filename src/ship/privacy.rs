//! Takes from a text what may not leave the host: account names become keyed pseudonyms, network addresses and
//! `name@place` words go.
//!
//! A pseudonym is the same wherever its key is, so that a receiver can count and compare; without the key nobody can
//! try out names. What is known to be a name is replaced everywhere; what merely stands where names stand (home
//! directories, the directory above `.ssh`) is replaced there.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::{RootedPath, text};

/// Directories whose entries are named after accounts.
const HOMES: [&str; 5] = ["home", "homes", "users", "Users", "people"];

/// Stands for an address or a `name@place`.
const WITHHELD: &str = "[withheld]";

/// Hexadecimal digits of a pseudonym: 64 bits, so that a site's accounts do not collide.
const DIGITS: usize = 16;

/// The key, and the names that are known.
#[derive(Clone)]
pub struct Pseudonyms {
    key: [u8; 32],
    accounts: BTreeSet<String>,
}

impl Pseudonyms {
    /// Pseudonyms by `key` for `accounts`, the names (escaped) of those that belong to persons.
    #[must_use]
    pub fn new(key: [u8; 32], accounts: impl IntoIterator<Item = String>) -> Self {
        Self { key, accounts: accounts.into_iter().filter(|name| !name.is_empty() && name != "root").collect() }
    }

    /// The same for further accounts.
    #[must_use]
    pub fn and(&self, accounts: impl IntoIterator<Item = String>) -> Self {
        Self::new(self.key, self.accounts.iter().cloned().chain(accounts))
    }

    /// The pseudonym of an account; `root` is nobody's name and stays. The same name has the same pseudonym.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        if name == "root" {
            return name.to_owned();
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(name.as_bytes());
        let digits = text::hex(&mac.finalize().into_bytes());
        format!("user-{}", digits.get(..DIGITS).unwrap_or(&digits))
    }

    /// The path with names in it replaced.
    #[must_use]
    pub fn path(&self, path: &RootedPath) -> RootedPath {
        let parts: Vec<String> = path.components().map(text::escape).collect();
        let replaced = self.components(&parts);
        let bytes = text::unescape(&format!("/{}", replaced.join("/")));
        bytes.and_then(RootedPath::new).unwrap_or_else(RootedPath::root)
    }

    /// The text, escaped already, with names and addresses in it replaced.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let text = text::printable(text);
        text.split_inclusive(|c: char| c.is_whitespace() || "`'\"()<>,;=".contains(c))
            .map(|piece| {
                let end = piece.trim_end_matches(|c: char| c.is_whitespace() || "`'\"()<>,;=".contains(c)).len();
                let (word, rest) = piece.split_at(end);
                format!("{}{rest}", self.word(word))
            })
            .collect()
    }

    fn word(&self, word: &str) -> String {
        let bare = word.trim_matches(|c| "[]{}!".contains(c));
        let host = bare.split(['/', '%']).next().unwrap_or_default();
        let numeric = host.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok();
        // `*@10.0.0.1`, a comment of a key, an address of mail; `@name` alone is an abstract socket.
        let at_somewhere = word.split_once('@').is_some_and(|(who, place)| !who.is_empty() && !place.is_empty());
        // `[::1]:22`
        let bracketed = word
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .is_some_and(|(inside, _)| inside.split('%').next().is_some_and(|inside| inside.parse::<IpAddr>().is_ok()));
        if numeric || at_somewhere || bracketed {
            return WITHHELD.to_owned();
        }
        let parts: Vec<String> = word.split('/').map(str::to_owned).collect();
        self.components(&parts).join("/")
    }

    /// Components of a path, or the one word that is none, with names replaced.
    fn components(&self, parts: &[String]) -> Vec<String> {
        let named_by_place = |at: usize| {
            let before = at.checked_sub(1).and_then(|before| parts.get(before));
            let after = parts.get(at.saturating_add(1));
            let beneath_home = before.is_some_and(|dir| HOMES.contains(&dir.as_str()));
            (beneath_home || after.is_some_and(|name| name == ".ssh")) && parts.get(at).is_some_and(|p| !p.is_empty())
        };
        parts
            .iter()
            .enumerate()
            .map(|(at, part)| if named_by_place(at) { self.name(part) } else { self.known(part) })
            .collect()
    }

    /// `part` with every word that is a known name replaced: `alice:users`, `alice.key`, `.alice-cache`.
    fn known(&self, part: &str) -> String {
        if self.accounts.contains(part) {
            return self.name(part);
        }
        let separator = |c: char| ":.+~-#".contains(c);
        part.split_inclusive(separator)
            .map(|piece| {
                let end = piece.trim_end_matches(separator).len();
                let (word, rest) = piece.split_at(end);
                if self.accounts.contains(word) { format!("{}{rest}", self.name(word)) } else { piece.to_owned() }
            })
            .collect()
    }
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonyms() -> Pseudonyms {
        Pseudonyms::new([1; 32], ["alice".to_owned(), "zo\\xe9".to_owned()])
    }

    #[test]
    fn names_are_replaced_where_they_are_known_and_where_they_stand() {
        let p = pseudonyms();
        let (alice, bob) = (p.name("alice"), p.name("bob"));
        let check = |input: &str, expected: String| assert_eq!(p.text(input), expected);
        check("owner alice:users", format!("owner {alice}:users"));
        check("`/home/bob/.bashrc` is open", format!("`/home/{bob}/.bashrc` is open"));
        check("/lustre/x/bob/.ssh/authorized_keys", format!("/lustre/x/{bob}/.ssh/authorized_keys"));
        check("/var/mail/alice, bob", format!("/var/mail/{alice}, bob"));
        check("/root/.ssh/authorized_keys", "/root/.ssh/authorized_keys".to_owned());
        check("user=zo\\xe9", format!("user={}", p.name("zo\\xe9")));
        check("malice and alicea", "malice and alicea".to_owned());
    }

    #[test]
    fn addresses_and_comments_go() {
        let p = pseudonyms();
        for word in
            ["10.1.2.3", "10.0.0.0/8", "2001:db8::1", "[2001:db8::1]:22", "10.1.2.3:4711", "fe80::1%eth0", "bob@laptop"]
        {
            assert_eq!(p.text(&format!("from {word} to")), format!("from {WITHHELD} to"), "{word}");
        }
        assert_eq!(p.text("socket @none, 1:9.2p1-2+deb12u7"), "socket @none, 1:9.2p1-2+deb12u7");
    }

    #[test]
    fn paths_stay_paths() {
        let p = pseudonyms();
        let path = |bytes: &[u8]| RootedPath::new(bytes).unwrap();
        assert_eq!(p.path(&path(b"/usr/sbin/sshd")), path(b"/usr/sbin/sshd"));
        assert_eq!(p.path(&path(b"/home/zo\xe9/x")), path(format!("/home/{}/x", p.name("zo\\xe9")).as_bytes()));
        assert_eq!(p.path(&path(b"/a/\xff\n")), path(b"/a/\xff\n"));
    }

    #[test]
    fn another_key_gives_other_pseudonyms() {
        assert_ne!(pseudonyms().name("alice"), Pseudonyms::new([2; 32], []).name("alice"));
        assert_eq!(pseudonyms().name("root"), "root");
    }
}
