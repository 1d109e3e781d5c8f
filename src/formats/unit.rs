//! systemd units: sections, keys, drop-ins, and command lines (systemd.unit(5), systemd.service(5), systemd.syntax(7)).
//! Which files make up a unit, `observe::units` knows.

/// Longest chain of words and variables that one command may grow to; systemd itself stops at the kernel's ARG_MAX.
const MAX_WORDS: usize = 4096;

/// A unit, or a drop-in of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    entries: Vec<Entry>,
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    section: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// Reads a unit file. Second: the lines, counted from 1, that are neither section, assignment nor comment; systemd
/// ignores them too.
#[must_use]
pub fn parse(bytes: &[u8]) -> (Unit, Vec<u32>) {
    let mut unit = Unit::default();
    let mut problems = Vec::new();
    let mut section = Vec::new();
    for (number, line) in logical_lines(bytes) {
        if let Some(name) = line.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
            section = name.to_vec();
        } else if let Some(equals) = line.iter().position(|b| *b == b'=') {
            let (key, value) = line.split_at(equals);
            unit.entries.push(Entry {
                section: section.clone(),
                key: key.trim_ascii().to_vec(),
                value: value.get(1..).unwrap_or_default().trim_ascii().to_vec(),
            });
        } else {
            problems.push(number);
        }
    }
    (unit, problems)
}

/// Lines without comments and blanks around, a backslash at the end of a line joining the next with a space. Comments
/// within such a chain are dropped and do not end it.
fn logical_lines(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut lines = Vec::new();
    let mut open: Option<(u32, Vec<u8>)> = None;
    let mut number: u32 = 0;
    for raw in bytes.split(|b| *b == b'\n') {
        number = number.saturating_add(1);
        let line = raw.trim_ascii();
        if matches!(line.first(), Some(b'#' | b';')) {
            continue;
        }
        let (text, goes_on) = match line.strip_suffix(b"\\") {
            Some(text) => (text, true),
            None => (line, false),
        };
        let (start, mut joined) = open.take().unwrap_or((number, Vec::new()));
        joined.extend_from_slice(text);
        if goes_on {
            joined.push(b' ');
            open = Some((start, joined));
        } else if !joined.trim_ascii().is_empty() {
            lines.push((start, joined.trim_ascii().to_vec()));
        }
    }
    lines.extend(open.filter(|(_, joined)| !joined.trim_ascii().is_empty()));
    lines
}

impl Unit {
    /// Applies a drop-in: what it says comes after what was said before.
    pub fn extend(&mut self, drop_in: Self) {
        self.entries.extend(drop_in.entries);
    }

    /// The values of a key that lists: each assignment adds one, an empty one throws away those before it.
    #[must_use]
    pub fn list(&self, section: &str, key: &str) -> Vec<&[u8]> {
        let mut values = Vec::new();
        for value in self.values(section, key) {
            if value.is_empty() {
                values.clear();
            } else {
                values.push(value);
            }
        }
        values
    }

    /// The value of a key that holds one: the last assignment.
    #[must_use]
    pub fn last(&self, section: &str, key: &str) -> Option<&[u8]> {
        self.values(section, key).last().copied()
    }

    fn values(&self, section: &str, key: &str) -> Vec<&[u8]> {
        let wanted = |entry: &&Entry| entry.section == section.as_bytes() && entry.key == key.as_bytes();
        self.entries.iter().filter(wanted).map(|entry| entry.value.as_slice()).collect()
    }
}

/// A command of `ExecStart=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program, as written: an absolute path, or a name to be searched for.
    pub program: Vec<u8>,
    /// Its arguments after the name it is called by, variables replaced.
    pub arguments: Vec<Vec<u8>>,
    /// Whether every variable had a value that we know.
    pub complete: bool,
}

/// Reads a command line: prefixes of systemd.service(5) Table 2, quotes, `$NAME` (its value's words), `${NAME}` (its value
/// within a word). `instance` replaces `%i` and `%I`; other specifiers stay. `None` if quotes do not close or nothing is
/// left.
#[must_use]
pub fn command(value: &[u8], instance: &[u8], variable: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Command> {
    let words = words(value)?;
    let mut words = words.iter();
    let first = words.next()?;
    let at = first.iter().position(|b| !b"@-:+!|".contains(b))?;
    let (prefixes, program) = first.split_at(at);
    if prefixes.contains(&b'@') {
        // The next word is what the program sees as its own name.
        words.next();
    }
    let mut complete = true;
    let mut arguments = Vec::new();
    for word in words {
        let word = specifiers(word, instance);
        // Commands of one line are separated by a lone semicolon; the first is the one that matters for a server.
        if word == b";" {
            break;
        }
        if prefixes.contains(&b':') {
            arguments.push(word);
        } else if let Some(name) = word.strip_prefix(b"$").filter(|name| is_name(name)) {
            match variable(name) {
                Some(value) => arguments.extend(self::words(&value).unwrap_or_else(|| vec![value.clone()])),
                None => complete = false,
            }
        } else {
            let (word, all) = braces(&word, variable);
            complete &= all;
            arguments.push(word);
        }
        if arguments.len() > MAX_WORDS {
            return None;
        }
    }
    Some(Command { program: specifiers(program, instance), arguments, complete })
}

fn is_name(name: &[u8]) -> bool {
    name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// Replaces `${NAME}` and `$$` within a word.
fn braces(word: &[u8], variable: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(word.len());
    let mut complete = true;
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'$' {
            out.push(*first);
        } else if let Some(after) = tail.strip_prefix(b"$") {
            out.push(b'$');
            rest = after;
        } else if let Some((name, after)) = braced(tail) {
            match variable(name) {
                Some(value) => out.extend(value),
                None => complete = false,
            }
            rest = after;
        } else {
            out.push(b'$');
        }
    }
    (out, complete)
}

fn braced(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = bytes.strip_prefix(b"{")?;
    let close = inner.iter().position(|b| *b == b'}')?;
    let (name, rest) = inner.split_at(close);
    is_name(name).then_some((name, rest.get(1..).unwrap_or_default()))
}

fn specifiers(word: &[u8], instance: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail.first()) {
            (b'%', Some(b'%')) => {
                out.push(b'%');
                rest = tail.get(1..).unwrap_or_default();
            }
            (b'%', Some(b'i' | b'I')) => {
                out.extend_from_slice(instance);
                rest = tail.get(1..).unwrap_or_default();
            }
            _ => out.push(*first),
        }
    }
    out
}

/// Splits at blanks outside quotes and undoes the escapes of systemd.syntax(7). `None` if a quote does not close.
#[must_use]
pub fn words(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote: Option<u8> = None;
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', _) => {
                let escaped = escape(&mut bytes);
                word.get_or_insert_default().extend(escaped);
            }
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (byte, Some(open)) if byte == open => quote = None,
            (b' ' | b'\t' | b'\n' | b'\r', None) => words.extend(word.take()),
            (byte, _) => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// What stands after a backslash: the C escapes, `\s` for a space, `\xNN`, `\NNN`; any other character stands for itself
/// with its backslash, as systemd keeps it.
fn escape(bytes: &mut impl Iterator<Item = u8>) -> Vec<u8> {
    let Some(kind) = bytes.next() else { return vec![b'\\'] };
    let one = match kind {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b's' => b' ',
        b'\\' | b'"' | b'\'' => kind,
        b'x' => return numeric(bytes, &[], 2, 16),
        b'0'..=b'7' => return numeric(bytes, &[kind], 2, 8),
        other => return vec![b'\\', other],
    };
    vec![one]
}

fn numeric(bytes: &mut impl Iterator<Item = u8>, first: &[u8], more: usize, radix: u32) -> Vec<u8> {
    let digits: Vec<u8> = first.iter().copied().chain(bytes.take(more)).collect();
    let value = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, radix).ok());
    value.map_or(digits, |value| vec![value])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: &str, expected: Option<&[&str]>) {
        let lookup = |name: &[u8]| match name {
            b"SSHD_OPTS" => Some(b"-p 2222 -o \"X y\"".to_vec()),
            b"EMPTY" => Some(Vec::new()),
            _ => None,
        };
        let command = command(value.as_bytes(), b"inst", &lookup);
        let words = command.map(|c| {
            let mut words = vec![String::from_utf8_lossy(&c.program).into_owned()];
            words.extend(c.arguments.iter().map(|a| String::from_utf8_lossy(a).into_owned()));
            if !c.complete {
                words.push("(incomplete)".to_owned());
            }
            words
        });
        let expected = expected.map(|words| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(words, expected, "{value}");
    }

    #[test]
    fn command_lines() {
        check("/usr/sbin/sshd -D $SSHD_OPTS", Some(&["/usr/sbin/sshd", "-D", "-p", "2222", "-o", "X y"]));
        check("-/usr/sbin/sshd -i $EMPTY", Some(&["/usr/sbin/sshd", "-i"]));
        check("@-/usr/sbin/sshd name -D", Some(&["/usr/sbin/sshd", "-D"]));
        check("/usr/sbin/sshd -f '/etc/a b' \"x\\x41\"", Some(&["/usr/sbin/sshd", "-f", "/etc/a b", "xA"]));
        check("/usr/sbin/sshd -o${SSHD_OPTS}", Some(&["/usr/sbin/sshd", "-o-p 2222 -o \"X y\""]));
        check("/usr/sbin/sshd $OPTIONS $$x %i %%", Some(&["/usr/sbin/sshd", "$x", "inst", "%", "(incomplete)"]));
        check(":/usr/sbin/sshd $OPTIONS", Some(&["/usr/sbin/sshd", "$OPTIONS"]));
        check("/bin/a ; /bin/b", Some(&["/bin/a"]));
        check("/bin/a 'x", None);
        check("", None);
    }

    #[test]
    fn lists_reset_and_lines_continue() {
        let (mut unit, problems) = parse(
            b"junk\n[Service]\nExecStart=/bin/a \\\n# comment\n  -x\n; c\nEnvironment=A=1\n[Socket]\nListenStream=22\n",
        );
        assert_eq!(problems, [1]);
        assert_eq!(unit.list("Service", "ExecStart"), [b"/bin/a  -x"]);
        assert_eq!(unit.last("Socket", "ListenStream"), Some(&b"22"[..]));
        unit.extend(parse(b"[Service]\nExecStart=\nExecStart=/bin/b\n").0);
        assert_eq!(unit.list("Service", "ExecStart"), [b"/bin/b"]);
        assert_eq!(unit.list("Unit", "ExecStart"), Vec::<&[u8]>::new());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (unit, _) = parse(&bytes);
            for value in unit.list("Service", "ExecStart") {
                let _ = command(value, b"", &|_| Some(bytes.clone()));
            }
            let _ = command(&bytes, b"i", &|_| None);
        }
    }
}
