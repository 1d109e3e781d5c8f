//! The scenarios of the login proof: one directory under `tests/cases/login` each, with what differs from `_base` and a
//! `case.toml` that says what must be shown. Adding a case needs no Rust.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::process::ExitCode;

use common::case::Case;
use common::mimic::{self, trial};
use sshproof::login::explore::Known;
use sshproof::login::pam::Account;
use sshproof::login::prove::{self, World};
use sshproof::login::{explain, fix, reach, sentence};
use sshproof::model::RootedPath;
use sshproof::model::text::escape;

fn main() -> ExitCode {
    let trials = Case::all().into_iter().map(|case| {
        let name = case.name.clone();
        trial(&name, &[], move || check(&case))
    });
    let own = [
        trial("equal_accounts_are_explored_once", &[], equal_accounts_are_explored_once),
        trial("what_tells_accounts_apart_is_explored", &[], what_tells_accounts_apart_is_explored),
    ];
    mimic::run(trials.chain(own).collect())
}

/// An account like `example`, of another name and uid.
fn another(example: &Account, number: usize) -> Account {
    let name = format!("user{number}");
    let home = format!("/home/{name}").into_bytes();
    Account { name: name.into_bytes(), uid: 5000 + u32::try_from(number).unwrap(), home, ..example.clone() }
}

/// What was explored of `case` with further accounts, and the way in that falls shortest, in words.
fn explored(case: &Case, more: &[Account]) -> (u64, u64, Option<usize>, usize) {
    let (server, policy) = (case.server(), case.policy());
    let accounts = [case.world().accounts, more].concat();
    let world = World { accounts: &accounts, ..case.world() };
    let config = prove::config(&server, world).unwrap();
    let outcome = prove::prove_with(&server, Some(&config), world, &policy, &mut Known::default());
    let users = outcome.violations.iter().map(|violation| violation.users.len()).max().unwrap_or(0);
    (outcome.explored, outcome.classes, outcome.authenticators, users)
}

/// Ten times the accounts that no line tells apart cost no further question, and each of them is in the answer.
fn equal_accounts_are_explored_once() {
    let mut compared = 0;
    for case in Case::all() {
        let world = case.world();
        let example = world.accounts.iter().find(|account| account.name == b"alice").unwrap();
        let few: Vec<Account> = (0..20).map(|number| another(example, number)).collect();
        let many: Vec<Account> = (0..200).map(|number| another(example, number)).collect();
        let (few, many) = (explored(&case, &few), explored(&case, &many));
        assert_eq!(few.0, many.0, "{}: questions explored", case.name);
        assert_eq!(few.2, many.2, "{}: authenticators", case.name);
        // A configuration that is refused is not explored at all.
        if few.1 > 0 {
            assert!(many.1 > few.1, "{}: classes are counted with all their users", case.name);
            compared += 1;
        }
        if few.3 >= 20 {
            assert_eq!(many.3 - few.3, 180, "{}: everybody who can take the way is named", case.name);
        }
    }
    assert!(compared > 60, "{compared}");
}

/// The counter is none that always says the same: a block for one of them is one more question.
fn what_tells_accounts_apart_is_explored() {
    let mut case = Case::all().into_iter().find(|case| case.name == "01_key_and_password").unwrap();
    let example = case.world().accounts.iter().find(|account| account.name == b"alice").unwrap().clone();
    let more: Vec<Account> = (0..20).map(|number| another(&example, number)).collect();
    let before = explored(&case, &more);
    let path = RootedPath::new("/etc/ssh/sshd_config").unwrap();
    let mut text = case.root.texts.0[&path].clone();
    text.extend_from_slice(b"\nMatch User user7\nX11Forwarding no\n");
    case.root.texts.0.insert(path.clone(), text.clone());
    assert_eq!(explored(&case, &more).0, before.0, "a block about sessions decides no way in");
    text.extend_from_slice(b"AuthenticationMethods publickey\n");
    case.root.texts.0.insert(path, text);
    let after = explored(&case, &more);
    assert!(after.0 > before.0, "{before:?} {after:?}");
    assert_eq!((after.2, after.3), (Some(1), 1), "user7 alone");
}

fn check(case: &Case) {
    if let Some(demand) = case.demand() {
        assert_eq!(demand.proof.name(), case.expected.proof, "{demand:?}");
        assert!(demand.reason.contains(&case.expected.reason) && !case.expected.reason.is_empty(), "{demand:?}");
        return;
    }
    let (expected, server, world, policy) = (&case.expected, case.server(), case.world(), case.policy());
    let config = prove::config(&server, world).unwrap();
    let mut known = Known::default();
    let mut outcome = prove::prove_with(&server, Some(&config), world, &policy, &mut known);
    outcome.doubt(&case.doubts());
    let seeds = reach::seeds(&known, world.accounts, world.tree);
    let mut fixes = fix::Search::new(&server, world, &policy, &config, known);
    let first = outcome.violations.first().map(|violation| {
        let fix = fixes.smallest(violation);
        explain::counterexample(violation, &server, &config, fix)
    });
    let sentence = outcome.violations.first().map(|violation| sentence::of(violation, &policy)).unwrap_or_default();
    if std::env::var_os("SSHPROOF_SENTENCES").is_some() && !sentence.is_empty() {
        println!("{}: {}\n  {sentence}\n  fix: {}", case.name, expected.about, first.as_ref().unwrap().fix);
    }
    let place = |problem: &sshproof::login::sshd::Problem| problem.to_string();
    let dead: Vec<String> = outcome.dead.iter().map(place).collect();
    let refused: Vec<String> = outcome.refusals.iter().map(place).collect();
    let shown = format!(
        "{}\nproof {} closed {} authenticators {:?}\n{first:#?}\nunknown {:#?}\ndead {dead:#?}\nrefused {refused:#?}",
        expected.about,
        outcome.proof.name(),
        outcome.closed,
        outcome.authenticators,
        outcome.unknowns,
    );
    assert_eq!(outcome.proof.name(), expected.proof, "{shown}");
    if !expected.in_reach.is_empty() || case.name.starts_with("69_") {
        let accounts: Vec<String> = seeds.iter().map(|seed| escape(&seed.account)).collect();
        assert_eq!(accounts, expected.in_reach, "{shown}");
    }
    assert_eq!(outcome.closed, expected.closed, "{shown}");
    if expected.authenticators.is_some() {
        assert_eq!(outcome.authenticators, expected.authenticators, "{shown}");
    }
    assert!(refused.iter().any(|text| text.contains(&expected.refused)) || expected.refused.is_empty(), "{shown}");
    assert_eq!(dead.len(), expected.dead.len(), "{shown}");
    for (seen, wanted) in dead.iter().zip(&expected.dead) {
        assert!(seen.starts_with(wanted), "{shown}");
    }
    let granted: Vec<String> = outcome.granted.iter().map(|way| sentence::of(way, &policy)).collect();
    assert_eq!(granted.len(), expected.exempt.len(), "{granted:#?}\n{shown}");
    for (seen, wanted) in granted.iter().zip(&expected.exempt) {
        assert!(seen.contains(wanted), "{granted:#?}\n{shown}");
    }
    for wanted in &expected.unknown {
        assert!(outcome.unknowns.iter().any(|reason| reason.contains(wanted)), "{shown}");
    }
    if let Some(first) = first {
        assert!(expected.methods.is_empty() || first.methods.join(",") == expected.methods, "{shown}");
        assert!(expected.user.is_empty() || first.user == expected.user, "{shown}");
        assert!(first.region.contains(&expected.region), "{shown}");
        assert!(first.fix.contains(&expected.fix), "{shown}");
        assert!(expected.sentence.is_empty() || sentence == expected.sentence, "{sentence}\n{shown}");
        for wanted in &expected.decided {
            assert!(first.decided_by.iter().any(|line| line.starts_with(wanted)), "{wanted}\n{shown}");
        }
    } else {
        assert!(expected.methods.is_empty() && expected.decided.is_empty(), "{shown}");
    }
}
