//! What the search for servers learns on its way about all processes: which namespaces they are in, what they hold.

use std::collections::{BTreeMap, BTreeSet};

use super::containers::Elsewhere;

/// What the kernel calls descriptors by which breakpoints are set: perf_event_open(2), and BPF links (bpf(2),
/// `BPF_LINK_CREATE`).
pub const PROBING: [&[u8]; 3] = [b"anon_inode:[perf_event]", b"anon_inode:bpf_link", b"anon_inode:[bpf_link]"];

/// All of it.
#[derive(Debug, Default)]
pub struct Bystanders {
    /// A process in each network namespace but our own.
    pub networks: Vec<i32>,
    /// Who holds sockets, by inode.
    pub sockets: BTreeMap<u64, Vec<i32>>,
    /// Who holds a descriptor of [`PROBING`].
    pub probing: BTreeSet<i32>,
    /// SSH servers in containers.
    pub elsewhere: Vec<Elsewhere>,
    /// Whether the descriptors of all processes could be listed.
    pub complete: bool,
}
