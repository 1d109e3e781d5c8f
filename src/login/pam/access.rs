//! access.conf(5) as pam_access reads it for a remote connection (Linux-PAM 1.5.2, `pam_access.c`: `login_access`,
//! `list_match`, `user_match`, `from_match`): the first line that matches decides, and no line grants.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::condition::{Answer, Connection};

/// A table of access rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTable {
    rules: Vec<Rule>,
    group_names: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    grants: bool,
    users: Vec<Vec<u8>>,
    origins: Vec<Vec<u8>>,
}

/// How the module was told to read it.
#[derive(Clone, Copy, Debug)]
pub struct Separators<'a> {
    /// `fieldsep=`.
    pub fields: &'a [u8],
    /// `listsep=`.
    pub lists: &'a [u8],
    /// Not `nodefgroup`: a bare name may also be a group.
    pub group_names: bool,
}

impl AccessTable {
    /// Reads the file.
    #[must_use]
    pub fn parse(bytes: &[u8], separators: Separators<'_>) -> Self {
        let rules = bytes.split(|b| *b == b'\n').filter_map(|line| Rule::parse(line, separators)).collect();
        Self { rules, group_names: separators.group_names }
    }

    /// Whether the connection is granted access.
    #[must_use]
    pub fn answer(&self, connection: &Connection<'_>) -> Answer {
        // From the last line back: each either decides or leaves it to those after it.
        self.rules.iter().rev().fold(Answer::Yes, |otherwise, rule| {
            let origins: Vec<&[u8]> = rule.origins.iter().map(Vec::as_slice).collect();
            let users: Vec<&[u8]> = rule.users.iter().map(Vec::as_slice).collect();
            let applies = list_matches(&origins, &|token| origin_matches(token, connection))
                .and(list_matches(&users, &|token| self.user_matches(token, connection)));
            let decides = Answer::from(rule.grants);
            match applies {
                Answer::Yes => decides,
                Answer::No => otherwise,
                _ if decides == otherwise => otherwise,
                open => open,
            }
        })
    }

    fn user_matches(&self, token: &[u8], connection: &Connection<'_>) -> Answer {
        if token.eq_ignore_ascii_case(b"ALL") {
            return Answer::Yes;
        }
        let Some(account) = connection.account else { return Answer::Open };
        if let Some(group) = token.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")")) {
            return account.in_group(group);
        }
        if token.contains(&b'@') {
            return Answer::Open;
        }
        let named = Answer::from(token.eq_ignore_ascii_case(&account.name));
        if self.group_names { named.or(account.in_group(token)) } else { named }
    }

    /// Every name of an account or a group that it tells from others, without the brackets of groups.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        let words = self.rules.iter().flat_map(|rule| &rule.users).map(Vec::as_slice);
        let words = words.filter(|word| !word.eq_ignore_ascii_case(b"ALL") && !word.eq_ignore_ascii_case(b"EXCEPT"));
        words.map(|word| word.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")")).unwrap_or(word))
    }

    /// First and last address of every network that it tells apart.
    pub fn networks(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        self.rules.iter().flat_map(|rule| &rule.origins).filter_map(|token| network(token))
    }
}

impl Rule {
    fn parse(line: &[u8], separators: Separators<'_>) -> Option<Self> {
        if line.first() == Some(&b'#') {
            return None;
        }
        let line = line.trim_ascii_end();
        let mut rest = line;
        let mut field = || {
            let start = rest.iter().position(|b| !separators.fields.contains(b))?;
            let tail = rest.get(start..)?;
            let end = tail.iter().position(|b| separators.fields.contains(b)).unwrap_or(tail.len());
            rest = tail.get(end.saturating_add(1)..).unwrap_or_default();
            tail.get(..end)
        };
        let (permission, users) = (field()?, field()?);
        let origins = rest;
        if origins.is_empty() {
            return None;
        }
        let grants = match permission.first()? {
            b'+' => true,
            b'-' => false,
            _ => return None,
        };
        let tokens = |list: &[u8]| {
            list.split(|b| separators.lists.contains(b)).filter(|token| !token.is_empty()).map(<[u8]>::to_vec).collect()
        };
        Some(Self { grants, users: tokens(users), origins: tokens(origins) })
    }
}

/// `a b EXCEPT c EXCEPT d`: in the list, and not in the list after `EXCEPT`.
fn list_matches(tokens: &[&[u8]], matches: &dyn Fn(&[u8]) -> Answer) -> Answer {
    let except = tokens.iter().position(|token| token.eq_ignore_ascii_case(b"EXCEPT"));
    let (list, rest) = match except {
        Some(at) => (tokens.get(..at).unwrap_or_default(), tokens.get(at.saturating_add(1)..)),
        None => (tokens, None),
    };
    let inside = list.iter().map(|token| matches(token)).fold(Answer::No, Answer::or);
    match rest {
        // Each EXCEPT is one level; a file's line is short, and deeper ones are cut off undecided.
        Some(rest) if tokens.len() < 1000 => inside.and(list_matches(rest, matches).negated()),
        Some(_) => inside.and(Answer::Open),
        None => inside,
    }
}

fn origin_matches(token: &[u8], connection: &Connection<'_>) -> Answer {
    if token.eq_ignore_ascii_case(b"ALL") {
        return Answer::Yes;
    }
    // LOCAL is a login without a remote host.
    if token.eq_ignore_ascii_case(b"LOCAL") {
        return Answer::No;
    }
    match network(token) {
        Some((first, last)) => connection.remote.within(first, last),
        // A name of a host, a domain or a netgroup: what it stands for is decided elsewhere.
        None => Answer::Open,
    }
}

/// `10.1.`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `10.1.1.1`, `2001:db8::/32`: first and last address.
fn network(token: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let text = std::str::from_utf8(token).ok()?;
    if let Some(prefix) = text.strip_suffix('.') {
        let octets: Vec<u8> = prefix.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let mut low = [0; 4];
        let mut high = [255; 4];
        for (index, octet) in octets.iter().enumerate() {
            *low.get_mut(index)? = *octet;
            *high.get_mut(index)? = *octet;
        }
        return Some((Ipv4Addr::from(low).into(), Ipv4Addr::from(high).into()));
    }
    let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let mask = match mask {
                None => u32::MAX,
                Some(mask) => match mask.parse::<Ipv4Addr>() {
                    Ok(mask) => mask.to_bits(),
                    Err(_) => prefix_mask(mask.parse().ok()?, 32)?.try_into().ok()?,
                },
            };
            // A mask with holes is no interval.
            if mask.leading_ones().checked_add(mask.trailing_zeros())? != 32 {
                return None;
            }
            let low = address.to_bits() & mask;
            Some((Ipv4Addr::from_bits(low).into(), Ipv4Addr::from_bits(low | !mask).into()))
        }
        IpAddr::V6(address) => {
            let mask = match mask {
                None => u128::MAX,
                Some(mask) => prefix_mask(mask.parse().ok()?, 128)?,
            };
            let low = address.to_bits() & mask;
            Some((Ipv6Addr::from_bits(low).into(), Ipv6Addr::from_bits(low | !mask).into()))
        }
    }
}

/// A mask of `length` ones at the top of `width` bits.
fn prefix_mask(length: u32, width: u32) -> Option<u128> {
    let zeros = width.checked_sub(length)?;
    let all = if width == 128 { u128::MAX } else { (1_u128 << width).checked_sub(1)? };
    Some(all.checked_shl(zeros).unwrap_or(0) & all)
}

#[cfg(test)]
mod tests {
    use super::super::condition::{Account, Remote};
    use super::*;

    const DEFAULT: Separators<'_> = Separators { fields: b":", lists: b", \t", group_names: true };

    fn check(table: &str, from: &str, expected: Answer) {
        let account = Account {
            name: b"alice".to_vec(),
            uid: 1000,
            gid: 1000,
            groups: vec![b"staff".to_vec()],
            groups_complete: true,
            home: b"/home/alice".to_vec(),
            shell: b"/bin/sh".to_vec(),
            local: true,
        };
        let (low, high) = from.split_once('-').unwrap_or((from, from));
        let connection = Connection {
            account: Some(&account),
            remote: Remote::Range(low.parse().unwrap(), high.parse().unwrap()),
            service: b"sshd",
            empty_passwords_permitted: false,
            key_shown: false,
        };
        assert_eq!(AccessTable::parse(table.as_bytes(), DEFAULT).answer(&connection), expected, "{table} {from}");
    }

    #[test]
    fn first_match_decides() {
        check("", "10.0.0.1", Answer::Yes);
        check("+ : ALL : 127.0.0.1\n- : ALL : ALL", "127.0.0.1", Answer::Yes);
        check("+ : ALL : 127.0.0.1\n- : ALL : ALL", "10.0.0.1", Answer::No);
        check("+ : ALL : 10.0.0.0/8\n- : ALL : ALL", "10.0.0.0-10.255.255.255", Answer::Yes);
        check("+ : ALL : 10.0.0.0/8\n- : ALL : ALL", "9.0.0.0-10.255.255.255", Answer::Open);
        check("+ : ALL : 10.0.0.0/255.0.0.0\n- : ALL : ALL", "11.0.0.1", Answer::No);
        check("- : ALL EXCEPT (staff) : ALL", "11.0.0.1", Answer::Yes);
        check("- : ALL EXCEPT bob : ALL", "11.0.0.1", Answer::No);
        check("- : staff : ALL", "11.0.0.1", Answer::No);
        check("+ : Alice : 10.1.\n- : ALL : ALL", "10.1.2.3", Answer::Yes);
        check("- : ALL : LOCAL", "10.1.2.3", Answer::Yes);
        check("- : ALL : trusted.example", "10.1.2.3", Answer::Open);
        check("+ : ALL : 2001:db8::/32\n- : ALL : ALL", "2001:db8::1", Answer::Yes);
        check("+ : ALL : 2001:db8::/32\n- : ALL : ALL", "10.1.2.3", Answer::No);
        check("# + : ALL : ALL\nnonsense\n-: ALL :ALL", "10.1.2.3", Answer::No);
    }
}
