//! A progress bar on standard error, for whoever watches a terminal. A scan that takes less than a second shows none.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::talk;
use crate::observe::Progress;

/// Nothing is drawn before.
const PATIENCE: Duration = Duration::from_secs(1);
/// Redraws per second: enough to see that it lives, few enough to cost nothing.
const RATE: u8 = 10;

/// The bar.
pub struct Bar {
    bar: ProgressBar,
    begun: Instant,
}

impl Bar {
    /// A bar that nobody sees yet.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let target =
            if talk::may_draw(quiet) { ProgressDrawTarget::stderr_with_hz(RATE) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {pos} files  {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, begun: Instant::now() }
    }

    /// Shows how far the scan got. Paths print themselves escaped.
    pub fn show(&self, progress: Progress<'_>) {
        match progress {
            Progress::Station(name) => {
                tracing::info!("{name}");
                self.bar.set_prefix(name);
            }
            Progress::File(path) => {
                tracing::debug!("{path}");
                if !self.bar.is_hidden() && self.begun.elapsed() > PATIENCE {
                    self.bar.set_message(path.to_string());
                    self.bar.inc(1);
                }
            }
        }
    }

    /// Clears it away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
