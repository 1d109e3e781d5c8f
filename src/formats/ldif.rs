//! LDIF (RFC 2849): the entries of a directory as text, as ldapsearch(1) and slapcat(8) print them. Content only; files of
//! changes are refused.

use std::borrow::Cow;

use super::base64;
use super::problem::Problems;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The line that it begins on, counted from 1.
    pub line: u32,
    /// Its distinguished name.
    pub dn: Cow<'a, [u8]>,
    /// Names of attributes in small letters, without options, each with one value; in order.
    pub attributes: Vec<(String, Cow<'a, [u8]>)>,
}

impl Entry<'_> {
    /// Every value of the attribute `name`, which is given in small letters.
    pub fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        self.attributes.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_ref())
    }

    /// The first of them.
    #[must_use]
    pub fn value<'s>(&'s self, name: &'s str) -> Option<&'s [u8]> {
        self.values(name).next()
    }
}

/// The entries of a file. Of attributes that `wanted` refuses (in small letters, without options) no value is decoded or
/// kept. What cannot be read, and whatever else means that entries are missing, is a problem: a search that ended early says so
/// in the lines after the last entry (ldapsearch(1), `result:`).
pub fn entries<'a>(bytes: &'a [u8], wanted: &dyn Fn(&str) -> bool) -> (Vec<Entry<'a>>, Problems) {
    let (mut entries, mut problems) = (Vec::new(), Problems::default());
    let mut record: Vec<(u32, Cow<'a, [u8]>)> = Vec::new();
    let mut lines = super::lines::lines(bytes);
    loop {
        let line = lines.next().map(|(number, line)| (number, line.strip_suffix(b"\r").unwrap_or(line)));
        match line {
            Some((number, line)) if line.first() == Some(&b' ') => match record.last_mut() {
                // A folded line goes on after the blank (RFC 2849, note 2); comments are folded too.
                Some((_, whole)) => whole.to_mut().extend_from_slice(line.get(1..).unwrap_or_default()),
                None => problems.note(number, "a line goes on that has not begun"),
            },
            Some((number, line)) if !line.is_empty() => record.push((number, Cow::Borrowed(line))),
            ended => {
                record.retain(|(_, line)| line.first() != Some(&b'#'));
                entries.extend(entry(std::mem::take(&mut record), wanted, &mut problems));
                if ended.is_none() {
                    return (entries, problems);
                }
            }
        }
    }
}

/// The entry of one paragraph; `None` for one that is none.
fn entry<'a>(
    record: Vec<(u32, Cow<'a, [u8]>)>,
    wanted: &dyn Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<Entry<'a>> {
    let mut entry: Option<Entry<'a>> = None;
    for (number, line) in record {
        let Some(colon) = memchr::memchr(b':', &line) else {
            problems.note(number, "no line of LDIF: it has no colon");
            continue;
        };
        let described = line.get(..colon).unwrap_or_default();
        let name = described.split(|byte| *byte == b';').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match (name.as_str(), &entry) {
            ("version", None) => continue,
            ("changetype" | "control", _) => {
                problems.note(number, "a file of changes, which is no list of entries");
                return None;
            }
            // What ldapsearch says after the last entry.
            ("search" | "ref", None) => continue,
            ("result", None) => {
                if value(&line, colon).as_deref().map(<[u8]>::trim_ascii) != Some(b"0 Success") {
                    problems.note(number, "the search ended early");
                }
                continue;
            }
            ("dn", None) => {}
            (_, None) => {
                problems.note(number, "an entry does not begin with its `dn`");
                return None;
            }
            ("dn", Some(_)) => {
                problems.note(number, "a second `dn` in one entry");
                return None;
            }
            (name, Some(_)) if !wanted(name) => continue,
            _ => {}
        }
        let Some(value) = value(&line, colon) else {
            problems.note(number, "a value that stands elsewhere (`:<`), or is no base64");
            continue;
        };
        match &mut entry {
            None => entry = Some(Entry { line: number, dn: value, attributes: Vec::new() }),
            Some(entry) => entry.attributes.push((name, value)),
        }
    }
    entry
}

/// The value after the colon: plain, or base64 after a second one.
fn value<'a>(line: &Cow<'a, [u8]>, colon: usize) -> Option<Cow<'a, [u8]>> {
    let at = colon.checked_add(1)?;
    match line.get(at) {
        Some(b'<') => None,
        Some(b':') => Some(Cow::Owned(base64::decode(line.get(at.checked_add(1)?..)?)?)),
        _ => Some(match line {
            Cow::Borrowed(line) => Cow::Borrowed(line.get(at..)?.trim_ascii_start()),
            Cow::Owned(line) => Cow::Owned(line.get(at..)?.trim_ascii_start().to_vec()),
        }),
    }
}

/// A distinguished name in the one form in which equal names are equal bytes, as far as that can be done without the
/// schema: small letters, no blanks around `,`, `=` and `+` (RFC 4514; most naming attributes are compared without
/// regard to case, RFC 4519).
#[must_use]
pub fn normal(dn: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(dn.len());
    let (mut escaped, mut parted) = (false, true);
    for byte in dn {
        if *byte == b' ' && parted {
            continue;
        }
        let parts = !escaped && matches!(byte, b',' | b'=' | b'+');
        if parts {
            while out.last() == Some(&b' ') {
                out.pop();
            }
        }
        out.push(byte.to_ascii_lowercase());
        parted = parts;
        escaped = *byte == b'\\' && !escaped;
    }
    while out.last() == Some(&b' ') {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &[&str], problems: &str) {
        let (entries, found) = entries(text, &|name| name != "userpassword");
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| {
                let values = entry
                    .attributes
                    .iter()
                    .map(|(name, value)| format!(" {name}={}", crate::model::text::escape(value)));
                format!("{} {}{}", entry.line, crate::model::text::escape(&entry.dn), values.collect::<String>())
            })
            .collect();
        assert_eq!(shown, expected, "{}", crate::model::text::escape(text));
        assert!(found.to_string().contains(problems) && found.is_empty() == problems.is_empty(), "{found}");
    }

    #[test]
    fn the_examples_of_the_standard() {
        // RFC 2849, examples 1 to 3: two entries, a folded value, a value in base64.
        check(
            b"version: 1\ndn: cn=Barbara Jensen, ou=Product Development, dc=airius, dc=com\nobjectclass: top\ncn: Barbara Jensen\n\ndn: cn=Bjorn Jensen, dc=airius, dc=com\nsn: Jensen\n",
            &[
                "2 cn=Barbara Jensen, ou=Product Development, dc=airius, dc=com objectclass=top cn=Barbara Jensen",
                "6 cn=Bjorn Jensen, dc=airius, dc=com sn=Jensen",
            ],
            "",
        );
        check(
            b"dn: cn=x\ndescription:Babs is a b\n ig sailing f\n an\n",
            &["1 cn=x description=Babs is a big sailing fan"],
            "",
        );
        check(b"dn:: Y249YsO2\nou;lang-en:: w7bDtg==\n", &["1 cn=b\u{f6} ou=\u{f6}\u{f6}"], "");
        // Example 6 changes something.
        check(b"dn: cn=x\nchangetype: add\nobjectclass: top\n", &[], "file of changes");
        check(b"dn: cn=x\njpegphoto:< file:///usr/local/photo.jpg\n", &["1 cn=x"], "stands elsewhere");
    }

    #[test]
    fn comments_line_ends_and_secrets() {
        check(b"# a\n  folded\r\ndn: cn=x\r\n#b\r\nuserPassword:: !!!\r\nUID: y\r\n\r\n\r\n", &["3 cn=x uid=y"], "");
        check(b"", &[], "");
        check(b"\n\n\n", &[], "");
    }

    #[test]
    fn a_search_that_ended_early_is_told() {
        check(b"dn: cn=x\nuid: y\n\nsearch: 2\nresult: 0 Success\n", &["1 cn=x uid=y"], "");
        check(b"dn: cn=x\n\nsearch: 2\nresult: 4 Size limit exceeded\n", &["1 cn=x"], "line 4: the search ended early");
    }

    #[test]
    fn what_is_no_ldif_is_told() {
        check(b" x\n", &[], "line 1: a line goes on");
        check(b"uid: y\n", &[], "line 1: an entry does not begin");
        check(b"dn: cn=x\n\0\xff\nuid: y\n", &["1 cn=x uid=y"], "line 2: no line of LDIF");
        check(b"dn: cn=x\ndn: cn=y\n", &[], "a second `dn`");
        check(b"dn: cn=x\nuid:: a!\n", &["1 cn=x"], "no base64");
        check(b"dn: cn=x\n\xff: y\n", &["1 cn=x \u{fffd}=y"], "");
        check(b"root:x:0:0:root:/root:/bin/sh\n", &[], "does not begin");
    }

    #[test]
    fn names_have_one_form() {
        let check = |dn: &str, expected: &str| assert_eq!(normal(dn.as_bytes()), expected.as_bytes());
        check("UID=Eve , OU = People,dc=example", "uid=eve,ou=people,dc=example");
        check("cn=a\\, b , dc=x ", "cn=a\\, b,dc=x");
        check("", "");
    }

    #[test]
    fn a_line_of_ten_megabytes_is_a_line() {
        let mut text = b"dn: cn=x\nuid: ".to_vec();
        text.resize(10 << 20, b'a');
        let (found, problems) = entries(&text, &|_| true);
        assert!(problems.is_empty() && found[0].value("uid").unwrap().len() > 10_000_000);
        let folded = [b"dn: cn=x\nuid: ".to_vec(), b"\n a".repeat(1 << 20)].concat();
        assert_eq!(entries(&folded, &|_| true).0[0].value("uid").unwrap().len(), 1 << 20);
    }

    #[test]
    fn whatever_is_changed_in_it_nothing_panics() {
        let text = b"version: 1\ndn: uid=eve,dc=x\nobjectClass: posixAccount\nuid: eve\nuidNumber: 5\ncn:: ZXZl\ngecos: a\n b\n\nsearch: 2\nresult: 0 Success\n";
        // A small generator with a fixed seed: the same changes every time.
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % 1_000_003).unwrap() % below
        };
        for _ in 0..20_000 {
            let mut changed = text.to_vec();
            for _ in 0..=random(4) {
                let at = random(changed.len());
                match random(3) {
                    0 => changed[at] = b"\n: ;#<\0\xff="[random(9)],
                    1 => drop(changed.remove(at)),
                    _ => changed.insert(at, b"\n: ;#<\0\xff="[random(9)]),
                }
            }
            let (found, _) = entries(&changed, &|_| true);
            assert!(found.iter().all(|entry| usize::try_from(entry.line).unwrap() <= changed.len()));
        }
    }
}
