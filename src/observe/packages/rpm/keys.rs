//! Certificates that signatures may be checked against: what lies where distributions put their keys, and what the operator
//! brought. That a key is found here makes nobody trust it.

use super::super::Asked;
use super::super::out::{Out, path};
use crate::host::root::PathProblem;
use crate::host::snapshot::{ReadProblem, Snapshot};
use crate::model::text::escape;
use crate::model::{RootedPath, Subject};
use crate::trust::keyring::Keyring;

/// Directories of keys: Red Hat's, Debian's, SUSE's.
const PLACES: &[&str] = &["/etc/pki/rpm-gpg", "/usr/share/keyrings", "/usr/lib/rpm/gnupg/keys"];
/// Files read in one of them, and the largest, in bytes.
const MAX_FILES: usize = 1000;
const MAX_BYTES: u64 = 4 << 20;

/// All of them.
pub(super) fn read(asked: &Asked<'_>, out: &mut Out) -> Keyring {
    let mut keyring = Keyring::default();
    for (name, bytes) in asked.keyrings {
        let unread = keyring.add(name, bytes);
        if unread > 0 {
            let reason = format!("{unread} certificates in the keyring `{}` cannot be read", escape(name.as_bytes()));
            out.gap_if(false, Subject::Host, reason);
        }
    }
    for place in PLACES {
        let place = path(place);
        let Ok((names, _)) = asked.root.list(&place, MAX_FILES) else { continue };
        for name in names {
            let Some(file) = place.join(&name) else { continue };
            add(asked, &file, &mut keyring, out);
        }
    }
    keyring
}

fn add(asked: &Asked<'_>, file: &RootedPath, keyring: &mut Keyring, out: &mut Out) {
    match Snapshot::read(asked.root, file, MAX_BYTES) {
        // Keys of kinds that we do not know, and files that are no keys, lie there on honest hosts too. If one was needed,
        // the signature that misses it says so.
        Ok(snapshot) => {
            keyring.add(&file.to_string(), snapshot.bytes());
        }
        Err(ReadProblem::Path(PathProblem::Missing) | ReadProblem::NotRegular(_)) => {}
        Err(problem) => out.gap_if(false, Subject::file(file), format!("keys cannot be read here: {problem}")),
    }
}
