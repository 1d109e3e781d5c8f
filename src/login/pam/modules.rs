//! Where libpam finds a module: one directory, fixed when it was built, or an absolute path.

use std::sync::LazyLock;

use crate::model::RootedPath;

use super::files::Files;

/// Module directories of the distributions that we know: Debian's multiarch ones, then the others.
pub const DIRECTORIES: [&str; 15] = [
    "/usr/lib/x86_64-linux-gnu/security",
    "/lib/x86_64-linux-gnu/security",
    "/usr/lib/aarch64-linux-gnu/security",
    "/lib/aarch64-linux-gnu/security",
    "/usr/lib/powerpc64le-linux-gnu/security",
    "/usr/lib/s390x-linux-gnu/security",
    "/usr/lib/riscv64-linux-gnu/security",
    "/usr/lib/arm-linux-gnueabihf/security",
    "/usr/lib/i386-linux-gnu/security",
    "/lib/i386-linux-gnu/security",
    "/usr/lib64/security",
    "/lib64/security",
    "/usr/lib/security",
    "/lib/security",
    "/usr/lib/pam",
];

/// [`DIRECTORIES`] as paths.
static PATHS: LazyLock<Vec<RootedPath>> = LazyLock::new(|| DIRECTORIES.iter().filter_map(RootedPath::new).collect());

/// Whether a module is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is.
    Present,
    /// It is not, and other modules show that we know where it would be.
    Missing,
    /// Could not be told, and why, as a clause.
    Unknown(String),
}

/// The paths at which the module called `name` may lie.
#[must_use]
pub fn candidates(name: &[u8]) -> Vec<RootedPath> {
    if name.first() == Some(&b'/') {
        return RootedPath::new(name).into_iter().collect();
    }
    PATHS.iter().filter_map(|directory| directory.join(name)).collect()
}

/// Whether an absolute path lies in a directory that libpam itself would use.
#[must_use]
pub fn in_module_directory(path: &[u8]) -> bool {
    let parent = RootedPath::new(path).and_then(|path| path.parent());
    parent.is_some_and(|parent| DIRECTORIES.iter().any(|dir| parent.as_bytes() == dir.as_bytes()))
}

/// Whether the module called `name` is installed in the root behind `files`.
#[must_use]
pub fn find(name: &[u8], files: &dyn Files) -> Found {
    if name.windows(4).any(|part| part == b"$ISA") {
        return Found::Unknown("what `$ISA` stands for depends on the build".to_owned());
    }
    let own = RootedPath::new(name).and_then(|path| path.parent());
    let mut known = own.is_some();
    let mut doubt = None;
    let directories = if known { own.as_slice() } else { PATHS.as_slice() };
    for directory in directories {
        // A directory that is not there need not be looked into.
        match files.inode(directory) {
            Ok(None) => continue,
            Ok(Some(_)) => known = true,
            Err(reason) => doubt = Some(reason),
        }
        match directory.join(name).map(|path| files.inode(&path)) {
            Some(Ok(Some(_))) => return Found::Present,
            Some(Ok(None)) | None => {}
            Some(Err(reason)) => doubt = Some(reason),
        }
    }
    if let Some(reason) = doubt {
        return Found::Unknown(reason);
    }
    if known { Found::Missing } else { Found::Unknown("no known module directory is there".to_owned()) }
}
