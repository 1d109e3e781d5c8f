//! A page of wrapped text: labels, hanging indents, colour where it is wanted, nothing unprintable.

use anstyle::{AnsiColor, Color, Effects, Style as Ansi};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use crate::model::Verdict;
use crate::model::text::printable;

/// How text may look. `cli` finds out, renderers obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colour.
    pub colour: bool,
    /// Columns to stay within, where words allow it.
    pub width: usize,
    /// Whether the reader's terminal shows more than ASCII.
    pub unicode: bool,
}

impl Style {
    /// Without colour, 100 columns: what goes into a file or a pipe.
    pub const PLAIN: Self = Self { colour: false, width: 100, unicode: true };
}

/// What colour may say. Nothing is said by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A heading.
    Strong,
    /// A label.
    Faint,
    /// Bad.
    Alarm,
    /// Unsure.
    Doubt,
    /// Good.
    Calm,
}

impl Tone {
    /// The tone of a verdict.
    #[must_use]
    pub const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Fail => Self::Alarm,
            Verdict::Inconclusive => Self::Doubt,
            Verdict::Pass => Self::Calm,
            Verdict::NotApplicable => Self::Faint,
        }
    }

    const fn ansi(self) -> Ansi {
        const fn bold(colour: AnsiColor) -> Ansi {
            Ansi::new().fg_color(Some(Color::Ansi(colour))).effects(Effects::BOLD)
        }
        match self {
            Self::Plain => Ansi::new(),
            Self::Strong => Ansi::new().effects(Effects::BOLD),
            Self::Faint => Ansi::new().effects(Effects::DIMMED),
            Self::Alarm => bold(AnsiColor::Red),
            Self::Doubt => bold(AnsiColor::Yellow),
            Self::Calm => bold(AnsiColor::Green),
        }
    }
}

/// Columns between the left edge and the text of a [`Page::field`].
const LABEL: usize = 14;
/// Below this, hanging indents leave too little room for words.
const MIN_TEXT: usize = 24;

/// Text under construction.
#[derive(Debug)]
pub struct Page {
    style: Style,
    out: String,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub const fn new(style: Style) -> Self {
        Self { style, out: String::new() }
    }

    /// An empty line, unless there is one already or the page is empty.
    pub fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A heading at the left edge.
    pub fn heading(&mut self, text: &str) {
        self.gap();
        self.hang(&[(text, Tone::Strong)], 0, "");
    }

    /// A label two columns in, and text that wraps beside it.
    pub fn field(&mut self, label: &str, text: &str) {
        self.toned_field(label, Tone::Faint, text);
    }

    /// The same with a label in another tone.
    pub fn toned_field(&mut self, label: &str, tone: Tone, text: &str) {
        self.hang(&[("  ", Tone::Plain), (label, tone)], LABEL, text);
    }

    /// Text that wraps `indent` columns in.
    pub fn text(&mut self, indent: usize, text: &str) {
        self.hang(&[], indent, text);
    }

    /// `lead`, padded to `indent` columns, then `text`, whose further lines begin in that column too. A lead that is
    /// longer than that has a column of space after it.
    pub fn hang(&mut self, lead: &[(&str, Tone)], indent: usize, text: &str) {
        let mut used = 0;
        let mut line = String::new();
        for (part, tone) in lead {
            let part = self.safe(part);
            used += textwrap::core::display_width(&part);
            if self.style.colour && *tone != Tone::Plain {
                let ansi = tone.ansi();
                line.push_str(&format!("{ansi}{part}{ansi:#}"));
            } else {
                line.push_str(&part);
            }
        }
        if text.is_empty() {
            self.out.push_str(line.trim_end());
            self.out.push('\n');
            return;
        }
        let pad = indent.saturating_sub(used).max(usize::from(!lead.is_empty() && used >= indent));
        line.push_str(&" ".repeat(pad));
        // A long lead shortens its own line only.
        let room = self.style.width.saturating_sub(indent).max(MIN_TEXT);
        let first = " ".repeat((used + pad).saturating_sub(indent));
        let text = self.safe(text);
        let options = Options::new(room)
            .initial_indent(&first)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            .wrap_algorithm(WrapAlgorithm::FirstFit);
        for (number, wrapped) in textwrap::wrap(&text, options).iter().enumerate() {
            if number == 0 {
                self.out.push_str(&line);
                self.out.push_str(wrapped.get(first.len()..).unwrap_or(wrapped).trim_end());
            } else {
                self.out.push_str(&" ".repeat(indent));
                self.out.push_str(wrapped.trim_end());
            }
            self.out.push('\n');
        }
    }

    /// The page.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    /// `text` as this terminal can show it: control characters escaped, our own typography spelt in ASCII where needed.
    fn safe(&self, text: &str) -> String {
        let text = printable(text);
        if self.style.unicode || text.is_ascii() {
            return text.into_owned();
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '·' => out.push('|'),
                '→' => out.push_str("->"),
                '✗' => out.push('X'),
                '…' => out.push_str("..."),
                '–' => out.push('-'),
                c if c.is_ascii() => out.push(c),
                c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(style: Style, expected: &str) {
        let mut page = Page::new(style);
        page.hang(&[("FAIL", Tone::Alarm)], 6, "one two three four five six seven → zo\u{e9}\n\u{1b}[2J");
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn wraps_colours_and_escapes() {
        let narrow = Style { width: 30, ..Style::PLAIN };
        check(narrow, "FAIL  one two three four five\n      six seven →\n      zo\u{e9}\\x0a\\x1b[2J\n");
        let coloured = Style { colour: true, ..Style::PLAIN };
        check(
            coloured,
            "\u{1b}[1m\u{1b}[31mFAIL\u{1b}[0m  one two three four five six seven → zo\u{e9}\\x0a\\x1b[2J\n",
        );
        let ascii = Style { unicode: false, ..Style::PLAIN };
        check(ascii, "FAIL  one two three four five six seven -> zo\\u{e9}\\x0a\\x1b[2J\n");
    }

    #[test]
    fn a_word_longer_than_the_line_stays_whole() {
        let mut page = Page::new(Style { width: 30, ..Style::PLAIN });
        let path = format!("/{}", "a".repeat(60));
        page.field("where", &format!("see {path} there"));
        assert!(page.finish().lines().any(|line| line.trim() == path));
    }
}
