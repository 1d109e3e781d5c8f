//! `/var/lib/ucf/hashfile` and `registry`: configuration files that ucf(1) keeps for packages, beside dpkg.
//!
//! Debian's `/etc/ssh/sshd_config` is one of them: no package lists it, its template lies in `/usr/share/openssh`.

use crate::formats::lines::lines;
use crate::formats::problem::Problems;
use crate::model::{Digest, RootedPath};

/// The digest of the version that a package last offered, for each path in the hash file: `md5  path` a line.
#[must_use]
pub fn parse_hashfile(bytes: &[u8]) -> (Vec<(RootedPath, Digest)>, Problems) {
    let mut problems = Problems::default();
    let mut hashes = Vec::new();
    for (number, line) in lines(bytes).filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let entry = line.split_at_checked(32).and_then(|(hex, rest)| {
            let path = rest.strip_prefix(b"  ")?;
            Some((RootedPath::new(path)?, super::md5(hex)?))
        });
        match entry {
            Some(entry) => hashes.push(entry),
            None => problems.note(number, "is not an MD5, two blanks and a path"),
        }
    }
    (hashes, problems)
}

/// The package that registered each path: `package path` a line, with any blanks between.
#[must_use]
pub fn parse_registry(bytes: &[u8]) -> (Vec<(RootedPath, String)>, Problems) {
    let mut problems = Problems::default();
    let mut owners = Vec::new();
    for (number, line) in lines(bytes).filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let line = line.trim_ascii();
        let at = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (package, path) = line.split_at_checked(at).unwrap_or_default();
        match RootedPath::new(path.trim_ascii()) {
            Some(path) if super::status::is_name(package) => {
                owners.push((path, String::from_utf8_lossy(package).into_owned()));
            }
            _ => problems.note(number, "is not a package and a path"),
        }
    }
    (owners, problems)
}

/// The digests of earlier versions: the first word of each line that is an MD5. Comments and other lines are meant to be
/// there (ucf(1), `--sum-file`).
pub fn history(bytes: &[u8]) -> impl Iterator<Item = Digest> {
    lines(bytes).filter_map(|(_, line)| {
        let word = line.split(u8::is_ascii_whitespace).next()?;
        super::md5(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "e6fd6e8e29210c5678181f33177d5433";

    fn check(input: &str, expected: &[&str], problems: &str) {
        let (hashes, noted) = parse_hashfile(input.as_bytes());
        let found: Vec<String> = hashes.iter().map(|(path, digest)| format!("{path} {digest}")).collect();
        assert_eq!(found, expected);
        assert_eq!(noted.to_string(), problems);
    }

    #[test]
    fn the_hash_file() {
        check(&format!("{MD5}  /etc/ssh/sshd_config"), &[&format!("/etc/ssh/sshd_config md5:{MD5}")], "");
        let wrong = "is not an MD5, two blanks and a path";
        check(
            &format!("\n{MD5} /etc/a\nx\n{MD5}  etc/a\n"),
            &[],
            &format!("line 2: {wrong}; line 3: {wrong}; line 4: {wrong}"),
        );
    }

    #[test]
    fn the_registry() {
        let (owners, problems) = parse_registry(b"openssh-server \t /etc/ssh/sshd_config\nlonely\n");
        assert_eq!(owners, [(RootedPath::new("/etc/ssh/sshd_config").unwrap(), "openssh-server".to_owned())]);
        assert_eq!(problems.to_string(), "line 2: is not a package and a path");
    }

    #[test]
    fn histories_hold_comments_and_three_spellings() {
        let text = format!("# From 1:7.4p1-1:\n{MD5}\n\n{MD5}  /etc/pam.d/common-auth\n{MD5}\t# 1.0.1-6 -\nnothing\n");
        assert_eq!(history(text.as_bytes()).count(), 3);
    }
}
