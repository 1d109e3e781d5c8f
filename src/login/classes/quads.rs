//! Patterns over IPv4 addresses as text: which combinations the addresses of an interval satisfy.
//!
//! `*.5`, `10.1*` or `1?.0.0.1` are no networks. The four numbers of an address are followed one after the other, each
//! pattern as a set of positions; the interval's ends bind the next number only while all numbers so far equal theirs.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{closed, step};

/// Every combination that an address from `first` to `last` satisfies, each with the lowest such address met. `None`: a
/// pattern is too long, or there are too many states.
#[must_use]
pub fn combinations(patterns: &[&[u8]], first: u32, last: u32) -> Option<BTreeMap<Vec<bool>, u32>> {
    if patterns.is_empty() {
        return Some(BTreeMap::from([(Vec::new(), first)]));
    }
    if patterns.iter().any(|pattern| pattern.len() > 63) {
        return None;
    }
    let start = patterns.iter().map(|pattern| closed(pattern, 1)).collect();
    let mut search = Search {
        patterns,
        first: first.to_be_bytes(),
        last: last.to_be_bytes(),
        seen: BTreeSet::new(),
        found: BTreeMap::new(),
    };
    search.octet(0, start, 0, true, true).then_some(search.found)
}

/// More joint states than this are not searched.
const MAX_STATES: usize = 20_000;

struct Search<'a> {
    patterns: &'a [&'a [u8]],
    first: [u8; 4],
    last: [u8; 4],
    seen: BTreeSet<(usize, Vec<u64>, bool, bool)>,
    found: BTreeMap<Vec<bool>, u32>,
}

impl Search<'_> {
    /// Follows every value of octet `index`; `false` where there are too many states.
    fn octet(&mut self, index: usize, states: Vec<u64>, value: u32, low: bool, high: bool) -> bool {
        let (Some(first), Some(last)) = (self.first.get(index).copied(), self.last.get(index).copied()) else {
            let signs = states.iter().zip(self.patterns).map(|(state, p)| state >> p.len() & 1 == 1).collect();
            self.found.entry(signs).or_insert(value);
            return true;
        };
        if !self.seen.insert((index, states.clone(), low, high)) {
            return true;
        }
        if self.seen.len() > MAX_STATES {
            return false;
        }
        let from = if low { first } else { 0 };
        let to = if high { last } else { 255 };
        (from..=to).all(|octet| {
            let mut text = octet.to_string();
            if index < 3 {
                text.push('.');
            }
            let next = states
                .iter()
                .zip(self.patterns)
                .map(|(state, pattern)| text.bytes().fold(*state, |state, byte| step(pattern, state, byte)))
                .collect();
            self.octet(index + 1, next, value << 8 | u32::from(octet), low && octet == first, high && octet == last)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn check(patterns: &[&str], first: &str, last: &str, expected: &[&str]) {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let number = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
        let found = combinations(&patterns, number(first), number(last)).unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|(signs, witness)| {
                let signs: String = signs.iter().map(|sign| if *sign { '+' } else { '-' }).collect();
                format!("{signs} {}", Ipv4Addr::from(*witness))
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn combinations_within_an_interval() {
        check(&["*.5"], "0.0.0.0", "255.255.255.255", &["- 0.0.0.0", "+ 0.0.0.5"]);
        check(&["*.5"], "10.0.0.6", "10.0.0.9", &["- 10.0.0.6"]);
        check(&["10.1*"], "10.0.0.0", "10.255.255.255", &["- 10.0.0.0", "+ 10.1.0.0"]);
        check(&["*.7", "1?.*"], "9.0.0.7", "10.0.0.0", &["-- 9.0.0.8", "-+ 10.0.0.0", "+- 9.0.0.7"]);
    }
}
