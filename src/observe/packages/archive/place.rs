//! Where an archive's files lie: as apt(8) keeps them, in one directory, or as a mirror has them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::out::path;
use super::Wanted;
use crate::formats::apt::release::Listed;
use crate::host::root::Root;
use crate::host::snapshot::{ReadProblem, Snapshot};
use crate::model::RootedPath;
use crate::model::text::escape;

/// Names in one directory.
const MAX_NAMES: usize = 200_000;
/// The largest `InRelease`, in bytes; Debian's has 150,000.
const MAX_RELEASE: u64 = 16 << 20;
/// The largest index as it lies there.
const MAX_INDEX: u64 = 256 << 20;
/// The largest package file that is read; the kernel's has 100 MB.
const MAX_FILE: u64 = 512 << 20;
/// How an index may be compressed, by the end of its name.
const ENDS: &[&str] = &["", ".lz4", ".xz", ".gz", ".zst"];

/// One place.
pub(super) struct Place<'a> {
    root: &'a Root,
    /// What stands before paths of the root to find them on this host; empty for the examined root itself.
    prefix: PathBuf,
    lists: RootedPath,
    pool: RootedPath,
    /// Whether it is the state directory's.
    pub(super) is_state: bool,
}

/// A signed list and the indices that lie beside it.
pub(super) struct Suite {
    /// The signed list.
    pub(super) path: RootedPath,
    /// The place of the index among the suite's, with `/` or with `_` between directories.
    form: Layout,
}

enum Layout {
    /// Names that begin so are the indices.
    Flat(Vec<u8>),
    /// They lie beneath this directory.
    Tree(RootedPath),
}

impl<'a> Place<'a> {
    /// Where apt keeps them on the examined root.
    pub(super) fn of_apt(root: &'a Root) -> Self {
        let (lists, pool) = (path("/var/lib/apt/lists"), path("/var/cache/apt/archives"));
        Self { root, prefix: PathBuf::new(), lists, pool, is_state: false }
    }

    /// A directory of its own.
    pub(super) fn given(root: &'a Root, directory: &Path, is_state: bool) -> Self {
        Self { root, prefix: directory.to_owned(), lists: RootedPath::root(), pool: RootedPath::root(), is_state }
    }

    /// Names in the directory of the packages.
    pub(super) fn pool_names(&self) -> Vec<Vec<u8>> {
        self.root.list(&self.pool, MAX_NAMES).map(|(names, _)| names).unwrap_or_default()
    }

    /// Whether it is laid out as a mirror is: packages are found through the index only.
    pub(super) fn is_mirror(&self) -> bool {
        !self.prefix.as_os_str().is_empty() && self.root.stat(&path("/dists")).is_ok()
    }

    /// Where the package files among `names` lie that seem to be of a wanted package, by the key of that.
    pub(super) fn candidates(
        &self,
        names: &[Vec<u8>],
        wanted: &BTreeMap<Wanted, String>,
    ) -> BTreeMap<String, RootedPath> {
        let debs = names.iter().filter_map(|name| Some((name, name.strip_suffix(b".deb")?)));
        debs.filter_map(|(name, stem)| {
            let mut parts = stem.split(|byte| *byte == b'_').map(|part| escape(part).replace("%3a", ":"));
            let key = wanted.get(&(parts.next()?, parts.next()?, parts.next()?))?;
            Some((key.clone(), self.pool.join(name)?))
        })
        .collect()
    }

    /// The signed lists.
    pub(super) fn suites(&self) -> Vec<Suite> {
        const NAME: &[u8] = b"InRelease";
        let mut suites = Vec::new();
        for name in self.root.list(&self.lists, MAX_NAMES).map(|(names, _)| names).unwrap_or_default() {
            if let (Some(prefix), Some(path)) = (name.strip_suffix(NAME), self.lists.join(&name)) {
                suites.push(Suite { path, form: Layout::Flat(prefix.to_vec()) });
            }
        }
        if self.is_mirror() {
            for name in self.root.list(&path("/dists"), MAX_NAMES).map(|(names, _)| names).unwrap_or_default() {
                let Some(directory) = path("/dists").join(&name) else { continue };
                let Some(path) = directory.join(NAME).filter(|path| self.root.stat(path).is_ok()) else { continue };
                suites.push(Suite { path, form: Layout::Tree(directory) });
            }
        }
        suites
    }

    /// The indices of packages of a suite that lie here, the smallest first: path, size as it lies there, and the name by
    /// which the list knows it.
    pub(super) fn indices<'b>(
        &self,
        suite: &Suite,
        listed: &BTreeMap<&'b [u8], Listed>,
        architectures: &[String],
    ) -> Vec<(RootedPath, u64, &'b [u8])> {
        let mut found = Vec::new();
        for name in listed.keys() {
            let is_packages = |arch: &String| name.ends_with(format!("/binary-{arch}/Packages").as_bytes());
            if !architectures.iter().any(is_packages) && *name != b"Packages" {
                continue;
            }
            for end in ENDS {
                let at = match &suite.form {
                    Layout::Flat(prefix) => {
                        let flat: Vec<u8> = name.iter().map(|byte| if *byte == b'/' { b'_' } else { *byte }).collect();
                        self.lists.join([prefix, flat.as_slice(), end.as_bytes()].concat())
                    }
                    Layout::Tree(directory) => directory.join([name, end.as_bytes()].concat()),
                };
                let Some(at) = at else { continue };
                if let Ok(meta) = self.root.stat(&at) {
                    found.push((at, meta.size, *name));
                    break;
                }
            }
        }
        found.sort_by_key(|(_, size, _)| *size);
        found
    }

    /// Where the package file that an index calls `file` lies in a mirror.
    pub(super) fn in_pool(&self, file: &[u8]) -> Option<RootedPath> {
        RootedPath::root().join(file.strip_prefix(b"./").unwrap_or(file))
    }

    pub(super) fn read_release(&self, path: &RootedPath) -> Result<Snapshot, ReadProblem> {
        Snapshot::read(self.root, path, MAX_RELEASE)
    }

    pub(super) fn read_index(&self, path: &RootedPath) -> Result<Snapshot, ReadProblem> {
        Snapshot::read(self.root, path, MAX_INDEX)
    }

    pub(super) fn read_file(&self, path: &RootedPath) -> Result<Snapshot, ReadProblem> {
        Snapshot::read(self.root, path, MAX_FILE)
    }

    /// `path` as the report names it.
    pub(super) fn shown(&self, path: &RootedPath) -> RootedPath {
        if self.prefix.as_os_str().is_empty() {
            return path.clone();
        }
        let whole = [self.prefix.as_os_str().as_encoded_bytes(), path.as_bytes()].concat();
        RootedPath::new(&whole).or_else(|| RootedPath::root().join(&whole)).unwrap_or_else(|| path.clone())
    }
}
