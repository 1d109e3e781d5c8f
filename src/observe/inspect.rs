//! Looks at single files, wherever they come from: no packages, no processes, nothing that their surroundings tell.

use std::path::PathBuf;

use super::files::Looker;
use super::{ObserveProblem, Start};
use crate::facts::{Facts, Look, Role, RootFacts, Want};
use crate::host::root::Root;
use crate::knowledge::Knowledge;
use crate::model::RootedPath;

/// Looks at `paths` of the running system: digests, structure, byte rules. What cannot be read is told in its facts.
///
/// # Errors
/// If the root directory itself cannot be opened.
pub fn inspect(paths: &[RootedPath], knowledge: &Knowledge) -> Result<Facts, ObserveProblem> {
    let start = Start::now();
    let place = PathBuf::from("/");
    let root = Root::open(&place, true).map_err(|error| ObserveProblem { root: place, error })?;
    let mut looker = Looker::new(&root, knowledge, None);
    let mut facts = RootFacts { path: "/".to_owned(), live: true, ..RootFacts::default() };
    let wants = paths.iter().map(|path| Want { path: path.clone(), role: Role::Extra, look: Look::Binary }).collect();
    // Without a deadline it cannot run out of time.
    let _ = looker.fulfil(wants, &mut facts.files, &mut |_| {});
    Ok(start.facts(vec![facts], None, looker.bytes_read(), knowledge))
}
