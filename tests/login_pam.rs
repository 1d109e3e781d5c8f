//! What PAM stacks ask for: the scenarios of the two-factor specification that PAM alone decides, each as one small
//! root. `tests/login_pam_libpam.rs` compares the dispatch beneath with the real library.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

use std::collections::BTreeMap;

use sshproof::login::factor::{Evidence, GuardKind};
use sshproof::login::pam::{self, Account, Connection, Files, Group, Mode, Program, Remote, Seen};
use sshproof::model::{FileKind, Meta, RootedPath};

/// A root: files by path. Modules count as installed unless their name holds `absent`.
#[derive(Clone, Default)]
struct Tree(BTreeMap<String, String>);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }
}

fn meta(kind: FileKind) -> Meta {
    let (mode, uid, gid, size, nlink, mtime, ctime, dev, ino) = (0o644, 0, 0, 1, 1, 0, 0, 1, 1);
    Meta { kind, mode, uid, gid, size, nlink, mtime, ctime, dev, ino }
}

impl Files for Tree {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        match self.0.get(&path.to_string()) {
            Some(text) => Seen::Text(text.as_bytes()),
            None => Seen::Missing,
        }
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        let path = path.to_string();
        let beneath = format!("{path}/");
        if self.0.keys().any(|file| file.starts_with(&beneath)) || path == "/usr/lib/x86_64-linux-gnu/security" {
            return Ok(Some(meta(FileKind::Directory)));
        }
        let module = path.starts_with("/usr/lib/x86_64-linux-gnu/security/") && !path.contains("absent");
        if path.starts_with("/unreadable") {
            return Err("permission denied".to_owned());
        }
        Ok((module || self.0.contains_key(&path)).then(|| meta(FileKind::Regular)))
    }
}

fn account(name: &str, home: &str, groups: &[&str]) -> Account {
    Account {
        name: name.into(),
        uid: 1000,
        gid: 1000,
        groups: groups.iter().map(|group| group.as_bytes().to_vec()).collect(),
        groups_complete: true,
        home: home.into(),
        shell: b"/bin/bash".to_vec(),
        local: true,
    }
}

fn connection(account: Option<&Account>) -> Connection<'_> {
    let remote = Remote::Range("192.0.2.7".parse().unwrap(), "192.0.2.7".parse().unwrap());
    Connection { account, remote, service: b"sshd", empty_passwords_permitted: false, key_shown: false }
}

/// `password + one-time code (x) {if the user is …}`.
fn show(way: &Evidence) -> String {
    let atoms: Vec<String> = way.atoms.iter().map(ToString::to_string).collect();
    let mut out = if atoms.is_empty() { "nothing".to_owned() } else { atoms.join(" + ") };
    for guard in &way.guards {
        let mark = if guard.kind == GuardKind::Unmodelled { "?" } else { "" };
        out += &format!(" {{{mark}{guard}}}");
    }
    out
}

fn ways(program: &Program, files: &Tree, connection: &Connection<'_>, mode: Mode) -> Vec<String> {
    let mut shown: Vec<String> = program.run(mode, &program.answers(connection, files)).iter().map(show).collect();
    shown.sort();
    shown
}

/// Both methods of the stack in `/etc/pam.d/sshd` (`keyboard-interactive`, then `password`) for an account that is
/// enrolled.
fn check_files(files: &[(&str, &str)], interactive: &[&str], blind: &[&str]) {
    let mut tree = Tree::new(files);
    tree.0.insert("/home/alice/.google_authenticator".into(), String::new());
    let alice = account("alice", "/home/alice", &["users"]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let connection = connection(Some(&alice));
    assert_eq!(
        ways(&program, &tree, &connection, Mode::KeyboardInteractive),
        interactive,
        "keyboard-interactive\n{files:?}"
    );
    assert_eq!(ways(&program, &tree, &connection, Mode::PasswordBlind), blind, "password\n{files:?}");
}

fn check(stack: &str, interactive: &[&str], blind: &[&str]) {
    check_files(&[("/etc/pam.d/sshd", stack)], interactive, blind);
}

const GA: &str = "one-time code (google_authenticator)";
const PASSWORD: &str = "password";

/// /etc/pam.d/common-auth of Debian 12.
const COMMON: &str = "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\nauth optional pam_cap.so\n";

/// Identity order: atoms sort by kind (knowledge first).
fn both() -> String {
    format!("{PASSWORD} + {GA}")
}

#[test]
fn debian_stock_asks_for_the_password() {
    let files = [("/etc/pam.d/sshd", "@include common-auth\n"), ("/etc/pam.d/common-auth", COMMON)];
    check_files(&files, &[PASSWORD], &[PASSWORD]);
}

#[test]
fn include_all_is_debians() {
    let files = |release| {
        [
            ("/etc/os-release", release),
            ("/etc/pam.d/sshd", "@include a\n"),
            ("/etc/pam.d/a", "auth required pam_unix.so\n"),
        ]
    };
    check_files(&files("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), &[PASSWORD], &[PASSWORD]);
    let doubt = "nothing {?/etc/pam.d/sshd:1: `@include` is Debian's: what this libpam makes of it is not known}";
    check_files(&files("ID=rocky\nID_LIKE=\"rhel fedora\"\n"), &[doubt], &[doubt]);
}

#[test]
fn s4_unix_and_code() {
    let stack = "auth required pam_unix.so\nauth required pam_google_authenticator.so\n";
    check(stack, &[&both()], &[]);
}

#[test]
fn s36_include_with_sufficient_never_reaches_the_code() {
    let inner = ("/etc/pam.d/password-auth", "auth sufficient pam_unix.so\nauth required pam_deny.so\n");
    let outer = "auth include password-auth\nauth required pam_google_authenticator.so\n";
    check_files(&[("/etc/pam.d/sshd", outer), inner], &[PASSWORD], &[PASSWORD]);
}

#[test]
fn s37_substack_asks_for_both() {
    let inner = ("/etc/pam.d/password-auth", "auth sufficient pam_unix.so\nauth required pam_deny.so\n");
    let outer = "auth substack password-auth\nauth required pam_google_authenticator.so\n";
    check_files(&[("/etc/pam.d/sshd", outer), inner], &[&both()], &[]);
}

#[test]
fn s38_a_jump_over_the_code() {
    let stack = "auth [success=1 default=bad] pam_unix.so\nauth required pam_google_authenticator.so\nauth required pam_permit.so\n";
    check(stack, &[PASSWORD], &[PASSWORD]);
    let stack = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_google_authenticator.so\n";
    check(stack, &[&both()], &[]);
}

#[test]
fn s39_a_jump_past_the_end_fails() {
    check("auth [success=2 default=bad] pam_unix.so\nauth required pam_permit.so\n", &[], &[]);
}

#[test]
fn s40_nullok_depends_on_enrolment() {
    let stack = "auth required pam_unix.so\nauth required pam_google_authenticator.so nullok\n";
    check(stack, &[&both()], &[]);
    let tree = Tree::new(&[("/etc/pam.d/sshd", stack)]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let of = |account: Option<&Account>| ways(&program, &tree, &connection(account), Mode::KeyboardInteractive);
    assert_eq!(of(Some(&account("bob", "/home/bob", &[]))), [PASSWORD]);
    let open = "password {not: the account has a secret for one-time codes}";
    assert_eq!(of(None), [&format!("{} {{the account has a secret for one-time codes}}", both()), open]);
    let unreadable = of(Some(&account("eve", "/unreadable/eve", &[])));
    assert!(unreadable.iter().all(|way| way.contains("{?")), "{unreadable:?}");
}

#[test]
fn s40_nullok_alone_denies_the_unenrolled() {
    let tree = Tree::new(&[("/etc/pam.d/sshd", "auth required pam_google_authenticator.so nullok\n")]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let bob = account("bob", "/home/bob", &[]);
    assert!(ways(&program, &tree, &connection(Some(&bob)), Mode::KeyboardInteractive).is_empty());
}

#[test]
fn s41_nullok_with_permit_needs_nothing() {
    let stack = "auth required pam_google_authenticator.so nullok\nauth required pam_permit.so\n";
    let tree = Tree::new(&[("/etc/pam.d/sshd", stack)]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let bob = account("bob", "/home/bob", &[]);
    assert_eq!(ways(&program, &tree, &connection(Some(&bob)), Mode::KeyboardInteractive), ["nothing"]);
}

#[test]
fn s42_oath_lets_the_unknown_pass() {
    let oath = "one-time code (oath)";
    let stack = "auth required pam_unix.so\nauth required pam_oath.so usersfile=/etc/users.oath\n";
    check(stack, &[&format!("password + {oath}")], &[]);
    let stack = "auth required pam_unix.so\nauth [success=ok user_unknown=ignore default=die] pam_oath.so usersfile=/etc/users.oath\n";
    let known = format!("password + {oath}");
    let unknown = "password {not: the account stands in the one-time password users file}";
    check(stack, &[&known, unknown], &[unknown]);
}

#[test]
fn s43_s44_duo_fails_open_unless_told_otherwise() {
    let stack = "auth required pam_unix.so\nauth required pam_duo.so conf=/etc/duo.conf\n";
    let down = "password {Duo's service cannot be reached or its configuration is broken, and failmode is safe}";
    let duo = "password + Duo approval";
    let conf = |text| [("/etc/pam.d/sshd", stack), ("/etc/duo.conf", text)];
    let keys = "[duo]\nikey = a\nskey = b\nhost = c\n";
    check_files(&conf(keys), &[duo, down], &[duo, down]);
    let secure = format!("{keys}failmode = secure\n");
    check_files(&[("/etc/pam.d/sshd", stack), ("/etc/duo.conf", &secure)], &[duo], &[duo]);
    check_files(&conf("[duo]\n"), &[PASSWORD], &[PASSWORD]);
    check_files(&[("/etc/pam.d/sshd", stack)], &[PASSWORD], &[PASSWORD]);
}

#[test]
fn s45_duo_groups_leave_accounts_out() {
    let stack = "auth required pam_unix.so\nauth required pam_duo.so conf=/etc/duo.conf\n";
    let conf = "[duo]\nikey = a\nskey = b\nhost = c\nfailmode = secure\ngroups = *,!nomfa\n";
    let ways = ["password + Duo approval", "password {Duo's `groups` leave the account out}"];
    check_files(&[("/etc/pam.d/sshd", stack), ("/etc/duo.conf", conf)], &ways, &ways);
}

#[test]
fn duo_without_a_named_configuration_depends_on_the_build() {
    let secure = "[duo]\nikey = a\nskey = b\nhost = c\nfailmode = secure\n";
    let stack = "auth required pam_unix.so\nauth required pam_duo.so\n";
    let tree = Tree::new(&[("/etc/pam.d/sshd", stack), ("/etc/duo/pam_duo.conf", secure)]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let alice = account("alice", "/home/alice", &[]);
    let shown = ways(&program, &tree, &connection(Some(&alice)), Mode::KeyboardInteractive);
    assert!(shown.iter().any(|way| way.starts_with("password {?")), "{shown:?}");
}

#[test]
fn s46_a_missing_module() {
    let after = "auth required pam_unix.so\n";
    check(&format!("-auth required pam_absent.so\n{after}"), &[], &[]);
    check(&format!("-auth [success=ok default=ignore] pam_absent.so\n{after}"), &[PASSWORD], &[PASSWORD]);
    check(&format!("auth optional pam_absent.so\n{after}"), &[PASSWORD], &[PASSWORD]);
}

#[test]
fn s47_a_typo_in_the_control_fails() {
    check("auth requried pam_unix.so\nauth required pam_permit.so\n", &[], &[]);
}

#[test]
fn s48_no_auth_lines_fall_back_to_other() {
    check_files(
        &[
            ("/etc/pam.d/sshd", "account required pam_permit.so\n"),
            ("/etc/pam.d/other", "@include common-auth\n"),
            ("/etc/pam.d/common-auth", COMMON),
        ],
        &[PASSWORD],
        &[PASSWORD],
    );
}

#[test]
fn s49_access_skips_the_code_for_localhost() {
    let stack = "auth required pam_unix.so\nauth [success=1 default=ignore] pam_access.so accessfile=/etc/otp.conf\nauth required pam_google_authenticator.so\n";
    let table = "+ : ALL : 127.0.0.0/8\n+ : ALL : ::1\n- : ALL : ALL\n";
    let mut tree =
        Tree::new(&[("/etc/pam.d/sshd", &format!("{stack}auth required pam_permit.so\n")), ("/etc/otp.conf", table)]);
    tree.0.insert("/home/alice/.google_authenticator".into(), String::new());
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let alice = account("alice", "/home/alice", &[]);
    let from = |low: &str, high: &str| {
        let remote = Remote::Range(low.parse().unwrap(), high.parse().unwrap());
        ways(&program, &tree, &Connection { remote, ..connection(Some(&alice)) }, Mode::KeyboardInteractive)
    };
    assert_eq!(from("127.0.0.0", "127.255.255.255"), [PASSWORD]);
    assert_eq!(from("128.0.0.0", "255.255.255.255"), [both()]);
    assert_eq!(from("::1", "::1"), [PASSWORD]);
    let open = from("0.0.0.0", "255.255.255.255");
    assert_eq!(open.len(), 2, "{open:?}");
    assert_eq!(program.networks().len(), 2);
}

#[test]
fn s50_succeed_if_skips_the_code_for_a_group() {
    let stack = "auth required pam_unix.so\nauth [success=1 default=ignore] pam_succeed_if.so user ingroup nomfa\nauth required pam_google_authenticator.so\nauth required pam_permit.so\n";
    let tree = Tree::new(&[("/etc/pam.d/sshd", stack)]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let of = |account: Option<&Account>| ways(&program, &tree, &connection(account), Mode::KeyboardInteractive);
    assert_eq!(of(Some(&account("svc", "/home/svc", &["nomfa"]))), [PASSWORD]);
    assert!(of(Some(&account("bob", "/home/bob", &["users"]))).is_empty(), "not enrolled, not exempt");
    assert!(of(None).contains(&"password {`user ingroup nomfa` holds}".to_owned()));
}

#[test]
fn s51_exec_is_unknown() {
    let stack = "auth sufficient pam_exec.so /usr/local/bin/check\nauth required pam_unix.so\nauth required pam_google_authenticator.so\n";
    let mut tree = Tree::new(&[("/etc/pam.d/sshd", stack)]);
    tree.0.insert("/home/alice/.google_authenticator".into(), String::new());
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let alice = account("alice", "/home/alice", &[]);
    let shown = ways(&program, &tree, &connection(Some(&alice)), Mode::KeyboardInteractive);
    assert!(shown.iter().any(|way| way.starts_with("nothing {?")), "{shown:?}");
    assert!(shown.iter().all(|way| way.contains("{?")), "{shown:?}");
}

#[test]
fn s63_password_and_code_in_one_string() {
    let stack = "auth required pam_google_authenticator.so forward_pass\nauth required pam_unix.so use_first_pass\n";
    check(stack, &[&both()], &[&both()]);
}

#[test]
fn s64_two_prompts_kill_the_password_method() {
    check("auth required pam_unix.so\nauth required pam_google_authenticator.so\n", &[&both()], &[]);
}

#[test]
fn one_string_may_be_the_code_where_either_is_enough() {
    check(
        "auth sufficient pam_unix.so\nauth sufficient pam_google_authenticator.so\n",
        &[GA, PASSWORD],
        &[GA, PASSWORD],
    );
    check(
        "auth [default=ignore] pam_unix.so\nauth required pam_google_authenticator.so use_first_pass\n",
        &[GA],
        &[GA],
    );
}

#[test]
fn s68_a_grace_period_is_a_window() {
    let stack = "auth required pam_unix.so\nauth required pam_google_authenticator.so grace_period=3600\n";
    let window = "password {a one-time code was given from the same address within the grace period}";
    check(stack, &[&both(), window], &[window]);
}

#[test]
fn s70_rootok_and_permit_ask_for_nothing() {
    check("auth sufficient pam_rootok.so\nauth required pam_unix.so\n", &["nothing"], &["nothing"]);
    check("auth sufficient pam_permit.so\nauth required pam_unix.so\n", &["nothing"], &["nothing"]);
}

#[test]
fn s71_a_key_shown_before_skips_the_rest() {
    let stack = "auth sufficient pam_ssh_auth_info.so publickey\nauth required pam_unix.so\n";
    check(stack, &[PASSWORD], &[PASSWORD]);
    let tree = Tree::new(&[("/etc/pam.d/sshd", stack)]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let alice = account("alice", "/home/alice", &[]);
    let connection = Connection { key_shown: true, ..connection(Some(&alice)) };
    assert_eq!(ways(&program, &tree, &connection, Mode::KeyboardInteractive), ["nothing"]);
}

#[test]
fn s73_radius_ignored_when_it_is_down() {
    let stack = "auth required pam_unix.so\nauth required pam_radius_auth.so localifdown\n";
    let radius = "password + what the RADIUS server asks for";
    let down = "password {no RADIUS server answers}";
    let same = "password {?the RADIUS server asks for nothing but the account's password (`/etc/pam.d/sshd` line 2)}";
    check(stack, &[radius, same, down], &[radius, same, down]);
    let tree = Tree::new(&[("/etc/pam.d/sshd", "auth required pam_radius_auth.so\n")]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let alice = account("alice", "/home/alice", &[]);
    assert_eq!(ways(&program, &tree, &connection(Some(&alice)), Mode::PasswordBlind).len(), 2);
}

#[test]
fn optional_codes_are_not_needed() {
    check("auth required pam_unix.so\nauth optional pam_google_authenticator.so\n", &[PASSWORD], &[PASSWORD]);
}

#[test]
fn an_empty_password_needs_sshds_permission() {
    let stack = "auth required pam_unix.so nullok\n";
    check(stack, &[PASSWORD], &[PASSWORD]);
    let tree = Tree::new(&[("/etc/pam.d/sshd", stack)]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let alice = account("alice", "/home/alice", &[]);
    let connection = Connection { empty_passwords_permitted: true, ..connection(Some(&alice)) };
    let shown = ways(&program, &tree, &connection, Mode::KeyboardInteractive);
    assert_eq!(shown, ["nothing {the account's password is empty and sshd permits empty passwords}", PASSWORD]);
}

#[test]
fn what_is_not_modelled_is_never_a_plain_way() {
    for line in [
        "auth required pam_strange.so",
        "auth sufficient pam_strange.so",
        "auth required pam_unix.so quantum",
        "auth required /opt/x/pam_unix.so",
        "auth required pam_debug.so",
        "auth include a\0b",
    ] {
        let tree = Tree::new(&[
            ("/etc/pam.d/sshd", &format!("{line}\nauth required pam_permit.so\n")),
            ("/opt/x/pam_unix.so", ""),
        ]);
        let program = pam::compile(b"sshd", Group::Auth, &tree);
        let alice = account("alice", "/home/alice", &[]);
        let shown = ways(&program, &tree, &connection(Some(&alice)), Mode::KeyboardInteractive);
        assert!(shown.iter().any(|way| way.contains("{?")), "{line}: {shown:?}");
    }
}

#[test]
fn what_is_not_modelled_discredits_the_evidence_beside_it() {
    let both_asked = "auth required pam_unix.so\nauth required pam_google_authenticator.so\n";
    for line in
        ["auth optional pam_strange.so\n", "auth required pam_strange.so\n", "auth optional pam_unix.so quantum\n"]
    {
        let mut tree = Tree::new(&[("/etc/pam.d/sshd", &format!("{line}{both_asked}"))]);
        tree.0.insert("/home/alice/.google_authenticator".into(), String::new());
        let program = pam::compile(b"sshd", Group::Auth, &tree);
        let alice = account("alice", "/home/alice", &[]);
        let shown = ways(&program, &tree, &connection(Some(&alice)), Mode::KeyboardInteractive);
        assert!(shown.iter().any(|way| way.starts_with("nothing {?")), "{line}: {shown:?}");
    }
}

#[test]
fn account_only_filters() {
    let stack = "account required pam_nologin.so\naccount [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\naccount required pam_permit.so\n";
    let files = |stack: &str| {
        let tree = Tree::new(&[("/etc/pam.d/sshd", stack)]);
        let program = pam::compile(b"sshd", Group::Account, &tree);
        let alice = account("alice", "/home/alice", &[]);
        ways(&program, &tree, &connection(Some(&alice)), Mode::AccountOnly)
    };
    assert_eq!(files(stack), ["nothing"]);
    assert!(files("account required pam_deny.so\n").is_empty());
    assert_eq!(files("account required pam_access.so\naccount required pam_unix.so\n").len(), 1);
}

#[test]
fn no_configuration_at_all_lets_nobody_in() {
    let tree = Tree::new(&[]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    assert!(program.refused.is_some());
    let tree = Tree::new(&[("/etc/pam.conf", "sshd auth required pam_unix.so\nother auth required pam_deny.so\n")]);
    let program = pam::compile(b"/usr/sbin/SSHD", Group::Auth, &tree);
    let alice = account("alice", "/home/alice", &[]);
    assert_eq!(ways(&program, &tree, &connection(Some(&alice)), Mode::PasswordBlind), [PASSWORD]);
}

#[test]
fn loops_and_floods_end_in_doubt() {
    let flood = "auth optional pam_unix.so\n".repeat(100_000);
    for stack in ["auth include sshd\n", "@include sshd\n", "auth include sshd\nauth include sshd\n", flood.as_str()] {
        let tree = Tree::new(&[("/etc/pam.d/sshd", stack)]);
        let program = pam::compile(b"sshd", Group::Auth, &tree);
        assert!(program.problems.iter().any(|problem| problem.undecidable), "{}", &stack[..20.min(stack.len())]);
        let alice = account("alice", "/home/alice", &[]);
        let shown = ways(&program, &tree, &connection(Some(&alice)), Mode::PasswordBlind);
        assert!(shown.iter().all(|way| way.contains("{?")), "{shown:?}");
    }
}

#[test]
fn a_trace_names_the_lines_that_decide() {
    let inner = ("/etc/pam.d/password-auth", "auth sufficient pam_unix.so # here\n");
    let outer = "auth include password-auth\nauth required pam_google_authenticator.so\n";
    let tree = Tree::new(&[("/etc/pam.d/sshd", outer), inner]);
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let alice = account("alice", "/home/alice", &[]);
    let ways = program.run(Mode::PasswordBlind, &program.answers(&connection(Some(&alice)), &tree));
    let way = ways.iter().next().unwrap();
    let trace: Vec<String> =
        way.trace.iter().map(|s| format!("{}:{} {} -- {}", s.path, s.line, s.text, s.what)).collect();
    assert_eq!(
        trace,
        ["/etc/pam.d/password-auth:1 auth sufficient pam_unix.so -- success with password: counts and ends this level"]
    );
}

/// Two hundred lines, half of which ask who the account is, and fifty thousand accounts: one run a group of accounts that
/// answer alike. The time is printed, not judged: it depends on the build.
#[test]
fn fifty_thousand_accounts_share_few_runs() {
    let mut stack = String::new();
    for n in 0..95 {
        stack += &format!(
            "auth [success=1 default=ignore] pam_succeed_if.so quiet user ingroup g{n}\nauth optional pam_unix.so\n"
        );
    }
    stack += "auth required pam_unix.so\nauth required pam_google_authenticator.so nullok\n";
    let tree = Tree::new(&[("/etc/pam.d/sshd", &stack)]);
    let began = std::time::Instant::now();
    let program = pam::compile(b"sshd", Group::Auth, &tree);
    let mut runs: BTreeMap<Vec<pam::Answer>, usize> = BTreeMap::new();
    for n in 0..50_000 {
        let account = account(&format!("u{n}"), &format!("/home/u{n}"), &["users", &format!("g{}", n % 50)]);
        *runs.entry(program.answers(&connection(Some(&account)), &tree)).or_default() += 1;
    }
    println!("answers {:?}", began.elapsed());
    assert_eq!((runs.len(), runs.values().sum::<usize>()), (50, 50_000));
    for answers in runs.keys() {
        let shown: Vec<String> = program.run(Mode::KeyboardInteractive, answers).iter().map(show).collect();
        assert_eq!(shown, [PASSWORD]);
    }
    println!("runs {:?}", began.elapsed());
    // A name that nobody has leaves all conditions open: too many branches to keep apart, so nothing is claimed.
    let unknown = program.run(Mode::KeyboardInteractive, &program.answers(&connection(None), &tree));
    assert!(unknown.iter().next().is_some());
    println!("{} lines, 50000 accounts: {:?}", stack.lines().count(), began.elapsed());
}
