//! Makes the accounts snapshot on a host that can read a directory: from texts that somebody printed, and from home directories.
//! Starts no program and asks no NSS.

mod entries;
mod homes;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use homes::LOOKED_FOR;

use self::entries::Entries;
use super::ObserveProblem;
use crate::model::accounts::{Account, Form, Group, Input, Names, SCHEMA, Snapshot};
use crate::model::text::{escape, hex};
use crate::model::{Algorithm, Digest, Timestamp};

/// A text of accounts or groups.
#[derive(Clone, Debug)]
pub struct Text {
    /// What it is.
    pub form: Form,
    /// Its name as given.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Order {
    /// The texts.
    pub texts: Vec<Text>,
    /// Sources of nsswitch.conf(5) that they are the whole of.
    pub services: Vec<String>,
    /// Whether whoever made the texts says that they hold every account and group.
    pub complete: bool,
    /// Which other forms of a name the directory takes, if that is known.
    pub names: Option<Names>,
    /// The directory beneath which home directories are looked into, if they are.
    pub homes: Option<PathBuf>,
    /// What is looked for there: `~` the home directory, `%u` the name.
    pub looked_for: Vec<String>,
}

/// The snapshot, not yet signed.
///
/// # Errors
/// If the directory with the homes cannot be opened.
pub fn snapshot(order: &Order, now: Timestamp) -> Result<Snapshot, ObserveProblem> {
    let mut reasons = Reasons::default();
    if !order.complete {
        reasons.note("nobody declared that the texts hold every account and group (`--complete`)".to_owned());
    }
    let mut found = Entries::default();
    for text in &order.texts {
        found.read(text, &mut reasons);
    }
    let (mut accounts, mut groups) = found.finish(&mut reasons);
    check(&accounts, &groups, &mut reasons);
    if order.names.as_ref().is_some_and(|names| names.any_case) {
        let raw = order.texts.iter().any(|text| text.form == Form::Ldif);
        check_letters(raw, &accounts, &groups, &mut reasons);
    }
    if let Some(homes) = &order.homes {
        homes::look(homes, &order.looked_for, &mut accounts, &mut reasons)?;
    }
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    groups.sort_by(|a, b| (&a.name, a.gid).cmp(&(&b.name, b.gid)));
    let inputs = order.texts.iter().map(|text| Input {
        form: text.form,
        name: escape(text.name.as_bytes()),
        sha256: hex(Digest::of(Algorithm::Sha256, &text.bytes).bytes()),
    });
    Ok(Snapshot {
        schema: SCHEMA.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        services: order.services.clone(),
        inputs: inputs.collect(),
        names: order.names.clone(),
        accounts,
        groups,
        looked_for: if order.homes.is_some() { order.looked_for.clone() } else { Vec::new() },
        incomplete: reasons.finish(),
        key: None,
        signature: None,
    })
}

/// Group ids below this belong to the hosts' own files (login.defs(5), `GID_MIN`), so a directory need not name them.
const FIRST_GID: u32 = 1000;

/// What does not fit together.
fn check(accounts: &[Account], groups: &[Group], reasons: &mut Reasons) {
    if accounts.is_empty() {
        reasons.note("there is no account in it".to_owned());
    }
    let mut names: BTreeMap<&str, u32> = BTreeMap::new();
    for account in accounts {
        if names.insert(&account.name, account.uid).is_some() {
            reasons.note(format!("account `{}` stands there twice", account.name));
        }
    }
    let (mut by_name, mut by_gid) = (BTreeMap::new(), BTreeMap::new());
    for group in groups {
        if by_name.insert(&group.name, group.gid).is_some() {
            reasons.note(format!("group `{}` stands there twice", group.name));
        }
        if let Some(other) = by_gid.insert(group.gid, &group.name).filter(|other| **other != group.name) {
            reasons.note(format!("groups `{other}` and `{}` have the same id {}", group.name, group.gid));
        }
    }
    for account in accounts.iter().filter(|account| account.gid >= FIRST_GID && !by_gid.contains_key(&account.gid)) {
        reasons
            .note(format!("the primary group {} of account `{}` is not among the groups", account.gid, account.name));
    }
}

/// Where capital letters make no difference: names whose letters are not followed, and those in entries of the directory itself
/// (`raw`) that clients may show in small letters (sssd.conf(5), `case_sensitive`), so that nobody knows what sshd compares.
fn check_letters(raw: bool, accounts: &[Account], groups: &[Group], reasons: &mut Reasons) {
    let names = accounts.iter().map(|account| &account.name).chain(groups.iter().map(|group| &group.name));
    for name in names {
        if !name.is_ascii() {
            reasons.note(format!("`{name}` has letters beyond ASCII, whose cases are not followed"));
        } else if raw && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            reasons.note(format!("whether hosts show `{name}` in small letters only `getent` tells"));
        }
    }
}

/// Reasons why something may be missing: the first in words, the others counted.
#[derive(Default)]
struct Reasons {
    first: Vec<String>,
    more: usize,
}

impl Reasons {
    /// Most that are kept in words.
    const KEPT: usize = 16;

    fn note(&mut self, reason: String) {
        if self.first.len() < Self::KEPT {
            self.first.push(reason);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.first.push(format!("{} more reasons", self.more));
        }
        self.first
    }
}

#[cfg(test)]
mod tests;
