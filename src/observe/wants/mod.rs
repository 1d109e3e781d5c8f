//! What must be looked at next: pure functions over what is known so far.
//!
//! The observer asks [`all`] again after every round of looking, until nobody wants more: an sshd's ELF facts name the
//! libraries it needs, sshd_config names what it includes, a PAM stack names its modules. Nobody else decides to open a path.

pub mod closure;
pub mod hygiene;
pub mod knowledge;
pub mod ldconf;
mod loader;
pub mod nss;
pub mod pam;
pub mod search;
pub mod servers;
pub mod sshd;

use crate::facts::{Look, ObservationGap, Role, RootFacts, Want};
use crate::knowledge::Knowledge;
use crate::model::RootedPath;

/// Everything that anybody wants, given what was seen. Repeats itself: what was looked at already is not read again.
#[must_use]
pub fn all(facts: &RootFacts, knowledge: &Knowledge) -> Vec<Want> {
    let mut wants = identity();
    wants.extend(hygiene::wants(facts, knowledge));
    wants.extend(servers::wants(facts));
    wants.extend(knowledge::wants(facts, knowledge));
    wants.extend(closure::wants(facts));
    wants.extend(ldconf::wants(facts));
    wants.extend(nss::wants(facts));
    wants.extend(pam::wants(facts));
    wants.extend(sshd::wants(facts));
    wants.sort_unstable();
    wants.dedup();
    wants
}

/// What was wanted and cannot be found or read, once nothing new is wanted.
#[must_use]
pub fn gaps(facts: &RootFacts) -> Vec<ObservationGap> {
    let mut gaps = closure::gaps(facts);
    gaps.extend(ldconf::gaps(facts));
    gaps.extend(nss::gaps(facts));
    gaps
}

/// Which system this is (os-release(5), hostname(5)).
fn identity() -> Vec<Want> {
    ["/etc/os-release", "/usr/lib/os-release", "/etc/hostname"]
        .into_iter()
        .filter_map(RootedPath::new)
        .map(|path| Want { path, role: Role::Probe, look: Look::Text })
        .collect()
}
