//! The files of an image and of the trees that are laid over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::BuildProblem;
use crate::formats::sshd_config::pattern;
use crate::host::root::Root;
use crate::host::snapshot::Snapshot;
use crate::host::tree::{self, Entry};
use crate::model::manifest::{ImageFile, Layer};
use crate::model::{Algorithm, Digest, RootedPath};

/// Places whose files change by themselves, or decide no login.
const LEFT_OUT: &[&str] = &[
    "/dev",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/usr/share/doc",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/man",
    "/var/cache",
    "/var/lib/apt",
    "/var/log",
    "/var/spool",
    "/var/tmp",
];
/// The largest file, in bytes.
const MAX_FILE: u64 = 4 << 30;

/// Each regular file, by its path; a later overlay's in the place of an earlier one's.
pub(super) fn files(root: &Path, overlays: &[PathBuf], node_files: &[String]) -> Result<Vec<ImageFile>, BuildProblem> {
    let mut files = BTreeMap::new();
    let image = open(root)?;
    add(&image, root, Layer::Image, &image, &mut files)?;
    for overlay in overlays {
        add(&open(overlay)?, overlay, Layer::Overlay, &image, &mut files)?;
    }
    let is_of_node = |path: &RootedPath| node_files.iter().any(|own| pattern::matches(path.as_bytes(), own.as_bytes()));
    for file in files.values_mut().filter(|file| is_of_node(&file.path)) {
        (file.layer, file.digest) = (Layer::Node, None);
    }
    Ok(files.into_values().collect())
}

fn open(directory: &Path) -> Result<Root, BuildProblem> {
    Root::open(directory, false).map_err(|error| BuildProblem(format!("{}: {error}", directory.display())))
}

/// Adds the files of `tree`, which lies at `directory`. An overlay may spell a directory by a link of the image's: `/lib/…`.
fn add(
    tree: &Root,
    directory: &Path,
    layer: Layer,
    image: &Root,
    files: &mut BTreeMap<RootedPath, ImageFile>,
) -> Result<(), BuildProblem> {
    for entry in tree::walk(directory) {
        let problem =
            |path: &RootedPath, why: String| BuildProblem(format!("{}: `{path}`: {why}", directory.display()));
        let path = match entry {
            Entry::File(path) => path,
            Entry::Skipped(path, _) if is_left_out(&path) => continue,
            Entry::Skipped(path, reason) => return Err(problem(&path, reason)),
        };
        if is_left_out(&path) {
            continue;
        }
        let snapshot = Snapshot::read(tree, &path, MAX_FILE).map_err(|why| problem(&path, why.to_string()))?;
        let real = path.parent().and_then(|parent| image.canonical(&parent).ok()?.join(path.file_name()));
        let path = real.unwrap_or(path);
        let meta = snapshot.meta();
        let file = ImageFile {
            layer,
            path: path.clone(),
            digest: Some(Digest::of(Algorithm::Sha256, snapshot.bytes())),
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
        };
        files.insert(path, file);
    }
    Ok(())
}

fn is_left_out(path: &RootedPath) -> bool {
    LEFT_OUT.iter().filter_map(RootedPath::new).any(|place| *path == place || path.is_beneath(&place))
}
