//! Address lists of `Match Address`, `Match LocalAddress` and `AllowUsers user@host`. Follows addrmatch.c and addr.c of
//! OpenSSH 9.2; numeric forms are those of getaddrinfo(3) with `AI_NUMERICHOST` (so `10` is 0.0.0.10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::pattern::{self, Answer};

/// An interval of addresses of one family, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Range {
    /// IPv4.
    V4(u32, u32),
    /// IPv6.
    V6(u128, u128),
}

impl Range {
    /// Exactly one address.
    #[must_use]
    pub fn one(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::V4(u32::from(v4), u32::from(v4)),
            IpAddr::V6(v6) => Self::V6(u128::from(v6), u128::from(v6)),
        }
    }

    /// Whether `address` lies in it. Families never mix: a mapped address is IPv6 here.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(first, last), IpAddr::V4(v4)) => (*first..=*last).contains(&u32::from(v4)),
            (Self::V6(first, last), IpAddr::V6(v6)) => (*first..=*last).contains(&u128::from(v6)),
            _ => false,
        }
    }
}

/// One element of an address list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Whether `!` stands before it.
    pub negated: bool,
    /// What it names.
    pub what: What,
}

/// What an element of an address list names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An address or a network.
    Net(Range),
    /// A pattern, compared with the address as text.
    Text(Vec<u8>),
}

/// The elements of a list.
///
/// # Errors
///
/// The element that sshd refuses: empty, or with bits set behind the mask.
pub fn parse_list(list: &[u8]) -> Result<Vec<Item>, String> {
    list.split(|byte| *byte == b',')
        .map(|part| {
            let (negated, part) = match part.split_first() {
                Some((b'!', rest)) => (true, rest),
                _ => (false, part),
            };
            if part.is_empty() {
                return Err("an address list has an empty element".to_owned());
            }
            let what = match network(part) {
                Network::Is(range) => What::Net(range),
                Network::IsNot => What::Text(part.to_vec()),
                Network::Inconsistent => {
                    let part = String::from_utf8_lossy(part);
                    return Err(format!("`{part}` has a mask that does not fit its address"));
                }
            };
            Ok(Item { negated, what })
        })
        .collect()
}

/// What a list says of an address (`addr_match_list`); `text` is the address as sshd writes it.
#[must_use]
pub fn list(text: &[u8], items: &[Item]) -> Answer {
    let Some(address) = parse(text) else { return Answer::No };
    let mut answer = Answer::No;
    for item in items {
        let hit = match &item.what {
            What::Net(range) => range.contains(address),
            What::Text(glob) => pattern::matches(text, glob),
        };
        if hit && item.negated {
            return Answer::Never;
        }
        if hit {
            answer = Answer::Yes;
        }
    }
    answer
}

enum Network {
    Is(Range),
    IsNot,
    Inconsistent,
}

/// `addr_pton_cidr`: an address with an optional prefix length.
fn network(text: &[u8]) -> Network {
    if text.len() >= MAX_ADDRESS {
        return Network::IsNot;
    }
    let (address, mask) = match text.iter().position(|byte| *byte == b'/') {
        Some(slash) => (text.get(..slash).unwrap_or_default(), text.get(slash.saturating_add(1)..)),
        None => (text, None),
    };
    let mask = match mask.map(|digits| (digits, std::str::from_utf8(digits).ok().and_then(|d| d.parse::<u32>().ok()))) {
        None => None,
        Some((digits, Some(mask))) if mask <= 128 && digits.first().is_some_and(u8::is_ascii_digit) => Some(mask),
        Some(_) => return Network::IsNot,
    };
    let Some(address) = parse(address) else { return Network::IsNot };
    match address {
        IpAddr::V4(v4) => {
            let mask = mask.unwrap_or(32);
            if mask > 32 {
                return Network::Inconsistent;
            }
            let (first, host) = (u32::from(v4), u32::MAX.checked_shr(mask).unwrap_or(0));
            if first & host == 0 { Network::Is(Range::V4(first, first | host)) } else { Network::Inconsistent }
        }
        IpAddr::V6(v6) => {
            let (first, host) = (u128::from(v6), u128::MAX.checked_shr(mask.unwrap_or(128)).unwrap_or(0));
            if first & host == 0 { Network::Is(Range::V6(first, first | host)) } else { Network::Inconsistent }
        }
    }
}

/// A numeric address as getaddrinfo(3) takes it. Scoped IPv6 addresses (`fe80::1%eth0`) are not: a connection's scope is
/// no property that a configuration can be proved over.
#[must_use]
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    aton(text).map(IpAddr::V4)
}

/// inet_aton(3): one to four numbers, octal with `0` and hexadecimal with `0x`; the last one fills the remaining bytes.
fn aton(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, high) = parts.split_last()?;
    let room = 4_u32.checked_sub(u32::try_from(high.len()).ok()?)?.checked_mul(8)?;
    if room == 0 || high.iter().any(|part| *part > 255) || last.checked_shr(room).unwrap_or(0) != 0 {
        return None;
    }
    let mut value = 0_u32;
    for part in high {
        value = value.checked_shl(8)? | part;
    }
    Some(Ipv4Addr::from(value.checked_shl(room).unwrap_or(0) | last))
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// Longer than any address with a prefix length, in bytes (`addrbuf[64]` in addr.c).
const MAX_ADDRESS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, patterns: &str, expected: Answer) {
        let items = parse_list(patterns.as_bytes()).unwrap();
        assert_eq!(list(address.as_bytes(), &items), expected, "{address} {patterns}");
    }

    #[test]
    fn lists() {
        check("10.1.2.3", "10.0.0.0/8", Answer::Yes);
        check("10.1.2.3", "10.*", Answer::Yes);
        check("10.1.2.3", "!10.1.0.0/16,10.0.0.0/8", Answer::Never);
        check("10.1.2.3", "!11.0.0.0/8", Answer::No);
        check("::ffff:10.1.2.3", "10.0.0.0/8", Answer::No);
        check("2001:db8::1", "2001:db8::/32", Answer::Yes);
        check("0.0.0.10", "10", Answer::Yes);
        check("UNKNOWN", "*", Answer::No);
        check("1.2.3.4", "0.0.0.0/0", Answer::Yes);
        check("1.2.3.4", "example.org", Answer::No);
    }

    #[test]
    fn refused_lists() {
        for bad in ["10.0.0.1/8", "1.2.3.4/33", "", "1.2.3.4,", "!", "2001:db8::1/32"] {
            assert!(parse_list(bad.as_bytes()).is_err(), "{bad}");
        }
        // Not a number behind the slash: sshd takes it for a pattern.
        assert!(parse_list(b"10.0.0.0/x,10.0.0.0/129").is_ok());
    }

    #[test]
    fn old_forms_of_ipv4() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse(text.as_bytes()).map(|a| a.to_string()).as_deref(), expected, "{text}");
        };
        check("127.1", Some("127.0.0.1"));
        check("0x7f.1", Some("127.0.0.1"));
        check("010.0.0.1", Some("8.0.0.1"));
        check("1.2.3.4.5", None);
        check("256.1.1.1", None);
        check("4294967295", Some("255.255.255.255"));
        check("", None);
    }
}
