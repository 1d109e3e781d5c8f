//! The programs of those who may watch SSH servers: whether they are a package's is asked of them.

use crate::facts::{Look, Role, RootFacts, Want};

/// What they run.
#[must_use]
pub fn wants(root: &RootFacts) -> Vec<Want> {
    let holders = root.watch.iter().flat_map(|watch| watch.holders());
    let files = holders.filter_map(|holder| holder.file.clone().or_else(|| holder.replaced_by.clone()));
    files.map(|path| Want { path, role: Role::Watcher, look: Look::Binary }).collect()
}
