//! The signed chain of an archive: the links that do not hold. That there is none is no finding: dpkg needs none.

use super::super::standing;
use super::signature::packages;
use crate::facts::RootFacts;
use crate::facts::package::{BrokenLink, Seal};
use crate::model::code::{ARCHIVE_INDEX_ALTERED, ARCHIVE_PACKAGE_ALTERED, ARCHIVE_SIGNATURE, ARCHIVE_UNSHIPPED_FILE};
use crate::model::{CheckResult, Digest, Evidence, Finding, Gap, RootedPath, Severity, Subject};
use crate::trust::vendor::Doubt;

/// Adds a finding for each link between a list and a record that does not hold.
pub(super) fn check(root: &RootFacts, result: &mut CheckResult) {
    for link in &root.packages.broken {
        result.findings.push(match link {
            BrokenLink::Index { path, expected, actual } => {
                let message = format!("`{path}` is not the index that the signed list beside it names");
                let evidence = digests(expected.as_ref(), actual, path);
                Finding::new(ARCHIVE_INDEX_ALTERED, Subject::file(path), message, evidence)
            }
            BrokenLink::File { path, package, expected, actual } => {
                let message = format!("`{path}` is not the package file of `{package}` that the archive's index names");
                let evidence = digests(Some(expected), actual, path);
                Finding::new(ARCHIVE_PACKAGE_ALTERED, Subject::file(path), message, evidence)
            }
            BrokenLink::Member { path, package, file } => {
                let message = format!("dpkg's database gives `{file}` to `{package}`, which ships no such file");
                let value = format!("no member for `{file}`");
                let evidence = Evidence::Fact { about: path.to_string(), value };
                Finding::new(ARCHIVE_UNSHIPPED_FILE, Subject::file(file), message, evidence)
            }
        });
    }
}

/// Adds what it means that nobody vouches for the lists that lead to these packages. `is_known`: whether the distribution's
/// keys are pinned.
pub(super) fn unsigned(doubt: &Doubt, owners: &[(&str, &Seal)], is_known: bool, result: &mut CheckResult) {
    let Some((first, seal)) = owners.first() else { return };
    let whose = match owners.len() {
        1 => format!("`{first}`"),
        n => format!("{n} packages"),
    };
    let words = standing::words(doubt);
    let path = seal.through.first().map_or_else(RootedPath::root, |list| list.path.clone());
    // Without the chain there still is dpkg's record, which needs no key.
    let is_finding = match doubt {
        Doubt::Bad(_) | Doubt::Refused(_) | Doubt::NotBase(_) | Doubt::OutOfScope(_) => true,
        Doubt::Unpinned(_) | Doubt::Stranger(_) | Doubt::Unsigned | Doubt::PinEnded(_) => is_known,
        Doubt::KeyMissing(_) | Doubt::CannotCheck(_) | Doubt::UnknownDistribution(_) => false,
    };
    if !is_finding {
        let reason = format!("the archive that {whose} came from could not be judged: {words}");
        return result.gap(Gap::noted(Subject::file(&path), reason));
    }
    let message = format!("nobody vouches for the archive that {whose} came from: {words}");
    let value = seal.digest.to_string();
    let evidence = Evidence::Fact { about: path.to_string(), value };
    let names: Vec<&str> = owners.iter().map(|(name, _)| *name).collect();
    let finding = Finding::new(ARCHIVE_SIGNATURE, Subject::file(&path), message, evidence).and(packages(&names));
    let is_forged = matches!(doubt, Doubt::Bad(_) | Doubt::Refused(_) | Doubt::Unsigned);
    result.findings.push(if is_forged { finding } else { finding.with_severity(Severity::Medium) });
}

fn digests(expected: Option<&Digest>, actual: &Digest, path: &RootedPath) -> Evidence {
    match expected {
        Some(expected) => Evidence::Digest {
            algorithm: actual.algorithm(),
            expected: expected.hex(),
            actual: actual.hex(),
            source: path.to_string(),
        },
        None => Evidence::Fact { about: path.to_string(), value: actual.to_string() },
    }
}
