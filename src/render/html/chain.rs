//! The chain of one server as a drawing: a box for each step, a solid arrow where one holds for the next, a broken one
//! where it does not, a dotted one where the report shows without proving.

use super::text;
use crate::model::report::{Report, Server};
use crate::model::text::printable;
use crate::render::chain::{State, Step, steps};

/// Sizes in user units; the drawing scales with the page.
const BOX_WIDTH: usize = 176;
const ARROW_WIDTH: usize = 34;
const LINE_HEIGHT: usize = 16;
const PADDING: usize = 10;
/// Characters that fit into a box, and lines that stay readable.
const LINE_CHARS: usize = 23;
const MAX_LINES: usize = 5;

/// The drawing, as inline SVG with a text for those who cannot see it.
pub fn draw(report: &Report, server: &Server) -> String {
    let steps = steps(report, server);
    let texts: Vec<Vec<String>> = steps.iter().map(|step| lines(&step.text)).collect();
    let rows = texts.iter().map(Vec::len).max().unwrap_or(1);
    let height = PADDING * 2 + LINE_HEIGHT * (rows + 1) + 6;
    let width = steps.len() * BOX_WIDTH + steps.len().saturating_sub(1) * ARROW_WIDTH;
    let spoken: Vec<String> = steps.iter().map(|step| step.text.clone()).collect();
    let mut out = format!(
        "<svg class=\"chain\" viewBox=\"-2 -2 {} {}\" role=\"img\" aria-label=\"{}\">\n",
        width + 4,
        height + 4,
        text(&spoken.join(", then "))
    );
    let mut x = 0;
    let mut before = State::Shown;
    for (number, (step, lines)) in steps.iter().zip(&texts).enumerate() {
        if number > 0 {
            // What is only shown vouches for nothing after it.
            let state = if before == State::Shown && step.state == State::Holds { State::Shown } else { step.state };
            out.push_str(&arrow(x, height / 2, state));
            x += ARROW_WIDTH;
        }
        out.push_str(&boxed(x, height, step, lines));
        x += BOX_WIDTH;
        before = step.state;
    }
    out.push_str("</svg>\n");
    out
}

fn boxed(x: usize, height: usize, step: &Step, lines: &[String]) -> String {
    let centre = x + BOX_WIDTH / 2;
    let mut out = format!(
        "<g class=\"{}\"><rect x=\"{x}\" y=\"0\" width=\"{BOX_WIDTH}\" height=\"{height}\" rx=\"6\"/>\
         <text class=\"title\" x=\"{centre}\" y=\"{}\">{}</text>",
        name(step.state),
        PADDING + LINE_HEIGHT - 4,
        text(step.title)
    );
    for (row, line) in lines.iter().enumerate() {
        out.push_str(&format!(
            "<text x=\"{centre}\" y=\"{}\">{}</text>",
            PADDING + LINE_HEIGHT * (row + 2),
            text(line)
        ));
    }
    out.push_str("</g>\n");
    out
}

fn arrow(x: usize, y: usize, state: State) -> String {
    let end = x + ARROW_WIDTH;
    let mut out = format!(
        "<g class=\"{}\"><line x1=\"{}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/><path d=\"M{} {} L{} {y} L{} {} Z\"/>",
        name(state),
        x + 4,
        end - 10,
        end - 12,
        y - 5,
        end - 3,
        end - 12,
        y + 5
    );
    if state == State::Broken {
        out.push_str(&format!("<text class=\"cross\" x=\"{}\" y=\"{}\">✗</text>", x + ARROW_WIDTH / 2 - 4, y - 8));
    }
    out.push_str("</g>\n");
    out
}

const fn name(state: State) -> &'static str {
    match state {
        State::Holds => "holds",
        State::Broken => "broken",
        State::Shown => "shown",
    }
}

/// `text` in lines that fit a box: broken at spaces, then at slashes and hyphens, at last anywhere.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for piece in pieces(&printable(text)) {
        if !line.is_empty() && line.chars().count() + piece.trim_end().chars().count() > LINE_CHARS {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        line.push_str(&piece);
    }
    lines.push(line.trim_end().to_owned());
    if lines.len() > MAX_LINES {
        lines.truncate(MAX_LINES);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    lines
}

/// The smallest parts that a line may end after; none longer than a line.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut length = 0;
    for c in text.chars() {
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
            length += 1;
        }
        if matches!(c, ' ' | '/' | '-' | '.' | ':') || length == LINE_CHARS {
            pieces.push(String::new());
            length = 0;
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_box() {
        let path = "recorded in /var/lib/dpkg/info/openssh-server.md5sums";
        let fitted = lines(path);
        assert!(fitted.iter().all(|line| line.chars().count() <= LINE_CHARS), "{fitted:?}");
        assert_eq!(fitted.concat().replace(' ', ""), path.replace(' ', ""));
        assert_eq!(lines(&"x".repeat(1000)).len(), MAX_LINES);
        assert_eq!(lines(""), [""]);
    }
}
