//! What must not be read by others: host keys and password hashes. Only their inodes are known, never their content.

use super::{inode, mode, ownership};
use crate::facts::{FileTable, Role, RootFacts};
use crate::model::{CheckResult, Finding, RootedPath, Subject, code};

const GROUP_READ: u32 = 0o040;
const OTHERS: u32 = 0o007;
const READABLE: u32 = 0o044;
/// RHEL up to 8 lets this group read host keys, for ssh-keysign (openssh-7.6p1-audit and -keycat patches of RHEL).
const KEY_GROUP: &str = "ssh_keys";
/// The group that Debian lets read password hashes, and its number there (base-passwd, `group.master`).
const SHADOW_GROUP: (&str, u32) = ("shadow", 42);
const SHADOW: [&str; 2] = ["/etc/shadow", "/etc/gshadow"];

/// Judges host keys and password files. Who may *write* them, `permissions` says.
pub fn check(root: &RootFacts, result: &mut CheckResult) {
    // `permissions` has told that groups mean nothing then.
    let groups_known = ownership::foreign(root).is_none();
    for (path, file) in root.files.with_role(Role::HostKey) {
        let Some(meta) = inode(path, file, result) else { continue };
        let by_group = groups_known
            && meta.mode & GROUP_READ != 0
            && !ownership::is_roots_alone(root, meta.gid)
            && ownership::group(root, meta.gid) != KEY_GROUP;
        if by_group || meta.mode & OTHERS != 0 {
            let who = if meta.mode & OTHERS & READABLE != 0 {
                "everybody on this host".to_owned()
            } else {
                format!("the group `{}`", ownership::group(root, meta.gid))
            };
            let message = format!("{who} can read the private host key `{path}`");
            let evidence = mode(path, meta, "at most 0600");
            result.findings.push(Finding::new(code::HOST_KEY_EXPOSED, Subject::file(path), message, evidence));
        }
    }
    for name in SHADOW {
        let Some((path, file)) = RootedPath::new(name).and_then(|path| look_up(&root.files, &path)) else { continue };
        let Some(meta) = inode(&path, file, result) else { continue };
        let shadow = (ownership::group(root, meta.gid), meta.gid);
        let by_group = groups_known
            && meta.mode & GROUP_READ != 0
            && meta.gid != 0
            && shadow.0 != SHADOW_GROUP.0
            && shadow.1 != SHADOW_GROUP.1;
        if by_group || meta.mode & OTHERS != 0 {
            let message = format!("others than root can read the password hashes in `{path}`");
            let evidence = mode(&path, meta, "at most 0640, group shadow");
            result.findings.push(Finding::new(code::SECRETS_READABLE, Subject::file(&path), message, evidence));
        }
    }
}

fn look_up<'a>(files: &'a FileTable, path: &RootedPath) -> Option<(RootedPath, &'a crate::facts::FileFacts)> {
    let canonical = files.canonical(path)?.clone();
    let file = files.files.get(&canonical)?;
    Some((canonical, file))
}
