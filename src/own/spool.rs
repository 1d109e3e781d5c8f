//! The spool's files. `DIR/records` belongs to the scan: one file for each, which appears whole or not at all.
//! `DIR/ship` belongs to the shipper, which may be another user: how far each sink is, and dead letters. Root never writes
//! there, and takes what it reads there for a hint.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::output;
use crate::model::Timestamp;
use crate::model::event::Acked;

/// A larger file is none of ours.
const MAX_RECORD: u64 = 64 << 20;

/// A larger cursor is none of ours.
const MAX_CURSOR: u64 = 4096;

/// Cursors that are looked at, and dead letters that are kept.
const MAX_ENTRIES: usize = 1000;

/// A spool that exists.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
}

/// What the name of a record says: `EPOCH-FIRST-LAST.RANK`, padded so that names sort as events do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordName {
    /// Epoch of its events.
    pub epoch: u64,
    /// Number of its first event.
    pub first: u64,
    /// Number of its last event.
    pub last: u64,
    /// How much its loss would hurt: 0 holds no finding.
    pub rank: u8,
}

/// A record as it lies in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: RecordName,
    /// What it takes of the disk, in bytes.
    pub size: u64,
    /// When it was written.
    pub written: Timestamp,
}

impl std::fmt::Display for RecordName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:012}-{:012}-{:012}.{}", self.epoch, self.first, self.last, self.rank)
    }
}

impl RecordName {
    fn parse(name: &str) -> Option<Self> {
        let (numbers, rank) = name.split_once('.')?;
        let mut parts = numbers.split('-').map(|part| part.parse().ok());
        let parsed =
            Self { epoch: parts.next()??, first: parts.next()??, last: parts.next()??, rank: rank.parse().ok()? };
        // One record has one name.
        (parsed.first <= parsed.last && parsed.to_string() == name).then_some(parsed)
    }
}

/// Held while one program works on something; given back when dropped, or when the program ends.
#[derive(Debug)]
pub struct Lock {
    _held: Flock<File>,
}

/// Takes the lock at `path`, which is made if it is not there.
///
/// # Errors
/// `WouldBlock` if somebody else holds it; otherwise what the kernel says.
pub fn lock(path: &Path) -> io::Result<Lock> {
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).custom_flags(O_NOFOLLOW).open(path)?;
    Ok(Lock { _held: Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| io::Error::from(errno))? })
}

/// Makes a directory of that mode if it is not there.
///
/// # Errors
/// What the kernel says.
pub fn directory(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        done => done,
    }
}

impl Spool {
    /// The spool at `dir` for a scan: made if it is not there, for the directory's group to read.
    ///
    /// # Errors
    /// What the kernel says; `PermissionDenied` if somebody else could put a link in our way.
    pub fn create(dir: &Path) -> io::Result<Self> {
        directory(dir, 0o750)?;
        let meta = std::fs::metadata(dir)?;
        if meta.uid() != nix::unistd::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            let message = "the spool must belong to who scans, and nobody else may write to it";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        let spool = Self { dir: dir.to_owned() };
        directory(&spool.records(), 0o750)?;
        directory(&spool.ship(), 0o770)?;
        for (path, mode) in [(spool.records(), 0o750), (spool.ship(), 0o770)] {
            std::os::unix::fs::chown(&path, None, Some(meta.gid()))?;
            // Against the umask.
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        }
        spool.sweep()?;
        Ok(spool)
    }

    /// The spool at `dir` for a shipper.
    ///
    /// # Errors
    /// What the kernel says; `NotFound` if no scan has made one.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let spool = Self { dir: dir.to_owned() };
        std::fs::read_dir(spool.records())?;
        Ok(spool)
    }

    fn records(&self) -> PathBuf {
        self.dir.join("records")
    }

    fn ship(&self) -> PathBuf {
        self.dir.join("ship")
    }

    /// Removes what a killed scan left half written.
    fn sweep(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.records())? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().first() == Some(&b'.') {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// All records, first event first. Other files are passed over.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(self.records())? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().and_then(RecordName::parse) else { continue };
            match entry.metadata() {
                Ok(meta) => entries.push(Entry {
                    name,
                    // 512 bytes each, whatever the file system counts in (stat(2), `st_blocks`).
                    size: meta.blocks().saturating_mul(512),
                    written: Timestamp(u64::try_from(meta.mtime()).unwrap_or(0)),
                }),
                // A scan has removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        entries.sort_by_key(|entry| entry.name);
        Ok(entries)
    }

    /// The record's bytes.
    ///
    /// # Errors
    /// What the kernel says; `InvalidData` if it is larger than any record.
    pub fn read(&self, name: &RecordName) -> io::Result<Vec<u8>> {
        bounded(&self.records().join(name.to_string()), MAX_RECORD)
    }

    /// Writes a record: when this returns, it survives a loss of power.
    ///
    /// # Errors
    /// What the kernel says; then it is not there.
    pub fn write(&self, name: &RecordName, bytes: &[u8]) -> io::Result<()> {
        let gid = std::fs::metadata(self.records())?.gid();
        output::write_for(&self.records().join(name.to_string()), bytes, 0o640, Some(gid))
    }

    /// Removes a record, if it is there.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove(&self, name: &RecordName) -> io::Result<()> {
        match std::fs::remove_file(self.records().join(name.to_string())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// How far each sink is, by its name. A cursor that cannot be understood is none: then everything is sent again.
    #[must_use]
    pub fn cursors(&self) -> BTreeMap<String, Acked> {
        let Ok(entries) = std::fs::read_dir(self.ship()) else { return BTreeMap::new() };
        let cursor = |entry: std::fs::DirEntry| {
            let name = entry.file_name().to_str()?.strip_suffix(".cursor")?.to_owned();
            let bytes = bounded(&entry.path(), MAX_CURSOR).ok()?;
            let acked: Acked = serde_json::from_slice(&bytes).ok()?;
            // Epochs are seconds: a later one than the year 36000 is no hint but mischief.
            (acked.epoch < 1 << 40).then_some((name, acked))
        };
        entries.take(MAX_ENTRIES).filter_map(|entry| cursor(entry.ok()?)).filter(|(name, _)| is_name(name)).collect()
    }

    /// Notes how far `sink` is.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn advance(&self, sink: &str, acked: Acked) -> io::Result<()> {
        let bytes = serde_json::to_vec(&acked)?;
        output::write_for(&self.ship().join(format!("{sink}.cursor")), &bytes, 0o640, None)
    }

    /// Keeps an event that `sink` will never take, with what it said. Beyond 1000 letters none is kept.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn bury(&self, sink: &str, event: &str, letter: &[u8]) -> io::Result<()> {
        let dead = self.ship().join("dead");
        directory(&dead, 0o750)?;
        if std::fs::read_dir(&dead)?.count() >= MAX_ENTRIES {
            return Ok(());
        }
        output::write_for(&dead.join(format!("{sink}.{event}")), letter, 0o640, None)
    }

    /// How many letters [`Spool::bury`] has kept.
    #[must_use]
    pub fn dead_letters(&self) -> u64 {
        std::fs::read_dir(self.ship().join("dead")).map_or(0, |entries| entries.count() as u64)
    }

    /// Keeps two shippers from sending the same.
    ///
    /// # Errors
    /// As [`lock`].
    pub fn lock_shipping(&self, sink: &str) -> io::Result<Lock> {
        let held = lock(&self.ship().join(format!("{sink}.lock")))?;
        // What a killed shipper left half written.
        let prefix = format!(".{sink}.cursor.");
        for entry in std::fs::read_dir(self.ship())? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(held)
    }
}

/// Names of sinks become names of files.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The whole of a regular file. Neither a link nor a FIFO that another user put there holds us up.
fn bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > limit {
        let name = path.file_name().map(OsString::from).unwrap_or_default();
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: no file of ours", name.display())));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(first: u64, last: u64) -> RecordName {
        RecordName { epoch: 7, first, last, rank: 1 }
    }

    #[test]
    fn records_come_back_in_the_order_of_their_events() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(&dir.path().join("spool")).unwrap();
        for (first, last) in [(10, 12), (1, 2), (3, 9)] {
            spool.write(&name(first, last), b"x").unwrap();
        }
        std::fs::write(dir.path().join("spool/records/stray"), "").unwrap();
        let listed: Vec<u64> = spool.list().unwrap().iter().map(|entry| entry.name.first).collect();
        assert_eq!(listed, [1, 3, 10]);
        assert_eq!(spool.read(&name(3, 9)).unwrap(), b"x");
        spool.remove(&name(3, 9)).unwrap();
        spool.remove(&name(3, 9)).unwrap();
        assert_eq!(spool.list().unwrap().len(), 2);
    }

    #[test]
    fn what_a_killed_scan_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(dir.path()).unwrap();
        std::fs::write(dir.path().join("records/.000-1.0.77"), "half").unwrap();
        drop(spool);
        Spool::create(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("records")).unwrap().count(), 0);
    }

    #[test]
    fn a_spool_that_others_may_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        assert_eq!(Spool::create(dir.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn cursors_of_another_user_are_hints() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(dir.path()).unwrap();
        spool.advance("siem", Acked { epoch: 7, seq: 3 }).unwrap();
        let ship = dir.path().join("ship");
        std::fs::write(ship.join("bad.cursor"), "{").unwrap();
        std::fs::write(ship.join("Odd Name.cursor"), r#"{"epoch":1,"seq":1}"#).unwrap();
        std::os::unix::fs::symlink(ship.join("siem.cursor"), ship.join("link.cursor")).unwrap();
        nix::unistd::mkfifo(&ship.join("pipe.cursor"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(spool.cursors(), [("siem".to_owned(), Acked { epoch: 7, seq: 3 })].into());
    }

    #[test]
    fn one_shipper_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(dir.path()).unwrap();
        let held = spool.lock_shipping("siem").unwrap();
        assert_eq!(spool.lock_shipping("siem").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(spool.lock_shipping("other").is_ok());
        drop(held);
        assert!(spool.lock_shipping("siem").is_ok());
    }

    #[test]
    fn names_of_records_are_those_we_write() {
        assert_eq!(RecordName::parse(&name(1, 2).to_string()), Some(name(1, 2)));
        for other in
            ["", "1-2-3.0", "000000000007-000000000002-000000000001.1", ".000000000007-000000000001-000000000002.1"]
        {
            assert_eq!(RecordName::parse(other), None, "{other}");
        }
    }
}
