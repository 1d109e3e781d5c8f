//! Where results go: standard output, or a file that appears whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;

/// Writes `bytes` to `path`, or to standard output.
///
/// # Errors
/// What the kernel says, with the place.
pub fn write(path: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    match path {
        Some(path) => file(path, bytes),
        None => {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush()).context("standard output")
        }
    }
}

/// Writes `bytes` to a new file at `path`.
///
/// # Errors
/// What the kernel says, with the place.
pub fn file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    crate::own::output::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Whether the reader of our output went away, which is his right (`sshproof … | head`).
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}
