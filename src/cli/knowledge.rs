//! The knowledge that a run works with: what the program carries, and what the site adds in `signatures.d` and `trust.d`.

use std::path::Path;

use anyhow::ensure;
use tracing::warn;

use crate::knowledge::{Knowledge, manifest_keys, site_keys};
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

/// Key files: name and content.
pub type Keyrings = Vec<(String, Vec<u8>)>;

/// Loads it with the keys that the site pins in `named`, or in the usual directory, and the key files that the pins name. A
/// broken pin counts for nothing and is named on standard error: then less is trusted, never more.
///
/// # Errors
/// As [`load`]; if the directory is there and cannot be read, or if a named one is not there.
pub fn load_with_trust(named: Option<&Path>) -> anyhow::Result<(Knowledge, Keyrings)> {
    let knowledge = load()?;
    let directory = named.unwrap_or_else(|| Path::new(config::TRUST));
    ensure!(named.is_none() || config::is_dir(directory), "{}: no such directory", directory.display());
    let (mut pins, mut manifest_pins) = (Vec::new(), Vec::new());
    let mut keyrings = Vec::new();
    for file in config::read_dir(directory, ".toml")? {
        match site_keys::parse(&file.path.display().to_string(), &file.text, knowledge.vendor_keys()) {
            Ok(keys) => pins.extend(keys),
            Err(problem) => warn!("{problem}"),
        }
        match manifest_keys::parse(&file.path.display().to_string(), &file.text) {
            Ok(keys) => manifest_pins.extend(keys),
            Err(problem) => warn!("{problem}"),
        }
    }
    for (pin, name) in pins.iter().filter_map(|pin| Some((pin, pin.file()?))) {
        let path = directory.join(name);
        match config::read_bytes(&path) {
            Ok(bytes) => keyrings.push((path.display().to_string(), bytes)),
            Err(problem) => warn!("{}: the key cannot be read: {problem}", pin.source()),
        }
    }
    Ok((knowledge.with_site_keys(pins).with_manifest_keys(manifest_pins), keyrings))
}
