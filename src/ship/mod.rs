//! From a report to events that may leave the host, and from the spool to the receivers.
//!
//! The report comes in, never facts: what is not in a report cannot leave. Files and sockets are `own`'s.

pub mod bounds;
pub mod deliver;
pub mod events;
pub mod http;
pub mod keep;
pub mod ledger;
pub mod numbers;
pub mod privacy;
pub mod serve;
pub mod sink;
pub mod syslog;
pub mod trace;

pub use events::{Occasion, events};
pub use ledger::Ledger;
pub use privacy::Pseudonyms;
