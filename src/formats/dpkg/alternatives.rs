//! `/var/lib/dpkg/alternatives/<name>`: which of several programs a generic name may mean (update-alternatives(1)).

use crate::formats::lines::lines;
use crate::formats::problem::Problems;
use crate::model::RootedPath;

/// One group of links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Whether the choice is made by priority; otherwise the administrator made it.
    pub automatic: bool,
    /// The links, the master first: the generic path and the name under `/etc/alternatives`. The master's name is that of
    /// the file itself and is left empty here.
    pub links: Vec<Link>,
    /// What may be chosen: for each choice the targets in the order of the links; a link without one has no target.
    pub choices: Vec<Vec<Option<RootedPath>>>,
}

/// One link of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name under `/etc/alternatives`; empty for the master.
    pub name: Vec<u8>,
    /// The generic path.
    pub path: RootedPath,
}

impl Group {
    /// The targets that the link called `name` (empty: the master) may have.
    pub fn targets(&self, name: &[u8]) -> impl Iterator<Item = &RootedPath> {
        let at = self.links.iter().position(|link| link.name == name);
        self.choices.iter().filter_map(move |choice| choice.get(at?)?.as_ref())
    }
}

/// The group in `bytes`: `auto` or `manual`, the master link, name and link of each slave, an empty line; then for each
/// choice its path, its priority and one target for each slave (an empty line for none); an empty line at the end.
/// (utils/update-alternatives.c of dpkg 1.21, `alternative_load`.)
#[must_use]
pub fn parse(bytes: &[u8]) -> (Group, Problems) {
    let mut problems = Problems::default();
    let mut group = Group::default();
    let mut lines = lines(bytes);
    match lines.next() {
        Some((_, b"auto")) => group.automatic = true,
        Some((_, b"manual")) => {}
        _ => problems.note(1, "is neither `auto` nor `manual`"),
    }
    match lines.next().and_then(|(_, line)| RootedPath::new(line)) {
        Some(path) => group.links.push(Link { name: Vec::new(), path }),
        None => {
            problems.note(2, "is not the path of the master link");
            return (group, problems);
        }
    }
    while let Some((number, name)) = lines.next().filter(|(_, line)| !line.is_empty()) {
        let path = lines.next().and_then(|(_, line)| RootedPath::new(line));
        match path {
            Some(path) if group.links.len() < MAX_LINKS => group.links.push(Link { name: name.to_vec(), path }),
            _ => {
                problems.note(number, "begins a slave link without a path, or one too many");
                return (group, problems);
            }
        }
    }
    while let Some((number, path)) = lines.next().filter(|(_, line)| !line.is_empty()) {
        let priority = lines.next().and_then(|(_, line)| std::str::from_utf8(line).ok()?.parse::<i64>().ok());
        let (Some(path), Some(_)) = (RootedPath::new(path), priority) else {
            problems.note(number, "begins a choice without a path or a priority");
            break;
        };
        let mut choice = vec![Some(path)];
        choice.extend(group.links.iter().skip(1).map(|_| lines.next().and_then(|(_, line)| RootedPath::new(line))));
        if group.choices.len() == MAX_CHOICES {
            problems.note(number, "begins one choice too many");
            break;
        }
        group.choices.push(choice);
    }
    (group, problems)
}

/// Links and choices kept of one group; the largest groups of Debian (`java`, `vim`) have some 60 and 10.
const MAX_LINKS: usize = 1000;
const MAX_CHOICES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], name: &[u8], expected: &[&str], problems: &str) {
        let (group, noted) = parse(input);
        assert_eq!(group.targets(name).map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert_eq!(noted.to_string(), problems);
    }

    const AWK: &[u8] = b"auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\nnawk\n/usr/bin/nawk\n\n\
        /usr/bin/mawk\n5\n/usr/share/man/man1/mawk.1.gz\n/usr/bin/mawk\n/usr/bin/gawk\n10\n\n/usr/bin/gawk\n\n";

    #[test]
    fn each_link_has_its_targets() {
        check(AWK, b"", &["/usr/bin/mawk", "/usr/bin/gawk"], "");
        check(AWK, b"nawk", &["/usr/bin/mawk", "/usr/bin/gawk"], "");
        check(AWK, b"awk.1.gz", &["/usr/share/man/man1/mawk.1.gz"], "");
        check(AWK, b"other", &[], "");
        assert!(parse(AWK).0.automatic);
        check(b"manual\n/usr/bin/vim\n\n/usr/bin/vim.basic\n30\n\n", b"", &["/usr/bin/vim.basic"], "");
    }

    #[test]
    fn broken_groups_say_where() {
        check(b"", b"", &[], "line 1: is neither `auto` nor `manual`; line 2: is not the path of the master link");
        check(b"auto\n/a\nslave\n", b"", &[], "line 3: begins a slave link without a path, or one too many");
        check(b"auto\n/a\n\n/b\nx\n\n", b"", &[], "line 4: begins a choice without a path or a priority");
        check(b"auto\n/a\n\n/b\n5\n/c", b"", &["/b"], "line 6: begins a choice without a path or a priority");
    }
}
