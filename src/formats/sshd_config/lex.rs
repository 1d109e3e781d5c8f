//! Cuts the bytes of a file into lines and the lines into words, as sshd does.
//!
//! Follows `load_server_config` (servconf.c), `strdelim` and `argv_split` (misc.c) of OpenSSH 9.2; before 8.7 arguments
//! were cut by `strdelim` too.

use super::dialect::Dialect;

/// One line as sshd sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    /// Physical line on which it begins, counted from 1.
    pub number: u32,
    /// Bytes of leading white space that were stripped.
    pub indent: u32,
    /// Its content without leading and trailing white space.
    pub content: Vec<u8>,
}

/// The lines of a file. A NUL ends a line and swallows the rest of it with its newline, so that the next line is glued
/// to it (`strlen` after `getline`). Before 8.7 a `#` anywhere, quoted or not, ended the line.
#[must_use]
pub fn lines(bytes: &[u8], dialect: Dialect) -> Vec<RawLine> {
    let mut out: Vec<RawLine> = Vec::new();
    let mut glue = false;
    let mut number = 0_u32;
    let mut physical = bytes.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = physical.next() {
        if line.is_empty() && physical.peek().is_none() {
            break;
        }
        number = number.saturating_add(1);
        let indent = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        let rest = line.get(indent..).unwrap_or_default();
        let comment = rest.iter().position(|byte| *byte == b'#').filter(|_| !dialect.at_least(8, 7));
        // What is behind a NUL is not seen, a comment neither.
        let rest = comment.and_then(|at| rest.get(..at)).filter(|rest| !rest.contains(&0)).unwrap_or(rest);
        let (content, cut) = match rest.iter().position(|byte| *byte == 0) {
            Some(nul) => (rest.get(..nul).unwrap_or_default(), true),
            None => (rest, false),
        };
        match out.last_mut() {
            Some(last) if glue => last.content.extend_from_slice(content),
            _ => out.push(RawLine {
                number,
                indent: u32::try_from(indent).unwrap_or(u32::MAX),
                content: content.to_vec(),
            }),
        }
        glue = cut;
    }
    for line in &mut out {
        // The first byte is never stripped: a line of one form feed stays, and is a bad keyword.
        while line.content.len() > 1
            && line.content.last().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0c))
        {
            line.content.pop();
        }
    }
    out
}

/// A word and where it begins in its line, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its value: quotes removed, escapes resolved.
    pub text: Vec<u8>,
    /// Offset of its first byte from the start of the line's content.
    pub at: usize,
}

impl Word {
    /// Whether it is `none` in any case.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.text.eq_ignore_ascii_case(b"none")
    }
}

/// What remains of a line while it is cut, with the offset of its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Not yet cut; `None` once the end was passed.
    pub text: Option<Vec<u8>>,
    /// Offset from the start of the line's content.
    pub at: usize,
}

impl Rest {
    /// A whole line.
    #[must_use]
    pub fn new(line: &[u8]) -> Self {
        Self { text: Some(line.to_vec()), at: 0 }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.as_ref().is_none_or(Vec::is_empty)
    }

    /// The next word (`strdelim`): ends at white space, one `=`, or a closing `"`; a quote may begin inside it. `None` at
    /// the end, and at a quote that is never closed.
    pub fn strdelim(&mut self) -> Option<Word> {
        self.cut(true)
    }

    /// The same where `=` is a byte like others (`strdelimw`).
    pub fn strdelimw(&mut self) -> Option<Word> {
        self.cut(false)
    }

    fn cut(&mut self, equals: bool) -> Option<Word> {
        let mut text = self.text.take()?;
        let at = self.at;
        let ends = |byte: &u8| is_space(*byte) || *byte == b'"' || equals && *byte == b'=';
        let Some(end) = text.iter().position(ends) else {
            return Some(Word { text, at });
        };
        let delimiter = text.get(end).copied().unwrap_or_default();
        if delimiter == b'"' {
            text.remove(end);
            let close = text.iter().skip(end).position(|byte| *byte == b'"')?;
            let close = end.saturating_add(close);
            // One byte further than the index says: the opening quote was removed.
            self.advance(&text, close.saturating_add(1), at.saturating_add(1), false);
            text.truncate(close);
        } else {
            self.advance(&text, end.saturating_add(1), at, equals && delimiter != b'=');
            text.truncate(end);
        }
        Some(Word { text, at })
    }

    /// Sets the rest to what follows `from` in `text` and white space; where `equals`, one `=` is skipped as well.
    fn advance(&mut self, text: &[u8], from: usize, base: usize, equals: bool) {
        let blanks = |from: usize| {
            let tail = text.get(from..).unwrap_or_default();
            from.saturating_add(tail.iter().take_while(|byte| is_space(**byte)).count())
        };
        let mut from = blanks(from);
        if equals && text.get(from) == Some(&b'=') {
            from = blanks(from.saturating_add(1));
        }
        self.text = Some(text.get(from..).unwrap_or_default().to_vec());
        self.at = base.saturating_add(from);
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The arguments of a line (`argv_split` with comments): cut at spaces and tabs, `"` and `'` quote anywhere, a backslash
/// escapes a quote, itself, and outside quotes a space; `#` at the start of a word ends the line. `None`: a quote is
/// never closed.
#[must_use]
pub fn argv_split(text: &[u8], base: usize) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut bytes = text.iter().copied().enumerate().peekable();
    while let Some((start, byte)) = bytes.next() {
        match byte {
            b' ' | b'\t' => continue,
            b'#' => break,
            _ => {}
        }
        let mut word = Vec::new();
        let mut quote = None;
        let mut current = Some(byte);
        while let Some(byte) = current {
            let next = bytes.peek().map(|(_, next)| *next);
            match (byte, quote) {
                (b'\\', _) => match next {
                    Some(escaped)
                        if matches!(escaped, b'\'' | b'"' | b'\\') || (quote.is_none() && escaped == b' ') =>
                    {
                        bytes.next();
                        word.push(escaped);
                    }
                    _ => word.push(byte),
                },
                (b' ' | b'\t', None) => break,
                (b'"' | b'\'', None) => quote = Some(byte),
                (byte, Some(open)) if byte == open => quote = None,
                (byte, _) => word.push(byte),
            }
            current = bytes.next().map(|(_, next)| next);
        }
        if quote.is_some() {
            return None;
        }
        words.push(Word { text: word, at: base.saturating_add(start) });
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lines(input: &[u8], expected: &[(u32, &[u8])]) {
        let lines = lines(input, Dialect::DEBIAN_12);
        let seen: Vec<(u32, &[u8])> = lines.iter().map(|line| (line.number, line.content.as_slice())).collect();
        assert_eq!(seen, expected, "{:?}", String::from_utf8_lossy(input));
    }

    #[test]
    fn files_are_cut_into_lines() {
        check_lines(b"a 1\n \tb 2 \r\n\nc", &[(1, b"a 1"), (2, b"b 2"), (3, b""), (4, b"c")]);
        check_lines(b"a no\0 x\nb yes\nc 1\n", &[(1, b"a nob yes"), (3, b"c 1")]);
        check_lines(b"\x0c\n", &[(1, b"\x0c")]);
        check_lines(b"", &[]);
    }

    fn check_strdelim(input: &str, expected: &[&str]) {
        let mut rest = Rest::new(input.as_bytes());
        let mut words = Vec::new();
        while let Some(word) = rest.strdelim() {
            words.push(String::from_utf8(word.text).unwrap());
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(words, expected, "{input}");
    }

    #[test]
    fn keywords_end_at_blank_or_one_equals_sign() {
        check_strdelim("Port 22", &["Port", "22"]);
        check_strdelim("Port = 22", &["Port", "22"]);
        check_strdelim("Port=22", &["Port", "22"]);
        check_strdelim("Port==22", &["Port", "", "22"]);
        check_strdelim("User \"a b\" c", &["User", "a b", "c"]);
        check_strdelim("User a\"b c\"d", &["User", "ab c", "d"]);
        check_strdelim("User \"a b", &["User"]);
    }

    #[test]
    fn words_know_where_they_begin() {
        let line = b"Match  user=\"a b\"  all";
        let mut rest = Rest::new(line);
        let at: Vec<usize> = std::iter::from_fn(|| rest.strdelim()).map(|word| word.at).collect();
        assert_eq!(at, [0, 7, 12, 19]);
        let at: Vec<usize> = argv_split(b" x 'y z'  w#1 # no", 4).unwrap().iter().map(|word| word.at).collect();
        assert_eq!(at, [5, 7, 14]);
    }

    fn check_argv(input: &str, expected: Option<&[&str]>) {
        let words = argv_split(input.as_bytes(), 0)
            .map(|words| words.into_iter().map(|word| String::from_utf8(word.text).unwrap()).collect::<Vec<_>>());
        assert_eq!(words, expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect()), "{input}");
    }

    #[test]
    fn arguments_are_quoted_and_escaped() {
        check_argv("a b\tc", Some(&["a", "b", "c"]));
        check_argv("'a b' \"c d\"e", Some(&["a b", "c de"]));
        check_argv("a\\ b \\\" \\x", Some(&["a b", "\"", "\\x"]));
        check_argv("a#b #c", Some(&["a#b"]));
        check_argv("''", Some(&[""]));
        check_argv("'a", None);
        check_argv("\"a\\ b\"", Some(&["a\\ b"]));
        check_argv("", Some(&[]));
    }
}
