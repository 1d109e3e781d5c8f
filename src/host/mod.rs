//! The only door to the examined machine: opens files beneath a root, reads `/proc`, understands no format.

#![allow(clippy::disallowed_methods)]

pub mod bpf;
pub mod diag;
pub mod direct;
pub mod paged;
pub mod pids;
pub mod process;
pub mod root;
pub mod snapshot;
mod syscall;
pub mod tree;
pub mod window;
