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
use sshproof::login::explore::KnownStacks;
use sshproof::login::prove;
use sshproof::login::{explain, fix, reach, sentence};
use sshproof::model::text::escape;

fn main() -> ExitCode {
    let trials = Case::all().into_iter().map(|case| {
        let name = case.name.clone();
        trial(&name, &[], move || check(&case))
    });
    mimic::run(trials.collect())
}

fn check(case: &Case) {
    if let Some(demand) = case.demand() {
        assert_eq!(demand.proof.name(), case.expected.proof, "{demand:?}");
        assert!(demand.reason.contains(&case.expected.reason) && !case.expected.reason.is_empty(), "{demand:?}");
        return;
    }
    let (expected, server, world, policy) = (&case.expected, case.server(), case.world(), case.policy());
    let config = prove::config(&server, world).unwrap();
    let mut stacks = KnownStacks::new();
    let outcome = prove::prove_with(&server, Some(&config), world, &policy, &mut stacks);
    let seeds = reach::seeds(&stacks, world.accounts, world.tree);
    let mut fixes = fix::Search::new(&server, world, &policy, &config, stacks);
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
