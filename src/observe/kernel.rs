//! What the kernel says about the host as a whole.

use crate::facts::KernelFacts;
use crate::formats::proc::{mountinfo, unix};
use crate::host::process::Proc;
use crate::model::{RootedPath, text};

/// Largest `/proc/net/unix` that is read; a busy node has some thousand sockets of about 100 bytes each.
const MAX_TABLE: usize = 64 << 20;

/// Observes the running kernel. Without a proc file system the tables are absent.
#[must_use]
pub fn observe(proc: Option<&Proc>) -> KernelFacts {
    let name = nix::sys::utsname::uname().ok();
    let field = |part: Option<&std::ffi::OsStr>| text::escape(part.unwrap_or_default().as_encoded_bytes());
    KernelFacts {
        release: field(name.as_ref().map(|name| name.release())),
        hostname: field(name.as_ref().map(|name| name.nodename())),
        machine: field(name.as_ref().map(|name| name.machine())),
        abstract_sockets: proc.and_then(abstract_sockets),
        as_root: nix::unistd::geteuid().is_root(),
    }
}

/// Mount points that are better left alone: touching them may hang, or mount something.
#[must_use]
pub fn distant_mounts(proc: &Proc) -> Vec<RootedPath> {
    let Ok(table) = proc.read("self/mountinfo", MAX_TABLE) else { return Vec::new() };
    mountinfo::parse(&table)
        .iter()
        .filter(|mount| mount.is_distant())
        .filter_map(|mount| RootedPath::new(&mount.point))
        .collect()
}

/// Of the network namespace that we run in.
fn abstract_sockets(proc: &Proc) -> Option<Vec<String>> {
    let table = proc.read("net/unix", MAX_TABLE).ok()?;
    Some(unix::abstract_names(&table).iter().map(|name| text::escape(name)).collect())
}
