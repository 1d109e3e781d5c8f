//! The binding of symbols: what the dynamic loader had to write into each file that it loaded. Pure: computed from the files
//! of a process in the order in which it loaded them, without a process.
//!
//! [`Tables`] is what is kept of a file, [`scope`] says where names are looked for, [`lookup`] finds them, [`plan`] gives the rule
//! for every word, [`compare`] holds words of memory against it. The rules are those of glibc.

pub mod compare;
pub mod lookup;
pub mod machine;
pub mod plan;
pub mod scope;
pub mod tables;
pub mod versions;

pub use compare::{Compared, Layout, Mismatch, code, compare};
pub use machine::Kind;
pub use plan::{Binder, Definition, Likely, Place, Plan, Rule, Slot, plan};
pub use scope::{Module, Scopes, scopes};
pub use tables::Tables;
