//! Owners and modes of everything on the way to a login: files of the surface, the directories that lead to them, account
//! files, root's authorized keys.

use std::collections::BTreeSet;

use super::{inode, mode, owner, ownership};
use crate::facts::{FileFacts, Role, RootFacts};
use crate::model::{Check, CheckResult, FileKind, Finding, Gap, Meta, RootedPath, Subject, code};

const GROUP_WRITE: u32 = 0o020;
const OTHER_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Judges every file and directory that somebody looked at for this.
pub fn check(root: &RootFacts, result: &mut CheckResult) {
    debug_assert_eq!(result.check, Check::Hygiene);
    let foreign = ownership::foreign(root);
    if let Some(uid) = foreign {
        result.gap(Gap::mandatory(
            Subject::Host,
            format!(
                "the root directory belongs to uid {uid}, so owners were not kept when the image was unpacked, or this \
                 namespace does not map root; owners and group permissions are not judged: unpack or scan as root"
            ),
        ));
    }
    let users = of_user_servers(root);
    for (path, file) in &root.files.files {
        if users.contains(path) || !matters(path, file) {
            continue;
        }
        let Some(meta) = inode(path, file, result) else { continue };
        result.examined += 1;
        judge(root, path, file, meta, foreign.is_some(), result);
    }
}

/// Whether owner and mode of `path` can decide a login. Host keys and password files have rules of their own (`keys`).
fn matters(path: &RootedPath, file: &FileFacts) -> bool {
    let is_directory = file.meta().is_some_and(|meta| meta.kind == FileKind::Directory);
    let surface = file.roles.iter().any(|role| role.in_surface());
    // Probes of the observer's are mostly search directories; a probed file matters only if it is known by name.
    let known =
        [&b"passwd"[..], b"group", b"shadow", b"gshadow", b"authorized_keys", b".ssh"].contains(&path.file_name());
    surface || file.roles.contains(&Role::HostKey) || (file.roles.contains(&Role::Probe) && (is_directory || known))
}

/// Programs and configuration of servers that an ordinary user runs for himself.
fn of_user_servers(root: &RootFacts) -> BTreeSet<&RootedPath> {
    let users = root.servers.iter().filter(|server| server.user_server);
    let paths = users.flat_map(|server| std::iter::once(&server.binary).chain(&server.config));
    paths.filter_map(|path| root.files.canonical(path)).collect()
}

fn judge(
    root: &RootFacts,
    path: &RootedPath,
    file: &FileFacts,
    meta: &Meta,
    owners_unknown: bool,
    result: &mut CheckResult,
) {
    let is_directory = meta.kind == FileKind::Directory;
    // Of a directory whose every file is read, adding one is enough; elsewhere the sticky bit protects root's files.
    let protected = is_directory && meta.mode & STICKY != 0 && !is_read_whole(file);
    let by_others = meta.mode & OTHER_WRITE != 0 && !protected;
    let by_group =
        meta.mode & GROUP_WRITE != 0 && !protected && !owners_unknown && !ownership::is_roots_alone(root, meta.gid);
    let by_owner = meta.uid != 0 && !owners_unknown;
    if meta.kind == FileKind::Symlink || !(by_others || by_group || by_owner) {
        return;
    }
    let code = if is_directory { code::DIRECTORY_WRITABLE } else { code::WRITABLE };
    let who = if by_others {
        "everybody on this host".to_owned()
    } else if by_owner {
        format!("the user `{}`", ownership::user(root, meta.uid))
    } else {
        format!("the group `{}`", ownership::group(root, meta.gid))
    };
    let verb = if is_directory { "replace what is in" } else { "change" };
    let evidence = if by_owner && !by_others {
        owner(root, path, meta, "root")
    } else {
        mode(path, meta, "not writable by group or others")
    };
    result.findings.push(Finding::new(code, Subject::file(path), format!("{who} can {verb} `{path}`"), evidence));
}

/// Whether a program reads every file of this directory: drop-ins of the server's configuration, PAM stacks, units.
fn is_read_whole(file: &FileFacts) -> bool {
    file.entries.is_some() || file.roles.iter().any(|role| role.in_surface())
}
