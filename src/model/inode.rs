//! An inode, as stat(2) shows it.

use serde::{Deserialize, Serialize};

/// What an inode says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits with set-id and sticky, 12 bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// In bytes.
    pub size: u64,
    /// Hard links.
    pub nlink: u64,
    /// Last change of content, seconds since 1970.
    pub mtime: i64,
    /// Last change of the inode, seconds since 1970.
    pub ctime: i64,
    /// Device number as stat(2) gives it.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
}

/// A file at one moment: the same inode with the same size and times has the same content, as far as anybody can tell without
/// reading it. Device, inode, size, time of change of content and of inode.
pub type Identity = (u64, u64, u64, i64, i64);

impl Meta {
    /// Which file at which moment.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        (self.dev, self.ino, self.size, self.mtime, self.ctime)
    }
}

/// The type of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link (only where one could not be followed: it dangles or loops).
    Symlink,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A device, block or character.
    Device,
}

impl FileKind {
    /// With its article, for sentences.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
        }
    }
}
