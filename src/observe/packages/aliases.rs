//! The links at the top of a root: on a merged `/usr`, `/lib` is `usr/lib`, while packages still record `/lib/…`.

use std::collections::BTreeMap;

use super::out::Out;
use crate::host::root::Root;
use crate::model::{FileKind, RootedPath};

/// The symbolic links directly beneath `/` that are actually there, with the directories they lead to.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    links: BTreeMap<Vec<u8>, RootedPath>,
}

impl Aliases {
    /// Those of `root`.
    pub(super) fn observe(root: &Root, out: &mut Out) -> Self {
        let mut links = BTreeMap::new();
        for name in out.list(root, &RootedPath::root()).unwrap_or_default() {
            let Some(path) = RootedPath::root().join(&name) else { continue };
            if root.lstat(&path).is_ok_and(|meta| meta.kind == FileKind::Symlink)
                && let Ok(target) = root.canonical(&path)
            {
                links.insert(name, target);
            }
        }
        Self { links }
    }

    /// `path` with its first component replaced by what that leads to.
    pub(super) fn normalise(&self, path: &RootedPath) -> RootedPath {
        let Some(target) = path.components().next().and_then(|first| self.links.get(first)) else {
            return path.clone();
        };
        let rest: Vec<&[u8]> = path.components().skip(1).collect();
        target.join(rest.join(&b'/')).unwrap_or_else(|| path.clone())
    }
}
