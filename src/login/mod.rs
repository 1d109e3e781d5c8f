//! The algebra of login paths: what each way in asks for. Opens nothing: bytes come in as arguments.

pub mod alike;
pub mod authority;
pub mod classes;
pub mod directory;
pub mod explain;
pub mod explore;
pub mod factor;
pub mod fix;
pub mod methods;
pub mod pam;
pub mod prove;
pub mod reach;
pub mod sentence;
pub mod simple;
pub mod sshd;
pub mod standing;
pub mod tree;

pub use tree::{Names, Tree};
