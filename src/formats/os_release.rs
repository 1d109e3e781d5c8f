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

/// The same fields from `/etc/redhat-release`, one line of prose, which is all that Red Hat's family had before release 7:
/// `CentOS release 6.10 (Final)`. Empty for a name that is not known.
#[must_use]
pub fn parse_redhat_release(bytes: &[u8]) -> BTreeMap<String, String> {
    const NAMES: &[(&[u8], &str)] = &[
        (b"CentOS ", "centos"),
        (b"Red Hat Enterprise Linux ", "rhel"),
        (b"Scientific Linux ", "scientific"),
        (b"Oracle Linux ", "ol"),
    ];
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii();
    let Some((_, id)) = NAMES.iter().find(|(name, _)| line.starts_with(name)) else { return BTreeMap::new() };
    let mut words = line.split(|b| *b == b' ').skip_while(|word| *word != b"release").skip(1);
    let version = words.next().map(text::escape).unwrap_or_default();
    let fields = [("ID", (*id).to_owned()), ("VERSION_ID", version), ("PRETTY_NAME", text::escape(line))];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
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

    #[test]
    fn releases_before_os_release_are_known_by_name() {
        let check = |line: &str, id: &str, version: &str| {
            let fields = parse_redhat_release(line.as_bytes());
            assert_eq!((fields["ID"].as_str(), fields["VERSION_ID"].as_str()), (id, version));
        };
        check("CentOS release 6.10 (Final)\n", "centos", "6.10");
        check("Red Hat Enterprise Linux Server release 5.11 (Tikanga)", "rhel", "5.11");
        check("Scientific Linux release 6.9 (Carbon)", "scientific", "6.9");
        assert_eq!(parse_redhat_release(b"Fedora release 9 (Sulphur)"), BTreeMap::new());
        assert_eq!(parse_redhat_release(b""), BTreeMap::new());
    }
}
