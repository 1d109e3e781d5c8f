//! What the outcome of a stack depends on besides its text, and what one connection answers to it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::login::factor::GuardKind;

/// A condition that a module's behaviour hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What kind of guard it becomes where it stays open.
    pub kind: GuardKind,
    /// The condition as a clause: `the user is in group nomfa`.
    pub clause: Arc<str>,
}

/// What a connection answers to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It may or may not: both branches are followed, each with its guard.
    Open,
    /// It could not be found out: both branches are followed, each of them uncertain.
    Unknown,
}

/// One class of connections, as far as PAM can tell them apart.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// The account; `None` for any other name than those listed.
    pub account: Option<&'a Account>,
    /// `PAM_RHOST` for every connection of the class.
    pub remote: Remote,
    /// `PAM_SERVICE`.
    pub service: &'a [u8],
}

/// Where the connections of a class come from: an interval of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Addresses from the first to the second, both included, of one family.
    Range(IpAddr, IpAddr),
    /// Not told apart, or no IP transport.
    Any,
}

/// An account as NSS shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// Login name.
    pub name: Vec<u8>,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Names of all its groups, the primary one included.
    pub groups: Vec<Vec<u8>>,
    /// Whether `groups` is complete: no directory service may add to it.
    pub groups_complete: bool,
    /// Home directory.
    pub home: Vec<u8>,
    /// Login shell.
    pub shell: Vec<u8>,
    /// Whether it stands in the root's own passwd(5).
    pub local: bool,
}
