//! Accounts and groups out of texts: LDIF with the object classes of RFC 2307 and of Active Directory, or the lines of
//! passwd(5) and group(5).

use std::collections::BTreeMap;

use super::{Reasons, Text};
use crate::formats;
use crate::formats::ldif::{self, Entry};
use crate::model::accounts::{Account, Form, Group};
use crate::model::text::escape;

/// What the texts so far hold.
#[derive(Default)]
pub(super) struct Entries {
    accounts: Vec<Account>,
    groups: Vec<Group>,
    /// What each distinguished name stands for.
    by_dn: BTreeMap<Vec<u8>, Meaning>,
    /// Members of a group, by its place among `groups`, that are told by their distinguished names.
    members: Vec<(usize, Vec<u8>)>,
}

/// What an entry of a directory is to NSS.
enum Meaning {
    /// An account of this name.
    Account(String),
    /// A group.
    Group,
    /// Nothing.
    Other,
}

/// The attributes that matter (RFC 2307, section 3; the last two are Active Directory's).
const WANTED: [&str; 12] = [
    "objectclass",
    "uid",
    "uidnumber",
    "gidnumber",
    "homedirectory",
    "loginshell",
    "cn",
    "memberuid",
    "member",
    "uniquemember",
    "samaccountname",
    "unixhomedirectory",
];

impl Entries {
    /// Adds what `text` holds.
    pub(super) fn read(&mut self, text: &Text, reasons: &mut Reasons) {
        let name = escape(text.name.as_bytes());
        let problems = match text.form {
            Form::Ldif => {
                let (entries, problems) = ldif::entries(&text.bytes, &|name| WANTED.contains(&name));
                for entry in &entries {
                    self.entry(entry, reasons);
                }
                problems
            }
            Form::Passwd => {
                let (entries, problems) = formats::accounts::passwd(&text.bytes);
                self.accounts.extend(
                    entries.iter().map(|entry| account(entry.name, entry.uid, entry.gid, entry.home, entry.shell)),
                );
                problems
            }
            Form::Group => {
                let (entries, problems) = formats::accounts::group(&text.bytes);
                self.groups.extend(entries.iter().map(|entry| Group {
                    name: escape(entry.name),
                    gid: entry.gid,
                    members: entry.members.iter().map(|member| escape(member)).collect(),
                }));
                problems
            }
        };
        if !problems.is_empty() {
            reasons.note(format!("`{name}`: {problems}"));
        }
    }

    fn entry(&mut self, entry: &Entry<'_>, reasons: &mut Reasons) {
        let is = |class: &str| entry.values("objectclass").any(|value| value.eq_ignore_ascii_case(class.as_bytes()));
        let dn = || escape(&entry.dn);
        let numbered = |name: &str| entry.value(name).is_some();
        let meaning = if is("posixAccount") || (is("user") && numbered("uidnumber")) {
            match self.account(entry) {
                Ok(account) => {
                    let name = account.name.clone();
                    self.accounts.push(account);
                    Meaning::Account(name)
                }
                Err(what) => {
                    reasons.note(format!("`{}` (line {}) is an account {what}", dn(), entry.line));
                    Meaning::Other
                }
            }
        } else if numbered("gidnumber")
            && ["posixGroup", "group", "groupOfNames", "groupOfUniqueNames"].into_iter().any(is)
        {
            let name = entry.value("cn").or_else(|| entry.value("samaccountname"));
            match (name, entry.value("gidnumber").and_then(number)) {
                (Some(name), Some(gid)) => {
                    let members = entry.values("memberuid").map(escape).collect();
                    let at = self.groups.len();
                    let dns = entry.values("member").chain(entry.values("uniquemember"));
                    self.members.extend(dns.map(|dn| (at, ldif::normal(dn))));
                    self.groups.push(Group { name: escape(name), gid, members });
                }
                _ => reasons.note(format!("`{}` (line {}) is a group without a name or a number", dn(), entry.line)),
            }
            Meaning::Group
        } else {
            Meaning::Other
        };
        self.by_dn.insert(ldif::normal(&entry.dn), meaning);
    }

    fn account(&self, entry: &Entry<'_>) -> Result<Account, &'static str> {
        let mut names = entry.values("uid");
        let name = names.next().or_else(|| entry.value("samaccountname")).ok_or("without a name")?;
        if names.next().is_some() {
            return Err("with several names (`uid`), and which of them counts depends on the client's settings");
        }
        let uid = entry.value("uidnumber").and_then(number).ok_or("without a user id")?;
        let gid = entry.value("gidnumber").and_then(number).ok_or("without a group id")?;
        let home = entry.value("unixhomedirectory").or_else(|| entry.value("homedirectory"));
        let home = home.ok_or("without a home directory")?;
        Ok(account(name, uid, gid, home, entry.value("loginshell").unwrap_or_default()))
    }

    /// Everything, once distinguished names have become names.
    pub(super) fn finish(mut self, reasons: &mut Reasons) -> (Vec<Account>, Vec<Group>) {
        for (at, dn) in &self.members {
            let Some(group) = self.groups.get_mut(*at) else { continue };
            match self.by_dn.get(dn) {
                Some(Meaning::Account(name)) => group.members.push(name.clone()),
                Some(Meaning::Other) => {}
                Some(Meaning::Group) => reasons.note(format!(
                    "group `{}` holds the group `{}`, and how deep the clients look depends on their settings",
                    group.name,
                    escape(dn)
                )),
                None => reasons.note(format!("member `{}` of group `{}` is not there", escape(dn), group.name)),
            }
        }
        for group in &mut self.groups {
            group.members.sort();
            group.members.dedup();
        }
        (self.accounts, self.groups)
    }
}

fn account(name: &[u8], uid: u32, gid: u32, home: &[u8], shell: &[u8]) -> Account {
    let shell = escape(if shell.is_empty() { b"/bin/sh" } else { shell });
    Account { name: escape(name), uid, gid, home: escape(home), shell, files: Vec::new(), unseen: None }
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}
