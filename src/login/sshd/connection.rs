//! One connection, as far as Match criteria can tell connections apart.

use std::borrow::Cow;

use crate::formats::sshd_config::{Criteria, Criterion, address, pattern};

/// What sshd knows of a connection when it evaluates Match. What is `None` makes its criterion false, as in
/// `sshd -T -C`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The name that the client typed, without `:style`.
    pub user: Option<Cow<'a, [u8]>>,
    /// The names of the account's groups; `None` if there is no such account, or its groups cannot be looked up.
    pub groups: Option<Cow<'a, [Vec<u8>]>>,
    /// Whether there is no such account.
    pub invalid_user: bool,
    /// The host name; the address as text unless `UseDNS yes`.
    pub host: Option<Cow<'a, [u8]>>,
    /// The address it comes from, as text.
    pub address: Option<Cow<'a, [u8]>>,
    /// The address it came to, as text.
    pub local_address: Option<Cow<'a, [u8]>>,
    /// The port it came to.
    pub local_port: Option<u16>,
    /// Its routing domain.
    pub rdomain: Option<Cow<'a, [u8]>>,
}

impl Connection<'_> {
    /// Whether all criteria hold (`match_cfg_line`).
    #[must_use]
    pub fn satisfies(&self, criteria: &Criteria) -> bool {
        criteria.0.iter().all(|criterion| self.satisfies_one(criterion))
    }

    /// Whether this criterion holds.
    #[must_use]
    pub fn satisfies_one(&self, criterion: &Criterion) -> bool {
        let yes = |answer| answer == pattern::Answer::Yes;
        match criterion {
            Criterion::All => true,
            Criterion::User(list) => self.user.as_ref().is_some_and(|user| yes(pattern::list(user, list))),
            Criterion::Group(list) => {
                self.groups.as_ref().is_some_and(|groups| pattern::groups(groups.iter().map(Vec::as_slice), list))
            }
            Criterion::Host(list) => self.host.as_ref().is_some_and(|host| yes(pattern::host(host, list))),
            Criterion::Address(items) => self.address.as_ref().is_some_and(|text| yes(address::list(text, items))),
            Criterion::LocalAddress(items) => {
                self.local_address.as_ref().is_some_and(|text| yes(address::list(text, items)))
            }
            Criterion::LocalPort(port) => self.local_port == Some(*port),
            Criterion::RDomain(list) => self.rdomain.as_ref().is_some_and(|name| yes(pattern::list(name, list))),
            Criterion::InvalidUser => self.invalid_user,
            Criterion::Version(matches) => *matches,
        }
    }
}
