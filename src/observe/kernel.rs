//! What the kernel says about the host as a whole.

use super::namespaces::Bystanders;
use crate::facts::KernelFacts;
use crate::formats::proc::{mountinfo, unix};
use crate::host::process::{Proc, ProcProblem};
use crate::model::{RootedPath, text};

/// Largest `/proc/net/unix` that is read; a busy node has some thousand sockets of about 100 bytes each.
const MAX_TABLE: usize = 64 << 20;

/// Observes the running kernel; `bystanders` says which network namespaces there are. Without a proc file system the tables are absent.
#[must_use]
pub fn observe(proc: Option<&Proc>, bystanders: &Bystanders) -> KernelFacts {
    let name = nix::sys::utsname::uname().ok();
    let field = |part: Option<&std::ffi::OsStr>| text::escape(part.unwrap_or_default().as_encoded_bytes());
    KernelFacts {
        release: field(name.as_ref().map(|name| name.release())),
        hostname: field(name.as_ref().map(|name| name.nodename())),
        machine: field(name.as_ref().map(|name| name.machine())),
        abstract_sockets: proc.and_then(|proc| abstract_sockets(proc, bystanders)),
        as_root: nix::unistd::geteuid().is_root(),
    }
}

/// Mount points that are better left alone: touching them may hang, or mount something. `of` is the process in whose mount namespace
/// they are looked for, `self` for ours.
#[must_use]
pub fn distant_mounts(proc: &Proc, of: &str) -> Vec<RootedPath> {
    let Ok(table) = proc.read(&format!("{of}/mountinfo"), MAX_TABLE) else { return Vec::new() };
    mountinfo::parse(&table)
        .iter()
        .filter(|mount| mount.is_distant())
        .filter_map(|mount| RootedPath::new(&mount.point))
        .collect()
}

/// Of our own network namespace and every other that a process is in; `None` if one of them cannot be read.
fn abstract_sockets(proc: &Proc, bystanders: &Bystanders) -> Option<Vec<String>> {
    let mut names = unix::abstract_names(&proc.read("net/unix", MAX_TABLE).ok()?);
    for process in bystanders.networks.iter().filter_map(|pid| proc.process(*pid).ok()) {
        match process.read("net/unix", MAX_TABLE) {
            Ok(table) => names.extend(unix::abstract_names(&table)),
            // It has ended, and its namespace with it, or somebody else is in that and was seen for it.
            Err(ProcProblem::Gone) => {}
            Err(_) => return None,
        }
    }
    names.sort_unstable();
    names.dedup();
    Some(names.iter().map(|name| text::escape(name)).collect())
}
