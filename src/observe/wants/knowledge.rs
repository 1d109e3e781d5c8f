//! Which paths the indicators of the known families want looked at.
//!
//! Plain paths are looked at as binaries, so that digests and content rules apply to whatever lies there; the directory
//! of a wildcard is listed first. A path that is not there costs one failed open.

use std::collections::BTreeSet;

use crate::facts::{Look, Role, RootFacts, Want};
use crate::knowledge::family::PathRule;
use crate::knowledge::{Kind, Knowledge};
use crate::model::RootedPath;

/// What the path indicators of `knowledge` want of this root, given what was seen of it so far; each wish once, sorted.
#[must_use]
pub fn wants(root: &RootFacts, knowledge: &Knowledge) -> Vec<Want> {
    let mut wants = BTreeSet::new();
    for indicator in knowledge.families().iter().flat_map(|family| &family.indicators) {
        let Kind::Path(rule) = &indicator.kind else { continue };
        for place in &rule.places {
            if place.is_glob() {
                wants.insert(want(place.dir.clone(), Look::Entries));
            }
            wants.extend(root.files.expand(place).into_iter().map(|path| want(path, look(rule))));
        }
    }
    wants.into_iter().collect()
}

fn want(path: RootedPath, look: Look) -> Want {
    Want { path, role: Role::Indicator, look }
}

/// A rule that asks for content, or for nothing but a name, wants the content; one that asks for mode or size does not.
fn look(rule: &PathRule) -> Look {
    if rule.content.is_empty() && (rule.mode != 0 || rule.max_size.is_some()) { Look::Inode } else { Look::Binary }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{FileFacts, FileState};
    use crate::knowledge::load;

    #[test]
    fn a_wildcard_is_followed_once_its_directory_is_listed() {
        let text = "id = 'f'\ntitle = 't'\nyear = 2020\nremediation = 'r'\nevades = 'e'\n\
            [[source]]\nid = 's'\nref = 'r'\nlicence = 'l'\n\
            [[path]]\nid = 'a'\ntitle = 't'\nspecificity = 'weak'\nsource = 's'\npaths = ['/a/b', '/d/x*']\n\
            [[path]]\nid = 'b'\ntitle = 't'\nspecificity = 'weak'\nsource = 's'\npaths = ['/e/*']\nmode = 0o4000\n";
        let knowledge = Knowledge::new("2026-11-22", vec![load::load("f.toml", text.as_bytes()).unwrap()]);
        let mut root = RootFacts::default();
        let check = |root: &RootFacts, expected: &[(&str, Look)]| {
            let seen: Vec<_> = wants(root, &knowledge).into_iter().map(|w| (w.path.to_string(), w.look)).collect();
            let seen: Vec<_> = seen.iter().map(|(path, look)| (path.as_str(), *look)).collect();
            assert_eq!(seen, expected);
        };
        check(&root, &[("/a/b", Look::Binary), ("/d", Look::Entries), ("/e", Look::Entries)]);
        for (dir, names) in [("/d", ["x1", "y"]), ("/e", ["p", "q"])] {
            let mut listed = FileFacts::new(FileState::Missing);
            listed.entries = Some(names.map(str::to_owned).to_vec());
            root.files.files.insert(RootedPath::new(dir).unwrap(), listed);
        }
        check(
            &root,
            &[
                ("/a/b", Look::Binary),
                ("/d", Look::Entries),
                ("/d/x1", Look::Binary),
                ("/e", Look::Entries),
                ("/e/p", Look::Inode),
                ("/e/q", Look::Inode),
            ],
        );
    }
}
