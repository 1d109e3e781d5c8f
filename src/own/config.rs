//! Reads our own configuration: `sshproof.toml`, `conf.d`, signature overrides, keyrings.

use std::io;
use std::path::{Path, PathBuf};

/// Where the policy lies unless the command line says otherwise.
pub const POLICY: &str = "/etc/sshproof/sshproof.toml";
/// Where overriding signatures lie.
pub const SIGNATURES: &str = "/etc/sshproof/signatures.d";

/// Where the keys that the site pins lie.
pub const TRUST: &str = "/etc/sshproof/trust.d";

/// Configuration is small; a larger file is a mistake, or somebody's attempt to exhaust us.
const MAX_BYTES: u64 = 4 << 20;

/// A configuration file that was read.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Where it was.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

/// Our configuration could not be read: an error of ours, not a finding about the host.
#[derive(Debug)]
pub struct ConfigProblem {
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl std::fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for ConfigProblem {}

/// Reads `path`; `None` if nothing is there.
///
/// # Errors
/// If it is there and cannot be read, is larger than 4 MiB, or is no UTF-8.
pub fn read(path: &Path) -> Result<Option<ConfigFile>, ConfigProblem> {
    let problem = |error| ConfigProblem { path: path.to_owned(), error };
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem(error)),
    };
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return Err(problem(io::Error::other("not a regular file of at most 4 MiB")));
    }
    let text = std::fs::read_to_string(path).map_err(problem)?;
    Ok(Some(ConfigFile { path: path.to_owned(), text }))
}

/// The files in the directory at `path` whose names end in one of `ends`, sorted.
///
/// # Errors
/// If it cannot be listed.
pub fn files(path: &Path, ends: &[&str]) -> Result<Vec<PathBuf>, ConfigProblem> {
    let problem = |error| ConfigProblem { path: path.to_owned(), error };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(problem)? {
        let file = entry.map_err(problem)?.path();
        if ends.iter().any(|end| file.as_os_str().as_encoded_bytes().ends_with(end.as_bytes())) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The bytes of the file at `path`, which the operator named.
///
/// # Errors
/// If it is not there, cannot be read, or is larger than 4 MiB.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, ConfigProblem> {
    let problem = |error| ConfigProblem { path: path.to_owned(), error };
    let meta = std::fs::metadata(path).map_err(problem)?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return Err(problem(io::Error::other("not a regular file of at most 4 MiB")));
    }
    std::fs::read(path).map_err(problem)
}

/// Whether `path` is a directory.
#[must_use]
pub fn is_dir(path: &Path) -> bool {
    path.is_dir()
}

/// Reads the files of `dir` whose name ends in `suffix`, sorted by name; none if there is no such directory.
///
/// # Errors
/// As [`read`].
pub fn read_dir(dir: &Path, suffix: &str) -> Result<Vec<ConfigFile>, ConfigProblem> {
    let problem = |error| ConfigProblem { path: dir.to_owned(), error };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(problem(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(problem)?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(suffix)) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().filter_map(|path| read(path).transpose()).collect()
}
