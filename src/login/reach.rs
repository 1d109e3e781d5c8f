//! Which secrets of one-time codes their own accounts can replace. Whoever gets in once without the code (by a batch job, a
//! shared home directory, a way in that asks for less) can give the account a secret that he knows.

use super::explore::Known;
use super::pam::{Account, Files};
use crate::model::{FileKind, RootedPath};

/// A secret within its account's reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The account's name.
    pub account: Vec<u8>,
    /// The file.
    pub path: RootedPath,
}

/// The enrolment files of the stacks that are there and lie beneath the home directory of an account other than uid 0: who
/// owns a directory replaces what is in it, whatever the file's own mode.
#[must_use]
pub fn seeds(known: &Known, accounts: &[Account], files: &dyn Files) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for account in accounts.iter().filter(|account| account.uid != 0) {
        let Some(home) = RootedPath::new(&account.home).filter(|home| *home != RootedPath::root()) else { continue };
        for path in known.stacks().flat_map(|stacks| stacks.auth.enrolment_files(account)) {
            let there = || files.inode(&path).is_ok_and(|meta| meta.is_some_and(|meta| meta.kind == FileKind::Regular));
            let seed = Seed { account: account.name.clone(), path: path.clone() };
            if path.is_beneath(&home) && there() && !seeds.contains(&seed) {
                seeds.push(seed);
            }
        }
    }
    seeds
}
