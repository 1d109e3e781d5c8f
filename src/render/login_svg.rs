//! The ways into each server as a picture: one row a way, weakest first, from the client on the left past each method to
//! what it has proved on the right. Red falls short of policy, green does not, violet is allowed because the site answers for
//! it, amber could not be told.
//!
//! Plain SVG 1.1 without scripts, fonts or anything from elsewhere: it may stand in a report that is mailed.

use std::fmt::Write as _;

use crate::checks::connection::{Path, Paths, Standing};
use crate::policy::{FactorCount, LoginPolicy};

/// One drawing of all servers, each with a heading.
#[must_use]
pub fn paths(servers: &[Paths], policy: &LoginPolicy) -> String {
    let mut canvas = Canvas { body: String::new(), y: MARGIN };
    for server in servers {
        canvas.server(server, policy);
    }
    let height = canvas.y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"14\">\n\
         <title>Ways to log in</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
        canvas.body
    )
}

/// In pixels.
const WIDTH: u32 = 1180;
const MARGIN: u32 = 24;
/// Where the chain of methods begins, and where the result stands.
const CHAIN: u32 = 250;
const RESULT: u32 = 960;
/// Of a box; and of a line of small print.
const BOX: u32 = 40;
const LINE: u32 = 17;
/// Width of a letter, generously, in ordinary and in small print.
const LETTER: u32 = 9;
/// Ways drawn of one server, and deciding lines of one way; the number of others is written.
const MOST_WAYS: usize = 16;
const MOST_LINES: usize = 8;

struct Canvas {
    body: String,
    /// Where the next thing goes.
    y: u32,
}

/// Of the line, and of the area.
const fn colours(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Enough => ("#1b7f3b", "#e6f4ea"),
        Standing::Exempt => ("#5b4b8a", "#eeeaf7"),
        Standing::Short => ("#b3261e", "#fce8e6"),
        Standing::Unknown => ("#9a6700", "#fff4d6"),
    }
}

/// What it means.
const fn meaning(standing: Standing) -> &'static str {
    match standing {
        Standing::Enough => "enough",
        Standing::Exempt => "exempted by the site",
        Standing::Short => "falls short",
        Standing::Unknown => "could not be told",
    }
}

impl Canvas {
    fn server(&mut self, server: &Paths, policy: &LoginPolicy) {
        self.y += 20;
        self.text(MARGIN, self.y, "font-size=\"20\" font-weight=\"bold\" fill=\"#1f2328\"", &server.server);
        self.y += 22;
        let counted = match policy.count {
            FactorCount::Authenticators => "authenticators",
            FactorCount::Categories => "categories",
        };
        let ways = server.paths.len();
        let counted_ways = match ways {
            0 => "no way in was found".to_owned(),
            1 => "1 way in".to_owned(),
            n => format!("{n} ways in, weakest first"),
        };
        let note = format!("{counted_ways}; policy demands {} {counted}", server.demanded);
        self.text(MARGIN, self.y, "fill=\"#57606a\"", &note);
        self.legend();
        self.y += 18;
        for path in server.paths.iter().take(MOST_WAYS) {
            self.way(path, policy, server.demanded, counted);
        }
        if ways > MOST_WAYS {
            self.y += 20;
            self.text(MARGIN, self.y, "fill=\"#57606a\"", &format!("{} more ways are not drawn", ways - MOST_WAYS));
        }
        for reason in &server.unknowns {
            self.y += 5;
            for line in wrapped(&format!("unknown: {reason}"), WIDTH - 2 * MARGIN, 3) {
                self.y += LINE;
                self.text(MARGIN, self.y, "fill=\"#9a6700\"", &line);
            }
        }
        self.y += 16;
    }

    /// What the colours mean.
    fn legend(&mut self) {
        self.y += 24;
        let mut x = MARGIN;
        for standing in [Standing::Short, Standing::Enough, Standing::Exempt, Standing::Unknown] {
            let ((stroke, fill), meaning) = (colours(standing), meaning(standing));
            let _ = writeln!(
                self.body,
                "<rect x=\"{x}\" y=\"{}\" width=\"14\" height=\"14\" rx=\"3\" fill=\"{fill}\" stroke=\"{stroke}\"/>",
                self.y - 12
            );
            self.text(x + 21, self.y, "fill=\"#57606a\"", meaning);
            x += 21 + wide(meaning) * 7 / 9 + 24;
        }
        let bold = format!("font-weight=\"bold\" fill=\"{}\"", colours(Standing::Short).0);
        self.text(x, self.y, &bold, SLIP);
        self.text(x + 18, self.y, "fill=\"#57606a\"", "where a way slips by what others are asked for");
    }

    fn way(&mut self, path: &Path, policy: &LoginPolicy, demanded: u32, counted: &str) {
        let count = match policy.count {
            FactorCount::Authenticators => path.authenticators,
            FactorCount::Categories => path.categories,
        };
        let (stroke, fill) = colours(path.standing);
        let who = wrapped(&path.region, CHAIN - MARGIN - 44, 12);
        // A step that was passed over decides nothing.
        let mut decided: Vec<&String> = path.decided_by.iter().filter(|line| !line.ends_with(": ignored")).collect();
        // What others are asked for is decided before the account stack, which only restricts.
        decided.sort_by_key(|line| restricts(line));
        // The place of a note about one more line is as well the line's.
        let shown = if decided.len() == MOST_LINES + 1 { decided.len() } else { decided.len().min(MOST_LINES) };
        let lines = shown + usize::from(decided.len() > shown);
        let lines = u32::try_from(lines.max(1)).unwrap_or(1);
        let height = (BOX + 26 + lines * LINE + 20).max(u32::try_from(who.len()).unwrap_or(1) * LINE + 24);
        let (top, middle) = (self.y, self.y + 12 + BOX / 2);
        let _ = writeln!(
            self.body,
            "<rect x=\"{MARGIN}\" y=\"{top}\" width=\"{}\" height=\"{height}\" rx=\"8\" fill=\"{fill}\" stroke=\"{stroke}\"/>",
            WIDTH - 2 * MARGIN
        );
        for (index, line) in who.iter().enumerate() {
            let y = top + 26 + u32::try_from(index).unwrap_or(0) * LINE;
            self.text(MARGIN + 14, y, "fill=\"#1f2328\"", line);
        }
        let mut x = CHAIN;
        for method in &path.methods {
            let width = wide(method) + 28;
            self.arrow(x - 34, x - 4, middle, stroke);
            self.boxed(x, middle, width, ("#ffffff", "#57606a"), method);
            x += width + 38;
        }
        self.arrow(x - 34, (RESULT - 8).max(x - 4), middle, stroke);
        let bold = format!("font-weight=\"bold\" fill=\"{stroke}\"");
        let more = u32::try_from(count).map_or(true, |count| count > demanded);
        let result = if more { format!("{count} {counted}") } else { format!("{count} of {demanded} {counted}") };
        self.text(RESULT, middle - 4, &bold, &result);
        let lacks_key = path.standing == Standing::Short && u32::try_from(count).is_ok_and(|count| count >= demanded);
        self.text(RESULT, middle + 14, &bold, if lacks_key { "a key is demanded" } else { meaning(path.standing) });
        // What was proved stands under the chain, and under that what decided it.
        let mut y = middle + BOX / 2 + 18;
        let proved = if path.factors.is_empty() { "nothing at all".to_owned() } else { path.factors.join(" + ") };
        self.text(CHAIN, y, &bold, &cut(&format!("proves {proved}"), WIDTH - CHAIN - MARGIN - 8));
        for line in decided.iter().take(shown) {
            y += LINE;
            let line = shortened(&plain(line));
            if path.standing == Standing::Short && slips(&line) {
                self.text(CHAIN - 18, y, &bold, SLIP);
                self.text(CHAIN, y, &format!("{SMALL_FONT} {bold}"), &line);
            } else {
                self.text(CHAIN, y, &format!("{SMALL_FONT} fill=\"#57606a\""), &line);
            }
        }
        if decided.len() > shown {
            y += LINE;
            let more = format!("and {} more lines", decided.len() - shown);
            self.text(CHAIN, y, &format!("{SMALL_FONT} fill=\"#57606a\""), &more);
        }
        self.y = top + height + 14;
    }

    fn boxed(&mut self, x: u32, middle: u32, width: u32, (fill, stroke): (&str, &str), text: &str) {
        let top = middle - BOX / 2;
        let _ = writeln!(
            self.body,
            "<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{BOX}\" rx=\"6\" fill=\"{fill}\" stroke=\"{stroke}\"/>"
        );
        self.text(x + 14, middle + 5, "fill=\"#1f2328\"", text);
    }

    fn arrow(&mut self, from: u32, to: u32, y: u32, colour: &str) {
        let head = to.saturating_sub(8);
        let (upper, lower) = (y - 5, y + 5);
        let _ = writeln!(
            self.body,
            "<path d=\"M{from} {y} H{head}\" stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\"/>\
             <path d=\"M{head} {upper} L{to} {y} L{head} {lower} Z\" fill=\"{colour}\"/>"
        );
    }

    fn text(&mut self, x: u32, y: u32, style: &str, text: &str) {
        let _ = writeln!(self.body, "<text x=\"{x}\" y=\"{y}\" {style}>{}</text>", escaped(text));
    }
}

const SMALL_FONT: &str = "font-size=\"12\" font-family=\"DejaVu Sans Mono, monospace\"";

/// Marks a line by which a way slips past what others are asked for.
const SLIP: &str = "\u{2192}";

/// Whether a deciding line is one: a block for some connections, or a step of PAM that leads past others.
fn slips(line: &str) -> bool {
    let block = text(line).get(..6).is_some_and(|word| word.eq_ignore_ascii_case("match "));
    let leads_past = line.contains(": jumps over ") || line.contains(": counts and ends this level");
    block || leads_past && !restricts(line)
}

/// Whether it is a line of the account stack.
fn restricts(line: &str) -> bool {
    text(line).trim_start_matches('-').starts_with("account")
}

/// The line's text, after its place.
fn text(line: &str) -> &str {
    line.split_once(": `").map_or("", |(_, text)| text)
}

/// A deciding line with one blank for any number of them, and for tabs.
fn plain(line: &str) -> String {
    line.replace("\\x09", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A deciding line in small print as far as it fits, what happens there kept.
fn shortened(line: &str) -> String {
    const FITS: usize = 120;
    let length = line.chars().count();
    match line.rsplit_once("`: ") {
        Some((text, what)) if length > FITS => {
            let what: String = what.chars().take(FITS / 2).collect();
            let kept = FITS.saturating_sub(what.chars().count() + 4);
            let text: String = text.chars().take(kept).collect();
            format!("{text}…`: {what}")
        }
        None if length > FITS => line.chars().take(FITS - 1).chain(['…']).collect(),
        _ => line.to_owned(),
    }
}

fn wide(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX / 100).saturating_mul(LETTER)
}

/// As much of the text as fits, an ellipsis where it does not.
fn cut(text: &str, width: u32) -> String {
    let most = usize::try_from(width * 10 / (LETTER * 9)).unwrap_or(usize::MAX);
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// The text in lines that fit, cut at blanks; as many as `most`.
fn wrapped(text: &str, width: u32, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines.len() == most;
        match lines.last_mut() {
            Some(line) if line.is_empty() || wide(line) + LETTER + wide(word) <= width => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            Some(line) if full => {
                line.push_str(" …");
                break;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| cut(line, width + LETTER * 3)).collect()
}

/// Text that means nothing to XML. What is drawn was escaped when it was observed and holds no control characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_lead_past_others_are_marked() {
        let check = |line: &str, expected: bool| assert_eq!(slips(line), expected, "{line}");
        check("/etc/ssh/sshd_config:6: `Match Address 10.0.0.0/8`", true);
        check("/etc/ssh/sshd_config:7: `AuthenticationMethods publickey`", false);
        check("/etc/pam.d/sshd:1: `auth [success=1] pam_access.so`: success: jumps over 1", true);
        check("/etc/pam.d/a:1: `account [success=1] pam_unix.so`: success: jumps over 1", false);
        check("/etc/pam.d/a:1: `auth sufficient pam_unix.so`: success: counts and ends this level", true);
        let long = format!("/etc/pam.d/sshd:1: `auth {}`: success: jumps over 1", "x".repeat(200));
        assert!(shortened(&long).ends_with("…`: success: jumps over 1") && shortened(&long).chars().count() <= 121);
    }

    #[test]
    fn names_cannot_leave_their_text() {
        let path = Path {
            methods: vec!["publickey".to_owned()],
            factors: vec!["public key".to_owned()],
            authenticators: 1,
            categories: 1,
            uncertain: false,
            standing: Standing::Short,
            region: "account `<script>&`, from anywhere".to_owned(),
            decided_by: vec!["a".repeat(400)],
        };
        let server = Paths { server: "sshd".to_owned(), demanded: 2, paths: vec![path], unknowns: Vec::new() };
        let drawn = paths(&[server], &LoginPolicy::default());
        assert!(drawn.contains("&lt;script&gt;&amp;") && !drawn.contains("<script>"), "{drawn}");
        assert!(drawn.contains("1 of 2 authenticators") && drawn.contains("falls short") && drawn.contains('…'));
    }
}
