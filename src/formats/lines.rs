//! The lines of a text file of bytes, with their numbers.

/// The lines of `bytes` with their numbers from 1, without the line feed; a last line without one counts too.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    Lines { rest: bytes, number: 0 }
}

struct Lines<'a> {
    rest: &'a [u8],
    number: u32,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number = self.number.saturating_add(1);
        let (line, rest) = match memchr::memchr(b'\n', self.rest) {
            Some(at) => (self.rest.get(..at)?, self.rest.get(at.checked_add(1)?..)?),
            None => (self.rest, [].as_slice()),
        };
        self.rest = rest;
        Some((self.number, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[(u32, &[u8])]) {
        assert_eq!(lines(input).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_last_line_needs_no_line_feed() {
        check(b"", &[]);
        check(b"a", &[(1, b"a")]);
        check(b"a\n", &[(1, b"a")]);
        check(b"a\n\nb\r\n", &[(1, b"a"), (2, b""), (3, b"b\r")]);
    }
}
