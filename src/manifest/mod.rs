//! Makes site manifests: of package files, and of the tree of an image. What a signature says of a package is kept for the hosts to
//! verify; that the builder's inputs are genuine is the word of whoever signs.

mod image;
mod package;

use std::path::PathBuf;

use crate::formats::base64;
use crate::knowledge::Knowledge;
use crate::model::Timestamp;
use crate::model::manifest::{Manifest, SCHEMA};
use crate::observe::{self, Request};
use crate::own;

/// What a manifest is to be made of.
#[derive(Clone, Debug)]
pub struct Order {
    /// What it is of, in the site's words.
    pub label: String,
    /// From when on it no longer counts.
    pub expires: Timestamp,
    /// Package files: name and content.
    pub packages: Vec<PathBuf>,
    /// The tree of an image.
    pub root: Option<PathBuf>,
    /// Trees that are laid over it, the last on top.
    pub overlays: Vec<PathBuf>,
    /// Paths that each node renders itself; `*` stands for any characters, `?` for one.
    pub node_files: Vec<String>,
    /// Key files to check distributors' signatures with.
    pub keyrings: Vec<(String, Vec<u8>)>,
}

/// Why no manifest was made, in one sentence.
#[derive(Debug)]
pub struct BuildProblem(pub String);

impl std::fmt::Display for BuildProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildProblem {}

/// The largest package file, in bytes.
const MAX_PACKAGE: u64 = 1 << 30;

/// Makes the manifest, unsigned.
///
/// # Errors
/// If any input cannot be read whole: a manifest that lacks something would accuse clean hosts.
pub fn build(order: &Order, knowledge: &Knowledge, now: Timestamp) -> Result<Manifest, BuildProblem> {
    let mut manifest = Manifest {
        schema: SCHEMA.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        label: order.label.clone(),
        made_at: now,
        expires: order.expires,
        packages: Vec::new(),
        image: None,
        headers: Vec::new(),
        signatures: Vec::new(),
    };
    for path in &order.packages {
        let problem = |why: String| BuildProblem(format!("{}: {why}", path.display()));
        let bytes = own::input::read(path, MAX_PACKAGE).map_err(|error| problem(error.to_string()))?;
        let read = package::read(&bytes).map_err(problem)?;
        manifest.packages.push(read.package);
        manifest.headers.extend(read.header.map(|header| base64::encode_unpadded(&header)));
    }
    manifest.packages.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    if let Some(root) = &order.root {
        manifest.image = Some(image::files(root, &order.overlays, &order.node_files)?);
        // Where the image has an rpm database, the distributor's word goes with the manifest.
        let request = Request {
            root: root.clone(),
            keyrings: order.keyrings.clone(),
            without_own_archive: true,
            state: Some(PathBuf::from(own::state::STATE)),
            ..Request::default()
        };
        let facts =
            observe::observe(&request, knowledge, &mut |_| {}).map_err(|error| BuildProblem(error.to_string()))?;
        manifest.headers.extend(facts.remember.evidence.iter().map(|header| base64::encode_unpadded(header)));
    }
    Ok(manifest)
}
