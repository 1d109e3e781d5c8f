//! Where results go: standard output, or a file that appears whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;

/// Writes `bytes` to `path`, or to standard output. A reader of standard output who went away (`sshproof … | head`) has
/// what he wanted: that is no error, and the exit code still says the verdict.
///
/// # Errors
/// What the kernel says, with the place.
pub fn write(path: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    let Some(path) = path else {
        let mut out = io::stdout().lock();
        return match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done.context("cannot write to standard output"),
        };
    };
    file(path, bytes)
}

/// Writes `bytes` to a new file at `path`.
///
/// # Errors
/// What the kernel says, with the place.
pub fn file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    crate::own::output::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
