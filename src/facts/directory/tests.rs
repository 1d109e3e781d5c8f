//! What becomes of a root and a snapshot.

use super::*;
use crate::facts::{FileFacts, FileState, FileTable, LoginFacts, RootFacts};
use crate::trust::accounts::sign;
use crate::trust::chain::NodeKey;

const DAY: &str = "2026-11-22";

/// Accounts `name:uid:gid:home` and groups `name:gid:members`.
fn snapshot(accounts: &[&str], groups: &[&str]) -> Snapshot {
    let account = |line: &&str| {
        let parts: Vec<&str> = line.split(':').collect();
        Account {
            name: parts[0].to_owned(),
            uid: parts[1].parse().unwrap(),
            gid: parts[2].parse().unwrap(),
            home: parts[3].to_owned(),
            shell: "/bin/sh".to_owned(),
            files: Vec::new(),
            unseen: None,
        }
    };
    let group = |line: &&str| {
        let parts: Vec<&str> = line.split(':').collect();
        let members = parts[2].split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        crate::model::accounts::Group { name: parts[0].to_owned(), gid: parts[1].parse().unwrap(), members }
    };
    Snapshot {
        schema: crate::model::accounts::SCHEMA.to_owned(),
        tool: "0".to_owned(),
        made_at: Timestamp::parse(DAY).unwrap(),
        services: vec!["sss".to_owned()],
        inputs: Vec::new(),
        names: None,
        accounts: accounts.iter().map(account).collect(),
        groups: groups.iter().map(group).collect(),
        looked_for: vec!["~/.google_authenticator".to_owned(), "/var/otp/%u".to_owned()],
        incomplete: Vec::new(),
        key: None,
        signature: None,
    }
}

fn root(switch: &str) -> RootFacts {
    let account = |name: &str, uid: u32| crate::facts::login::Account {
        name: name.to_owned(),
        uid,
        gid: uid,
        home: format!("/home/{name}"),
        shell: "/bin/sh".to_owned(),
    };
    let group = |name: &str, gid: u32, members: &[&str]| crate::facts::login::Group {
        name: name.to_owned(),
        gid,
        members: members.iter().map(|member| (*member).to_owned()).collect(),
    };
    let mut root = RootFacts {
        login: LoginFacts {
            accounts: vec![account("root", 0), account("bob", 1001)],
            groups: vec![group("root", 0, &[]), group("bob", 1001, &[]), group("wheel", 10, &["bob"])],
            directories: vec!["sss".to_owned()],
            incomplete: Vec::new(),
        },
        ..RootFacts::default()
    };
    let file = Enrolment { path: String::new(), regular: true, uid: 0, gid: 0, mode: 0o644, authority: None };
    let mut file = FileFacts::new(FileState::Present(meta(&file)));
    file.text = Some(switch.into());
    root.files.files.insert(RootedPath::new("/etc/nsswitch.conf").unwrap(), file);
    root
}

fn given(snapshot: Snapshot) -> Given {
    let key = NodeKey::new(&[7; 32]);
    Given {
        name: "accounts.json".to_owned(),
        snapshot: sign(&key, snapshot).unwrap(),
        keys: vec![key.public()],
        max_age: Duration::from_secs(86_400),
        now: Timestamp::parse(DAY).unwrap(),
    }
}

fn joined(root: &RootFacts, given: &Given) -> (Vec<String>, Vec<String>) {
    let found = population(&root.login, &root.files, Timestamp::parse(DAY).unwrap(), Some(given));
    let accounts = found.accounts.iter().map(|one| {
        format!(
            "{}:{}:{}",
            escape(&one.name),
            one.uid,
            one.groups.iter().map(|group| escape(group)).collect::<Vec<_>>().join(",")
        )
    });
    assert_eq!(found.directories.is_empty(), found.taken.is_some());
    (accounts.collect(), found.unknowns)
}

const FILES_FIRST: &str = "passwd: files sss\ngroup: files [SUCCESS=merge] sss\n";

#[test]
fn accounts_and_groups_are_joined_in_the_order_asked() {
    let list = snapshot(
        &["eve:5000:5000:/home/eve", "bob:6000:5000:/home/bob"],
        &["people:5000:", "mfa:5001:eve,bob", "wheel:10:eve"],
    );
    let given = given(list);
    let first = joined(&root(FILES_FIRST), &given);
    assert_eq!(
        first,
        (vec!["root:0:root".into(), "bob:1001:bob,wheel,mfa".into(), "eve:5000:mfa,wheel,people".into()], vec![])
    );
    let behind = root("passwd: sss files\ngroup: sss files\n");
    let found = population(&behind.login, &behind.files, Timestamp::parse(DAY).unwrap(), Some(&given));
    let directory = found.listed.as_ref().unwrap();
    assert_eq!(directory.behind.keys().map(|name| escape(name)).collect::<Vec<_>>(), ["bob"]);
    assert_eq!(directory.behind[&b"bob"[..]].groups, [b"bob".to_vec(), b"wheel".to_vec()]);
    assert!(found.accounts.iter().any(|one| one.name == b"bob" && one.uid == 6000 && one.local));
    assert_eq!(directory.memberships, BTreeSet::from([(b"eve".to_vec(), b"wheel".to_vec())]));
    assert!(directory.groups.contains(&b"mfa"[..]) && !directory.groups.contains(&b"wheel"[..]));
    // Groups of a directory that nobody asks for them do not count.
    let alone = joined(&root("passwd: files sss\ngroup: files\n"), &given);
    assert_eq!(alone.0[2], "eve:5000:");
}

#[test]
fn what_cannot_be_joined_is_told() {
    let list = || snapshot(&["eve:5000:5000:/home/eve"], &["people:5000:"]);
    let check = |root: &RootFacts, given: &Given, expected: &str| {
        let (accounts, unknowns) = joined(root, given);
        assert!(unknowns.iter().any(|reason| reason.contains(expected)), "{expected}: {unknowns:?}");
        assert_eq!(accounts.len(), if expected.contains("id") { 3 } else { 2 }, "{accounts:?}");
    };
    let ours = given(list());
    check(&root("passwd: files [NOTFOUND=return] sss\ngroup: files sss\n"), &ours, "`[NOTFOUND=return]`");
    check(&root("passwd: files sss ldap\ngroup: files sss\n"), &ours, "asked of `ldap`, `sss`");
    check(&root("passwd: sss\ngroup: files sss\n"), &ours, "not asked of `files`");
    check(&root("passwd: files sss\ninitgroups: sss\n"), &ours, "`initgroups`");
    check(&root("passwd: files sss\npasswd: files\n"), &ours, "a second line about `passwd`");
    check(&root("passwd: files sss [x\n"), &ours, "line 1 cannot be read");
    check(&RootFacts { files: FileTable::default(), ..root("") }, &ours, "not in the facts");
    check(&root(FILES_FIRST), &Given { keys: Vec::new(), ..given(list()) }, "it is signed with key");
    let mut unsigned = given(list());
    unsigned.snapshot.signature = None;
    check(&root(FILES_FIRST), &unsigned, "it bears no signature");
    let old = given(Snapshot { made_at: Timestamp::parse("2026-11-20").unwrap(), ..list() });
    check(&root(FILES_FIRST), &old, "more than 1day apart");
    check(&root(FILES_FIRST), &given(Snapshot { incomplete: vec!["x".into()], ..list() }), "it is incomplete: x");
    check(
        &root(FILES_FIRST),
        &given(snapshot(&["eve:5000:5000:/"], &["wheel:11:"])),
        "the id 10 in `/etc/group` and 11",
    );
    check(&root(FILES_FIRST), &given(snapshot(&["eve:5000:5000:/"], &["staff:10:"])), "the group id 10 is `wheel`");
}

#[test]
fn homes_are_as_the_snapshot_saw_them_where_nobody_looked_here() {
    let mut list = snapshot(&["eve:5000:100:/home/eve", "adam:5001:100:/home/adam", "far:5002:100:/net/far"], &[]);
    list.looked_for.push("~/.ssh/authorized_keys".to_owned());
    let file = |path: &str, authority| Enrolment {
        path: path.to_owned(),
        regular: true,
        uid: 1,
        gid: 1,
        mode: 0o400,
        authority,
    };
    list.accounts[0].files = vec![
        file("/home/eve/.google_authenticator", None),
        file("/var/otp/eve", None),
        file("/home/eve/.ssh/authorized_keys", Some(true)),
    ];
    list.accounts[2].unseen = Some("permission denied".to_owned());
    let (given, mut here) = (given(list), root(FILES_FIRST));
    let path = |text: &str| RootedPath::new(text).unwrap();
    here.files.files.insert(path("/home/adam/.ssh/authorized_keys"), FileFacts::new(FileState::Missing));
    let found = population(&here.login, &here.files, Timestamp::parse(DAY).unwrap(), Some(&given));
    let there = |text: &str| found.tree.inode(&path(text)).map(|meta| meta.is_some());
    assert_eq!(there("/home/eve/.google_authenticator"), Ok(true));
    assert_eq!(there("/home/adam/.google_authenticator"), Ok(false));
    assert_eq!(there("/var/otp/eve"), Ok(true));
    assert_eq!(there("/var/otp/adam"), Ok(false));
    assert!(there("/net/far/.google_authenticator").unwrap_err().contains("permission denied"));
    assert!(there("/home/eve/.other").is_err() && there("/home/nobody/.google_authenticator").is_err());
    assert_eq!(
        found.tree.text(&path("/home/eve/.ssh/authorized_keys")),
        Seen::Text(b"cert-authority ssh-ed25519 removed")
    );
    assert_eq!(found.tree.text(&path("/home/adam/.ssh/authorized_keys")), Seen::Missing);
    assert!(matches!(found.tree.text(&path("/net/far/.ssh/authorized_keys")), Seen::Opaque(_)));
}
