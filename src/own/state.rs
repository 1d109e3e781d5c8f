//! What a node keeps of itself from scan to scan: its key and its ledger, readable by who scans only.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::output;
use super::spool::{Lock, directory, lock};
use crate::model::loaded::LoadedConfig;
use crate::model::{Algorithm, Digest, Identity, Timestamp};

/// Where the state lies unless the command line says otherwise.
pub const STATE: &str = "/var/lib/sshproof";

/// Where, within the state, signed metadata of packages lies: files `SECONDS-SHA256`, the time since when it is kept and the
/// digest of its content.
const EVIDENCE: &str = "evidence";
/// Pieces of evidence kept, the largest of them, and bytes of all together; the rpm headers of the packages that own the
/// code of a login have some 4 MB.
const MAX_EVIDENCE: usize = 1024;
const MAX_PIECE: u64 = 16 << 20;
const MAX_EVIDENCE_BYTES: u64 = 64 << 20;

/// Where, within the state, the files of package archives lie that records rest on, as apt(8) names them; and bytes of all
/// together.
const ARCHIVE: &str = "archive";
const MAX_ARCHIVE_BYTES: u64 = 512 << 20;

/// Where, within the state, the files stand that were compared with their medium, and its largest size.
const COMPARED: &str = "compared.json";
const MAX_COMPARED: u64 = 4 << 20;

/// Where, within the state, the configurations stand that running servers hold, and its largest size: those of three or four
/// servers, each with files of some kilobytes.
const LOADED: &str = "loaded.json";
const MAX_LOADED: u64 = 64 << 20;

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

/// Which files were compared with their medium, and in which boot.
#[derive(Serialize, Deserialize)]
struct Comparisons {
    boot: String,
    files: BTreeSet<(Identity, Digest)>,
}

/// What running servers hold, and in which boot.
#[derive(Serialize, Deserialize)]
struct Servers<'a> {
    boot: String,
    servers: Cow<'a, [LoadedConfig]>,
}

impl State {
    /// Keeps which files were found to be the same on their medium as in the cache, for later scans of this boot.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn keep_compared(&self, files: &[(Identity, Digest)]) -> io::Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let comparisons = Comparisons { boot: boot_id(), files: files.iter().copied().collect() };
        output::write_for(&self.dir.join(COMPARED), &serde_json::to_vec(&comparisons)?, 0o600, None)
    }

    /// Keeps which configurations running servers hold, in place of what was kept.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn keep_loaded(&self, servers: &[LoadedConfig]) -> io::Result<()> {
        let kept = Servers { boot: boot_id(), servers: Cow::Borrowed(servers) };
        output::write_for(&self.dir.join(LOADED), &serde_json::to_vec(&kept)?, 0o600, None)
    }

    /// Keeps files of package archives for later scans, `new` ones by name with their content, and drops what is not `used`
    /// any more.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn keep_archive(&self, used: &BTreeSet<String>, new: &[(String, Vec<u8>)]) -> io::Result<()> {
        let dir = archive(&self.dir);
        if used.is_empty() && !dir.is_dir() {
            return Ok(());
        }
        directory(&dir, 0o700)?;
        let mut bytes = 0_u64;
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| used.contains(name)) {
                bytes = bytes.saturating_add(entry.metadata()?.len());
            } else if entry.file_type()?.is_file() {
                std::fs::remove_file(entry.path())?;
            }
        }
        for (name, content) in new {
            bytes = bytes.saturating_add(u64::try_from(content.len()).unwrap_or(u64::MAX));
            if bytes > MAX_ARCHIVE_BYTES {
                break;
            }
            output::write_for(&dir.join(name), content, 0o600, None)?;
        }
        Ok(())
    }

    /// Keeps signed metadata for later scans. What was kept before and is seen again stays the newer; what was not seen for
    /// longest goes when there is too much.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn keep_evidence(&self, pieces: &[Vec<u8>], now: Timestamp) -> io::Result<()> {
        if pieces.is_empty() {
            return Ok(());
        }
        let dir = self.dir.join(EVIDENCE);
        directory(&dir, 0o700)?;
        let mut names = evidence_names(&dir)?;
        for piece in pieces.iter().filter(|piece| u64::try_from(piece.len()).is_ok_and(|length| length <= MAX_PIECE)) {
            let digest = Digest::of(Algorithm::Sha256, piece).hex();
            match names.iter().find(|(_, name)| name.ends_with(&digest)) {
                Some((_, name)) => File::open(dir.join(name))?.set_modified(std::time::SystemTime::now())?,
                None => {
                    let name = format!("{}-{digest}", now.0);
                    output::write_for(&dir.join(&name), piece, 0o600, None)?;
                    names.push((now, name));
                }
            }
        }
        let aged = |(_, name): &(Timestamp, String)| {
            let meta = std::fs::metadata(dir.join(name)).ok()?;
            Some((meta.modified().ok()?, meta.len(), name.clone()))
        };
        let mut aged: Vec<_> = names.iter().filter_map(aged).collect();
        aged.sort_by(|one, other| other.cmp(one));
        let mut bytes = 0_u64;
        for (number, (_, length, name)) in aged.into_iter().enumerate() {
            bytes = bytes.saturating_add(length);
            if number >= MAX_EVIDENCE || bytes > MAX_EVIDENCE_BYTES {
                std::fs::remove_file(dir.join(name))?;
            }
        }
        Ok(())
    }
}

/// Where the state at `dir` keeps files of package archives.
#[must_use]
pub fn archive(dir: &Path) -> PathBuf {
    dir.join(ARCHIVE)
}

/// The files that were compared with their medium in this boot, by the state at `dir`; none if it does not say, or the kernel
/// does not say which boot this is. Whoever may write there is root and may change the cache at will: against him stands
/// only a comparison of everything.
#[must_use]
pub fn compared(dir: &Path) -> BTreeSet<(Identity, Digest)> {
    let stored = read(&dir.join(COMPARED), MAX_COMPARED).ok();
    let stored = stored.and_then(|bytes| serde_json::from_slice::<Comparisons>(&bytes).ok());
    stored
        .filter(|stored| !stored.boot.is_empty() && stored.boot == boot_id())
        .map(|stored| stored.files)
        .unwrap_or_default()
}

/// The configurations that the servers which run in this boot held when they were last seen, by the state at `dir`; none if it
/// does not say.
#[must_use]
pub fn loaded(dir: &Path) -> Vec<LoadedConfig> {
    let stored = read(&dir.join(LOADED), MAX_LOADED).ok();
    let stored = stored.and_then(|bytes| serde_json::from_slice::<Servers<'_>>(&bytes).ok());
    let stored = stored.filter(|stored| !stored.boot.is_empty() && stored.boot == boot_id());
    stored.map(|stored| stored.servers.into_owned()).unwrap_or_default()
}

/// The signed metadata kept in the state at `dir`, each piece with the time since when; none if there is no state. Read one
/// by one, as they are asked for. What its name does not fit is left out: somebody changed it.
pub fn evidence(dir: &Path) -> impl Iterator<Item = (Timestamp, Vec<u8>)> + use<> {
    let dir = dir.join(EVIDENCE);
    let names = evidence_names(&dir).unwrap_or_default();
    names.into_iter().take(MAX_EVIDENCE).filter_map(move |(since, name)| {
        let bytes = read(&dir.join(&name), MAX_PIECE).ok()?;
        name.ends_with(&Digest::of(Algorithm::Sha256, &bytes).hex()).then_some((since, bytes))
    })
}

/// Names of evidence with the times in them, sorted.
fn evidence_names(dir: &Path) -> io::Result<Vec<(Timestamp, String)>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let name = |entry: io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let since = name.split_once('-').filter(|(_, digest)| digest.len() == 64)?.0.parse().ok()?;
        Some((Timestamp(since), name))
    };
    let mut names: Vec<(Timestamp, String)> = entries.filter_map(name).collect();
    names.sort();
    Ok(names)
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
    fn evidence_stays_and_the_time_since_when_with_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(evidence(dir.path()).count(), 0);
        let state = State::open(dir.path()).unwrap();
        state.keep_evidence(&[b"one".to_vec()], Timestamp(5)).unwrap();
        state.keep_evidence(&[b"two".to_vec(), b"one".to_vec()], Timestamp(9)).unwrap();
        let kept: Vec<_> = evidence(dir.path()).collect();
        assert_eq!(kept, [(Timestamp(5), b"one".to_vec()), (Timestamp(9), b"two".to_vec())]);
        let first = evidence_names(&dir.path().join(EVIDENCE)).unwrap().remove(0).1;
        std::fs::write(dir.path().join(EVIDENCE).join(first), b"won").unwrap();
        assert_eq!(evidence(dir.path()).count(), 1, "what was changed is none");
    }

    #[test]
    fn what_was_not_seen_for_longest_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let piece = |number: u8| vec![number; 15 << 20];
        for number in 0..4 {
            state.keep_evidence(&[piece(number)], Timestamp(number.into())).unwrap();
        }
        state.keep_evidence(&[piece(0), piece(4)], Timestamp(4)).unwrap();
        let since: Vec<u64> = evidence(dir.path()).map(|(since, _)| since.0).collect();
        assert_eq!(since, [0, 2, 3, 4]);
    }

    #[test]
    fn comparisons_count_in_their_boot_only() {
        let dir = tempfile::tempdir().unwrap();
        assert!(compared(dir.path()).is_empty());
        let state = State::open(dir.path()).unwrap();
        let file = ((1, 2, 3, 4, -5), Digest::of(Algorithm::Sha256, b"x"));
        state.keep_compared(&[file]).unwrap();
        assert_eq!(compared(dir.path()), [file].into());
        let path = dir.path().join(COMPARED);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(&boot_id(), "another boot")).unwrap();
        assert!(compared(dir.path()).is_empty());
        std::fs::write(&path, "{").unwrap();
        assert!(compared(dir.path()).is_empty());
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
