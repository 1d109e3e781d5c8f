//! The configuration of ldconfig(8): ld.so.conf and what it includes. The loader reads only the cache, but the next run of
//! ldconfig, which every package installation triggers, takes its directories from here; so these files belong to the
//! surface.

use std::collections::BTreeSet;

use super::loader::{Known, text};
use crate::facts::{Look, ObservationGap, Role, RootFacts, Want};
use crate::formats::ldconf::{Statement, parse};
use crate::knowledge::family::PlacePattern;
use crate::model::text::escape;
use crate::model::{Check, Gap, RootedPath, Subject};

/// Files followed at most; an include that includes itself ends here (ldconfig(8) has no bound of its own).
const FILE_LIMIT: usize = 1024;

/// ld.so.conf and its includes.
#[must_use]
pub fn wants(root: &RootFacts) -> Vec<Want> {
    Walk::over(root).wants.into_iter().collect()
}

/// What of it could not be read or followed, once nothing new is wanted. The loader does not need it: none is mandatory.
#[must_use]
pub fn gaps(root: &RootFacts) -> Vec<ObservationGap> {
    let gaps = Walk::over(root).gaps;
    gaps.into_iter().map(|gap| ObservationGap { check: Check::Provenance, gap }).collect()
}

#[derive(Default)]
struct Walk {
    wants: BTreeSet<Want>,
    gaps: BTreeSet<Gap>,
}

impl Walk {
    fn over(root: &RootFacts) -> Self {
        let mut walk = Self::default();
        let mut todo: Vec<RootedPath> = RootedPath::new("/etc/ld.so.conf").into_iter().collect();
        let mut seen: BTreeSet<RootedPath> = todo.iter().cloned().collect();
        while let Some(path) = todo.pop() {
            match text(&root.files, &path, Role::LoaderConfig) {
                Known::Pending(want) => {
                    walk.wants.insert(want);
                }
                Known::Absent => {}
                Known::Lost(reason) => {
                    walk.gaps.insert(Gap::noted(Subject::file(&path), reason));
                }
                Known::Here(text) => {
                    let included = walk.includes(root, &path, text);
                    let fresh =
                        included.into_iter().filter(|path| seen.len() < FILE_LIMIT && seen.insert(path.clone()));
                    todo.extend(fresh.collect::<Vec<_>>());
                }
            }
        }
        walk
    }

    /// The files that `path`, holding `text`, includes, as far as their directories were listed.
    fn includes(&mut self, root: &RootFacts, path: &RootedPath, text: &[u8]) -> Vec<RootedPath> {
        let mut included = Vec::new();
        for (line, statement) in parse(text) {
            let Statement::Include(pattern) = statement else { continue };
            // A relative one counts from the directory of the file that names it (elf/ldconfig.c, parse_conf_include).
            let whole = path.parent().and_then(|parent| parent.join(pattern));
            let place = whole.as_ref().and_then(|whole| PlacePattern::new(whole.as_bytes()));
            match place.filter(|place| !place.name.iter().any(|byte| matches!(byte, b'?' | b'['))) {
                Some(place) => {
                    if place.is_glob() {
                        let (path, role) = (place.dir.clone(), Role::Probe);
                        self.wants.insert(Want { path, role, look: Look::Entries });
                    }
                    included.extend(root.files.expand(&place));
                }
                None => {
                    let reason = format!("line {line}: the pattern `{}` was not followed", escape(pattern));
                    self.gaps.insert(Gap::noted(Subject::file(path), reason));
                }
            }
        }
        included
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{FileFacts, FileState};
    use crate::model::{FileKind, Meta};

    fn root(files: &[(&str, &str)], directories: &[(&str, &[&str])]) -> RootFacts {
        let mut root = RootFacts::default();
        let file = |kind, look| {
            let (mode, uid, gid, size, nlink) = (0o644, 0, 0, 0, 1);
            let meta = Meta { kind, mode, uid, gid, size, nlink, mtime: 0, ctime: 0, dev: 0, ino: 0 };
            let mut file = FileFacts::new(FileState::Present(meta));
            file.looks.insert(look);
            file
        };
        for (path, content) in files {
            let mut file = file(FileKind::Regular, Look::Text);
            file.text = Some((*content).into());
            root.files.files.insert(RootedPath::new(path).unwrap(), file);
        }
        for (path, names) in directories {
            let mut file = file(FileKind::Directory, Look::Entries);
            file.entries = Some(names.iter().map(|name| (*name).to_owned()).collect());
            root.files.files.insert(RootedPath::new(path).unwrap(), file);
        }
        root
    }

    #[test]
    fn includes_are_followed_as_far_as_is_known() {
        let check = |root: &RootFacts, expected: &[&str], gaps_expected: usize| {
            let paths: Vec<String> = wants(root).into_iter().map(|want| want.path.to_string()).collect();
            assert_eq!(paths, expected);
            assert_eq!(gaps(root).len(), gaps_expected);
        };
        check(&root(&[], &[]), &["/etc/ld.so.conf"], 0);
        let conf = ("/etc/ld.so.conf", "include ld.so.conf.d/*.conf\ninclude /opt/x.conf\ninclude /etc/a?.conf\n");
        check(&root(&[conf], &[]), &["/etc/ld.so.conf.d", "/opt/x.conf"], 1);
        let listed = [("/etc/ld.so.conf.d", &["a.conf", "b.conf.bak"][..])];
        check(&root(&[conf], &listed), &["/etc/ld.so.conf.d", "/etc/ld.so.conf.d/a.conf", "/opt/x.conf"], 1);
        // One that includes itself ends.
        let circle = ("/etc/ld.so.conf", "include ld.so.conf\n");
        check(&root(&[circle], &[]), &[], 0);
    }
}
