//! A way in as one sentence: who can log in, from where, with what, and how much of what policy demands that is.

use super::explain::{from, when, who};
use super::prove::Violation;
use crate::policy::{FactorCount, LoginPolicy};

/// The sentence, without a full stop: ``account `bob` can log in from anywhere with nothing but a public key (by `publickey`):
/// one of the two authenticators that policy demands``.
#[must_use]
pub fn of(violation: &Violation, policy: &LoginPolicy) -> String {
    let evidence = &violation.way.evidence;
    let (shown, unit) = match policy.count {
        FactorCount::Authenticators => (evidence.authenticators(), "authenticator"),
        FactorCount::Categories => (evidence.categories(), "category"),
    };
    let things: Vec<String> = evidence.atoms.iter().map(|atom| with_article(&atom.identity)).collect();
    let with = match things.as_slice() {
        [] => "with nothing at all".to_owned(),
        [one] => format!("with nothing but {one}"),
        [rest @ .., last] => format!("with {} and {last}", rest.join(", ")),
    };
    let demanded = usize::try_from(policy.factors).unwrap_or(usize::MAX);
    let units = match (unit, policy.factors) {
        (unit, 1) => unit.to_owned(),
        ("category", _) => "categories".to_owned(),
        (unit, _) => format!("{unit}s"),
    };
    let share = match shown {
        0 => "none".to_owned(),
        shown => number(shown),
    };
    let forced = violation.origins.iter().any(|(keyword, _)| *keyword == "forcecommand");
    let into = if forced { ", to run its forced command," } else { "" };
    let methods = violation.way.methods.join(",");
    format!(
        "{} can log in {}{into} {with} (by `{methods}`){}: {share} of the {} {units} that policy demands",
        who(violation),
        from(violation),
        when(violation),
        number(demanded),
    )
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
