//! The files of dpkg's database, one parser each, after the man pages of dpkg 1.21 and its source where those are silent.
//!
//! Nothing in them is signed: whoever is root on the host can have written all of it. Every parser takes bytes of any
//! content, returns what it understood beside its problems, and carries on after a line it does not understand.

pub mod alternatives;
pub mod diversions;
pub mod list;
pub mod md5sums;
pub mod pam_auth_update;
pub mod statoverride;
pub mod status;
pub mod ucf;

use crate::model::{Algorithm, Digest};

/// An MD5 digest in hexadecimal.
pub(crate) fn md5(hex: &[u8]) -> Option<Digest> {
    Digest::from_hex(Algorithm::Md5, std::str::from_utf8(hex).ok()?)
}
