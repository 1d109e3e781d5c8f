//! The nouns of sshproof. Knows nothing of ours above it, opens nothing, judges nothing.

pub mod accounts;
pub mod capsule;
pub mod code;
pub mod digest;
pub mod event;
pub mod evidence;
pub mod finding;
pub mod gap;
pub mod inode;
pub mod limits;
pub mod loaded;
pub mod manifest;
mod md5;
pub mod path;
pub mod report;
pub mod subject;
pub mod text;
pub mod time;
pub mod verdict;

pub use code::Code;
pub use digest::{Algorithm, Digest};
pub use evidence::Evidence;
pub use finding::{Class, Confidence, Finding, Severity};
pub use gap::Gap;
pub use inode::{FileKind, Identity, Meta};
pub use path::RootedPath;
pub use subject::Subject;
pub use time::Timestamp;
pub use verdict::{Check, CheckResult, Verdict};
