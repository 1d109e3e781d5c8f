//! Accounts and groups, from the text of the files that hold them.

use crate::facts::login::{Account, Group, LoginFacts};
use crate::facts::{FileState, RootFacts};
use crate::formats::{accounts, nsswitch};
use crate::model::{RootedPath, text::escape};

/// Sources of accounts whose content we know: the files themselves, and what systemd makes of its own units and of them.
const OWN_SOURCES: [&[u8]; 4] = [b"files", b"compat", b"systemd", b"altfiles"];

/// What the files looked at say of accounts and groups.
#[must_use]
pub fn observe(root: &RootFacts) -> LoginFacts {
    let mut facts = LoginFacts::default();
    if let Some(bytes) = text(root, "/etc/passwd", &mut facts) {
        let (entries, problems) = accounts::passwd(bytes);
        facts.accounts = entries
            .iter()
            .map(|entry| Account {
                name: escape(entry.name),
                uid: entry.uid,
                gid: entry.gid,
                home: escape(entry.home),
                shell: escape(if entry.shell.is_empty() { b"/bin/sh" } else { entry.shell }),
            })
            .collect();
        if !problems.is_empty() {
            facts.incomplete.push(format!("`/etc/passwd`: {problems}"));
        }
    }
    if let Some(bytes) = text(root, "/etc/group", &mut facts) {
        let (entries, problems) = accounts::group(bytes);
        facts.groups = entries
            .iter()
            .map(|entry| Group {
                name: escape(entry.name),
                gid: entry.gid,
                members: entry.members.iter().map(|member| escape(member)).collect(),
            })
            .collect();
        if !problems.is_empty() {
            facts.incomplete.push(format!("`/etc/group`: {problems}"));
        }
    }
    // Without the file glibc takes `files` alone.
    let switch = RootedPath::new("/etc/nsswitch.conf").and_then(|path| root.files.get(&path)?.text_bytes());
    if let Some(bytes) = switch {
        for database in nsswitch::parse(bytes).0 {
            if [&b"passwd"[..], b"group", b"initgroups"].contains(&database.name) {
                let others = database.services.iter().filter(|service| !OWN_SOURCES.contains(service));
                facts.directories.extend(others.map(|service| escape(service)));
            }
        }
        facts.directories.sort();
        facts.directories.dedup();
    }
    facts
}

fn text<'a>(root: &'a RootFacts, path: &str, facts: &mut LoginFacts) -> Option<&'a [u8]> {
    let file = root.files.get(&RootedPath::new(path)?);
    let bytes = file.and_then(crate::facts::FileFacts::text_bytes);
    if bytes.is_none() {
        let reason = match file {
            None => "nobody looked at it".to_owned(),
            Some(file) => match (&file.state, &file.problem) {
                (FileState::Missing, _) => "it is not there".to_owned(),
                (FileState::Unknown(reason), _) => reason.clone(),
                (FileState::Present(_), Some(problem)) => problem.clone(),
                (FileState::Present(_), None) => "its content was not kept".to_owned(),
            },
        };
        facts.incomplete.push(format!("`{path}`: {reason}"));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::FileFacts;

    fn root(files: &[(&str, &str)]) -> RootFacts {
        let mut root = RootFacts::default();
        for (path, text) in files {
            let mut file = FileFacts::new(FileState::Missing);
            file.text = Some((*text).into());
            root.files.files.insert(RootedPath::new(path).unwrap(), file);
        }
        root
    }

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:100::/home/alice:\n";
    const GROUP: &str = "users:x:100:\nwheel:x:10:alice,bob\n";

    #[test]
    fn accounts_know_their_groups() {
        let facts = observe(&root(&[("/etc/passwd", PASSWD), ("/etc/group", GROUP)]));
        assert!(facts.is_complete());
        let alice = facts.for_login(&facts.accounts[1]);
        assert_eq!(alice.groups, [b"users".to_vec(), b"wheel".to_vec()]);
        assert_eq!(alice.shell, b"/bin/sh");
    }

    #[test]
    fn what_may_be_missing_is_said() {
        let check = |files: &[(&str, &str)], directories: &[&str], incomplete: usize| {
            let facts = observe(&root(files));
            assert_eq!(
                (facts.directories.as_slice(), facts.incomplete.len()),
                (&directories.iter().map(|d| (*d).to_owned()).collect::<Vec<_>>()[..], incomplete)
            );
            assert!(!facts.is_complete());
        };
        check(&[("/etc/passwd", PASSWD)], &[], 1);
        let files = |switch| [("/etc/passwd", PASSWD), ("/etc/group", GROUP), ("/etc/nsswitch.conf", switch)];
        check(&files("passwd: files systemd sss\ngroup: files sss ldap\nhosts: dns\n"), &["ldap", "sss"], 0);
        check(&[("/etc/passwd", "+::::::\n"), ("/etc/group", GROUP)], &[], 1);
    }
}
