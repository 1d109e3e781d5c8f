//! passwd(5) and group(5). Password fields are never returned, and [`redact`] removes them before anything is kept.

use super::lines::lines;
use super::problem::Problems;

/// A line of passwd(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswdEntry<'a> {
    /// Login name.
    pub name: &'a [u8],
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: &'a [u8],
    /// Login shell; empty means `/bin/sh`.
    pub shell: &'a [u8],
}

/// A line of group(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEntry<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Group id.
    pub gid: u32,
    /// Members besides those whose primary group it is.
    pub members: Vec<&'a [u8]>,
}

/// Entries of passwd(5), in order. A line that glibc's `files` service would skip is a problem; one that begins with `+`
/// or `-` belongs to the `compat` service and may bring accounts from elsewhere.
#[must_use]
pub fn passwd(bytes: &[u8]) -> (Vec<PasswdEntry<'_>>, Problems) {
    entries(bytes, |line| {
        let mut fields = line.splitn(7, |b| *b == b':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, id(fields.next()?)?, id(fields.next()?)?);
        let (_, home, shell) = (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
        Some(PasswdEntry { name, uid, gid, home, shell })
    })
}

/// Entries of group(5), in order.
#[must_use]
pub fn group(bytes: &[u8]) -> (Vec<GroupEntry<'_>>, Problems) {
    entries(bytes, |line| {
        let mut fields = line.splitn(4, |b| *b == b':');
        let (name, _, gid) = (fields.next()?, fields.next()?, id(fields.next()?)?);
        let members = fields.next().unwrap_or_default();
        let members = members.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty()).collect();
        Some(GroupEntry { name, gid, members })
    })
}

fn entries<'a, T>(bytes: &'a [u8], parse: impl Fn(&'a [u8]) -> Option<T>) -> (Vec<T>, Problems) {
    let (mut entries, mut problems) = (Vec::new(), Problems::default());
    for (number, line) in lines(bytes) {
        let line = line.trim_ascii();
        match line.first() {
            None | Some(b'#') => {}
            Some(b'+' | b'-') => problems.note(number, "accounts from elsewhere (`compat`)"),
            Some(b':') => problems.note(number, "an entry without a name"),
            Some(_) => match parse(line) {
                Some(entry) => entries.push(entry),
                None => problems.note(number, "not an entry"),
            },
        }
    }
    (entries, problems)
}

fn id(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The file with `x` for every second field that is neither empty nor a single character: old systems keep password
/// hashes there.
#[must_use]
pub fn redact(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let mut fields = line.splitn(3, |b| *b == b':');
        match (fields.next(), fields.next(), fields.next()) {
            (Some(name), Some(password), Some(rest)) if password.len() > 1 => {
                out.extend([name, b":x:", rest].concat());
            }
            _ => out.extend_from_slice(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_files() {
        let (accounts, problems) = passwd(b"root:x:0:0:root:/root:/bin/bash\nalice:x:1000:100:A,,,:/home/alice:\n");
        assert!(problems.is_empty());
        assert_eq!(accounts[1], PasswdEntry { name: b"alice", uid: 1000, gid: 100, home: b"/home/alice", shell: b"" });
        let (groups, problems) = group(b"wheel:x:10:alice,bob\nusers:x:100:\n");
        assert!(problems.is_empty());
        assert_eq!(groups[0], GroupEntry { name: b"wheel", gid: 10, members: vec![b"alice", b"bob"] });
        assert!(groups[1].members.is_empty());
    }

    #[test]
    fn odd_lines_are_told() {
        let check = |text: &[u8], expected: &str| {
            let (accounts, problems) = passwd(text);
            assert_eq!((accounts.len(), problems.to_string().as_str()), (0, expected));
        };
        check(b"+::::::\n", "line 1: accounts from elsewhere (`compat`)");
        check(b"#x\nalice:x:many:1:::\n", "line 2: not an entry");
        check(b"alice:x:4294967296:1:::\n\xff\0\n", "line 1: not an entry; line 2: not an entry");
        check(b":x:1:1:::", "line 1: an entry without a name");
    }

    #[test]
    fn hashes_do_not_stay() {
        let check = |text: &[u8], expected: &[u8]| assert_eq!(redact(text), expected);
        check(b"a:$6$salt$hash:0:0::/:\nb::1:1::/:\nc:*:2:2::/:\n", b"a:x:0:0::/:\nb::1:1::/:\nc:*:2:2::/:\n");
        check(b"wheel:hash:10:", b"wheel:x:10:");
        check(b"no colon", b"no colon");
    }
}
