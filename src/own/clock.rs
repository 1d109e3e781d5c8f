//! The only maker of "now".

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// The current moment; the epoch if the clock stands before it.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// A random part of `longest`: full jitter, so that nodes that failed together do not try again together.
#[must_use]
pub fn part_of(longest: Duration) -> Duration {
    // The standard library seeds its hash maps from the kernel's random numbers; nothing secret hangs on these.
    let random = RandomState::new().hash_one(0);
    let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random.checked_rem(millis.saturating_add(1)).unwrap_or(0))
}
