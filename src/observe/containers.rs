//! Roots of containers: an SSH server that runs in another mount namespace is judged by the files and packages that it has there.

use std::path::Path;

use crate::facts::container::Container;
use crate::formats::proc::cgroup;
use crate::host::process::{Proc, Process};
use crate::host::root::Root;
use crate::model::{Meta, RootedPath, text};

/// Containers with SSH servers that one scan enters.
pub const MAX_CONTAINERS: usize = 16;
/// Largest `cgroup`.
const MAX_SMALL: usize = 64 << 10;

/// The mount namespace of a process and the directory that it has as its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `mnt:[4026532195]`.
    namespace: Vec<u8>,
    /// Device and inode of the root directory.
    root: (u64, u64),
    /// Whether that is the top of the namespace, so that paths which the kernel shows begin there.
    top: bool,
}

impl Place {
    /// Where `process` is; `None` if that cannot be seen.
    pub fn of(process: &Process) -> Option<Self> {
        let namespace = process.link("ns/mnt").ok()?;
        let inode = |meta: Meta| (meta.dev, meta.ino);
        let root = process.stat("root").ok().map(inode)?;
        Some(Self { namespace, root, top: process.link("root").is_ok_and(|name| name == b"/") })
    }

    /// Whether it is the top of another mount namespace than ours: what a container is to the kernel.
    pub fn is_container(&self, proc: &Proc, ours: &Root) -> bool {
        let elsewhere = proc.link("self/ns/mnt").is_ok_and(|own| own != self.namespace);
        let same = ours.stat(&RootedPath::root()).is_ok_and(|meta| (meta.dev, meta.ino) == self.root);
        self.top && elsewhere && !same
    }
}

/// A server in another root, by the process that was met first.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// The process.
    pub pid: i32,
    /// Its start time.
    pub starttime: u64,
    /// Where it is.
    pub place: Place,
}

/// The container that this process is in, opened; the error says why it cannot be entered.
pub fn enter(proc: &Proc, found: &Elsewhere) -> Result<(Container, Root), String> {
    let process = proc.process(found.pid).map_err(|problem| problem.to_string())?;
    let container = Container { name: name(&process, &found.place), pid: found.pid };
    let root = Root::open(Path::new(&container.root()), false).map_err(|error| error.to_string())?;
    // The number may have been given to another since.
    if Place::of(&process).as_ref() != Some(&found.place) {
        return Err("is gone".to_owned());
    }
    Ok((container, root))
}

/// What its control group calls it, else its mount namespace.
fn name(process: &Process, place: &Place) -> String {
    let cgroup = process.read("cgroup", MAX_SMALL).ok().and_then(|bytes| cgroup::container(&bytes));
    text::escape(&cgroup.unwrap_or_else(|| place.namespace.clone()))
}
