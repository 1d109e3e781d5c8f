//! The algebra of login paths: what each way in asks for. Opens nothing: bytes come in as arguments.

pub mod classes;
pub mod factor;
pub mod pam;
pub mod sshd;
pub mod tree;

pub use tree::{Names, Tree};
