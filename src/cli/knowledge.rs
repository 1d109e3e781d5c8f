//! The knowledge that a run works with: what the program carries, and what the site adds in `signatures.d`.

use std::path::Path;

use tracing::warn;

use crate::knowledge::Knowledge;
use crate::own::config;

/// Loads it. A broken file of the site's changes nothing and is named on standard error.
///
/// # Errors
/// If `signatures.d` is there and cannot be read.
pub fn load() -> anyhow::Result<Knowledge> {
    let files: Vec<(String, Vec<u8>)> = config::read_dir(Path::new(config::SIGNATURES), ".toml")?
        .into_iter()
        .map(|file| (file.path.display().to_string(), file.text.into_bytes()))
        .collect();
    let (knowledge, problems) = Knowledge::with_overrides(&files);
    for problem in problems {
        warn!("{problem}");
    }
    Ok(knowledge)
}
