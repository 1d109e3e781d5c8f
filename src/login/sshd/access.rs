//! AllowUsers, DenyUsers, AllowGroups, DenyGroups and RefuseConnection: who is turned away before any method is tried
//! (`allowed_user`, auth.c; `match_user`, match.c).

use super::{Connection, Effective, Origin};
use crate::formats::sshd_config::{Dialect, address, pattern, value};

/// Why an account may not log in whatever it proves: the keyword and where its value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The keyword, in lower case.
    pub keyword: &'static str,
    /// Its origin.
    pub origin: Origin,
}

/// Whether `connection` is turned away. `name` is the account's own name, which an alias may differ from; Match compares
/// the typed one, these keywords the account's.
#[must_use]
pub fn denied(effective: &Effective, connection: &Connection<'_>, name: &[u8]) -> Option<Denied> {
    let because = |keyword: &'static str| Some(Denied { keyword, origin: effective.origin(keyword) });
    if effective.flag("refuseconnection") {
        return because("refuseconnection");
    }
    let dialect = effective.dialect();
    let matches =
        |keyword: &str| effective.list(keyword).iter().any(|pattern| matches_user(name, connection, pattern, dialect));
    if matches("denyusers") {
        return because("denyusers");
    }
    if !effective.list("allowusers").is_empty() && !matches("allowusers") {
        return because("allowusers");
    }
    let (deny, allow) = (effective.list("denygroups"), effective.list("allowgroups"));
    if deny.is_empty() && allow.is_empty() {
        return None;
    }
    let limit = if allow.is_empty() { "denygroups" } else { "allowgroups" };
    let Some(groups) = connection.groups.as_ref().filter(|groups| !groups.is_empty()) else { return because(limit) };
    // Plain patterns here (`ga_match`): neither lists nor negation.
    let any =
        |patterns: &[Vec<u8>]| groups.iter().any(|group| patterns.iter().any(|glob| pattern::matches(group, glob)));
    if any(deny) {
        return because("denygroups");
    }
    if !allow.is_empty() && !any(allow) {
        return because("allowgroups");
    }
    None
}

/// Whether a `user` or `user@host-list` pattern matches. The user part is one plain pattern.
#[must_use]
pub fn matches_user(name: &[u8], connection: &Connection<'_>, glob: &[u8], dialect: Dialect) -> bool {
    let (user, hosts) = value::user_and_hosts(glob, dialect);
    let Some(hosts) = hosts else { return pattern::matches(name, glob) };
    if !pattern::matches(name, user) {
        return false;
    }
    let (Some(text), Some(host)) = (&connection.address, &connection.host) else { return false };
    let Ok(items) = address::parse_list(hosts) else { return false };
    match (address::list(text, &items), pattern::host(host, hosts)) {
        (pattern::Answer::Never, _) | (_, pattern::Answer::Never) => false,
        (address, host) => address == pattern::Answer::Yes || host == pattern::Answer::Yes,
    }
}
