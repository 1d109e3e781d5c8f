//! Which paths the indicators of the known families want looked at.
//!
//! Plain paths are looked at as binaries, so that digests and content rules apply to whatever lies there; a directory
//! with a wildcard is listed first. A path that is not there costs one failed open.

use std::collections::BTreeSet;

use crate::facts::{Look, Role, RootFacts, Want};
use crate::knowledge::family::{PathRule, PlacePattern};
use crate::knowledge::{Kind, Knowledge};
use crate::model::{RootedPath, text};

/// Most names that one wildcard is followed to.
pub const GLOB_LIMIT: usize = 1024;

/// What the path indicators of `knowledge` want of this root, given what was seen of it so far.
#[must_use]
pub fn wants(root: &RootFacts, knowledge: &Knowledge) -> Vec<Want> {
    let mut wants = BTreeSet::new();
    let indicators = knowledge.families().iter().flat_map(|family| &family.indicators);
    for rule in indicators.filter_map(|indicator| if let Kind::Path(rule) = &indicator.kind { Some(rule) } else { None }) {
        for place in &rule.places {
            match place.path() {
                Some(path) => {
                    wants.insert(want(path, Look::Binary));
                }
                None => {
                    wants.insert(want(place.dir.clone(), Look::Entries));
                    wants.extend(names(root, place).into_iter().map(|path| want(path, look(rule))));
                }
            }
        }
    }
    wants.into_iter().collect()
}

/// The paths that a wildcard stands for, as far as its directory was listed.
#[must_use]
pub fn names(root: &RootFacts, place: &PlacePattern) -> Vec<RootedPath> {
    let entries = root.files.get(&place.dir).and_then(|file| file.entries.as_ref());
    let names = entries.into_iter().flatten().filter_map(|name| text::unescape(name));
    names.filter(|name| place.fits(name)).filter_map(|name| place.dir.join(&name)).take(GLOB_LIMIT).collect()
}

fn want(path: RootedPath, look: Look) -> Want {
    Want { path, role: Role::Indicator, look }
}

/// A rule that asks for content, or for nothing but a name, wants the content; one that asks for mode and size does not.
fn look(rule: &PathRule) -> Look {
    if rule.content.is_empty() && (rule.mode != 0 || rule.max_size.is_some()) { Look::Inode } else { Look::Binary }
}
