//! The only door to our own things: clock, usage, policy files, output. Never touches the examined root.

#![allow(clippy::disallowed_methods)]

pub mod clock;
pub mod config;
pub mod http;
pub mod input;
pub mod journal;
pub mod lines;
pub mod memory;
pub mod net;
pub mod output;
pub mod relp;
pub mod spool;
pub mod state;
pub mod tpm;
pub mod usage;
