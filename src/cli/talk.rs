//! What the program says about its own work, on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use tracing::level_filters::LevelFilter;

use crate::model::text::printable;

/// Starts talking: warnings, with `-v` what is being done, with `-vv` each detail, with `--quiet` errors only.
pub fn start(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(super::screen::colour(&io::stderr()))
        .without_time()
        .with_target(false)
        .finish();
    // Fails only if somebody set one before, as tests that call us as a library may.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// An error of ours with its causes, on one line.
pub fn error(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().map(|cause| printable(&cause.to_string()).into_owned()).collect();
    let _ = writeln!(io::stderr().lock(), "sshproof: {}", causes.join(": "));
}

/// Something that the reader of the answer must know about it, on one line.
pub fn warning(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(text));
}

/// Whether a progress bar makes sense: somebody watches, and asked for no silence.
#[must_use]
pub fn may_draw(quiet: bool) -> bool {
    !quiet && io::stderr().is_terminal()
}
