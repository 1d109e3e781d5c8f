//! Stanzas of `Field: value` lines, as deb822(5) defines them and as dpkg reads its own database.
//!
//! Nothing is copied: a stanza is a slice of the file and its fields are slices of the stanza. What the fields mean is
//! left to [`dpkg`](super::dpkg) and whoever else reads them.

use super::lines::lines;
use super::problem::Problems;

/// The stanzas of a file, in order. They are separated by empty lines; a line of blanks only separates nothing here, as in
/// dpkg (lib/dpkg/parse.c of dpkg 1.21 refuses it inside a value), unlike in mail.
pub fn stanzas(bytes: &[u8]) -> impl Iterator<Item = Stanza<'_>> {
    Stanzas { rest: bytes, line: 1 }
}

struct Stanzas<'a> {
    rest: &'a [u8],
    line: u32,
}

impl<'a> Iterator for Stanzas<'a> {
    type Item = Stanza<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(rest) = self.rest.strip_prefix(b"\n") {
            self.rest = rest;
            self.line = self.line.saturating_add(1);
        }
        if self.rest.is_empty() {
            return None;
        }
        let (bytes, rest) = match memchr::memmem::find(self.rest, b"\n\n") {
            Some(at) => self.rest.split_at_checked(at.checked_add(1)?)?,
            None => (self.rest, [].as_slice()),
        };
        let stanza = Stanza { bytes, line: self.line };
        let count = memchr::memchr_iter(b'\n', bytes).count();
        self.line = self.line.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.rest = rest;
        Some(stanza)
    }
}

/// One stanza.
#[derive(Clone, Copy, Debug)]
pub struct Stanza<'a> {
    bytes: &'a [u8],
    line: u32,
}

/// One field of a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// As written.
    pub name: &'a [u8],
    /// What follows the colon, without the blanks around it; continuation lines are kept as they stand.
    pub value: &'a [u8],
    /// The line of the name, counted from 1 over the whole file.
    pub line: u32,
}

impl<'a> Stanza<'a> {
    /// The line it begins on, counted from 1 over the whole file.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.line
    }

    /// The value of the first field called `name`, whatever the case, without looking for problems.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut rest = self.bytes;
        loop {
            if rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
                let after = rest.get(name.len()..)?;
                // dpkg allows blanks before the colon.
                let blanks = after.iter().take_while(|b| b.is_ascii_whitespace() && **b != b'\n').count();
                if let Some(value) = after.get(blanks..).and_then(|after| after.strip_prefix(b":")) {
                    return Some(value.get(..end_of_value(value))?.trim_ascii());
                }
            }
            let next = memchr::memchr(b'\n', rest)?.checked_add(1)?;
            rest = rest.get(next..)?;
        }
    }

    /// Its fields in order. What is no field, and a second field of the same name, goes to `problems`; the first one
    /// counts.
    pub fn fields(&self, problems: &mut Problems) -> Vec<Field<'a>> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        let mut offset: usize = 0;
        for (number, line) in lines(self.bytes) {
            let number = self.line.saturating_add(number).saturating_sub(1);
            let start = offset;
            offset = offset.saturating_add(line.len()).saturating_add(1);
            if line.contains(&0) {
                problems.note(number, "holds a NUL byte");
            }
            if line.first().is_some_and(u8::is_ascii_whitespace) {
                if fields.is_empty() {
                    problems.note(number, "continues a field though none has begun");
                }
                continue;
            }
            if line.first() == Some(&b'#') {
                continue;
            }
            let Some(colon) = memchr::memchr(b':', line) else {
                problems.note(number, "has no colon after the field's name");
                continue;
            };
            let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
            if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
                problems.note(number, "has no valid field name");
                continue;
            }
            if fields.iter().any(|field| field.name.eq_ignore_ascii_case(name)) {
                let name = crate::model::text::escape(name);
                problems.note(number, format!("repeats the field `{name}`, the first one counts"));
                continue;
            }
            let value = self.bytes.get(start.saturating_add(colon).saturating_add(1)..).unwrap_or_default();
            let value = value.get(..end_of_value(value)).unwrap_or_default().trim_ascii();
            if fields.len() == MAX_FIELDS {
                problems.note(number, format!("the stanza has more than {MAX_FIELDS} fields"));
                break;
            }
            fields.push(Field { name, value, line: number });
        }
        fields
    }
}

/// Fields kept of one stanza; dpkg's longest have some 30, and finding repeated ones costs the square of it.
const MAX_FIELDS: usize = 200;

/// Where the value at the start of `bytes` ends: before the first line feed that no blank follows.
fn end_of_value(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes)
        .find(|at| {
            let next = at.checked_add(1).and_then(|next| bytes.get(next));
            !matches!(next, Some(b' ' | b'\t'))
        })
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stanzas of `input` as `line name=value` texts, and its problems.
    fn check(input: &[u8], expected: &[&[&str]], problems: &str) {
        let mut noted = Problems::default();
        let found: Vec<Vec<String>> = stanzas(input)
            .map(|stanza| {
                let fields = stanza.fields(&mut noted);
                for field in &fields {
                    assert_eq!(stanza.get(field.name), Some(field.value), "both ways of reading agree");
                }
                fields
                    .iter()
                    .map(|f| format!("{} {}={}", f.line, f.name.escape_ascii(), f.value.escape_ascii()))
                    .collect()
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(noted.to_string(), problems);
    }

    #[test]
    fn stanzas_and_fields() {
        check(b"", &[], "");
        check(b"\n\n\n", &[], "");
        check(
            b"Package: a\nStatus: install ok installed\n\n\nPackage: b\nConffiles:\n /etc/x 00\n /etc/y 11\nVersion:1\n",
            &[
                &["1 Package=a", "2 Status=install ok installed"],
                &["5 Package=b", "6 Conffiles=/etc/x 00\\n /etc/y 11", "9 Version=1"],
            ],
            "",
        );
    }

    #[test]
    fn the_last_line_needs_no_line_feed_and_crlf_is_only_blank() {
        check(b"Package: a\r\nVersion : 1", &[&["1 Package=a", "2 Version=1"]], "");
    }

    #[test]
    fn problems_name_the_line_and_the_rest_is_read() {
        check(
            b" x\nPackage: a\nnonsense\nPackage: b\n: c\nVersion: 1\0\n",
            &[&["2 Package=a", "6 Version=1\\x00"]],
            "line 1: continues a field though none has begun; line 3: has no colon after the field's name; \
             line 4: repeats the field `Package`, the first one counts; line 5: has no valid field name; \
             line 6: holds a NUL byte",
        );
    }

    #[test]
    fn names_match_in_any_case_and_only_at_the_start_of_a_line() {
        let bytes = b"Description: x\n Package: no\nPACKAGE: yes\n";
        let stanza = stanzas(bytes).next().unwrap();
        assert_eq!(stanza.get(b"Package"), Some(&b"yes"[..]));
        assert_eq!(stanza.get(b"Pack"), None);
    }

    #[test]
    fn a_line_of_ten_megabytes_is_read() {
        let mut bytes = b"Package: a\nDescription: ".to_vec();
        bytes.resize(10 << 20, b'x');
        bytes.extend_from_slice(b"\nVersion: 1\n");
        let stanza = stanzas(&bytes).next().unwrap();
        assert_eq!(stanza.get(b"Version"), Some(&b"1"[..]));
        assert_eq!(stanza.fields(&mut Problems::default()).len(), 3);
    }

    #[test]
    fn a_stanza_of_endless_fields_is_cut() {
        let bytes: Vec<u8> = (0..1000).flat_map(|n| format!("F{n}: x\n").into_bytes()).collect();
        let mut problems = Problems::default();
        assert_eq!(stanzas(&bytes).next().unwrap().fields(&mut problems).len(), MAX_FIELDS);
        assert!(problems.to_string().contains("more than 200 fields"));
    }

    #[test]
    fn odd_blanks_before_the_colon_are_read_alike_both_ways() {
        check(b"A\x0c:\nB\r: x\n", &[&["1 A=", "2 B=x"]], "");
    }
}
