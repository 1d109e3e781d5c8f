//! The only maker of "now".

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// The current moment; the epoch if the clock stands before it.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
