//! Connections that sshd and PAM cannot tell apart, as finitely many classes: exact, no sampling.
//!
//! Every criterion of Match, every AllowUsers pattern and every network of the PAM stack is constant on each class, so
//! one witness stands for all its connections.

pub mod addresses;
pub mod names;
pub mod quads;

pub use addresses::{AddressClass, Addresses};
