//! Certificates that signatures may be checked against: what lies where distributions put their keys, and what the operator
//! brought. That a key is found here makes nobody trust it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Asked;
use super::out::{Out, path};
use crate::host::root::PathProblem;
use crate::host::snapshot::{ReadProblem, Snapshot};
use crate::model::text::escape;
use crate::model::{RootedPath, Subject};
use crate::trust::keyring::Keyring;

/// Directories of keys: Red Hat's, Debian's, SUSE's, those that an administrator gives apt.
const PLACES: &[&str] = &[
    "/etc/pki/rpm-gpg",
    "/usr/share/keyrings",
    "/usr/lib/rpm/gnupg/keys",
    "/etc/apt/trusted.gpg.d",
    "/etc/apt/keyrings",
];
/// Files read in one of them, and the largest, in bytes.
const MAX_FILES: usize = 1000;
const MAX_BYTES: u64 = 4 << 20;
/// Bytes read in all of them together; all keys of all distributions have some 3 MB.
const MAX_TOTAL: u64 = 64 << 20;

/// All of them.
pub(super) fn read(asked: &Asked<'_>, out: &mut Out) -> Keyring {
    let mut keyring = Keyring::default();
    for (name, bytes) in asked.aids.keyrings {
        let unread = add(&mut keyring, name, bytes);
        if unread > 0 {
            let reason = format!("{unread} certificates in the keyring `{}` cannot be read", escape(name.as_bytes()));
            out.gap_if(false, Subject::Host, reason);
        }
    }
    let mut left = MAX_TOTAL;
    for place in PLACES {
        let place = path(place);
        let Ok((names, _)) = asked.root.list(&place, MAX_FILES) else { continue };
        for name in names {
            let Some(file) = place.join(&name) else { continue };
            read_file(asked, &file, &mut left, &mut keyring, out);
        }
    }
    keyring
}

fn read_file(asked: &Asked<'_>, file: &RootedPath, left: &mut u64, keyring: &mut Keyring, out: &mut Out) {
    match Snapshot::read(asked.root, file, MAX_BYTES.min(*left)) {
        // Keys of kinds that we do not know, and files that are no keys, lie there on honest hosts too. If one was needed,
        // the signature that misses it says so.
        Ok(snapshot) => {
            *left = left.saturating_sub(snapshot.meta().size);
            add(keyring, &file.to_string(), snapshot.bytes());
        }
        Err(ReadProblem::Path(PathProblem::Missing) | ReadProblem::NotRegular(_)) => {}
        Err(problem) => out.gap_if(false, Subject::file(file), format!("keys cannot be read here: {problem}")),
    }
}

/// Adds a key file; one that makes the library fail costs its own certificates only. How many could not be read.
fn add(keyring: &mut Keyring, name: &str, bytes: &[u8]) -> usize {
    catch_unwind(AssertUnwindSafe(|| keyring.add(name, bytes))).unwrap_or(1)
}
