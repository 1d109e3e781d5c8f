//! Every regular file beneath a root, for the scans that leave nothing out.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::model::RootedPath;

/// File systems that hold no files of anyone's: kernel tables in the shape of files (statfs(2), `linux/magic.h`).
const PSEUDO: [i64; 11] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0xcafe_4a11, // bpf
    0x7363_6673, // securityfs
    0x1980_0202, // mqueue
    0x6265_6570, // configfs
];

/// What the walk met.
#[derive(Debug)]
pub enum Entry {
    /// A regular file.
    File(RootedPath),
    /// A directory that could not be read, or a pseudo file system that was left out, with the reason.
    Skipped(RootedPath, String),
}

/// Walks `root` without following symbolic links and without entering pseudo file systems. Names, not descriptors: each
/// file is opened beneath the root afterwards, where a link put in its place meanwhile cannot lead outside.
pub fn walk(root: &Path) -> impl Iterator<Item = Entry> + use<> {
    let top: PathBuf = root.to_owned();
    let mut walk = WalkDir::new(root).follow_links(false).into_iter();
    std::iter::from_fn(move || {
        loop {
            match walk.next()? {
                Ok(entry) if entry.file_type().is_dir() => {
                    if let Some(name) = pseudo(entry.path()) {
                        walk.skip_current_dir();
                        return Some(Entry::Skipped(rooted(&top, entry.path())?, name));
                    }
                }
                Ok(entry) if entry.file_type().is_file() => return Some(Entry::File(rooted(&top, entry.path())?)),
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().and_then(|path| rooted(&top, path)).unwrap_or_else(RootedPath::root);
                    let reason = error.io_error().map_or_else(|| "directory loop".to_owned(), ToString::to_string);
                    return Some(Entry::Skipped(path, reason));
                }
            }
        }
    })
}

fn rooted(top: &Path, path: &Path) -> Option<RootedPath> {
    let relative = path.strip_prefix(top).ok()?;
    RootedPath::root().join(relative.as_os_str().as_bytes())
}

fn pseudo(dir: &Path) -> Option<String> {
    let kind = nix::sys::statfs::statfs(dir).ok()?.filesystem_type().0;
    #[allow(clippy::unnecessary_cast, reason = "the type differs between architectures")]
    let kind = kind as i64;
    PSEUDO.contains(&kind).then(|| "kernel file system, holds no files".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed_and_names_are_rooted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("usr")).unwrap();
        std::fs::write(dir.path().join("usr/a"), "").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("usr/etc")).unwrap();
        let files: Vec<String> = walk(dir.path())
            .map(|entry| match entry {
                Entry::File(path) => path.to_string(),
                Entry::Skipped(path, reason) => format!("{path}: {reason}"),
            })
            .collect();
        assert_eq!(files, ["/usr/a"]);
    }
}
