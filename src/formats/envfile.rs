//! Files of `NAME=value` lines as systemd's `EnvironmentFile=` reads them (systemd.exec(5)): `/etc/default/ssh`,
//! `/etc/sysconfig/sshd`. A shell that sources such a file reads plain assignments the same way; what else a shell
//! could do with it is not modelled, and such lines are reported.

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// Names and values in order; a later one of the same name wins.
    pub variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// Lines, counted from 1, that are neither an assignment nor a comment.
    pub problems: Vec<u32>,
}

impl EnvFile {
    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.variables.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }
}

/// Reads a file. Never fails as a whole.
#[must_use]
pub fn parse(bytes: &[u8]) -> EnvFile {
    let mut file = EnvFile::default();
    let mut input = Input { rest: bytes, line: 1 };
    while let Some(first) = input.peek() {
        let line = input.line;
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => {
                input.next();
            }
            b'#' | b';' => input.skip_line(),
            _ => match assignment(&mut input) {
                Some(variable) => file.variables.push(variable),
                None => {
                    file.problems.push(line);
                    input.skip_line();
                }
            },
        }
    }
    file
}

struct Input<'a> {
    rest: &'a [u8],
    line: u32,
}

impl Input<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        if *first == b'\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(*first)
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|b| b != b'\n') {}
    }
}

fn assignment(input: &mut Input<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut name = Vec::new();
    loop {
        match input.peek()? {
            b'=' => break,
            b if b.is_ascii_alphanumeric() || b == b'_' => name.push(b),
            // `export NAME=value` of shells; systemd ignores such a line, so do we, aloud.
            _ => return None,
        }
        input.next();
    }
    input.next();
    (!name.is_empty()).then(|| (name, value(input)))
}

/// A value: runs in double quotes, in single quotes, and bare, up to the end of the line. Blanks around it do not count.
fn value(input: &mut Input<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    // Length up to the last byte that must stay: trailing bare blanks are cut.
    let mut kept = 0;
    while let Some(byte) = input.next() {
        match byte {
            b'\n' => break,
            b'\'' => {
                while let Some(inner) = input.next().filter(|b| *b != b'\'') {
                    out.push(inner);
                }
                kept = out.len();
            }
            b'"' => {
                while let Some(inner) = input.next().filter(|b| *b != b'"') {
                    match inner {
                        // Within double quotes a backslash escapes only what a shell says (sh(1), 2.2.3).
                        b'\\' => match input.next() {
                            Some(b'\n') | None => {}
                            Some(escaped @ (b'"' | b'\\' | b'$' | b'`')) => out.push(escaped),
                            Some(other) => out.extend([b'\\', other]),
                        },
                        inner => out.push(inner),
                    }
                }
                kept = out.len();
            }
            b'\\' => {
                if let Some(escaped) = input.next().filter(|b| *b != b'\n') {
                    out.push(escaped);
                    kept = out.len();
                }
            }
            b' ' | b'\t' | b'\r' => {
                if !out.is_empty() {
                    out.push(byte);
                }
            }
            byte => {
                out.push(byte);
                kept = out.len();
            }
        }
    }
    out.truncate(kept);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(input: &str, expected: &[(&str, &str)], problems: &[u32]) {
        let file = parse(input.as_bytes());
        let variables: Vec<(String, String)> = file
            .variables
            .iter()
            .map(|(k, v)| (String::from_utf8_lossy(k).into(), String::from_utf8_lossy(v).into()))
            .collect();
        let expected: Vec<(String, String)> = expected.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert_eq!((variables, file.problems.as_slice()), (expected, problems), "{input:?}");
    }

    #[test]
    fn values_and_quotes() {
        check("# c\n; c\nSSHD_OPTS=\n", &[("SSHD_OPTS", "")], &[]);
        check("SSHD_OPTS=\"-p 2222 -o 'A b'\"\n", &[("SSHD_OPTS", "-p 2222 -o 'A b'")], &[]);
        check("A= x y  \nB='a b' c\n", &[("A", "x y"), ("B", "a b c")], &[]);
        check("A=one\\\ntwo\nB=\"q\\\"\\x\"\n", &[("A", "onetwo"), ("B", "q\"\\x")], &[]);
        check("export A=1\nB=2\n. /etc/x\n", &[("B", "2")], &[1, 3]);
        check("A='unfinished\n", &[("A", "unfinished\n")], &[]);
        assert_eq!(parse(b"A=1\nA=2\n").get(b"A"), Some(&b"2"[..]));
    }

    proptest! {
        #[test]
        fn never_panics_and_ends(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(parse(&bytes).variables.len() <= bytes.len());
        }
    }
}
