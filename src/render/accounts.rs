//! What `sshproof accounts` shows of a snapshot.

use std::collections::BTreeMap;

use super::page::{Page, Style, Tone};
use crate::model::accounts::{Account, Snapshot};

/// The snapshot in short, or one of its accounts in full.
#[must_use]
pub fn show(snapshot: &Snapshot, user: Option<&str>, style: Style) -> String {
    let mut page = Page::new(style);
    head(snapshot, &mut page);
    match user {
        Some(user) => {
            for account in snapshot.accounts.iter().filter(|account| account.name == user) {
                page.gap();
                one(snapshot, account, &mut page);
            }
        }
        None => {
            page.gap();
            enrolment(snapshot, &mut page);
            shared_ids(snapshot, &mut page);
        }
    }
    page.finish()
}

/// Whether it is good, with `problem` of its signature if there is one.
#[must_use]
pub fn verified(snapshot: &Snapshot, problem: Option<&str>, style: Style) -> String {
    let mut page = Page::new(style);
    head(snapshot, &mut page);
    page.gap();
    match problem {
        Some(problem) => page.toned_field("signature", Tone::Alarm, &format!(" does not count: {problem}")),
        None => page.toned_field("signature", Tone::Calm, " holds"),
    }
    page.finish()
}

fn head(snapshot: &Snapshot, page: &mut Page) {
    let counts = format!("{} accounts, {} groups", snapshot.accounts.len(), snapshot.groups.len());
    page.heading(&format!("{}: {counts}", snapshot.services.join(", ")));
    page.field("made", &format!("{} by sshproof {}", snapshot.made_at, snapshot.tool));
    for input in &snapshot.inputs {
        page.field("from", &format!("{} (sha256 {})", input.name, input.sha256));
    }
    page.field("signed", snapshot.key.as_deref().unwrap_or("not yet"));
    let names = match &snapshot.names {
        None => "it is not said whether other forms of a name are taken for it".to_owned(),
        Some(names) => {
            let case = if names.any_case { "capital letters are taken for small ones" } else { "exactly as written" };
            let forms: Vec<String> = names.forms.iter().map(|form| format!(", also as `{form}`")).collect();
            format!("{case}{}", forms.concat())
        }
    };
    page.field("names", &names);
    for reason in &snapshot.incomplete {
        page.toned_field("incomplete", Tone::Doubt, &format!(" {reason}"));
    }
}

/// How many accounts have each file.
fn enrolment(snapshot: &Snapshot, page: &mut Page) {
    if snapshot.looked_for.is_empty() {
        return page.field("enrolment", "nobody looked into home directories");
    }
    for template in &snapshot.looked_for {
        let ending = template.trim_start_matches('~');
        let has =
            |account: &&Account| account.files.iter().any(|file| file.regular && is_of(&file.path, ending, account));
        page.field(
            "enrolment",
            &format!(
                "{} of {} have `{template}`",
                snapshot.accounts.iter().filter(has).count(),
                snapshot.accounts.len()
            ),
        );
    }
    let unseen: Vec<&Account> = snapshot.accounts.iter().filter(|account| account.unseen.is_some()).collect();
    if let Some(first) = unseen.first() {
        let reason = first.unseen.as_deref().unwrap_or_default();
        page.toned_field(
            "unseen",
            Tone::Doubt,
            &format!(" homes of {} accounts, the first `{}`: {reason}", unseen.len(), first.name),
        );
    }
    let authorities = |account: &&Account| account.files.iter().any(|file| file.authority == Some(true));
    let count = snapshot.accounts.iter().filter(authorities).count();
    if count > 0 {
        page.toned_field("keys", Tone::Doubt, &format!(" {count} accounts trust an authority of their own"));
    }
}

fn is_of(path: &str, ending: &str, account: &Account) -> bool {
    path.ends_with(&ending.replace("%u", &account.name))
}

/// Accounts with one user id are one and the same to the kernel, and different ones to `Match User`.
fn shared_ids(snapshot: &Snapshot, page: &mut Page) {
    let mut by_uid: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for account in &snapshot.accounts {
        by_uid.entry(account.uid).or_default().push(&account.name);
    }
    for (uid, names) in by_uid.iter().filter(|(_, names)| names.len() > 1).take(8) {
        page.toned_field("same id", Tone::Doubt, &format!(" {uid}: `{}`", names.join("`, `")));
    }
}

fn one(snapshot: &Snapshot, account: &Account, page: &mut Page) {
    page.field("account", &format!("{}, uid {}, gid {}", account.name, account.uid, account.gid));
    page.field("home", &account.home);
    page.field("shell", &account.shell);
    let is_in =
        |group: &&crate::model::accounts::Group| group.gid == account.gid || group.members.contains(&account.name);
    let groups: Vec<&str> = snapshot.groups.iter().filter(is_in).map(|group| group.name.as_str()).collect();
    page.field("groups", &groups.join(", "));
    for file in &account.files {
        let authority = if file.authority == Some(true) { ", trusts an authority" } else { "" };
        page.field("has", &format!("{} (owner {}, mode {:04o}{authority})", file.path, file.uid, file.mode));
    }
    if let Some(reason) = &account.unseen {
        page.toned_field("unseen", Tone::Doubt, &format!(" {reason}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_in_short_and_an_account_in_full() {
        let text = r#"{"schema":"sshproof.accounts/1","tool":"0","made_at":"2026-11-20T00:00:00Z","services":["sss"],
            "inputs":[{"form":"ldif","name":"a.ldif","sha256":"00"}],"names":{"any_case":true,"forms":["%n@x"]},
            "accounts":[
              {"name":"eve","uid":5000,"gid":100,"home":"/home/eve","shell":"/bin/sh","files":[
                {"path":"/home/eve/.google_authenticator","regular":true,"uid":5000,"gid":100,"mode":256},
                {"path":"/home/eve/.ssh/authorized_keys","regular":true,"uid":5000,"gid":100,"mode":384,"authority":true}]},
              {"name":"eve2","uid":5000,"gid":100,"home":"/home/eve2","shell":"/bin/sh","unseen":"permission denied"}],
            "groups":[{"name":"g","gid":7,"members":["eve"]}],
            "looked_for":["~/.google_authenticator","~/.ssh/authorized_keys"],"incomplete":["something"]}"#;
        let snapshot: Snapshot = serde_json::from_str(text).unwrap();
        let shown = show(&snapshot, None, Style::PLAIN);
        for part in [
            "sss: 2 accounts, 1 groups",
            "not yet",
            "also as `%n@x`",
            "something",
            "1 of 2 have `~/.google_authenticator`",
            "homes of 1 accounts",
            "permission denied",
            "1 accounts trust an authority",
            "5000: `eve`, `eve2`",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        let shown = show(&snapshot, Some("eve"), Style::PLAIN);
        for part in ["uid 5000", "groups", "mode 0400", "trusts an authority"] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        assert!(verified(&snapshot, Some("changed"), Style::PLAIN).contains("does not count: changed"));
        assert!(verified(&snapshot, None, Style::PLAIN).contains("holds"));
    }
}
