//! `/var/lib/dpkg/info/<package>.list`: every path a package owns, one a line, without types or digests.
//!
//! All lists of a host together hold a hundred thousand lines and more, of which a scan wants some two hundred. They are
//! searched as bytes, never turned into values.

use std::collections::HashSet;

use crate::model::RootedPath;

/// The paths that somebody asks the owner of.
#[derive(Debug)]
pub struct Wanted {
    names: HashSet<Vec<u8>>,
    /// Which endings of four bytes occur among the names with their slash, as a table of 65,536 bits.
    endings: Box<[u64; 1024]>,
    /// Whether a name of one or two letters is wanted. Its ending depends on the directory, so that the table says nothing.
    short: bool,
}

impl Wanted {
    /// Prepares the search for `paths`.
    #[must_use]
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a RootedPath>) -> Self {
        let mut wanted = Self { names: HashSet::new(), endings: Box::new([0; 1024]), short: false };
        for path in paths {
            wanted.short |= path.file_name().len() < 3;
            if let Some((word, bit)) = ending(path.as_bytes())
                && let Some(word) = wanted.endings.get_mut(word)
            {
                *word |= bit;
            }
            wanted.names.insert(path.file_name().to_vec());
        }
        wanted
    }

    /// The lines of `bytes` that end in the file name of a wanted path, as they stand. Directories are not compared: on a
    /// merged `/usr` the record may say `/lib/…` of a file in `/usr/lib/…`, and only the caller knows the root's links.
    pub fn find<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut found = Vec::new();
        let mut start = 0_usize;
        for end in memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]) {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end.saturating_add(1);
            // Four bytes decide nearly every line; where paths are told from the root on, a whole one may have fewer.
            let maybe = ending(line).is_none_or(|(word, bit)| self.endings.get(word).is_some_and(|w| w & bit != 0))
                || (self.short && has_short_name(line));
            if maybe && self.names.contains(file_name(line)) {
                found.push(line);
            }
        }
        found
    }
}

/// The place of a path's last four bytes in a table of 65,536 bits.
fn ending(path: &[u8]) -> Option<(usize, u64)> {
    // Fibonacci hashing: the product's top 16 bits.
    let hash = u32::from_le_bytes(*path.last_chunk()?).wrapping_mul(0x9e37_79b1).wrapping_shr(16);
    Some((usize::try_from(hash.wrapping_shr(6)).ok()?, 1_u64.wrapping_shl(hash & 63)))
}

/// Whether the file name has one letter or two.
fn has_short_name(path: &[u8]) -> bool {
    path.iter().rev().take(3).any(|byte| *byte == b'/')
}

fn file_name(path: &[u8]) -> &[u8] {
    let at = memchr::memrchr(b'/', path).map_or(0, |at| at.saturating_add(1));
    path.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[&[u8]], list: &[u8], expected: &[&[u8]]) {
        let paths: Vec<RootedPath> = wanted.iter().map(|path| RootedPath::new(path).unwrap()).collect();
        assert_eq!(Wanted::new(&paths).find(list), expected);
    }

    #[test]
    fn lines_are_found_by_file_name() {
        check(
            &[b"/usr/sbin/sshd", b"/usr/lib/x86_64-linux-gnu/security/pam_unix.so"],
            b"/.\n/usr\n/usr/sbin\n/usr/sbin/sshd\n/usr/sbin/xsshd\n/lib/x86_64-linux-gnu/security/pam_unix.so\n/usr/sbin/sshd/x\n",
            &[b"/usr/sbin/sshd", b"/lib/x86_64-linux-gnu/security/pam_unix.so"],
        );
    }

    #[test]
    fn short_names_missing_line_feeds_and_odd_bytes() {
        check(&[b"/a"], b"/.\n/a", &[b"/a"]);
        check(&[b"/etc/pam.d/su"], b"/x/su\n/x/sudo\n/su", &[b"/x/su", b"/su"]);
        check(&[b"/etc/pam.d/ssh"], b"/x/ssh\n/x/sshd\n/ssh\nssh", &[b"/x/ssh", b"/ssh", b"ssh"]);
        check(&[b"/a\xff"], b"/x/a\xff\n/a\n\n", &[b"/x/a\xff"]);
        check(&[b"/a"], b"", &[]);
        check(
            &[b"/x/ab", b"/usr/abc"],
            b"/long/way/ab\n/long/way/b\n/other/abc\n/xabc\n/ab\n/b",
            &[b"/long/way/ab", b"/other/abc", b"/ab"],
        );
        check(&[b"/etc/x"], b"/etc/x\r\n/etc/x\0\n", &[]);
        check(&[b"/x", b"/abcd"], b"x\nabcd\nabc\n/x", &[b"x", b"abcd", b"/x"]);
        check(&[b"/abc"], b"abc\nab\n\n/.\n", &[b"abc"]);
        check(&[], b"/etc/x\n", &[]);
    }

    #[test]
    fn a_line_of_ten_megabytes_is_passed_over() {
        let mut list = vec![b'/'; 10 << 20];
        list.extend_from_slice(b"\n/etc/x\n");
        check(&[b"/etc/x"], &list, &[b"/etc/x"]);
    }
}
