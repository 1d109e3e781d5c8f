//! Byte patterns: hexadecimal with wildcards, alternatives and optional parts, and the fixed bytes by which they are found.

use std::fmt;

use serde::Serialize;

use super::search;
use crate::model::text;

/// One way in which a pattern can be spelled: bytes with masks, found by some of the fixed ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Masked {
    values: Vec<u8>,
    masks: Vec<u8>,
    /// Where its [`ATOM`] stands.
    atom: usize,
    /// Where its word for the search stands; `None` if it has not as many fixed bytes in a row.
    word: Option<usize>,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// A character that means nothing here; offset in characters from the start of the pattern.
    Unexpected(usize),
    /// A group is not closed, or closed twice.
    Unbalanced(usize),
    /// A byte has only one of its two nibbles.
    HalfByte(usize),
    /// More than [`MAX_SPELLINGS`] spellings, or groups deeper than [`MAX_DEPTH`], or longer than [`MAX_LENGTH`] bytes.
    TooLarge,
    /// No run of [`ATOM`] fixed bytes in one of its spellings: it could only be found by trying every offset.
    NoAtom,
}

/// Fixed bytes in a row that every pattern and string must have, so that it can be found at all.
pub const ATOM: usize = 4;
/// Most spellings that alternatives may multiply to.
pub const MAX_SPELLINGS: usize = 256;
/// Deepest nesting of groups.
pub const MAX_DEPTH: usize = 4;
/// Most bytes of one spelling.
pub const MAX_LENGTH: usize = 4096;

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(at) => write!(f, "unexpected character at offset {at} of the pattern"),
            Self::Unbalanced(at) => write!(f, "unbalanced group at offset {at} of the pattern"),
            Self::HalfByte(at) => write!(f, "half a byte before offset {at} of the pattern"),
            Self::TooLarge => write!(
                f,
                "the pattern has more than {MAX_SPELLINGS} spellings, {MAX_DEPTH} levels or {MAX_LENGTH} bytes"
            ),
            Self::NoAtom => write!(f, "no {ATOM} fixed bytes in a row to find it by"),
        }
    }
}

impl std::error::Error for PatternError {}

impl Masked {
    /// Fixed bytes.
    ///
    /// # Errors
    /// [`PatternError::NoAtom`] or [`PatternError::TooLarge`], by their number.
    pub fn literal(bytes: &[u8]) -> Result<Self, PatternError> {
        Self::new(bytes.iter().map(|byte| (*byte, 0xff)).collect())
    }

    fn new(bytes: Vec<(u8, u8)>) -> Result<Self, PatternError> {
        if bytes.len() > MAX_LENGTH {
            return Err(PatternError::TooLarge);
        }
        let fixed = |window: &[(u8, u8)]| window.iter().all(|(_, mask)| *mask == 0xff);
        // How common a run of four bytes is, its bytes' frequencies multiplied say.
        let run = |run: &[(u8, u8)]| run.iter().map(|(value, _)| frequency(*value)).product::<u32>();
        let frequency = |window: &[(u8, u8)]| window.windows(ATOM).map(run).sum::<u32>();
        let seldom = |length| {
            let windows = bytes.windows(length).enumerate().filter(|(_, window)| fixed(window));
            windows.min_by_key(|(_, window)| frequency(window)).map(|(at, _)| at)
        };
        let atom = seldom(ATOM).ok_or(PatternError::NoAtom)?;
        let word = seldom(size_of::<search::Word>());
        let (values, masks) = bytes.into_iter().unzip();
        Ok(Self { values, masks, atom, word })
    }

    /// The fixed bytes to search for, and how far after the start of the pattern they stand: of all runs the one that is
    /// seldom in programs. `None` if no run is as long.
    #[must_use]
    pub fn word(&self) -> Option<(usize, search::Word)> {
        let at = self.word?;
        Some((at, *self.values.get(at..)?.first_chunk()?))
    }

    /// The shorter ones that every pattern has.
    #[must_use]
    pub fn atom(&self) -> (usize, [u8; ATOM]) {
        let bytes = self.values.get(self.atom..).and_then(|tail| tail.first_chunk::<ATOM>());
        (self.atom, bytes.copied().unwrap_or_default())
    }

    /// Its length in bytes; never 0.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// As text: printable ASCII as it is, escaped, if nothing is left open; else hexadecimal with `?` for open nibbles.
    #[must_use]
    pub fn shown(&self) -> String {
        let fixed = self.masks.iter().all(|mask| *mask == 0xff);
        if fixed && self.values.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~')) {
            return format!("`{}`", text::escape(&self.values));
        }
        let nibble = |value: u8, mask: u8| match mask {
            0 => '?',
            _ => char::from_digit(u32::from(value), 16).unwrap_or('?'),
        };
        let pairs = self.values.iter().zip(&self.masks);
        pairs.flat_map(|(value, mask)| [nibble(value >> 4, mask >> 4), nibble(value & 0xf, mask & 0xf)]).collect()
    }

    /// Whether it stands at `start` of `bytes`.
    #[must_use]
    pub fn stands_at(&self, bytes: &[u8], start: usize) -> bool {
        bytes.get(start..).and_then(|tail| tail.get(..self.len())).is_some_and(|here| {
            here.iter().zip(&self.values).zip(&self.masks).all(|((byte, value), mask)| (byte ^ value) & mask == 0)
        })
    }

    /// The same pattern with every byte passed through `map`, wildcards kept; only for patterns of whole bytes.
    #[must_use]
    pub fn map(mut self, map: impl Fn(u8) -> u8) -> Self {
        for (value, mask) in self.values.iter_mut().zip(&self.masks) {
            if *mask == 0xff {
                *value = map(*value);
            }
        }
        self
    }
}

/// How common a byte is in programs, roughly: 1 for the seldom ones. Only speed depends on it.
const fn frequency(byte: u8) -> u32 {
    match byte {
        0 => 60,
        0xff => 20,
        // Prefixes and register operands of x86-64.
        0x24 | 0x48 | 0x89 | 0x8b => 12,
        b' ' | b'_' | b'a' | b'e' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 10,
        1..=8 => 8,
        b'a'..=b'z' => 6,
        b'.'..=b'9' | b'A'..=b'Z' => 4,
        _ => 1,
    }
}

/// Every spelling of the pattern `text`: pairs of hexadecimal digits, `?` for any nibble, `(a|b)` for alternatives,
/// `[a]` for an optional part; blanks mean nothing.
///
/// # Errors
/// As [`PatternError`] says.
pub fn parse(text: &str) -> Result<Vec<Masked>, PatternError> {
    let mut reader = Reader { text: text.as_bytes(), at: 0 };
    let spellings = reader.alternatives(0)?;
    if reader.at < reader.text.len() {
        return Err(PatternError::Unbalanced(reader.at));
    }
    spellings.into_iter().map(Masked::new).collect()
}

type Spelling = Vec<(u8, u8)>;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// `sequence ('|' sequence)*`, until the end or an unopened closing bracket.
    fn alternatives(&mut self, depth: usize) -> Result<Vec<Spelling>, PatternError> {
        if depth > MAX_DEPTH {
            return Err(PatternError::TooLarge);
        }
        let mut all = self.sequence(depth)?;
        while self.peek() == Some(b'|') {
            self.step();
            all.extend(self.sequence(depth)?);
            if all.len() > MAX_SPELLINGS {
                return Err(PatternError::TooLarge);
            }
        }
        Ok(all)
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Spelling>, PatternError> {
        let mut spellings: Vec<Spelling> = vec![Vec::new()];
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\n' | b'\t' => self.step(),
                b'|' | b')' | b']' => break,
                b'(' | b'[' => {
                    let opened = self.at;
                    self.step();
                    let mut inner = self.alternatives(depth.saturating_add(1))?;
                    let close = if byte == b'(' { b')' } else { b']' };
                    if self.peek() != Some(close) {
                        return Err(PatternError::Unbalanced(opened));
                    }
                    self.step();
                    if byte == b'[' {
                        inner.push(Vec::new());
                    }
                    spellings = product(&spellings, &inner)?;
                }
                _ => {
                    let pair = self.byte()?;
                    for spelling in &mut spellings {
                        spelling.push(pair);
                        if spelling.len() > MAX_LENGTH {
                            return Err(PatternError::TooLarge);
                        }
                    }
                }
            }
        }
        Ok(spellings)
    }

    fn byte(&mut self) -> Result<(u8, u8), PatternError> {
        let (high, high_mask) = self.nibble()?.ok_or(PatternError::Unexpected(self.at))?;
        let (low, low_mask) = self.nibble()?.ok_or(PatternError::HalfByte(self.at))?;
        Ok((high << 4 | low, high_mask << 4 | low_mask))
    }

    fn nibble(&mut self) -> Result<Option<(u8, u8)>, PatternError> {
        let Some(byte) = self.peek() else { return Ok(None) };
        let nibble = match byte {
            b'?' => (0, 0),
            b' ' | b'\n' | b'\t' | b'(' | b'[' | b'|' | b')' | b']' => return Ok(None),
            _ => match char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()) {
                Some(digit) => (digit, 0xf),
                None => return Err(PatternError::Unexpected(self.at)),
            },
        };
        self.step();
        Ok(Some(nibble))
    }
}

fn product(before: &[Spelling], after: &[Spelling]) -> Result<Vec<Spelling>, PatternError> {
    if before.len().saturating_mul(after.len()) > MAX_SPELLINGS {
        return Err(PatternError::TooLarge);
    }
    let mut all = Vec::with_capacity(before.len().saturating_mul(after.len()));
    for first in before {
        for second in after {
            if first.len().saturating_add(second.len()) > MAX_LENGTH {
                return Err(PatternError::TooLarge);
            }
            all.push([first.as_slice(), second.as_slice()].concat());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, bytes: &[u8], expected: bool) {
        let found = parse(pattern).unwrap().iter().any(|spelling| {
            let (offset, atom) = spelling.atom();
            spelling.stands_at(bytes, 0) && bytes.get(offset..offset + ATOM) == Some(&atom[..])
        });
        assert_eq!(found, expected, "{pattern}");
    }

    #[test]
    fn wildcards_alternatives_and_options_match_what_they_say() {
        check("48 69 d2 6d", &[0x48, 0x69, 0xd2, 0x6d], true);
        check("4869d26d", &[0x48, 0x69, 0xd2, 0x6e], false);
        check("11223300??5?", &[0x11, 0x22, 0x33, 0, 0xff, 0x5e], true);
        check("11223300??5?", &[0x11, 0x22, 0x33, 0, 0xff, 0x6e], false);
        check("11223300(44|5566)77", &[0x11, 0x22, 0x33, 0, 0x55, 0x66, 0x77], true);
        check("11223300(44|5566)77", &[0x11, 0x22, 0x33, 0, 0x44, 0x77], true);
        check("11223300(44|5566)77", &[0x11, 0x22, 0x33, 0, 0x55, 0x77], false);
        check("11223300[44]55", &[0x11, 0x22, 0x33, 0, 0x55], true);
        check("11223300[44|(66|77)]55", &[0x11, 0x22, 0x33, 0, 0x77, 0x55], true);
    }

    #[test]
    fn the_atom_is_the_seldom_run() {
        let spelling = &parse("1122 ?? 0000000033445566 6?").unwrap()[0];
        assert_eq!(spelling.atom(), (7, [0x33, 0x44, 0x55, 0x66]));
    }

    #[test]
    fn a_pattern_is_shown_as_text_or_with_its_open_nibbles() {
        assert_eq!(Masked::literal(b"a b\n").unwrap().shown(), "`a b\\x0a`");
        assert_eq!(parse("6d4ec641 8?").unwrap()[0].shown(), "6d4ec6418?");
    }

    #[test]
    fn malformed_patterns_say_where() {
        let check = |pattern: &str, expected| assert_eq!(parse(pattern).unwrap_err(), expected, "{pattern}");
        check("11223g", PatternError::Unexpected(5));
        check("112", PatternError::HalfByte(3));
        check("112233(44", PatternError::Unbalanced(6));
        check("112233)", PatternError::Unbalanced(6));
        check("(11]2233", PatternError::Unbalanced(0));
        check("11??22??33", PatternError::NoAtom);
        check("", PatternError::NoAtom);
        check(&"(00|11)".repeat(9), PatternError::TooLarge);
        check("((((((11))))))2233", PatternError::TooLarge);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9a-f?()\\[\\]| xé]{0,60}") {
            let _ = parse(&text);
        }
    }
}
