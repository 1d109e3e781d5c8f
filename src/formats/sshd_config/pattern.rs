//! Patterns of sshd_config(5), section PATTERNS: `*`, `?`, comma-separated lists, `!`. Follows match.c of OpenSSH 9.2.

/// Whether the whole of `string` matches `pattern` (`match_pattern`). Linear in the product of both lengths.
#[must_use]
pub fn matches(string: &[u8], pattern: &[u8]) -> bool {
    let mut string = string;
    let mut pattern = pattern;
    // The last `*` seen: what to match after it, and what it has not swallowed yet.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), string.split_first()) {
            (Some((b'*', rest)), _) => {
                star = Some((rest, string));
                pattern = rest;
            }
            (Some((p, rest)), Some((s, tail))) if p == s || *p == b'?' => {
                pattern = rest;
                string = tail;
            }
            (None, None) => return true,
            _ => match star {
                Some((after, swallowed)) => {
                    let Some((_, tail)) = swallowed.split_first() else { return false };
                    star = Some((after, tail));
                    pattern = after;
                    string = tail;
                }
                None => return false,
            },
        }
    }
}

/// One pattern of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// Whether `!` stands before it.
    pub negated: bool,
    /// The pattern.
    pub pattern: Vec<u8>,
}

/// The patterns of a list up to one that is too long, and whether there was such a one: a list with it never matches
/// beyond that point.
#[must_use]
pub fn items(list: &[u8]) -> (Vec<Item>, bool) {
    let mut too_long = false;
    let items =
        parts(list, &mut too_long).map(|(negated, pattern)| Item { negated, pattern: pattern.to_vec() }).collect();
    (items, too_long)
}

/// The same without a copy: whether each is negated, and the pattern.
fn parts<'l>(list: &'l [u8], too_long: &mut bool) -> impl Iterator<Item = (bool, &'l [u8])> {
    // A comma at the very end opens no further pattern.
    let inner = list.strip_suffix(b",").unwrap_or(list);
    inner.split(|byte| *byte == b',').filter(|_| !list.is_empty()).map_while(|part| {
        let (negated, pattern) = match part.split_first() {
            Some((b'!', rest)) => (true, rest),
            _ => (false, part),
        };
        *too_long = pattern.len() >= MAX_ITEM;
        (!*too_long).then_some((negated, pattern))
    })
}

/// What a list says of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A positive pattern matches and no negated one.
    Yes,
    /// Nothing matches.
    No,
    /// A negated pattern matches: this vetoes every other.
    Never,
}

/// What `list` says of `string` (`match_pattern_list`).
#[must_use]
pub fn list(string: &[u8], list: &[u8]) -> Answer {
    let mut too_long = false;
    let mut answer = Answer::No;
    for (negated, pattern) in parts(list, &mut too_long) {
        if matches(string, pattern) {
            if negated {
                return Answer::Never;
            }
            answer = Answer::Yes;
        }
    }
    if too_long { Answer::No } else { answer }
}

/// What `patterns` says of a host name: both in lower case (`match_hostname`).
#[must_use]
pub fn host(name: &[u8], patterns: &[u8]) -> Answer {
    list(&name.to_ascii_lowercase(), &patterns.to_ascii_lowercase())
}

/// What `patterns` says of a set of groups (`ga_match_pattern_list`): one group that hits a negated pattern vetoes all.
#[must_use]
pub fn groups<'a>(groups: impl IntoIterator<Item = &'a [u8]>, patterns: &[u8]) -> bool {
    let mut found = false;
    for group in groups {
        match list(group, patterns) {
            Answer::Never => return false,
            Answer::Yes => found = true,
            Answer::No => {}
        }
    }
    found
}

/// Patterns of this length or longer end a list without a match, in bytes (`sub[1024]` in match.c).
const MAX_ITEM: usize = 1023;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(string: &str, pattern: &str, expected: bool) {
        assert_eq!(matches(string.as_bytes(), pattern.as_bytes()), expected, "{string} {pattern}");
    }

    #[test]
    fn globs() {
        check("", "", true);
        check("", "*", true);
        check("abc", "a*c", true);
        check("abc", "a?c", true);
        check("abc", "*b*", true);
        check("abc", "a*b", false);
        check("abc", "??", false);
        check("aXbXc", "a*X?", true);
        check("ab", "a**b", true);
        check("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*a*a*c", false);
    }

    fn check_list(string: &str, patterns: &str, expected: Answer) {
        assert_eq!(list(string.as_bytes(), patterns.as_bytes()), expected, "{string} {patterns}");
    }

    #[test]
    fn lists() {
        check_list("root", "!root", Answer::Never);
        check_list("alice", "!root", Answer::No);
        check_list("alice", "*,!root", Answer::Yes);
        check_list("root", "*,!root", Answer::Never);
        check_list("bob", "alice, bob", Answer::No);
        check_list("", "a,,b", Answer::Yes);
        check_list("", "a,", Answer::No);
        check_list("", ",", Answer::Yes);
        check_list("a", &format!("a,{}", "x".repeat(1023)), Answer::No);
    }

    #[test]
    fn one_group_can_veto() {
        assert!(groups([b"users".as_slice(), b"staff"], b"staff"));
        assert!(!groups([b"users".as_slice(), b"nomfa"], b"*,!nomfa"));
        assert!(!groups([], b"*"));
    }
}
