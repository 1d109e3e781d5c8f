//! What the integration tests share: test lists that say why something was ignored ([`mimic`]), scratch roots made of
//! real packages ([`root`]), a host of one's own to boot them in ([`namespace`]), tampering with its memory ([`poke`]), the
//! intruder's tools ([`intruder`]), the program under test ([`program`]), a real login with two factors ([`login`]), the scenarios of the login proof ([`case`]),
//! each set up and tried by a real client ([`attempt`]), and readers of reports ([`report`]).
//!
//! Each test program compiles this module for itself and uses a part of it.
#![allow(dead_code, unused_imports, reason = "each test program uses a part")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

pub mod attempt;
pub mod case;
pub mod intruder;
pub mod login;
pub mod mimic;
pub mod namespace;
pub mod poke;
pub mod program;
pub mod report;
pub mod root;
