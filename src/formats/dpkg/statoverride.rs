//! `/var/lib/dpkg/statoverride`: owners and modes that the administrator wants other than packages ship them
//! (dpkg-statoverride(1)).

use crate::formats::lines::lines;
use crate::formats::problem::Problems;
use crate::model::RootedPath;
use crate::model::text::escape;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// User name, or `#` and a user id; escaped.
    pub user: String,
    /// Group name, or `#` and a group id; escaped.
    pub group: String,
    /// Permission bits with set-id and sticky.
    pub mode: u32,
    /// As recorded.
    pub path: RootedPath,
    /// Counted from 1.
    pub line: u32,
}

/// The overrides of `bytes`: `user group octal-mode path` a line; the path may hold blanks.
#[must_use]
pub fn parse(bytes: &[u8]) -> (Vec<Override>, Problems) {
    let mut problems = Problems::default();
    let mut overrides = Vec::new();
    for (number, line) in lines(bytes) {
        match parse_line(line, number) {
            Some(entry) => overrides.push(entry),
            None => problems.note(number, "is not a user, a group, an octal mode and a path"),
        }
    }
    (overrides, problems)
}

fn parse_line(line: &[u8], number: u32) -> Option<Override> {
    let mut words = line.splitn(4, |b| *b == b' ');
    let (user, group, mode, path) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok().filter(|mode| *mode <= 0o7777)?;
    let path = RootedPath::new(path)?;
    (!user.is_empty() && !group.is_empty()).then(|| Override {
        user: escape(user),
        group: escape(group),
        mode,
        path,
        line: number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[&str], problems: &str) {
        let (overrides, noted) = parse(input);
        let found: Vec<String> =
            overrides.iter().map(|o| format!("{} {} {:o} {}", o.user, o.group, o.mode, o.path)).collect();
        assert_eq!(found, expected);
        assert_eq!(noted.to_string(), problems);
    }

    #[test]
    fn four_words_a_line() {
        check(
            b"root ssl-cert 710 /etc/ssl/private\n#0 #101 4754 /usr/lib/a b",
            &["root ssl-cert 710 /etc/ssl/private", "#0 #101 4754 /usr/lib/a b"],
            "",
        );
        let wrong = "is not a user, a group, an octal mode and a path";
        check(
            b"root root 0755\nroot root 9 /a\nroot root 17777 /a\nroot root 755 a\n",
            &[],
            &format!("line 1: {wrong}; line 2: {wrong}; line 3: {wrong}; line 4: {wrong}"),
        );
    }
}
