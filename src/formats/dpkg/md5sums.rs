//! `/var/lib/dpkg/info/<package>.md5sums`: the MD5 of each regular file of a package (deb-md5sums(5)).

use crate::formats::lines::lines;
use crate::formats::problem::Problems;
use crate::model::Digest;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum<'a> {
    /// The path without its leading slash, as recorded.
    pub path: &'a [u8],
    hex: &'a [u8],
}

impl Sum<'_> {
    /// The digest; `None` if it is not 32 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        super::md5(self.hex)
    }
}

/// The lines of `bytes`: 32 characters, two blanks, the path. A leading `./` or `/` of the path is dropped, as dpkg does
/// (lib/dpkg/db-fsys-digest.c). Digits are not looked at before [`Sum::digest`] is asked: of thousands of lines a few
/// are wanted.
#[must_use]
pub fn parse(bytes: &[u8]) -> (Vec<Sum<'_>>, Problems) {
    let mut problems = Problems::default();
    let mut sums = Vec::new();
    let nul = memchr::memchr(0, bytes);
    for (number, line) in lines(bytes) {
        match sum(line) {
            Some(sum) if nul.is_none() || !sum.path.contains(&0) => sums.push(sum),
            _ => problems.note(number, "is not an MD5, two blanks and a path"),
        }
    }
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        problems.note(0, "the last line has no line feed, the file may have been cut");
    }
    (sums, problems)
}

fn sum(line: &[u8]) -> Option<Sum<'_>> {
    let (hex, rest) = line.split_at_checked(32)?;
    let mut path = rest.strip_prefix(b"  ")?;
    path = path.strip_prefix(b"./").unwrap_or(path);
    while let Some(rest) = path.strip_prefix(b"/") {
        path = rest;
    }
    (!path.is_empty() && !hex.contains(&b' ')).then_some(Sum { path, hex })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn check(input: &[u8], expected: &[&[u8]], problems: &str) {
        let (sums, noted) = parse(input);
        assert_eq!(sums.iter().map(|sum| sum.path).collect::<Vec<_>>(), expected);
        assert_eq!(noted.to_string(), problems);
    }

    #[test]
    fn paths_are_kept_as_recorded() {
        check(
            format!("{MD5}  usr/sbin/sshd\n{MD5}  ./a b\n{MD5}  //c\n").as_bytes(),
            &[b"usr/sbin/sshd", b"a b", b"c"],
            "",
        );
        check([MD5.as_bytes(), b"  \xff\r\n"].concat().as_slice(), &[b"\xff\r"], "");
        check(b"", &[], "");
    }

    #[test]
    fn broken_lines_cost_only_themselves() {
        check(
            format!("short\n{MD5} one-blank\n\n{MD5}  good\n{MD5}  \n{MD5}  \0\n{MD5}  cut").as_bytes(),
            &[b"good", b"cut"],
            "line 1: is not an MD5, two blanks and a path; line 2: is not an MD5, two blanks and a path; line 3: is not an \
             MD5, two blanks and a path; line 5: is not an MD5, two blanks and a path; line 6: is not an MD5, two blanks \
             and a path; the last line has no line feed, the file may have been cut",
        );
    }

    #[test]
    fn a_digest_is_hexadecimal() {
        let bytes = format!("{MD5}  a\nz41d8cd98f00b204e9800998ecf8427e  b\n");
        let (sums, _) = parse(bytes.as_bytes());
        assert_eq!(sums[0].digest().unwrap().hex(), MD5);
        assert_eq!(sums[1].digest(), None);
    }
}
