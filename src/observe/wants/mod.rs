//! What must be looked at next: pure functions over what is known so far.
//!
//! The observer asks [`ALL`] again after every round of looking, until nobody wants more: an sshd's ELF facts name the
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
pub mod watch;

use crate::facts::{Look, ObservationGap, Role, RootFacts, Want};
use crate::knowledge::Knowledge;
use crate::model::RootedPath;

/// What somebody wants, given what was seen. Repeats itself: what was looked at already is not read again.
pub type Wants = fn(&RootFacts, &Knowledge) -> Vec<Want>;

/// Everybody who wants something. Each is asked until it wants nothing new, and all of them again until none does, since
/// what one wanted may make another want more; so that who follows a long chain does not have the others asked at each
/// link.
pub const ALL: [Wants; 10] = [
    |_, _| identity(),
    |facts, _| servers::wants(facts),
    |facts, _| sshd::wants(facts),
    |facts, _| watch::wants(facts),
    |facts, _| pam::wants(facts),
    hygiene::wants,
    knowledge::wants,
    |facts, _| ldconf::wants(facts),
    |facts, _| closure::wants(facts),
    |facts, _| nss::wants(facts),
];

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
    ["/etc/os-release", "/usr/lib/os-release", "/etc/redhat-release", "/etc/hostname"]
        .into_iter()
        .filter_map(RootedPath::new)
        .map(|path| Want { path, role: Role::Probe, look: Look::Text })
        .collect()
}
