//! What a node keeps of itself from scan to scan: its key and its ledger, readable by who scans only.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::output;
use super::spool::{Lock, directory, lock};

/// Where the state lies unless the command line says otherwise.
pub const STATE: &str = "/var/lib/sshproof";

/// A ledger with thousands of open findings stays below this.
const MAX_LEDGER: u64 = 64 << 20;

/// The state's directory, which nobody else works on while this lives.
#[derive(Debug)]
pub struct State {
    dir: PathBuf,
    _lock: Lock,
}

impl State {
    /// The state at `dir`, made (mode 0700) if it is not there.
    ///
    /// # Errors
    /// `WouldBlock` if another scan holds it; otherwise what the kernel says.
    pub fn open(dir: &Path) -> io::Result<Self> {
        directory(dir, 0o700)?;
        Ok(Self { _lock: lock(&dir.join("lock"))?, dir: dir.to_owned() })
    }

    /// The secret seed of the node's key, and whether it was made just now.
    ///
    /// # Errors
    /// What the kernel says; `InvalidData` if the file does not hold 32 bytes.
    pub fn seed(&self) -> io::Result<([u8; 32], bool)> {
        let path = self.dir.join("node.key");
        match read(&path, 33) {
            Ok(bytes) => {
                let seed = bytes.try_into().map_err(|_| bad(&path, "is no key of 32 bytes"))?;
                Ok((seed, false))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let seed = random()?;
                output::write_for(&path, &seed, 0o600, None)?;
                Ok((seed, true))
            }
            Err(error) => Err(error),
        }
    }

    /// The stored ledger; `None` if there is none.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn ledger(&self) -> io::Result<Option<Vec<u8>>> {
        match read(&self.dir.join("ledger.json"), MAX_LEDGER) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a ledger in place of the last.
    ///
    /// # Errors
    /// What the kernel says; then the last one is still there.
    pub fn store(&self, ledger: &[u8]) -> io::Result<()> {
        output::write_for(&self.dir.join("ledger.json"), ledger, 0o600, None)
    }
}

/// Makes a new secret of 32 bytes in a file of mode 0600.
///
/// # Errors
/// What the kernel says; `AlreadyExists` if something stands at `path`.
pub fn new_secret(path: &Path) -> io::Result<[u8; 32]> {
    if path.symlink_metadata().is_ok() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something already"));
    }
    let seed = random()?;
    output::write_for(path, &seed, 0o600, None)?;
    Ok(seed)
}

/// A secret of 32 bytes that the site keeps in a file.
///
/// # Errors
/// What the kernel says; `InvalidData` unless it has exactly 32 bytes.
pub fn secret(path: &Path) -> io::Result<[u8; 32]> {
    read(path, 33)?.try_into().map_err(|_| bad(path, "must hold exactly 32 bytes"))
}

/// `boot_id` of random(4): which boot this is; empty where the kernel does not say.
#[must_use]
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

fn random() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    // At a service's start the pool is initialised (random(4)); `/dev/urandom` is there in every container too.
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}

fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn bad(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state")).unwrap();
        let (seed, fresh) = state.seed().unwrap();
        assert!(fresh && seed != [0; 32]);
        assert_eq!(state.seed().unwrap(), (seed, false));
        std::fs::write(dir.path().join("state/node.key"), [1; 31]).unwrap();
        assert_eq!(state.seed().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn one_scan_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let held = State::open(dir.path()).unwrap();
        assert_eq!(State::open(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert!(State::open(dir.path()).unwrap().ledger().unwrap().is_none());
    }
}
