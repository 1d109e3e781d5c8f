//! Who can log in at all: the accounts of the host's own files, and those of a directory whose accounts somebody has listed
//! elsewhere, joined as nsswitch.conf(5) says.
//!
//! A list that does not count, or cannot be joined, changes nothing but for a reason more why the proof stays unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::LoginFacts;
use crate::formats::nsswitch;
use crate::login::directory::{Directory, Spelling};
use crate::login::pam::{self, Files, Seen};
use crate::login::prove::World;
use crate::login::tree::{Names, Tree};
use crate::model::accounts::{Account, Enrolment, Snapshot};
use crate::model::text::{escape, unescape};
use crate::model::{FileKind, Meta, RootedPath, Timestamp};
use crate::trust::accounts::signed;

/// An accounts snapshot that somebody named, and what it takes for it to count.
#[derive(Clone, Debug)]
pub struct Given {
    /// The file's name, escaped.
    pub name: String,
    /// Its content.
    pub snapshot: Snapshot,
    /// Keys whose signature counts.
    pub keys: Vec<String>,
    /// How far apart it and the look at the host may be.
    pub max_age: Duration,
    /// The current moment.
    pub now: Timestamp,
}

/// Everybody who can log in, as far as that is known.
pub struct Population<'a> {
    /// The accounts as PAM and sshd see them.
    pub accounts: Vec<pam::Account>,
    /// The root's files, with what a snapshot says of homes.
    pub tree: Homes<'a>,
    /// Sources of accounts that nobody lists.
    pub directories: &'a [String],
    /// What is known of those that are listed.
    pub listed: Option<Directory>,
    /// Why accounts or groups may be others than these, each a sentence.
    pub unknowns: Vec<String>,
    /// What is taken from a snapshot, in one sentence.
    pub taken: Option<String>,
}

impl Population<'_> {
    /// It, as the proof asks for it.
    #[must_use]
    pub fn world(&self) -> World<'_> {
        World {
            tree: &self.tree,
            accounts: &self.accounts,
            directories: self.directories,
            listed: self.listed.as_ref(),
        }
    }
}

/// The accounts of a root that was looked at when `seen` says, and of the snapshot `given` if the root asks a directory.
#[must_use]
pub fn population<'a>(
    login: &'a LoginFacts,
    files: &'a dyn Tree,
    seen: Timestamp,
    given: Option<&'a Given>,
) -> Population<'a> {
    let own = |unknowns: Vec<String>| Population {
        accounts: login.for_logins(),
        tree: Homes { files, relative: Vec::new(), by_home: BTreeMap::new(), by_path: BTreeMap::new() },
        directories: &login.directories,
        listed: None,
        unknowns: login.incomplete.iter().cloned().chain(unknowns).collect(),
        taken: None,
    };
    let Some(given) = given.filter(|_| !login.directories.is_empty()) else { return own(Vec::new()) };
    let current = signed(&given.snapshot, &given.keys).and_then(|signed| signed.at(seen, given.now, given.max_age));
    let snapshot = match current {
        Ok(current) => current.snapshot(),
        Err(unfit) => return own(vec![format!("the accounts snapshot `{}` is not used: {unfit}", given.name)]),
    };
    match Sources::of(files).and_then(|sources| sources.cover(&snapshot.services).map(|()| sources)) {
        Ok(sources) => Join::new((login, files), snapshot, &sources).run(),
        Err(reason) => own(vec![format!("the accounts snapshot `{}` is not used: {reason}", given.name)]),
    }
}

/// Whom nsswitch.conf(5) has asked for accounts and groups, in order.
struct Sources {
    passwd: Vec<String>,
    group: Vec<String>,
}

/// The host's own files, under both names (nsswitch.conf(5)).
const FILES: [&str; 2] = ["files", "compat"];

/// Sources that are the host's own beside them (`observe::login`).
const OWN: [&str; 4] = ["files", "compat", "systemd", "altfiles"];

impl Sources {
    /// Those of a root with these files.
    fn of(files: &dyn Tree) -> Result<Self, String> {
        let text = RootedPath::new("/etc/nsswitch.conf").map(|path| files.text(&path));
        let Some(Seen::Text(text)) = text else { return Err("`/etc/nsswitch.conf` is not in the facts".to_owned()) };
        let (databases, problems) = nsswitch::parse(text);
        if let Some(line) = problems.first() {
            return Err(format!("`/etc/nsswitch.conf` line {line} cannot be read"));
        }
        if databases.iter().any(|database| database.name == b"initgroups") {
            return Err("the `initgroups` of `/etc/nsswitch.conf` are not followed".to_owned());
        }
        let of = |name: &str| {
            let mut found = databases.iter().filter(|database| database.name == name.as_bytes());
            let (first, second) = (found.next(), found.next());
            if let Some(second) = second {
                return Err(format!("`/etc/nsswitch.conf` line {}: a second line about `{name}`", second.line));
            }
            // Without a line glibc asks the files alone (nss/nss_database.c).
            let Some(database) = first else { return Ok(vec!["files".to_owned()]) };
            // Merging adds members to groups of the same name, and all sources are asked for a user's groups anyway
            // (`internal_getgrouplist`, grp/initgroups.c of glibc).
            let followed = |reaction: &&[u8]| name == "group" && reaction.eq_ignore_ascii_case(b"SUCCESS=merge");
            if let Some(reaction) = database.reactions.iter().find(|reaction| !followed(reaction)) {
                let (line, reaction) = (database.line, escape(reaction));
                return Err(format!("`[{reaction}]` in `/etc/nsswitch.conf` line {line} is not followed"));
            }
            Ok(database.services.iter().map(|service| escape(service)).collect::<Vec<String>>())
        };
        Ok(Self { passwd: of("passwd")?, group: of("group")? })
    }

    /// Whether a snapshot of `services` holds all that these ask for, and nothing else.
    fn cover(&self, services: &[String]) -> Result<(), String> {
        let given: BTreeSet<&str> = services.iter().map(String::as_str).collect();
        for (name, asked) in [("passwd", &self.passwd), ("group", &self.group)] {
            let others = directories(asked);
            if !others.is_empty() && others != given {
                let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join("`, `");
                return Err(format!("it is of `{}`, and `{name}` is asked of `{}`", list(&given), list(&others)));
            }
            if !asked.iter().any(|source| FILES.contains(&source.as_str())) {
                return Err(format!("`{name}` is not asked of `files`"));
            }
        }
        Ok(())
    }

    /// Whether the directory is asked before the host's own files.
    fn directory_first(&self) -> bool {
        let place = |is: &dyn Fn(&str) -> bool| self.passwd.iter().position(|source| is(source));
        let (files, other) = (place(&|source| FILES.contains(&source)), place(&|source| !OWN.contains(&source)));
        matches!((files, other), (Some(files), Some(other)) if other < files)
    }
}

fn directories(sources: &[String]) -> BTreeSet<&str> {
    sources.iter().map(String::as_str).filter(|source| !OWN.contains(source)).collect()
}

/// A root and a snapshot.
struct Join<'a, 'b> {
    login: &'a LoginFacts,
    files: &'a dyn Tree,
    snapshot: &'a Snapshot,
    sources: &'b Sources,
    /// The snapshot's groups by member and by number; none where groups are not asked of the directory.
    by_member: BTreeMap<&'a str, Vec<&'a str>>,
    by_gid: BTreeMap<u32, &'a str>,
    /// The root's own groups, name and number.
    own_groups: BTreeMap<&'a str, u32>,
    directory: Directory,
    unknowns: Vec<String>,
}

impl<'a, 'b> Join<'a, 'b> {
    fn new((login, files): (&'a LoginFacts, &'a dyn Tree), snapshot: &'a Snapshot, sources: &'b Sources) -> Self {
        let asked = !directories(&sources.group).is_empty();
        let groups = if asked { snapshot.groups.as_slice() } else { &[] };
        let mut join = Self {
            login,
            files,
            snapshot,
            sources,
            by_member: BTreeMap::new(),
            by_gid: groups.iter().map(|group| (group.gid, group.name.as_str())).collect(),
            own_groups: login.groups.iter().map(|group| (group.name.as_str(), group.gid)).collect(),
            directory: Directory { spelling: spelling(snapshot), ..Directory::default() },
            unknowns: login.incomplete.clone(),
        };
        for group in groups {
            for member in &group.members {
                join.by_member.entry(member).or_default().push(&group.name);
            }
            match join.own_groups.get(group.name.as_str()) {
                None => drop(join.directory.groups.insert(bytes(&group.name))),
                Some(gid) if *gid != group.gid => join.unknowns.push(format!(
                    "group `{}` has the id {gid} in `/etc/group` and {} in the accounts snapshot",
                    group.name, group.gid
                )),
                Some(_) => {}
            }
        }
        for own in &login.groups {
            if let Some(name) = join.by_gid.get(&own.gid).filter(|name| **name != own.name) {
                join.unknowns.push(format!(
                    "the group id {} is `{}` in `/etc/group` and `{name}` in the accounts snapshot",
                    own.gid, own.name
                ));
            }
        }
        join
    }

    fn run(mut self) -> Population<'a> {
        let own = self.login.for_logins();
        let first = self.sources.directory_first();
        let asked = !directories(&self.sources.passwd).is_empty();
        let names: BTreeSet<&str> = self.login.accounts.iter().map(|account| account.name.as_str()).collect();
        let mut accounts: Vec<pam::Account> = Vec::new();
        for (mut account, entry) in own.into_iter().zip(&self.login.accounts) {
            account.groups_complete = self.login.incomplete.is_empty();
            if first && asked && self.snapshot.accounts.iter().any(|one| one.name == entry.name) {
                self.directory.behind.insert(account.name.clone(), account);
            } else {
                self.add_groups(&mut account, &entry.name, entry.gid);
                accounts.push(account);
            }
        }
        let shadowed = |name: &str| names.contains(name);
        let listed: Vec<super::login::Account> = self
            .snapshot
            .accounts
            .iter()
            .filter(|entry| asked && (first || !shadowed(&entry.name)))
            .map(|entry| super::login::Account {
                name: entry.name.clone(),
                uid: entry.uid,
                gid: entry.gid,
                home: entry.home.clone(),
                shell: entry.shell.clone(),
            })
            .collect();
        for (mut account, entry) in self.login.with_groups(&listed).into_iter().zip(&listed) {
            account.groups_complete = self.login.incomplete.is_empty();
            // pam_localuser(8) looks the name up in the file, whatever NSS says.
            account.local = shadowed(&entry.name);
            self.add_groups(&mut account, &entry.name, entry.gid);
            accounts.push(account);
        }
        let tree = Homes::new(self.files, self.snapshot);
        let taken = self.taken();
        let listed = Some(self.directory);
        Population { accounts, tree, directories: &[], listed, unknowns: self.unknowns, taken: Some(taken) }
    }

    /// Adds the groups that the directory puts an account in.
    fn add_groups(&mut self, account: &mut pam::Account, name: &str, gid: u32) {
        let named = self.by_member.get(name).into_iter().flatten();
        for group in named.chain(self.by_gid.get(&gid)) {
            let group_bytes = bytes(group);
            if account.groups.contains(&group_bytes) {
                continue;
            }
            if self.own_groups.contains_key(group) {
                self.directory.memberships.insert((account.name.clone(), group_bytes.clone()));
            }
            account.groups.push(group_bytes);
        }
    }

    fn taken(&self) -> String {
        let snapshot = self.snapshot;
        let key: String = snapshot.key.as_deref().unwrap_or_default().chars().take(16).collect();
        let enrolled =
            if snapshot.looked_for.is_empty() { "" } else { ", and what they have enrolled is as it was then" };
        format!(
            "`{}` has the {} accounts and {} groups of the snapshot made {} and signed with key {key}…{enrolled}",
            snapshot.services.join("`, `"),
            snapshot.accounts.len(),
            snapshot.groups.len(),
            snapshot.made_at,
        )
    }
}

fn spelling(snapshot: &Snapshot) -> Option<Spelling> {
    let names = snapshot.names.as_ref()?;
    Some(Spelling { any_case: names.any_case, forms: names.forms.iter().map(|form| bytes(form)).collect() })
}

fn bytes(text: &str) -> Vec<u8> {
    unescape(text).unwrap_or_else(|| text.as_bytes().to_vec())
}

/// The root's files, and beneath home directories what a snapshot says of them where nobody has looked on the host.
pub struct Homes<'a> {
    files: &'a dyn Tree,
    /// What was looked for beneath each home, with the slash.
    relative: Vec<&'a [u8]>,
    by_home: BTreeMap<Vec<u8>, &'a Account>,
    /// What was looked for elsewhere, or by the account's name.
    by_path: BTreeMap<RootedPath, &'a Account>,
}

impl<'a> Homes<'a> {
    fn new(files: &'a dyn Tree, snapshot: &'a Snapshot) -> Self {
        let is_relative = |template: &&String| template.starts_with("~/") && !template.contains("%u");
        let relative: Vec<&[u8]> =
            snapshot.looked_for.iter().filter(is_relative).filter_map(|text| text.as_bytes().get(1..)).collect();
        let others: Vec<Vec<u8>> = snapshot
            .looked_for
            .iter()
            .filter(|text| !is_relative(text))
            .map(|text| text.clone().into_bytes())
            .collect();
        let mut homes = Self { files, relative, by_home: BTreeMap::new(), by_path: BTreeMap::new() };
        for account in &snapshot.accounts {
            let home = bytes(&account.home);
            if !others.is_empty() {
                let asked = pam::Account {
                    name: bytes(&account.name),
                    uid: account.uid,
                    gid: account.gid,
                    groups: Vec::new(),
                    groups_complete: false,
                    home: home.clone(),
                    shell: Vec::new(),
                    local: false,
                };
                let paths = pam::condition::enrolment_paths(&others, &asked);
                homes.by_path.extend(paths.into_iter().map(|path| (path, account)));
            }
            if let Some(home) = RootedPath::new(&home) {
                // Of accounts that share a home any that could be looked into will do.
                let known = homes.by_home.entry(home.as_bytes().to_vec()).or_insert(account);
                if known.unseen.is_some() {
                    *known = account;
                }
            }
        }
        homes
    }

    /// What the snapshot says of `path`: nothing, why not, or what is there.
    fn said(&self, path: &RootedPath) -> Option<Result<Option<&'a Enrolment>, String>> {
        let home = |rest: &&[u8]| self.by_home.get(path.as_bytes().strip_suffix(*rest)?).copied();
        let account = self.relative.iter().find_map(home).or_else(|| self.by_path.get(path).copied())?;
        Some(match &account.unseen {
            Some(reason) => Err(format!("when the accounts snapshot was made: {reason}")),
            None => {
                let shown = path.to_string();
                Ok(account.files.iter().find(|file| file.path == shown))
            }
        })
    }
}

impl Files for Homes<'_> {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        match self.files.text(path) {
            Seen::Unasked => match self.said(path) {
                None => Seen::Unasked,
                Some(Err(reason)) => Seen::Opaque(reason),
                Some(Ok(None)) => Seen::Missing,
                Some(Ok(Some(file))) => match file.authority {
                    Some(true) => Seen::Text(b"cert-authority ssh-ed25519 removed"),
                    Some(false) => Seen::Text(b""),
                    None => Seen::Opaque("its content is not in the accounts snapshot".to_owned()),
                },
            },
            seen => seen,
        }
    }

    fn public_keys(&self, path: &RootedPath) -> Seen<'_> {
        self.files.public_keys(path)
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        let seen = self.files.inode(path);
        if seen.is_ok() {
            return seen;
        }
        match self.said(path) {
            None => seen,
            Some(said) => Ok(said?.map(meta)),
        }
    }
}

impl Tree for Homes<'_> {
    fn names(&self, path: &RootedPath) -> Names {
        self.files.names(path)
    }
}

/// The inode as far as the snapshot has it.
fn meta(file: &Enrolment) -> Meta {
    let kind = if file.regular { FileKind::Regular } else { FileKind::Directory };
    let Enrolment { mode, uid, gid, .. } = *file;
    Meta { kind, mode, uid, gid, size: 0, nlink: 1, mtime: 0, ctime: 0, dev: 0, ino: 0 }
}

#[cfg(test)]
mod tests;
