//! What the reader's terminal can show.

use crate::render::Style;

/// Columns when nobody says how many there are.
const WIDTH: u16 = 100;
/// Lines longer than this are hard to read, however wide the window.
const MAX_WIDTH: u16 = 120;
const MIN_WIDTH: u16 = 50;

/// How text on standard output may look.
#[must_use]
pub fn stdout() -> Style {
    use std::io::IsTerminal as _;
    let out = std::io::stdout();
    if !out.is_terminal() {
        return Style { unicode: utf8_locale(), ..Style::PLAIN };
    }
    let width = terminal_size::terminal_size_of(&out).map_or(WIDTH, |(width, _)| width.0);
    Style { colour: colour(&out), width: usize::from(width.clamp(MIN_WIDTH, MAX_WIDTH)), unicode: utf8_locale() }
}

/// Whether `stream` wants colour: a terminal that can, and neither `NO_COLOR`, `CLICOLOR=0` nor `TERM=dumb`.
pub fn colour(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// Whether the locale's character set is UTF-8 (setlocale(3): the first of these that is set and not empty counts).
/// Without any, pipes and files are read as UTF-8 nowadays.
#[allow(clippy::disallowed_methods)]
fn utf8_locale() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty()).is_none_or(
        |value| {
            let value = value.to_string_lossy().to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        },
    )
}
