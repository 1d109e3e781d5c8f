//! Where configuration text comes from. The observer asks through it which files it has to read; the check asks
//! through it what they say.

use crate::model::{Meta, RootedPath};

/// What is known of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A regular file with this content.
    Text(&'a [u8]),
    /// It is there and is no readable regular file, or its content was not kept; why, in one sentence.
    Opaque(String),
    /// It is not there.
    Missing,
    /// Nobody has looked yet.
    Unasked,
}

/// The examined root, as far as it was read.
pub trait Files {
    /// The content of the file at `path`, links followed inside the root.
    fn text(&self, path: &RootedPath) -> Seen<'_>;

    /// The public keys of the file at `path`: its content, or that with everything else taken out.
    fn public_keys(&self, path: &RootedPath) -> Seen<'_> {
        self.text(path)
    }

    /// The inode at `path`, links followed: `Ok(None)` if it is not there, `Err` if nobody could tell.
    ///
    /// # Errors
    ///
    /// Why it could not be told, in one sentence; also when nobody has looked yet.
    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String>;
}
