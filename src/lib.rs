//! sshproof: is the SSH server that answers logins the distributor's, does every way in demand two factors, and is
//! there a trace of a known backdoor?
//!
//! One straight line: discover → read once → observe → facts → check → report → render → ship. The floors, what each
//! may touch and what it must never do stand in ARCHITECTURE.md; `tests/layering.rs` keeps it true.

pub mod checks;
pub mod cli;
pub mod facts;
pub mod formats;
pub mod host;
pub mod knowledge;
pub mod login;
pub mod manifest;
pub mod model;
pub mod observe;
pub mod own;
pub mod policy;
pub mod render;
pub mod scan;
pub mod ship;
pub mod trust;
