//! Who else than root may change what decides a login, or read what must be secret; what is preloaded; what drop-ins
//! change. Says nothing about contents that `provenance` and `login` judge.

mod keys;
mod ownership;
mod permissions;
mod preload;
mod units;

#[cfg(test)]
mod tests;

use crate::facts::{Facts, FileFacts, FileState, RootFacts};
use crate::knowledge::Knowledge;
use crate::model::{Check, CheckResult, Evidence, Gap, Meta, RootedPath, Subject};
use crate::policy::Policy;

/// The answer. `examined` counts the files and directories whose owner and mode were judged.
#[must_use]
pub fn check(facts: &Facts, _: &Knowledge, policy: &Policy) -> CheckResult {
    let mut result = CheckResult::new(Check::Hygiene);
    for root in &facts.roots {
        preload::check(root, policy, &mut result);
        units::check(root, policy, &mut result);
        permissions::check(root, &mut result);
        keys::check(root, &mut result);
    }
    result
}

/// The inode at `path` if it is there; where that could not be found out, a gap.
fn inode<'a>(path: &RootedPath, file: &'a FileFacts, result: &mut CheckResult) -> Option<&'a Meta> {
    match &file.state {
        FileState::Present(meta) => Some(meta),
        FileState::Missing => None,
        FileState::Unknown(why) => {
            result.gap(Gap::mandatory(Subject::file(path), format!("its owner and mode could not be seen: {why}")));
            None
        }
    }
}

/// The mode of `path` as evidence.
fn mode(path: &RootedPath, meta: &Meta, expected: &str) -> Evidence {
    Evidence::Metadata {
        path: path.clone(),
        property: "mode".to_owned(),
        expected: expected.to_owned(),
        actual: format!("{:04o}", meta.mode),
    }
}

/// The owner of `path` as evidence.
fn owner(root: &RootFacts, path: &RootedPath, meta: &Meta, expected: &str) -> Evidence {
    Evidence::Metadata {
        path: path.clone(),
        property: "owner".to_owned(),
        expected: expected.to_owned(),
        actual: format!("{}:{}", ownership::user(root, meta.uid), ownership::group(root, meta.gid)),
    }
}
