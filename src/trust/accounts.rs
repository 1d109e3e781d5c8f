//! Signs an accounts snapshot and says whether one counts: whose signature it bears, and how old it is.

use std::time::Duration;

use super::canonical::canonical;
use super::chain::{self, BadSignature, NodeKey};
use crate::model::Timestamp;
use crate::model::accounts::Snapshot;

/// Said before the signed bytes, so that a signature over a snapshot can never be one over anything else.
const CONTEXT: &[u8] = b"sshproof.accounts/1\n";

/// Clocks of two hosts differ by this much without anything being wrong, in seconds.
const SLACK: u64 = 300;

/// Signs `snapshot` with `key`, whatever signature it bore. `None` if it has no canonical form.
#[must_use]
pub fn sign(key: &NodeKey, snapshot: Snapshot) -> Option<Snapshot> {
    let unsigned = Snapshot { key: Some(key.public()), signature: None, ..snapshot };
    let signature = Some(key.seal(&signed_bytes(&unsigned)?));
    Some(Snapshot { signature, ..unsigned })
}

/// Whether `snapshot` is what the key that it names has signed. Whose key that is, is another question.
///
/// # Errors
/// Why not.
pub fn verify(snapshot: &Snapshot) -> Result<(), BadSignature> {
    let (Some(key), Some(signature)) = (&snapshot.key, &snapshot.signature) else { return Err(BadSignature::Missing) };
    let unsigned = Snapshot { signature: None, ..snapshot.clone() };
    chain::holds(key, signature, signed_bytes(&unsigned).as_deref())
}

fn signed_bytes(unsigned: &Snapshot) -> Option<Vec<u8>> {
    Some([CONTEXT, &canonical(unsigned)?].concat())
}

/// A snapshot whose signature holds and is one of a key that is trusted.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a>(&'a Snapshot);

/// A snapshot that counts for what was seen at one moment: signed by a trusted key, complete, of the right age. Only
/// [`Signed::at`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Current<'a>(&'a Snapshot);

/// Why a snapshot does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its signature is missing or does not hold.
    Signature(BadSignature),
    /// It is signed by this key, which nobody has named.
    Stranger(String),
    /// It was made after now.
    Future(Timestamp),
    /// It was made then, and the host was looked at then: too far apart.
    Stale(Timestamp, Timestamp, Duration),
    /// It says itself that something may be missing, and what.
    Incomplete(Vec<String>),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signature(problem) => problem.fmt(f),
            Self::Stranger(key) => write!(
                f,
                "it is signed with key {key}, which neither `--accounts-key` nor `[accounts] keys` of the policy names"
            ),
            Self::Future(made) => write!(f, "it is dated {made}, which is still to come"),
            Self::Stale(made, seen, most) => write!(
                f,
                "it was made {made} and the host was looked at {seen}: more than {} apart",
                humantime::format_duration(*most)
            ),
            Self::Incomplete(reasons) => {
                let first = reasons.first().map(String::as_str).unwrap_or_default();
                match reasons.len() {
                    0 | 1 => write!(f, "it is incomplete: {first}"),
                    more => write!(f, "it is incomplete: {first}; and {} more reasons", more - 1),
                }
            }
        }
    }
}

/// `snapshot`, if one of `keys` (64 digits of lower-case hexadecimal) has signed it.
///
/// # Errors
/// Why it does not count.
pub fn signed<'a>(snapshot: &'a Snapshot, keys: &[String]) -> Result<Signed<'a>, Unfit> {
    let key = snapshot.key.as_ref().ok_or(Unfit::Signature(BadSignature::Missing))?;
    // A stranger's signature is not even looked at.
    if !keys.contains(key) {
        return Err(Unfit::Stranger(crate::model::text::printable(key).into_owned()));
    }
    verify(snapshot).map_err(Unfit::Signature)?;
    Ok(Signed(snapshot))
}

impl<'a> Signed<'a> {
    /// The snapshot for a host that was looked at when `seen` says. It may be somewhat younger than that: a collector judges in
    /// the morning what was seen at night.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn at(self, seen: Timestamp, now: Timestamp, max_age: Duration) -> Result<Current<'a>, Unfit> {
        let Self(snapshot) = self;
        if snapshot.made_at.0 > now.0.saturating_add(SLACK) {
            return Err(Unfit::Future(snapshot.made_at));
        }
        if snapshot.made_at.0.abs_diff(seen.0) > max_age.as_secs() {
            return Err(Unfit::Stale(snapshot.made_at, seen, max_age));
        }
        if !snapshot.incomplete.is_empty() {
            return Err(Unfit::Incomplete(snapshot.incomplete.clone()));
        }
        Ok(Current(snapshot))
    }
}

impl<'a> Current<'a> {
    /// The snapshot.
    #[must_use]
    pub const fn snapshot(self) -> &'a Snapshot {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(incomplete: &[&str]) -> Snapshot {
        let text = format!(
            r#"{{"schema":"sshproof.accounts/1","tool":"0","made_at":"2026-11-20T00:00:00Z","services":["sss"],"inputs":[],
                "accounts":[{{"name":"eve","uid":5000,"gid":100,"home":"/home/eve","shell":"/bin/sh"}}],"groups":[],
                "incomplete":{}}}"#,
            serde_json::to_string(incomplete).unwrap()
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_member_is_signed() {
        let key = NodeKey::new(&[7; 32]);
        let good = sign(&key, made(&[])).unwrap();
        assert_eq!(verify(&good), Ok(()));
        let value = serde_json::to_value(&good).unwrap();
        for (pointer, other) in [
            ("/made_at", "2026-11-21T00:00:00Z"),
            ("/services/0", "ldap"),
            ("/accounts/0/name", "adam"),
            ("/accounts/0/home", "/"),
            ("/tool", "1"),
        ] {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).unwrap() = other.into();
            assert_eq!(verify(&serde_json::from_value(changed).unwrap()), Err(BadSignature::Wrong), "{pointer}");
        }
        let other = Snapshot { key: Some(NodeKey::new(&[8; 32]).public()), ..good };
        assert_eq!(verify(&other), Err(BadSignature::Wrong));
        assert_eq!(verify(&made(&[])), Err(BadSignature::Missing));
    }

    #[test]
    fn what_does_not_count_says_why() {
        let key = NodeKey::new(&[7; 32]);
        let day = |text: &str| Timestamp::parse(text).unwrap();
        let check = |snapshot: &Snapshot, keys: &[String], seen: &str, now: &str, expected: Result<(), &str>| {
            let current = signed(snapshot, keys)
                .and_then(|signed| signed.at(day(seen), day(now), Duration::from_secs(7 * 86_400)));
            match (current, expected) {
                (Ok(_), Ok(())) => {}
                (Err(unfit), Err(part)) => assert!(unfit.to_string().contains(part), "{unfit}"),
                (found, expected) => panic!("{found:?} {expected:?}"),
            }
        };
        let (plain, good) = (made(&[]), sign(&key, made(&[])).unwrap());
        let trusted = [key.public()];
        check(&good, &trusted, "2026-11-22", "2026-11-22", Ok(()));
        check(&plain, &trusted, "2026-11-22", "2026-11-22", Err("it bears no signature"));
        check(&good, &[], "2026-11-22", "2026-11-22", Err("neither `--accounts-key`"));
        check(
            &Snapshot { services: Vec::new(), ..good.clone() },
            &trusted,
            "2026-11-22",
            "2026-11-22",
            Err("was changed"),
        );
        check(&good, &trusted, "2026-11-28", "2026-11-28", Err("more than 7days apart"));
        check(&good, &trusted, "2026-11-18", "2026-11-22", Ok(()));
        check(&good, &trusted, "2026-11-10", "2026-11-22", Err("more than 7days apart"));
        check(&good, &trusted, "2026-11-19", "2026-11-19", Err("still to come"));
        let partial = sign(&key, made(&["no group", "no home"])).unwrap();
        check(&partial, &trusted, "2026-11-22", "2026-11-22", Err("incomplete: no group; and 1 more reasons"));
    }
}
