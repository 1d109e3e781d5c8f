//! os-release(5): which distribution this is.

use std::collections::BTreeMap;

use crate::model::text;

/// Assignments read at most.
const MAX_FIELDS: usize = 256;

/// The assignments of the file, values unquoted as a shell would, both escaped. Lines that are none are left out: nothing
/// but names shown to people and the choice of a dialect rests on this file.
#[must_use]
pub fn parse(bytes: &[u8]) -> BTreeMap<String, String> {
    bytes
        .split(|b| *b == b'\n')
        .filter_map(|line| {
            let line = line.trim_ascii();
            let at = line.iter().position(|b| *b == b'=')?;
            let (key, value) = (line.get(..at)?, line.get(at.checked_add(1)?..)?);
            let plain = key.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
            (plain && !key.is_empty()).then(|| (text::escape(key), text::escape(&unquote(value))))
        })
        .take(MAX_FIELDS)
        .collect()
}

/// Removes quotes and the backslashes that a shell would remove (os-release(5), "shell-compatible assignment").
fn unquote(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut quote = None;
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', None | Some(b'"')) => out.extend(bytes.next()),
            (b'"' | b'\'', None) => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            (byte, _) => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, key: &str, value: Option<&str>) {
        assert_eq!(parse(text.as_bytes()).get(key).map(String::as_str), value);
    }

    #[test]
    fn values_are_unquoted() {
        check(
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
            "PRETTY_NAME",
            Some("Debian GNU/Linux 12 (bookworm)"),
        );
        check("# ID=no\nID=debian\r\n", "ID", Some("debian"));
        check("A='x\"y'\nB=\"x\\\"y\"", "A", Some("x\"y"));
        check("B=\"x\\\"y\"", "B", Some("x\"y"));
        check("NAME=\"\x1b[31m\"", "NAME", Some("\\x1b[31m"));
        check("no assignment\n=x\n", "", None);
    }
}
