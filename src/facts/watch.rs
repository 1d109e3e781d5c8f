//! What else on the host may watch SSH servers, or stand beside them: BPF programs on places in files, packet sockets, shared
//! memory; and who holds them.

use serde::{Deserialize, Serialize};

use crate::model::RootedPath;

/// All of it; asked for only where a server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchFacts {
    /// BPF programs that hang on places in files of user space; absent if the kernel refused to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<BpfLink>>,
    /// Packet sockets of every network namespace that a process is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packet_sockets: Vec<PacketSocket>,
    /// System V shared memory of our own IPC namespace; absent if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_memory: Option<Vec<Segment>>,
    /// Processes that hold descriptors by which code can be probed (perf_event_open(2), BPF links).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probing: Vec<Holder>,
    /// Whether the descriptors of all processes could be listed.
    pub all_seen: bool,
    /// What could not be seen, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// A process that holds something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: i32,
    /// What it runs as the kernel shows it, escaped, without ` (deleted)`; empty if that cannot be seen.
    pub exe: String,
    /// The file that this is, links resolved; absent if it lies in another root, was deleted or cannot be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<RootedPath>,
    /// Whether what it runs has a name no longer, or never had one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The file that lies where it was, links resolved: an upgrade puts one there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<RootedPath>,
    /// Whether it runs in another root than the one examined: a container, a chroot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

/// A BPF program on a place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BpfLink {
    /// Id of the link.
    pub id: u32,
    /// Id of the program.
    pub program: u32,
    /// Its name as its loader gave it, escaped; empty for none.
    pub name: String,
    /// The file, escaped; empty if the kernel does not tell (before Linux 6.6). A path in the mount namespace of who made the
    /// link, which need not be ours.
    pub path: String,
    /// The place in it; absent if there are several, or the kernel does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many places.
    pub places: u32,
    /// Whether it runs when the function returns.
    pub on_return: bool,
    /// The process that it is limited to; 0 for none.
    pub pid: u32,
    /// Who was seen to hold it; nobody, if it is pinned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<i32>,
}

/// A packet socket: it hears every packet of an interface, whatever the firewall does with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketSocket {
    /// Its inode.
    pub inode: u64,
    /// The link-layer protocol that it hears, 3 (`ETH_P_ALL`) for all.
    pub protocol: u16,
    /// Who made it.
    pub uid: u32,
    /// What filters it.
    pub filter: PacketFilter,
    /// Who holds it; nobody that could be seen, if empty.
    pub holders: Vec<Holder>,
}

/// Whether a packet socket filters what it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketFilter {
    /// By a classic program of so many instructions.
    Classic(usize),
    /// By none, or by an extended program: the kernel does not tell the two apart.
    NoneOrExtended,
    /// It could not be found out.
    Unknown,
}

/// A System V shared memory segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its id.
    pub id: u64,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// The process that made it.
    pub creator: i32,
    /// The one that used it last.
    pub last: i32,
    /// User id of its owner.
    pub uid: u32,
}

impl WatchFacts {
    /// Everybody who holds something.
    pub fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.packet_sockets.iter().flat_map(|socket| &socket.holders).chain(&self.probing)
    }
}
