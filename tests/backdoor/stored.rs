//! How the test data of the families are stored: not as `signatures/` stores them, and not in plain.
//!
//! `r:` and the hexadecimal of the bytes in reverse order with the two nibbles of each exchanged. A pattern is its text in
//! that form; its spellings are written out here, by code of the tests' own.

/// What a stored value stands for.
pub fn reveal(stored: &str) -> Vec<u8> {
    let Some(hex) = stored.strip_prefix("r:") else { return stored.as_bytes().to_vec() };
    let digits: Vec<u8> =
        hex.bytes().map(|digit| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).rev().map(|pair| pair[1] << 4 | pair[0]).collect()
}

/// Bytes of a fixture, and of each which bits matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    pub matters: Vec<u8>,
}

impl Piece {
    pub fn literal(bytes: Vec<u8>) -> Self {
        let matters = vec![0xff; bytes.len()];
        Self { bytes, matters }
    }

    /// Its longest run of bytes of which every bit matters.
    pub fn longest_run(&self) -> Vec<u8> {
        let open = |at: &usize| self.matters[*at] != 0xff;
        let ends = (0..self.bytes.len()).filter(open).chain([self.bytes.len()]);
        let mut runs = Vec::new();
        let mut start = 0;
        for end in ends {
            runs.push(&self.bytes[start..end]);
            start = end + 1;
        }
        runs.into_iter().max_by_key(|run| run.len()).unwrap_or_default().to_vec()
    }

    /// The piece with one bit that matters changed in the byte at `at`; `None` if none matters there.
    pub fn flipped(&self, at: usize) -> Option<Self> {
        let matters = self.matters[at];
        let mut changed = self.clone();
        changed.bytes[at] ^= matters & matters.wrapping_neg();
        (matters != 0).then_some(changed)
    }
}

/// Every spelling of a pattern: `(a|b)` alternatives, `[a]` optional, `?` any nibble.
pub fn spellings(pattern: &str) -> Vec<Piece> {
    let text: Vec<char> = pattern.chars().filter(|c| !c.is_whitespace()).collect();
    written_out(&text)
        .into_iter()
        .map(|digits| {
            let mut piece = Piece::default();
            for pair in digits.chunks(2) {
                let nibble = |c: char| c.to_digit(16).map_or((0x3, 0x0), |digit| (u8::try_from(digit).unwrap(), 0xf));
                let ((high, high_matters), (low, low_matters)) = (nibble(pair[0]), nibble(pair[1]));
                piece.bytes.push(high << 4 | low);
                piece.matters.push(high_matters << 4 | low_matters);
            }
            piece
        })
        .collect()
}

/// Flat digit strings; groups here are not nested.
fn written_out(text: &[char]) -> Vec<Vec<char>> {
    let Some(open) = text.iter().position(|c| matches!(c, '(' | '[')) else { return vec![text.to_vec()] };
    let optional = text[open] == '[';
    let close = open + text[open..].iter().position(|c| *c == if optional { ']' } else { ')' }).unwrap();
    let mut choices: Vec<Vec<char>> = text[open + 1..close].split(|c| *c == '|').map(<[char]>::to_vec).collect();
    if optional {
        choices.push(Vec::new());
    }
    let rest = written_out(&text[close + 1..]);
    let mut all = Vec::new();
    for choice in choices {
        for tail in &rest {
            all.push([&text[..open], &choice, tail].concat());
        }
    }
    all
}
