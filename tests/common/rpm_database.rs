//! The header blobs of the foreign databases.
#![allow(dead_code, clippy::unwrap_used, clippy::disallowed_methods, reason = "each test program uses a part")]

use sshproof::formats::rpm::{DatabaseProblem, bdb, ndb, sqlite};

use crate::common::mimic::corpora;

/// All blobs of the foreign database of this file name.
pub fn blobs(name: &str) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(corpora().unwrap().join("rpmdb").join(name)).unwrap();
    let walk = match name.rsplit('.').next().unwrap() {
        "sqlite" => packages_sqlite,
        "db" => packages_ndb,
        _ => packages_bdb,
    };
    walk(&bytes).unwrap()
}

pub fn packages_bdb(bytes: &[u8]) -> Result<Vec<Vec<u8>>, DatabaseProblem> {
    let mut blobs = Vec::new();
    bdb::packages(&|offset, length| part(bytes, offset, length), &mut |blob| {
        blobs.push(blob);
        true
    })?;
    Ok(blobs)
}

pub fn packages_ndb(bytes: &[u8]) -> Result<Vec<Vec<u8>>, DatabaseProblem> {
    let mut blobs = Vec::new();
    ndb::packages(&|offset, length| part(bytes, offset, length), &mut |blob| {
        blobs.push(blob);
        true
    })?;
    Ok(blobs)
}

pub fn packages_sqlite(bytes: &[u8]) -> Result<Vec<Vec<u8>>, DatabaseProblem> {
    let mut blobs = Vec::new();
    sqlite::packages(&|offset, length| part(bytes, offset, length), None, &mut |blob| {
        blobs.push(blob);
        true
    })?;
    Ok(blobs)
}

pub fn part(bytes: &[u8], offset: u64, length: usize) -> Option<Vec<u8>> {
    let start = usize::try_from(offset).ok()?;
    Some(bytes.get(start..start.checked_add(length)?)?.to_vec())
}
