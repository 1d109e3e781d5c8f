//! Where connections come from, or arrive: intervals of addresses that no criterion and no PAM module tells apart.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::quads;
use crate::formats::sshd_config::address::{self, Range, What};
use crate::formats::sshd_config::pattern;

/// Everything that tells addresses apart.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    nets: BTreeSet<Range>,
    globs: BTreeSet<Vec<u8>>,
}

/// One class of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressClass {
    /// An interval that holds the class.
    pub range: Range,
    /// One address of the class, as sshd writes it.
    pub witness: String,
    /// Whether the class is the whole interval; otherwise a pattern over the text cuts it further.
    pub whole: bool,
    /// Whether a pattern over the text of IPv6 addresses was not followed: nothing may be concluded for the class but
    /// for its witness.
    pub uncertain: bool,
}

impl Addresses {
    /// Tells the addresses of `items` from the others.
    pub fn list(&mut self, items: &[address::Item]) {
        for item in items {
            match &item.what {
                What::Net(range) => {
                    self.nets.insert(*range);
                }
                What::Text(glob) => self.glob(glob),
            }
        }
    }

    /// Tells addresses whose text matches one of `patterns` from the others: `Match Host` without `UseDNS`.
    pub fn text(&mut self, patterns: &[u8]) {
        for item in pattern::items(&patterns.to_ascii_lowercase()).0 {
            self.glob(&item.pattern);
        }
    }

    /// Tells the addresses from `first` to `last` from the others.
    pub fn net(&mut self, first: IpAddr, last: IpAddr) {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                self.nets.insert(Range::V4(first.into(), last.into()));
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                self.nets.insert(Range::V6(first.into(), last.into()));
            }
            _ => {}
        }
    }

    /// Tells the addresses of `range` from the others.
    pub fn range(&mut self, range: Range) {
        self.nets.insert(range);
    }

    fn glob(&mut self, glob: &[u8]) {
        if glob.iter().all(|byte| *byte == b'*') && !glob.is_empty() {
            return;
        }
        match (prefix_v4(glob), prefix_v6(glob)) {
            (Some(range), _) | (None, Some(range)) => {
                self.nets.insert(range);
            }
            (None, None) => {
                self.globs.insert(glob.to_vec());
            }
        }
    }

    /// The classes: all of IPv4, then all of IPv6. A mapped address arrives as IPv4 (`ipv64_normalise_mapped`).
    #[must_use]
    pub fn classes(&self) -> Vec<AddressClass> {
        let globs: Vec<&[u8]> = self.globs.iter().map(Vec::as_slice).filter(|glob| may_be_address(glob)).collect();
        let mut classes = Vec::new();
        let mut cuts4 = BTreeSet::from([0_u32]);
        let mut cuts6 = BTreeSet::from([0_u128]);
        for net in &self.nets {
            match *net {
                Range::V4(first, last) => {
                    cuts4.insert(first);
                    cuts4.extend(last.checked_add(1));
                }
                Range::V6(first, last) => {
                    cuts6.insert(first);
                    cuts6.extend(last.checked_add(1));
                }
            }
        }
        let mapped = cuts6.range(MAPPED.0 + 1..=MAPPED.1).next().is_some();
        if mapped {
            cuts6.extend([MAPPED.0, MAPPED.1 + 1]);
        }
        for (first, last) in intervals(&cuts4, u32::MAX, |next| next - 1) {
            let range = Range::V4(first, last);
            let found = quads::combinations(&globs, first, last);
            let uncertain = found.is_none();
            let witnesses: Vec<u32> = found.map_or_else(|| vec![first], |found| found.into_values().collect());
            // A single class may as well be shown by an address that looks like one.
            let whole = witnesses.len() == 1 && !uncertain;
            for witness in witnesses {
                let witness = if whole { first.max(presentable(first, last)) } else { witness };
                let witness = Ipv4Addr::from(witness).to_string();
                classes.push(AddressClass { range, witness, whole, uncertain });
            }
        }
        let blurred = globs.iter().any(|glob| may_be_v6(glob));
        for (first, last) in intervals(&cuts6, u128::MAX, |next| next - 1) {
            if mapped && MAPPED.0 <= first && last <= MAPPED.1 {
                continue;
            }
            let shown = (first..=last).contains(&DOCUMENTATION_V6);
            let witness = Ipv6Addr::from(if shown { DOCUMENTATION_V6 } else { first });
            classes.push(AddressClass {
                range: Range::V6(first, last),
                witness: witness.to_string(),
                whole: true,
                uncertain: blurred,
            });
        }
        classes
    }
}

/// `::ffff:0:0/96`: no connection comes from there.
pub(in crate::login) const MAPPED: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

/// 203.0.113.9, of the block for documentation (RFC 5737).
const DOCUMENTATION_V4: u32 = 0xcb00_7109;
/// 2001:db8::9, of the block for documentation (RFC 3849).
const DOCUMENTATION_V6: u128 = 0x2001_0db8_0000_0000_0000_0000_0000_0009;

/// An address of the interval for people to read: one for documentation if it lies in it, else the first that ends in
/// no zero.
fn presentable(first: u32, last: u32) -> u32 {
    if (first..=last).contains(&DOCUMENTATION_V4) {
        DOCUMENTATION_V4
    } else if first & 0xff == 0 && first < last {
        first + 1
    } else {
        first
    }
}

/// The intervals between cuts.
fn intervals<T: Copy + Ord>(cuts: &BTreeSet<T>, max: T, before: impl Fn(T) -> T) -> Vec<(T, T)> {
    let starts: Vec<T> = cuts.iter().copied().collect();
    starts.iter().enumerate().map(|(i, start)| (*start, starts.get(i + 1).map_or(max, |next| before(*next)))).collect()
}

/// `10.`, `10.1.*`, `10.1.2.*` and whole addresses: what they match is a network.
fn prefix_v4(glob: &[u8]) -> Option<Range> {
    let text = std::str::from_utf8(glob).ok()?;
    let Some(prefix) = text.strip_suffix(".*") else {
        let address: Ipv4Addr = text.parse().ok()?;
        return Some(Range::one(IpAddr::V4(address)));
    };
    let octets: Vec<u8> = prefix
        .split('.')
        .map(|part| part.parse::<u8>().ok().filter(|octet| octet.to_string() == part))
        .collect::<Option<_>>()?;
    let count = u32::try_from(octets.len()).ok().filter(|count| *count <= 3)?;
    let head = octets.iter().fold(0_u32, |head, octet| head << 8 | u32::from(*octet));
    let shift = 32 - 8 * count;
    let first = head << shift;
    Some(Range::V4(first, first | u32::MAX >> (32 - shift)))
}

/// `2001:db8:*`, groups neither zero nor padded, and whole addresses as sshd writes them.
fn prefix_v6(glob: &[u8]) -> Option<Range> {
    let text = std::str::from_utf8(glob).ok()?;
    let Some(prefix) = text.strip_suffix(":*") else {
        let address: Ipv6Addr = text.parse().ok()?;
        return (address.to_string() == text).then(|| Range::one(IpAddr::V6(address)));
    };
    let groups: Vec<u16> = prefix
        .split(':')
        .map(|part| u16::from_str_radix(part, 16).ok().filter(|group| *group != 0 && format!("{group:x}") == part))
        .collect::<Option<_>>()?;
    let count = u32::try_from(groups.len()).ok().filter(|count| *count <= 6)?;
    let head = groups.iter().fold(0_u128, |head, group| head << 16 | u128::from(*group));
    let shift = 128 - 16 * count;
    let first = head << shift;
    Some(Range::V6(first, first | u128::MAX >> (128 - shift)))
}

/// Whether a pattern could match an address at all: host names with other letters cannot.
#[must_use]
pub fn may_be_address(glob: &[u8]) -> bool {
    glob.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b':' | b'.' | b'*' | b'?'))
}

/// Whether a pattern that is no network could match an IPv6 address: one that holds a dot and does not begin with a
/// wildcard or a colon cannot.
fn may_be_v6(glob: &[u8]) -> bool {
    !glob.contains(&b'.') || matches!(glob.first(), Some(b'*' | b'?' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, expected: &[&str]) {
        let mut addresses = Addresses::default();
        addresses.list(&address::parse_list(list.as_bytes()).unwrap());
        let shown: Vec<String> = addresses
            .classes()
            .iter()
            .map(|class| {
                format!(
                    "{}{}{}",
                    class.witness,
                    if class.whole { "" } else { " part" },
                    if class.uncertain { " ?" } else { "" }
                )
            })
            .collect();
        assert_eq!(shown, expected, "{list}");
    }

    #[test]
    fn classes() {
        check("*", &["203.0.113.9", "2001:db8::9"]);
        check("10.0.0.0/8", &["0.0.0.1", "10.0.0.1", "203.0.113.9", "2001:db8::9"]);
        check("10.*", &["0.0.0.1", "10.0.0.1", "203.0.113.9", "2001:db8::9"]);
        check("10.0.0.0/8,10.1.0.0/16", &["0.0.0.1", "10.0.0.1", "10.1.0.1", "10.2.0.1", "203.0.113.9", "2001:db8::9"]);
        check("*.5", &["0.0.0.0 part", "0.0.0.5 part", "2001:db8::9 ?"]);
        check("1?.0.0.1", &["0.0.0.0 part", "10.0.0.1 part", "2001:db8::9"]);
        check("::ffff:10.1.2.3", &["203.0.113.9", "::", "2001:db8::9"]);
        check("2001:db8:*", &["203.0.113.9", "::", "2001:db8::9", "2001:db9::"]);
    }
}
