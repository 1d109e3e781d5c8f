//! Headers of earlier versions that the state directory kept: parsed and checked as those of the database are, with the keys
//! of today. Whoever can write there can add nothing but what a distributor has signed.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::out::Out;
use super::super::{Asked, Kept, keys};
use super::record;
use crate::facts::history::KeptVersion;
use crate::formats::rpm::files::files;
use crate::formats::rpm::header::Header;
use crate::formats::rpm::tag;
use crate::model::{Digest, RootedPath, Timestamp};
use crate::trust::keyring::Keyring;

/// Of the headers `kept` those that record one of `paths`; and how many were damaged.
pub(in crate::observe::packages) fn versions(
    asked: &Asked<'_>,
    kept: impl Iterator<Item = Kept>,
    paths: &BTreeSet<RootedPath>,
    out: &mut Out,
) -> (Vec<KeptVersion>, usize) {
    let keyring = keys::read(asked, out);
    let (mut versions, mut damaged) = (Vec::new(), 0_usize);
    for kept in kept {
        // A parser's panic costs this header, never the scan.
        match catch_unwind(AssertUnwindSafe(|| version(asked, &keyring, &kept, paths))) {
            Ok(Some(version)) => versions.extend(version),
            Ok(None) | Err(_) => damaged += 1,
        }
    }
    (versions, damaged)
}

/// What one header says of `paths`, if anything; `None` if it is damaged.
fn version(
    asked: &Asked<'_>,
    keyring: &Keyring,
    kept: &Kept,
    paths: &BTreeSet<RootedPath>,
) -> Option<Option<KeptVersion>> {
    let header = Header::parse(&kept.metadata).ok()?;
    let names: BTreeSet<&[u8]> = paths.iter().map(RootedPath::file_name).collect();
    let recorded = files(&header, &|name| names.contains(name)).ok()?;
    let digests: BTreeMap<RootedPath, Digest> = recorded
        .into_iter()
        .filter_map(|file| Some((asked.aliases.normalise(&file.path), file.digest?)))
        .filter(|(path, _)| paths.contains(path))
        .collect();
    // Only what speaks of them is worth the mathematics.
    let version = |files| KeptVersion {
        package: record::package(&header, record::seal(&header, keyring)),
        since: kept.since,
        is_installed: kept.is_installed,
        installed_at: header.dribble_numbers(tag::INSTALL_TIME).and_then(|times| times.get(0)).map(Timestamp),
        files,
    };
    Some((!digests.is_empty()).then(|| version(digests)))
}
