//! What becomes of texts and homes.

#![allow(clippy::disallowed_methods, reason = "a test prepares the homes that are looked into")]

use super::*;

const LDIF: &str = "\
dn: dc=example

dn: uid=eve,ou=people,dc=example
objectClass: inetOrgPerson
objectClass: posixAccount
uid: eve
uidNumber: 5000
gidNumber: 5000
homeDirectory: /home/eve
userPassword:: e1NTSEF9c2VjcmV0

dn: uid=adam,ou=people,dc=example
objectClass: posixAccount
uid:: YWRhbQ==
uidNumber: 5001
gidNumber: 5000
homeDirectory: /home/ad
 am
loginShell: /bin/bash

dn: cn=Directory Manager,dc=example
objectClass: person

dn: cn=users,ou=groups,dc=example
objectClass: posixGroup
cn: users
gidNumber: 5000
memberUid: eve

dn: cn=mfa,ou=groups,dc=example
objectClass: groupOfNames
objectClass: posixGroup
cn: mfa
gidNumber: 5001
member: UID=eve, ou=people, dc=example
member: cn=Directory Manager,dc=example
";

fn order(texts: &[(Form, &str)]) -> Order {
    let text =
        |(form, text): &(Form, &str)| Text { form: *form, name: "t".to_owned(), bytes: text.as_bytes().to_vec() };
    Order {
        texts: texts.iter().map(text).collect(),
        services: vec!["sss".to_owned()],
        complete: true,
        names: None,
        homes: None,
        looked_for: LOOKED_FOR.map(str::to_owned).to_vec(),
    }
}

fn made(order: &Order) -> Snapshot {
    snapshot(order, Timestamp(0)).unwrap()
}

fn shown(snapshot: &Snapshot) -> Vec<String> {
    let accounts =
        snapshot.accounts.iter().map(|one| format!("{}:{}:{}:{}:{}", one.name, one.uid, one.gid, one.home, one.shell));
    let groups = snapshot.groups.iter().map(|one| format!("{}:{}:{}", one.name, one.gid, one.members.join(",")));
    accounts.chain(groups).collect()
}

#[test]
fn ldif_and_getent_say_the_same() {
    let ldif = made(&order(&[(Form::Ldif, LDIF)]));
    let getent = made(&order(&[
        (Form::Passwd, "eve:*:5000:5000:Eve:/home/eve:\nadam:x:5001:5000::/home/adam:/bin/bash\n"),
        (Form::Group, "users:*:5000:eve\nmfa:*:5001:eve\n"),
    ]));
    let expected =
        ["adam:5001:5000:/home/adam:/bin/bash", "eve:5000:5000:/home/eve:/bin/sh", "mfa:5001:eve", "users:5000:eve"];
    assert_eq!(shown(&ldif), expected);
    assert_eq!(shown(&getent), expected);
    assert_eq!((&ldif.incomplete, &getent.incomplete), (&Vec::new(), &Vec::new()));
    assert!(!serde_json::to_string(&ldif).unwrap().contains("c2VjcmV0"));
}

#[test]
fn what_does_not_fit_together_is_incomplete() {
    let check = |texts: &[(Form, &str)], expected: &str| {
        let incomplete = made(&order(texts)).incomplete;
        assert!(incomplete.len() == 1 && incomplete[0].contains(expected), "{incomplete:?}");
    };
    let passwd = |text| (Form::Passwd, text);
    check(&[passwd("eve:x:5000:5000::/home/eve:\n")], "primary group 5000 of account `eve`");
    check(&[passwd("eve:x:5000:100::/home/eve:\neve:x:5001:100::/:\n")], "account `eve` stands there twice");
    check(&[passwd("eve:x:5000:100::/home/eve:\nnonsense\n")], "line 2: not an entry");
    check(&[passwd("")], "no account");
    let eve = passwd("eve:x:5000:100::/home/eve:\n");
    check(&[eve, (Form::Group, "a:x:1:\na:x:2:\n")], "group `a` stands there twice");
    check(&[eve, (Form::Group, "a:x:1:\nb:x:1:\n")], "`a` and `b` have the same id 1");
    let with = |from: &str, to: &str| LDIF.replace(from, to);
    check(&[(Form::Ldif, &with("UID=eve,", "uid=gone,"))], "member `uid=gone,ou=people,dc=example` of group `mfa`");
    check(&[(Form::Ldif, &with("UID=eve, ou=people", "cn=users, ou=groups"))], "holds the group `cn=users");
    check(&[(Form::Ldif, &with("uidNumber: 5001", "uidNumber: many"))], "is an account without a user id");
    check(&[(Form::Ldif, &with("uidNumber: 5001", "uid: ad\nuidNumber: 5001"))], "several names");
    check(&[(Form::Ldif, &with("gidNumber: 5001\n", "gidNumber: x\n"))], "a group without a name or a number");
    check(&[(Form::Ldif, &format!("{LDIF}\nresult: 4 Size limit exceeded\n"))], "ended early");
    let folded = |form: Form, text: &str| {
        let mut order = order(&[(form, text)]);
        order.names = Some(Names { any_case: true, forms: Vec::new() });
        made(&order).incomplete
    };
    assert_eq!(folded(Form::Ldif, LDIF), Vec::<String>::new());
    assert!(folded(Form::Ldif, &with("cn: mfa", "cn: MFA"))[0].contains("only `getent` tells"));
    assert_eq!(folded(Form::Passwd, "Eve:x:5000:100::/:\n"), Vec::<String>::new());
    assert!(folded(Form::Passwd, "ev\u{e9}:x:5000:100::/:\n")[0].contains("beyond ASCII"));
    let mut undeclared = order(&[eve]);
    undeclared.complete = false;
    assert!(made(&undeclared).incomplete[0].contains("--complete"));
    let many: String = (0..40).map(|n| format!("u{n}:x:{n}:5000::/:\n")).collect();
    assert_eq!(made(&order(&[passwd(&many)])).incomplete.last().unwrap(), "24 more reasons");
}

#[test]
fn homes_are_looked_into_and_nothing_of_secrets_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("home/eve/.google_authenticator", "SEEDSEED");
    write("home/eve/.ssh/authorized_keys", "cert-authority ssh-ed25519 AAAASECRET eve\n");
    write("home/adam/.ssh/authorized_keys", "ssh-ed25519 AAAASECRET adam\n");
    std::fs::create_dir_all(dir.path().join("home/adam/.google_authenticator")).unwrap();
    write("otp/eve", "x");
    let mut order = order(&[(
        Form::Passwd,
        "eve:x:5000:100::/home/eve:\nadam:x:5001:100::/home/adam:\nnew:x:5002:100::/home/new:\nfar:x:5003:100::/net/far:\n",
    )]);
    order.homes = Some(dir.path().to_owned());
    order.looked_for.push("/otp/%u".to_owned());
    let made = made(&order);
    let files: Vec<String> = made
        .accounts
        .iter()
        .map(|account| {
            let files = account.files.iter().map(|file| format!("{} {} {:?}", file.path, file.regular, file.authority));
            format!("{}: {} {:?}", account.name, files.collect::<Vec<_>>().join(", "), account.unseen.is_some())
        })
        .collect();
    assert_eq!(
        files,
        [
            "adam: /home/adam/.google_authenticator false None, /home/adam/.ssh/authorized_keys true Some(false) false",
            "eve: /home/eve/.google_authenticator true None, /home/eve/.ssh/authorized_keys true Some(true), /otp/eve true None false",
            "far:  true",
            "new:  false",
        ]
    );
    assert_eq!(made.incomplete, Vec::<String>::new());
    let json = serde_json::to_string(&made).unwrap();
    assert!(!json.contains("SEED") && !json.contains("SECRET"), "{json}");
    order.homes = Some(dir.path().join("nowhere"));
    assert!(snapshot(&order, Timestamp(0)).is_err());
}
