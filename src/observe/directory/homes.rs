//! What lies in home directories of what enrols an account: existence, owner and mode, and of keys only whether one may certify
//! others. Whose home cannot be looked into is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Reasons;
use crate::formats::authorized_keys;
use crate::host::root::{PathProblem, Root};
use crate::host::snapshot::Snapshot;
use crate::model::accounts::{Account, Enrolment};
use crate::model::text::unescape;
use crate::model::{FileKind, RootedPath};
use crate::observe::ObserveProblem;

/// What is looked for unless somebody says otherwise: the places that the modules and sshd use by default.
pub const LOOKED_FOR: [&str; 5] = [
    "~/.google_authenticator",
    "~/.config/Yubico/u2f_keys",
    "~/.yubico/authorized_yubikeys",
    "~/.ssh/authorized_keys",
    "~/.ssh/authorized_keys2",
];

/// Larger files of keys are told as unread.
const MAX_KEYS: u64 = 1 << 20;

/// Looks beneath the directory `homes`, which stands for `/`, for the files of each account.
pub(super) fn look(
    homes: &Path,
    looked_for: &[String],
    accounts: &mut [Account],
    reasons: &mut Reasons,
) -> Result<(), ObserveProblem> {
    let live = homes == Path::new("/");
    let root = Root::open(homes, live).map_err(|error| ObserveProblem { root: homes.to_owned(), error })?;
    let mut missing: BTreeMap<usize, RootedPath> = BTreeMap::new();
    let mut inhabited: BTreeSet<RootedPath> = BTreeSet::new();
    for (at, account) in accounts.iter_mut().enumerate() {
        let Some(home) = home(account) else {
            account.unseen = Some("its home directory is no path".to_owned());
            continue;
        };
        match files(&root, looked_for, account, &home) {
            Ok(files) => account.files = files,
            Err(problem) => {
                reasons.note(format!("what account `{}` has enrolled: {problem}", account.name));
                account.unseen = Some(problem);
                continue;
            }
        }
        // Asked last: an automounter mounts what lies beneath.
        match root.stat(&home) {
            Ok(meta) if meta.kind == FileKind::Directory => {
                inhabited.extend(home.parent());
            }
            Ok(_) | Err(PathProblem::Missing) => {
                missing.insert(at, home);
            }
            Err(problem) => {
                reasons.note(format!("the home directory of account `{}`: {problem}", account.name));
                account.unseen = Some(format!("`{home}` {problem}"));
            }
        }
    }
    // Where others have their homes, one that is missing is missing. Elsewhere nothing may be mounted.
    for (at, home) in missing {
        let Some(account) = accounts.get_mut(at) else { continue };
        if account.files.is_empty() && !home.parent().is_some_and(|parent| inhabited.contains(&parent)) {
            account.unseen = Some(format!("`{home}` is not there, nor is any other home beside it"));
        }
    }
    Ok(())
}

fn home(account: &Account) -> Option<RootedPath> {
    RootedPath::new(unescape(&account.home)?)
}

/// The files of one account that are there; why not, if the kernel does not say.
fn files(root: &Root, looked_for: &[String], account: &Account, home: &RootedPath) -> Result<Vec<Enrolment>, String> {
    let name = unescape(&account.name).unwrap_or_default();
    let mut files = Vec::new();
    for template in looked_for {
        let Some(path) = place(template, home, &name) else { continue };
        let meta = match root.stat(&path) {
            Ok(meta) => meta,
            Err(PathProblem::Missing) => continue,
            Err(problem) => return Err(format!("`{path}` {problem}")),
        };
        let regular = meta.kind == FileKind::Regular;
        let keys = regular && path.file_name().starts_with(b"authorized_keys");
        let authority = if keys {
            let text = Snapshot::read(root, &path, MAX_KEYS).map_err(|problem| format!("`{path}` {problem}"))?;
            Some(authorized_keys::trusts_an_authority(text.bytes()))
        } else {
            None
        };
        let path = path.to_string();
        files.push(Enrolment { path, regular, uid: meta.uid, gid: meta.gid, mode: meta.mode, authority });
    }
    Ok(files)
}

/// The file that a template means.
fn place(template: &str, home: &RootedPath, name: &[u8]) -> Option<RootedPath> {
    let mut text = match template.strip_prefix('~') {
        Some(rest) => [home.as_bytes(), rest.as_bytes()].concat(),
        None => template.as_bytes().to_vec(),
    };
    while let Some(at) =
        text.windows(2).position(|two| two == b"%u").filter(|_| !name.windows(2).any(|two| two == b"%u"))
    {
        text.splice(at..at.saturating_add(2), name.iter().copied());
    }
    RootedPath::new(text)
}
