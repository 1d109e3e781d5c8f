//! What we cost the host, as the kernel accounts it.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::model::report::Usage;

/// CPU time and peak memory of this process so far (getrusage(2)); `bytes_read` is the caller's count.
#[must_use]
pub fn so_far(bytes_read: u64) -> Usage {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Usage { bytes_read, ..Usage::default() };
    };
    let cpu = usage.user_time() + usage.system_time();
    Usage {
        cpu_ms: u64::try_from(cpu.num_milliseconds()).unwrap_or(0),
        // Linux counts ru_maxrss in KiB (getrusage(2)).
        peak_rss_kib: u64::try_from(usage.max_rss()).unwrap_or(0),
        bytes_read,
    }
}
