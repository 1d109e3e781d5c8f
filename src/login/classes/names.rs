//! Which combinations of patterns some name satisfies, each with a shortest such name.
//!
//! The patterns run in parallel over one word, each as a set of positions (a glob of n bytes has n + 1). A breadth-first
//! search over the joint states meets every reachable combination, and meets it first with a shortest word.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::formats::sshd_config::pattern;

/// One combination: for each pattern whether it matches, and a shortest name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combination {
    /// In the order of the patterns.
    pub signs: Vec<bool>,
    /// The name.
    pub witness: Vec<u8>,
}

/// More joint states than this are not searched.
const MAX_STATES: usize = 20_000;

/// States of single patterns that are kept at most, over all joint states: 64 MiB of them, which is a thousand names of
/// eight letters.
const MAX_CELLS: usize = 8 << 20;

/// Longest pattern, in bytes, so that a set of positions fits a word of the machine.
const MAX_PATTERN: usize = 63;

/// Every combination that some non-empty name over printable bytes satisfies. `None`: there are too many, or a pattern
/// is too long; nothing may then be concluded.
#[must_use]
pub fn combinations(patterns: &[&[u8]]) -> Option<Vec<Combination>> {
    search(patterns, MAX_CELLS)
}

fn search(patterns: &[&[u8]], max_cells: usize) -> Option<Vec<Combination>> {
    if patterns.iter().any(|pattern| pattern.len() > MAX_PATTERN) {
        return None;
    }
    let alphabet = alphabet(patterns);
    let start: Vec<u64> = patterns.iter().map(|pattern| closed(pattern, 1)).collect();
    let mut seen: BTreeSet<Vec<u64>> = BTreeSet::from([start.clone()]);
    let mut queue: VecDeque<(Vec<u64>, Vec<u8>)> = VecDeque::from([(start, Vec::new())]);
    let mut found: BTreeMap<Vec<bool>, Vec<u8>> = BTreeMap::new();
    while let Some((states, word)) = queue.pop_front() {
        if !word.is_empty() {
            let signs: Vec<bool> =
                states.iter().zip(patterns).map(|(state, pattern)| state >> pattern.len() & 1 == 1).collect();
            found.entry(signs).or_insert_with(|| word.clone());
        }
        for byte in &alphabet {
            let next: Vec<u64> =
                states.iter().zip(patterns).map(|(state, pattern)| step(pattern, *state, *byte)).collect();
            // The start is met with the empty word, which is no name: let it be met again.
            if seen.insert(next.clone()) || word.is_empty() {
                if seen.len() > MAX_STATES || seen.len().saturating_mul(patterns.len()) > max_cells {
                    return None;
                }
                let mut longer = word.clone();
                longer.push(*byte);
                queue.push_back((next, longer));
            }
        }
    }
    Some(found.into_iter().map(|(signs, witness)| Combination { signs, witness }).collect())
}

/// Spellings of `name` in small and capital letters, one for each combination of `patterns` that some spelling satisfies; the
/// name itself is among them if it is the only one of its combination. `None` as for [`combinations`].
///
/// Letters are those of ASCII and the two others that become one of them in small letters (Unicode, CaseFolding.txt: U+017F
/// and U+212A).
#[must_use]
pub fn spellings(name: &[u8], patterns: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    // No spelling matches a pattern that the name does not match in small letters.
    let small = name.to_ascii_lowercase();
    let longer = small.iter().any(|byte| matches!(byte, b's' | b'k'));
    let near = |glob: &&Vec<u8>| {
        glob.len() > MAX_PATTERN
            || !glob.is_ascii()
            || longer && glob.contains(&b'?')
            || pattern::matches(&small, &glob.to_ascii_lowercase())
    };
    let patterns: Vec<&[u8]> = patterns.iter().filter(near).map(Vec::as_slice).collect();
    if patterns.iter().any(|glob| glob.len() > MAX_PATTERN) {
        return None;
    }
    let start: Vec<u64> = patterns.iter().map(|pattern| closed(pattern, 1)).collect();
    let mut states: BTreeMap<Vec<u64>, Vec<u8>> = BTreeMap::from([(start, Vec::new())]);
    for byte in name {
        let mut next = BTreeMap::new();
        for (state, word) in &states {
            for letter in letters(*byte) {
                let reached: Vec<u64> = state
                    .iter()
                    .zip(&patterns)
                    .map(|(state, pattern)| letter.iter().fold(*state, |state, byte| step(pattern, state, *byte)))
                    .collect();
                next.entry(reached).or_insert_with(|| [word.as_slice(), &letter].concat());
            }
        }
        if next.len() > MAX_SPELLINGS {
            return None;
        }
        states = next;
    }
    let signs = |state: &[u64]| -> Vec<bool> {
        state.iter().zip(&patterns).map(|(state, pattern)| state >> pattern.len() & 1 == 1).collect()
    };
    let found: BTreeMap<Vec<bool>, Vec<u8>> = states.into_iter().map(|(state, word)| (signs(&state), word)).collect();
    Some(found.into_values().collect())
}

/// More joint states than this are not followed for one name.
const MAX_SPELLINGS: usize = 512;

/// The ways to spell a letter, its own first.
fn letters(byte: u8) -> Vec<Vec<u8>> {
    let mut letters = vec![vec![byte]];
    if byte.is_ascii_alphabetic() {
        letters.push(vec![byte ^ 0x20]);
    }
    match byte.to_ascii_lowercase() {
        b's' => letters.push("\u{17f}".into()),
        b'k' => letters.push("\u{212a}".into()),
        _ => {}
    }
    letters
}

/// Positions reachable from the set `state` after `byte`.
#[must_use]
pub fn step(pattern: &[u8], state: u64, byte: u8) -> u64 {
    let mut next = 0;
    for (index, wanted) in pattern.iter().enumerate() {
        if state >> index & 1 == 1 {
            match wanted {
                b'*' => next |= 1 << index,
                b'?' => next |= 1 << (index + 1),
                wanted if *wanted == byte => next |= 1 << (index + 1),
                _ => {}
            }
        }
    }
    closed(pattern, next)
}

/// The set `state` with every position that is reached by letting a `*` stand for nothing.
#[must_use]
pub fn closed(pattern: &[u8], mut state: u64) -> u64 {
    for (index, byte) in pattern.iter().enumerate() {
        if *byte == b'*' && state >> index & 1 == 1 {
            state |= 1 << (index + 1);
        }
    }
    state
}

/// One byte that no pattern names, then every byte that one does.
fn alphabet(patterns: &[&[u8]]) -> Vec<u8> {
    let named: BTreeSet<u8> = patterns
        .iter()
        .flat_map(|pattern| pattern.iter().copied())
        .filter(|byte| !matches!(byte, b'*' | b'?'))
        .collect();
    let fresh = (b'a'..=b'z').rev().chain(b'0'..=b'9').chain(b'A'..=b'Z').find(|byte| !named.contains(byte));
    fresh.into_iter().chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], expected: &[&str]) {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let found = combinations(&patterns).unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|one| {
                let signs: String = one.signs.iter().map(|sign| if *sign { '+' } else { '-' }).collect();
                format!("{signs} {}", String::from_utf8_lossy(&one.witness))
            })
            .collect();
        assert_eq!(shown, expected);
        for one in &found {
            let signs: Vec<bool> = patterns.iter().map(|pattern| pattern::matches(&one.witness, pattern)).collect();
            assert_eq!(signs, one.signs);
        }
    }

    #[test]
    fn every_possible_combination_has_a_shortest_name() {
        check(&[], &[" z"]);
        check(&["*"], &["+ z"]);
        check(&["a*", "*b"], &["-- z", "-+ b", "+- a", "++ ab"]);
        check(&["svc-*", "svc-web"], &["-- z", "+- svc-", "++ svc-web"]);
        check(&["?", "??"], &["-- zzz", "-+ zz", "+- z"]);
    }

    #[test]
    fn a_name_is_spelt_in_every_way_that_tells() {
        let check = |name: &str, patterns: &[&str], expected: usize| {
            let globs: Vec<Vec<u8>> = patterns.iter().map(|glob| glob.as_bytes().to_vec()).collect();
            let found = spellings(name.as_bytes(), &globs).unwrap();
            let signs: BTreeSet<Vec<bool>> =
                found.iter().map(|word| globs.iter().map(|glob| pattern::matches(word, glob)).collect()).collect();
            assert_eq!((found.len(), signs.len()), (expected, expected), "{name} {patterns:?} {found:?}");
            let same = |word: &String| word.to_lowercase().replace('\u{17f}', "s") == name.to_lowercase();
            assert!(found.iter().all(|word| same(&String::from_utf8(word.clone()).unwrap())), "{found:?}");
        };
        check("alice", &[], 1);
        check("alice", &["bob", "*"], 1);
        check("alice", &["alice"], 2);
        check("Alice", &["alice", "A*", "*E"], 5);
        check("x-1", &["x-?"], 2);
        check("kim", &["?im", "K*,k*", "???im"], 3);
        assert_eq!(spellings(b"alice", &[vec![b'*'; 64]]), None);
    }

    #[test]
    fn what_is_too_long_is_not_concluded_from() {
        assert_eq!(combinations(&[&[b'a'; 64]]), None);
        let patterns: Vec<Vec<u8>> = (0..30).map(|number| format!("a{number}*").into_bytes()).collect();
        let patterns: Vec<&[u8]> = patterns.iter().map(Vec::as_slice).collect();
        assert_eq!(search(&patterns, 900), None);
        assert!(search(&patterns, 9_000).is_some());
    }
}
