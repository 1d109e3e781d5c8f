//! The scenarios of the login proof tried out: each on a host of its own, with the distribution's sshd and PAM modules. What
//! the proof says is open lets a client in that has just the evidence it names; where two factors are proved, none of them
//! alone does.
//!
//! By default every twenty-fourth; `SSHPROOF_LOGIN_CASES=all` asks for all, and then lists those that cannot be set up here (another
//! release of sshd, a module that is not packaged, a directory service) as ignored with the reason.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::process::ExitCode;

use common::attempt::{self, Offer, can_be_shown, log_in, set_up, unfit};
use common::case::Case;
use common::mimic::{self, Part, trial};
use libtest_mimic::{Failed, Trial};
use sshproof::login::prove::{self, Violation};
use sshproof::model::report::Proof;
use sshproof::model::text::escape;

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces, Part::Program("oathtool")];
    let all = std::env::var_os("SSHPROOF_LOGIN_CASES").is_some_and(|asked| asked == "all");
    let cases: Vec<Case> = if all {
        Case::all()
    } else {
        Case::all().into_iter().filter(|case| unfit(case).is_none()).step_by(24).collect()
    };
    let trials = cases.into_iter().map(|case| {
        let name = case.name.clone();
        match unfit(&case) {
            Some(reason) => Trial::test(name, move || Err(Failed::from("it cannot be set up here")))
                .with_kind(reason)
                .with_ignored_flag(true),
            None => trial(&name, parts, move || try_out(&case)),
        }
    });
    mimic::run(trials.collect())
}

fn try_out(case: &Case) {
    let (server, world, policy) = (case.server(), case.world(), case.policy());
    let outcome = prove::prove(&server, world, &policy);
    let host = set_up(case);
    let ports = attempt::ports(case);
    let arguments = attempt::sshd(case, &ports);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    host.start_sshd(*ports.first().unwrap(), &[], &arguments);

    // What is said to be open is open.
    let open: Vec<&Violation> = outcome.paths.iter().filter(|way| can_be_shown(way)).take(2).collect();
    for way in &open {
        let (offer, user) = (Offer::of(way), escape(&way.witness.user));
        let (from, port, methods) = (way.witness.from.as_str(), way.witness.port, way.way.methods.join(","));
        let plain = log_in(&host, &user, from, port, offer, Some(&methods), false);
        let done = plain.clone().or_else(|_| log_in(&host, &user, from, port, offer, Some(&methods), true));
        assert!(done.is_ok(), "{user} from {from} with {offer:?} by {methods} is not let in: {}", plain.unwrap_err());
    }
    assert!(!open.is_empty() || outcome.proof == Proof::Proved, "nothing of the counterexample could be tried");

    // Where two are demanded, one does not do; nor does none.
    if outcome.proof == Proof::Proved {
        std::thread::scope(|scope| {
            for user in ["alice", "bob", "root"] {
                let (host, port) = (&host, *ports.first().unwrap());
                scope.spawn(move || {
                    for offer in Offer::singles() {
                        let done = log_in(host, user, "127.0.0.1", port, offer, None, false);
                        assert!(done.is_err(), "{user} is let in with {offer:?}");
                    }
                });
            }
        });
    }
}
