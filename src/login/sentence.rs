//! A way in as one sentence: who can log in, from where, with what, and how much of what policy demands that is.

use std::collections::BTreeSet;

use super::explain::{from, when, who};
use super::prove::Violation;
use super::standing::{Grant, Shortfall, Standing};
use crate::policy::login::{Assumption, Warrant};
use crate::policy::{FactorCount, LoginPolicy};

/// The sentence, without a full stop: ``account `bob` can log in from anywhere with nothing but a public key (by `publickey`):
/// one of the two authenticators that policy demands``.
#[must_use]
pub fn of(violation: &Violation, policy: &LoginPolicy) -> String {
    let missing = match &violation.standing {
        Standing::Short(shortfall) => missing(violation, policy, shortfall),
        Standing::Granted(grants) => answered_for(grants, policy),
        Standing::Open(reason) => reason.clone(),
        Standing::Enough => "what policy demands".to_owned(),
    };
    format!("{}: {missing}", login(violation))
}

/// Who can log in, from where, with what.
#[must_use]
pub fn login(violation: &Violation) -> String {
    let things: Vec<String> = violation.way.evidence.atoms.iter().map(|atom| with_article(&atom.identity)).collect();
    let with = match things.as_slice() {
        [] => "with nothing at all".to_owned(),
        [one] => format!("with nothing but {one}"),
        [rest @ .., last] => format!("with {} and {last}", rest.join(", ")),
    };
    let forced = violation.origins.iter().any(|(keyword, _)| *keyword == "forcecommand");
    let into = if forced { ", to run its forced command," } else { "" };
    let methods = violation.way.methods.join(",");
    format!("{} can log in {}{into} {with} (by `{methods}`){}", who(violation), from(violation), when(violation))
}

/// How much of what policy demands is not there.
fn missing(violation: &Violation, policy: &LoginPolicy, shortfall: &Shortfall) -> String {
    let evidence = &violation.way.evidence;
    let (shown, one, many) = match policy.count {
        FactorCount::Authenticators => (evidence.authenticators(), "authenticator", "authenticators"),
        FactorCount::Categories => (evidence.categories(), "category", "categories"),
    };
    let demanded = usize::try_from(shortfall.demanded).unwrap_or(usize::MAX);
    let unit = if demanded == 1 { one } else { many };
    let share = if shown == 0 { "none".to_owned() } else { number(shown) };
    let factors = format!("{share} of the {} {unit} that policy demands", number(demanded));
    let Some((of_whom, hardware)) = &shortfall.resistance else { return factors };
    let key = if *hardware {
        format!("policy demands a security key of {of_whom}")
    } else {
        format!("policy demands a public key of {of_whom}, since a false server could pass on the rest")
    };
    if shortfall.fewer { format!("{factors}; {key}") } else { key }
}

/// Who answers for it, until when.
fn answered_for(grants: &BTreeSet<Grant>, policy: &LoginPolicy) -> String {
    let all: Vec<String> = grants.iter().filter_map(|grant| declared(*grant, policy)).collect();
    all.join(", and ")
}

/// What the site declared, with owner, day and reason.
fn declared(grant: Grant, policy: &LoginPolicy) -> Option<String> {
    match grant {
        Grant::Exemption(number) => {
            let one = policy.exemptions.get(number)?;
            let Warrant { owner, reason, .. } = &one.warrant;
            Some(format!("exempted by {owner} until {} ({}): {reason}", one.warrant.date(), one.words()))
        }
        Grant::Assumption(number) => Some(format!("assuming that {}", assumed(policy.assumptions.get(number)?))),
    }
}

/// What the site assumes, with owner, day and reason.
#[must_use]
pub fn assumed(one: &Assumption) -> String {
    let Warrant { owner, reason, .. } = &one.warrant;
    format!("{}, for which {owner} answers until {}: {reason}", one.words(), one.warrant.date())
}

fn number(count: usize) -> String {
    match count {
        1 => "one".to_owned(),
        2 => "two".to_owned(),
        3 => "three".to_owned(),
        4 => "four".to_owned(),
        more => more.to_string(),
    }
}

/// What a person would call it: there is one password, and one key of each machine, and any number of public keys.
fn with_article(identity: &str) -> String {
    let definite = ["password", "host key", "PIN"].iter().any(|start| identity.starts_with(start));
    if definite {
        return format!("the {identity}");
    }
    if let Some(number) = identity.strip_prefix("public key no. ") {
        return match number {
            "2" => "a second public key".to_owned(),
            number => format!("public key no. {number}"),
        };
    }
    // `a one-time code`, `a U2F device`: by how it sounds.
    let vowel = identity.starts_with(['a', 'e', 'i', 'A', 'E', 'I', 'O']);
    format!("{} {identity}", if vowel { "an" } else { "a" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_has_its_article() {
        let check = |identity: &str, expected: &str| assert_eq!(with_article(identity), expected);
        check("password", "the password");
        check("public key", "a public key");
        check("public key no. 2", "a second public key");
        check("public key no. 3", "public key no. 3");
        check("one-time code (oath)", "a one-time code (oath)");
        check("OTP of privacyIDEA", "an OTP of privacyIDEA");
        check("U2F device", "a U2F device");
        check("host key of the client's machine", "the host key of the client's machine");
    }
}
