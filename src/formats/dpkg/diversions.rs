//! `/var/lib/dpkg/diversions`: files of packages that were moved aside for another package or for the administrator
//! (dpkg-divert(1)).

use crate::formats::lines::lines;
use crate::formats::problem::Problems;
use crate::model::RootedPath;
use crate::model::text::escape;

/// One diversion: three lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// The path whose owner's file was moved.
    pub from: RootedPath,
    /// Where that file lies now.
    pub to: RootedPath,
    /// The package that may use `from`; absent for a diversion by the administrator, which is written `:`.
    pub by: Option<String>,
    /// The line it begins on.
    pub line: u32,
}

/// The diversions of `bytes`. A record with a line that cannot be understood is left out.
#[must_use]
pub fn parse(bytes: &[u8]) -> (Vec<Diversion>, Problems) {
    let mut problems = Problems::default();
    let mut diversions = Vec::new();
    let mut lines = lines(bytes);
    while let Some((line, from)) = lines.next() {
        let (Some((_, to)), Some((_, by))) = (lines.next(), lines.next()) else {
            problems.note(line, "begins a diversion of less than three lines");
            break;
        };
        match (RootedPath::new(from), RootedPath::new(to)) {
            (Some(from), Some(to)) => {
                let by = (by != b":").then(|| escape(by));
                diversions.push(Diversion { from, to, by, line });
            }
            _ => problems.note(line, "begins a diversion whose paths are not absolute"),
        }
    }
    (diversions, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[&str], problems: &str) {
        let (diversions, noted) = parse(input);
        let found: Vec<String> = diversions
            .iter()
            .map(|d| format!("{}: {} -> {} by {}", d.line, d.from, d.to, d.by.as_deref().unwrap_or("administrator")))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(noted.to_string(), problems);
    }

    #[test]
    fn three_lines_make_a_diversion() {
        check(b"", &[], "");
        check(
            b"/bin/sh\n/bin/sh.distrib\ndash\n/usr/sbin/sshd\n/usr/sbin/sshd.real\n:\n",
            &["1: /bin/sh -> /bin/sh.distrib by dash", "4: /usr/sbin/sshd -> /usr/sbin/sshd.real by administrator"],
            "",
        );
    }

    #[test]
    fn broken_records_cost_only_themselves() {
        check(
            b"bin/sh\n/x\n:\n/a\n/b\nc\n/d\n/e",
            &["4: /a -> /b by c"],
            "line 1: begins a diversion whose paths are not absolute; line 7: begins a diversion of less than three lines",
        );
        check(b"/a\n/b\n\xff\n", &["1: /a -> /b by \\xff"], "");
    }
}
