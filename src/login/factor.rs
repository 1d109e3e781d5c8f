//! The algebra of what a login has to prove: pieces of evidence, the conditions under which they are asked for, and the
//! smallest sets that suffice. Knows neither sshd nor PAM; judges nothing.
//!
//! A way in is an [`Evidence`]: the atoms it takes and the guards under which it is open. The ways into something are
//! an antichain ([`Ways`]): no member asks for everything another asks for, and more. `or` is [`Ways::union`], `and` is
//! [`Ways::combine`].

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::model::RootedPath;

/// More ways than this are not kept apart: one more, evidence-free and of unknown standing, takes their place.
pub const MAX_WAYS: usize = 256;

/// The guard of the way that stands for more ways than are kept apart.
const TOO_MANY_WAYS: &str = "one of more ways in than are kept apart is open";

/// What kind of evidence an atom is (NIST SP 800-63B-4, section 2: something you know, have, are).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A memorised secret.
    Knowledge,
    /// A key, a seed, a device, a list of one-time codes.
    Possession,
    /// A biometric that activates a device.
    Inherence,
    /// A proof whose kind is decided elsewhere (a RADIUS server, a KDC): one authenticator of unknown category.
    Opaque,
    /// Where the connection comes from. Never a factor.
    Network,
}

/// One piece of evidence. Equal atoms are the same secret: asked for twice, it counts once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom {
    /// What kind.
    pub kind: Kind,
    /// Which secret or device, in words of the field: `password`, `one-time code (google_authenticator)`.
    pub identity: Arc<str>,
}

impl Atom {
    /// An atom.
    #[must_use]
    pub fn new(kind: Kind, identity: &str) -> Self {
        Self { kind, identity: identity.into() }
    }

    /// The account's password, whichever store checks it: people keep one, so two stores are not two secrets.
    #[must_use]
    pub fn password() -> Self {
        Self::new(Kind::Knowledge, "password")
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.identity)
    }
}

/// Why a way is open only sometimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardKind {
    /// Something we do not model decides it: the way may be open or not. Turns a verdict into `unknown`.
    Unmodelled,
    /// A service is down or a configuration broken, and the module lets the user pass.
    FailOpen,
    /// The account has not been enrolled.
    NotEnrolled,
    /// A second factor given earlier still counts.
    Grace,
    /// Who, from where, when: a property of the connection.
    Connection,
}

/// A condition under which a way is open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guard {
    /// What kind of condition.
    pub kind: GuardKind,
    /// The condition, as a clause: `the user is in group nomfa`.
    pub condition: Arc<str>,
    /// Whether it must hold or must not.
    pub holds: bool,
}

impl Guard {
    /// The way is open if `condition` holds.
    #[must_use]
    pub fn when(kind: GuardKind, condition: &str) -> Self {
        Self { kind, condition: condition.into(), holds: true }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holds { f.write_str(&self.condition) } else { write!(f, "not: {}", self.condition) }
    }
}

/// One step of a derivation: a line of configuration and what happened there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// The file.
    pub path: RootedPath,
    /// Counted from 1.
    pub line: u32,
    /// The line, escaped.
    pub text: Arc<str>,
    /// What happened, as a clause: `returns success: jumps over 1`.
    pub what: Arc<str>,
}

/// One way in: what it takes, when it is open, and how it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What must be shown.
    pub atoms: BTreeSet<Atom>,
    /// Conditions, all of which must be met.
    pub guards: BTreeSet<Guard>,
    /// How it goes, in order.
    pub trace: Vec<Arc<Step>>,
}

impl Evidence {
    /// A way that takes `atoms` and is always open.
    #[must_use]
    pub fn of(atoms: impl IntoIterator<Item = Atom>) -> Self {
        Self { atoms: atoms.into_iter().collect(), ..Self::default() }
    }

    /// Distinct authenticators: secrets and devices, whatever their category. Evidence of the network is none.
    #[must_use]
    pub fn authenticators(&self) -> usize {
        self.atoms.iter().filter(|atom| atom.kind != Kind::Network).count()
    }

    /// Distinct categories that are certain. An opaque proof may be of a category that is already there, so it adds one
    /// only where there is none.
    #[must_use]
    pub fn categories(&self) -> usize {
        let known: BTreeSet<Kind> = self
            .atoms
            .iter()
            .map(|atom| atom.kind)
            .filter(|kind| !matches!(kind, Kind::Network | Kind::Opaque))
            .collect();
        let opaque = self.atoms.iter().any(|atom| atom.kind == Kind::Opaque);
        known.len().max(usize::from(opaque))
    }

    /// Whether something unmodelled decides if this way is open.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        self.guards.iter().any(|guard| guard.kind == GuardKind::Unmodelled)
    }

    /// Whether no connection can meet all guards: one must hold and must not.
    #[must_use]
    pub fn is_contradictory(&self) -> bool {
        self.guards.iter().any(|guard| guard.holds && self.guards.contains(&Guard { holds: false, ..guard.clone() }))
    }

    /// Whether this way is open whenever `other` is, and takes nothing that `other` does not.
    #[must_use]
    pub fn dominates(&self, other: &Self) -> bool {
        self.atoms.is_subset(&other.atoms) && self.guards.is_subset(&other.guards)
    }

    /// Both: the union of what they take, under the conditions of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            atoms: self.atoms.union(&other.atoms).cloned().collect(),
            guards: self.guards.union(&other.guards).cloned().collect(),
            trace: self.trace.iter().chain(&other.trace).cloned().collect(),
        }
    }
}

/// The ways into something, as an antichain under [`Evidence::dominates`]. None at all: it cannot be entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways(Vec<Evidence>);

impl Ways {
    /// No way.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// One way that takes nothing.
    #[must_use]
    pub fn free() -> Self {
        Self(vec![Evidence::default()])
    }

    /// Exactly this way.
    #[must_use]
    pub fn one(evidence: Evidence) -> Self {
        let mut ways = Self::none();
        ways.insert(evidence);
        ways
    }

    /// Whether there is no way.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Each of them, in the order found.
    pub fn iter(&self) -> impl Iterator<Item = &Evidence> {
        self.0.iter()
    }

    /// Adds a way; whether it was new (no other dominates it, and it is no contradiction). Those it dominates go.
    pub fn insert(&mut self, evidence: Evidence) -> bool {
        if evidence.is_contradictory() || self.has_overflowed() || self.0.iter().any(|known| known.dominates(&evidence))
        {
            return false;
        }
        self.0.retain(|known| !evidence.dominates(known));
        if self.0.len() >= MAX_WAYS {
            // From here on nothing is told apart: the one way left stands for all, and no verdict may rest on it.
            let guards = [Guard::when(GuardKind::Unmodelled, TOO_MANY_WAYS)].into();
            self.0 = vec![Evidence { guards, ..Evidence::default() }];
            return true;
        }
        self.0.push(evidence);
        true
    }

    /// Whether more ways were found than are kept apart.
    fn has_overflowed(&self) -> bool {
        self.0
            .iter()
            .any(|way| way.atoms.is_empty() && way.guards.iter().any(|guard| &*guard.condition == TOO_MANY_WAYS))
    }

    /// Either.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        for evidence in other.0 {
            self.insert(evidence);
        }
        self
    }

    /// Both, one after the other.
    #[must_use]
    pub fn combine(&self, other: &Self) -> Self {
        let mut ways = Self::none();
        for first in &self.0 {
            for second in &other.0 {
                ways.insert(first.and(second));
            }
        }
        ways
    }

    /// Each way with one more condition.
    #[must_use]
    pub fn guarded(self, guard: &Guard) -> Self {
        let mut ways = Self::none();
        for mut evidence in self.0 {
            evidence.guards.insert(guard.clone());
            ways.insert(evidence);
        }
        ways
    }
}

impl FromIterator<Evidence> for Ways {
    fn from_iter<I: IntoIterator<Item = Evidence>>(iter: I) -> Self {
        let mut ways = Self::none();
        for evidence in iter {
            ways.insert(evidence);
        }
        ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(name: &str) -> Atom {
        let kind = match name.as_bytes()[0] {
            b'k' => Kind::Knowledge,
            b'p' => Kind::Possession,
            b'i' => Kind::Inherence,
            b'o' => Kind::Opaque,
            _ => Kind::Network,
        };
        Atom::new(kind, name)
    }

    /// `k1 p1 +g -h`: two atoms, guard g holds, guard h does not.
    fn evidence(text: &str) -> Evidence {
        let mut evidence = Evidence::default();
        for word in text.split_whitespace() {
            match word.split_at(1) {
                ("+", name) => evidence.guards.insert(Guard::when(GuardKind::Connection, name)),
                ("-", name) => {
                    evidence.guards.insert(Guard { holds: false, ..Guard::when(GuardKind::Connection, name) })
                }
                _ => evidence.atoms.insert(atom(word)),
            };
        }
        evidence
    }

    fn ways(texts: &[&str]) -> Ways {
        texts.iter().map(|text| evidence(text)).collect()
    }

    fn check(left: &[&str], expected: &[&str]) {
        assert_eq!(ways(left), Ways(expected.iter().map(|text| evidence(text)).collect()), "{left:?}");
    }

    #[test]
    fn only_minimal_ways_stay() {
        check(&["k1 p1", "k1"], &["k1"]);
        check(&["k1", "k1 p1"], &["k1"]);
        check(&["k1 p1", "k1 +g"], &["k1 p1", "k1 +g"]);
        check(&["k1 +g", "k1 +g +h"], &["k1 +g"]);
        check(&["k1 +g -g"], &[]);
        check(&["", "k1"], &[""]);
    }

    #[test]
    fn counting() {
        let count = |text: &str| (evidence(text).authenticators(), evidence(text).categories());
        assert_eq!(count(""), (0, 0));
        assert_eq!(count("k1 p1"), (2, 2));
        assert_eq!(count("p1 p2"), (2, 1));
        assert_eq!(count("p1 o1"), (2, 1));
        assert_eq!(count("o1"), (1, 1));
        assert_eq!(count("n1 k1"), (1, 1));
        assert_eq!(count("k1 k1"), (1, 1));
    }

    #[test]
    fn and_and_or() {
        assert_eq!(ways(&["k1", "p1"]).combine(&ways(&["p1"])), ways(&["p1"]));
        assert_eq!(ways(&["k1"]).combine(&ways(&["p1 +g", "p2"])), ways(&["k1 p1 +g", "k1 p2"]));
        assert_eq!(ways(&["k1 +g"]).combine(&ways(&["p1 -g"])), Ways::none());
        assert_eq!(ways(&["k1"]).union(ways(&["", "p1"])), Ways::free());
        assert_eq!(Ways::none().combine(&Ways::free()), Ways::none());
        assert_eq!(Ways::free().combine(&ways(&["k1"])), ways(&["k1"]));
    }

    #[test]
    fn too_many_ways_end_in_doubt_and_never_in_proof() {
        let mut all = Ways::none();
        for number in 0..=MAX_WAYS {
            all.insert(evidence(&format!("k{number} p{number}")));
        }
        assert_eq!(all.len(), 1);
        assert!(all.combine(&ways(&["k1 p1"])).iter().all(Evidence::is_uncertain));
        assert!(all.iter().any(|way| way.is_uncertain() && way.atoms.is_empty()));
    }
}
