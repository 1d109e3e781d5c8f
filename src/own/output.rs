//! Writes a result so that a reader sees all of it or nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes `bytes` to `path`: into a new file beside it, mode 0600, flushed to the disk, then renamed over it. Whatever stands
/// at `path` and is no regular file is neither replaced nor written through: `/dev/null` must stay what it is, and a link may
/// be somebody's trap.
///
/// # Errors
/// If a device, FIFO, socket, directory or symbolic link stands at `path`; what the kernel says otherwise, the temporary file
/// is removed then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_for(path, bytes, 0o600, None)
}

/// The same with another mode, and for another group if one is named.
///
/// # Errors
/// As [`write`].
pub fn write_for(path: &Path, bytes: &[u8], mode: u32, group: Option<u32>) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    if std::fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file()) {
        let reason = "is no regular file, which is neither replaced nor written through";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let done = write_new(&temporary, bytes, mode, group).and_then(|()| std::fs::rename(&temporary, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&temporary);
        return done;
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(dir)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8], mode: u32, group: Option<u32>) -> io::Result<()> {
    // create_new is O_EXCL, which never follows a link that somebody put there first.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode & 0o600).open(path)?;
    if group.is_some() {
        std::os::unix::fs::fchown(&file, None, group)?;
    }
    // Against the umask, and after the group is right.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let [victim, link, fifo] = ["victim", "link", "fifo"].map(|name| dir.path().join(name));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for special in [&link, &fifo, &dir.path().join(".."), Path::new("/dev/null")] {
            let error = write(special, b"{}").unwrap_err().to_string();
            assert!(error.starts_with("is no regular file") || error == "not a file name", "{error}");
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
        write(&victim, b"{}").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "{}");
    }
}
