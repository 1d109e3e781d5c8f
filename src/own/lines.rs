//! A file of lines that another program follows: grows at its end, and is renamed when it is long, never cut short.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// How long a file may get, and how many old ones stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// In bytes.
    pub bytes: u64,
    /// `FILE.1` is the youngest of them.
    pub keep: u32,
}

/// Adds `lines`, each ended by a newline, to the file at `path` (mode 0640 if it is new), and waits until they are on the
/// disk. What a killed writer left of a line is taken off first. With more than `rotation` allows the file becomes
/// `FILE.1`, and a new one begins.
///
/// # Errors
/// What the kernel says; `InvalidInput` if `path` is no regular file. Some of the lines may be there then.
pub fn append(path: &Path, lines: &[u8], rotation: Rotation) -> io::Result<()> {
    let mut file = open(path)?;
    let size = mend(&mut file)?;
    if size > 0 && size.saturating_add(lines.len() as u64) > rotation.bytes {
        file.sync_all()?;
        rotate(path, rotation.keep)?;
        file = open(path)?;
    }
    file.write_all(lines)?;
    file.sync_all()?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(dir)?.sync_all()
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Takes off what stands after the last newline; the size that is left.
fn mend(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 4096;
    let size = file.metadata()?.len();
    let mut end = size;
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        Read::by_ref(file).take(end.saturating_sub(begin)).read_to_end(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            end = begin.saturating_add(at as u64).saturating_add(1);
            break;
        }
        end = begin;
    }
    if end < size {
        file.set_len(end)?;
    }
    Ok(end)
}

/// `FILE.2` becomes `FILE.3`, `FILE.1` `FILE.2`, `FILE` `FILE.1`; the oldest is written over.
fn rotate(path: &Path, keep: u32) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    if keep == 0 {
        return std::fs::remove_file(path);
    }
    for number in (1..keep).rev() {
        match std::fs::rename(numbered(number), numbered(number.saturating_add(1))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, numbered(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_moves_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        let rotation = Rotation { bytes: 10, keep: 2 };
        for line in ["aaaa\n", "bbbb\n", "cccc\n", "dddd\n", "eeee\n", "ffff\n", "gggg\n"] {
            append(&path, line.as_bytes(), rotation).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
        assert_eq!(
            [read("events"), read("events.1"), read("events.2"), read("events.3")],
            ["gggg\n", "eeee\nffff\n", "cccc\ndddd\n", ""]
        );
    }

    #[test]
    fn half_a_line_is_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        let long = "x".repeat(10_000);
        std::fs::write(&path, format!("a\n{long}")).unwrap();
        append(&path, b"b\n", Rotation { bytes: 1 << 20, keep: 1 }).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
        std::fs::write(&path, "half").unwrap();
        append(&path, b"b\n", Rotation { bytes: 1 << 20, keep: 1 }).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
    }

    #[test]
    fn neither_link_nor_pipe_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (link, pipe) = (dir.path().join("link"), dir.path().join("pipe"));
        std::os::unix::fs::symlink(dir.path().join("victim"), &link).unwrap();
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [link, pipe] {
            assert!(append(&path, b"x\n", Rotation { bytes: 9, keep: 1 }).is_err(), "{}", path.display());
        }
        assert!(!dir.path().join("victim").exists());
    }
}
