//! Files and directories together, as Include needs them.

use std::collections::BTreeMap;

use super::pam::{Files, Seen};
use crate::model::{Meta, RootedPath};

/// [`Files`] that can also list a directory.
pub trait Tree: Files {
    /// The names in a directory, links followed inside the root.
    fn names(&self, path: &RootedPath) -> Names;
}

/// What is known of a path as a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// The names in it, in no particular order.
    Listed(Vec<Vec<u8>>),
    /// There is no such directory.
    Missing,
    /// It is there and could not be listed; why, in one sentence.
    Opaque(String),
    /// Nobody has looked yet.
    Unasked,
}

/// Texts by path, of which everything is known: what is not in the map does not exist. For cases and for `--config`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub BTreeMap<RootedPath, Vec<u8>>);

impl Files for Texts {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        match self.0.get(path) {
            Some(bytes) => Seen::Text(bytes),
            None if matches!(self.names(path), Names::Listed(_)) => Seen::Opaque("it is a directory".to_owned()),
            None => Seen::Missing,
        }
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        if self.0.contains_key(path) { Err("only its content is known".to_owned()) } else { Ok(None) }
    }
}

impl Tree for Texts {
    fn names(&self, path: &RootedPath) -> Names {
        let depth = path.components().count();
        let mut names: Vec<Vec<u8>> = self
            .0
            .keys()
            .filter(|file| *file != path && file.is_beneath(path))
            .filter_map(|file| file.components().nth(depth).map(<[u8]>::to_vec))
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() { Names::Missing } else { Names::Listed(names) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_a_tree() {
        let path = |text: &str| RootedPath::new(text).unwrap();
        let tree = Texts(BTreeMap::from([(path("/etc/a/x"), b"1".to_vec()), (path("/etc/a/y/z"), b"2".to_vec())]));
        assert_eq!(tree.text(&path("/etc/a/x")), Seen::Text(b"1"));
        assert!(matches!(tree.text(&path("/etc/a")), Seen::Opaque(_)));
        assert_eq!(tree.names(&path("/etc/a")), Names::Listed(vec![b"x".to_vec(), b"y".to_vec()]));
        assert_eq!(tree.names(&path("/etc/b")), Names::Missing);
    }
}
