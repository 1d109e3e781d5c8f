//! Who a uid or gid is, and whether owners can be judged at all under a root.

use crate::facts::RootFacts;
use crate::model::RootedPath;

/// `name` or the number, of a user.
pub fn user(root: &RootFacts, uid: u32) -> String {
    let account = root.login.accounts.iter().find(|account| account.uid == uid);
    account.map_or_else(|| uid.to_string(), |account| account.name.clone())
}

/// `name` or the number, of a group.
pub fn group(root: &RootFacts, gid: u32) -> String {
    let group = root.login.groups.iter().find(|group| group.gid == gid);
    group.map_or_else(|| gid.to_string(), |group| group.name.clone())
}

/// Whether write permission for group `gid` gives it to root alone: the group is 0, nobody else is named in it, and no
/// other account has it as its own.
pub fn is_roots_alone(root: &RootFacts, gid: u32) -> bool {
    let is_root = |name: &str| root.login.accounts.iter().any(|account| account.name == name && account.uid == 0);
    let members = root.login.groups.iter().filter(|group| group.gid == gid).flat_map(|group| &group.members);
    gid == 0
        && members.into_iter().all(|member| member == "root" || is_root(member))
        && root.login.accounts.iter().all(|account| account.gid != gid || account.uid == 0)
}

/// Who owns the root directory instead of root: an image that was unpacked by an ordinary user, or a user namespace that
/// does not map root. Owners mean nothing then. `None` if root does, or nobody looked.
pub fn foreign(root: &RootFacts) -> Option<u32> {
    root.files.get(&RootedPath::root())?.meta().map(|meta| meta.uid).filter(|uid| *uid != 0)
}
