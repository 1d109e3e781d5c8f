//! What sshd decides for one connection: the configuration with its Includes, evaluated as sshd evaluates it.
//!
//! [`Config::load`] gathers the files, [`Config::global`] is what sshd does when it starts, [`Global::effective`] what it
//! does when a client has named its user.

pub mod access;
pub mod config;
pub mod connection;
pub mod effective;
pub mod glob;
pub mod pass;

pub use config::{Config, Origin, Problem, Unasked};
pub use connection::Connection;
pub use effective::{Effective, Global};
pub use pass::Settings;
