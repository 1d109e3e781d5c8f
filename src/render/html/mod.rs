//! The report as one self-contained page: no script, no request to anywhere, light and dark, fit to print. Says the same
//! as `human`, in the same order, with a drawing of the chain and every file of the surface.

mod chain;
mod tables;

use super::human::{about, advice, classes, cost, evidence, host, reason, servers};
use super::human::{findings as grouped, informational};
use crate::model::report::Report;
use crate::model::text::printable;
use crate::model::{Class, Confidence, Finding, Severity, Verdict};

const STYLE: &str = include_str!("page.css");

/// `report` as a page.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut body = String::new();
    answer(&mut body, report);
    tiles(&mut body, report);
    steps(&mut body, report);
    chains(&mut body, report);
    alarms(&mut body, report);
    tables::gaps(&mut body, report);
    worth_knowing(&mut body, report);
    tables::files(&mut body, report);
    foot(&mut body, report);
    let title = text(&format!("{}: {}", host(report), report.verdict));
    // The policy forbids everything but our own style: names that the host chose cannot load or run anything.
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// Text as HTML: printable, and without meaning to a browser.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in printable(raw).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The same with what stands between backticks as code.
fn prose(raw: &str) -> String {
    let mut out = String::new();
    for (number, part) in text(raw).split('`').enumerate() {
        // An odd number of backticks cannot open a tag that stays open: each part closes its own.
        match number % 2 {
            0 => out.push_str(part),
            _ => out.push_str(&format!("<code>{part}</code>")),
        }
    }
    out
}

/// Word, sign and class of a verdict; the sign makes it readable without colour.
const fn badge(verdict: Verdict) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("pass", "✓", "calm"),
        Verdict::Fail => ("FAIL", "✗", "alarm"),
        Verdict::Inconclusive => ("inconclusive", "?", "doubt"),
        Verdict::NotApplicable => ("not examined", "–", "faint"),
    }
}

fn answer(out: &mut String, report: &Report) {
    let (word, sign, tone) = badge(report.verdict);
    out.push_str(&format!(
        "<header class=\"{tone}\">\n<p class=\"verdict\"><span aria-hidden=\"true\">{sign}</span> {word}</p>\n\
         <h1>{}</h1>\n<p>{}</p>\n<p class=\"about\">{}</p>\n</header>\n",
        text(host(report)),
        prose(&reason(report)),
        text(&about(report))
    ));
}

/// One tile for each class.
fn tiles(out: &mut String, report: &Report) {
    out.push_str("<section class=\"tiles\" aria-label=\"a verdict for each class\">\n");
    for (class, verdict) in classes::ordered(report) {
        let (word, sign, tone) = badge(verdict);
        let mut basis = classes::basis(report, class, verdict);
        if basis.is_empty() && class == Class::Coverage {
            basis = "everything that the answer depends on was seen".to_owned();
        }
        out.push_str(&format!(
            "<div class=\"tile {tone}\"><h2>{class}</h2><p class=\"word\"><span aria-hidden=\"true\">{sign}</span> {word}</p>\
             <p>{}</p></div>\n",
            prose(&basis)
        ));
    }
    out.push_str("</section>\n");
}

fn steps(out: &mut String, report: &Report) {
    let steps = advice::steps(report);
    if steps.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>What to do</h2>\n<ol class=\"steps\">\n");
    for step in steps {
        out.push_str(&format!("<li>{}</li>\n", prose(step)));
    }
    out.push_str("</ol>\n</section>\n");
}

fn chains(out: &mut String, report: &Report) {
    out.push_str("<section>\n<h2>Servers</h2>\n");
    if report.servers.is_empty() {
        out.push_str("<p>No SSH server was found.</p>\n");
    }
    for server in &report.servers {
        out.push_str(&format!(
            "<article class=\"server\">\n<h3>{}</h3>\n<p class=\"about\">{}</p>\n{}",
            text(&server.label),
            text(&servers::about(server)),
            chain::draw(report, server)
        ));
        for login in report.login.iter().filter(|login| login.server == server.label) {
            out.push_str(&format!("<p><strong>logins</strong> {}</p>\n", prose(&servers::proof(login))));
            for exemption in &login.exemptions {
                out.push_str(&format!("<p>{}</p>\n", prose(&servers::answered_for(exemption))));
            }
        }
        out.push_str("</article>\n");
    }
    let assumptions = servers::assumptions(report);
    if !assumptions.is_empty() {
        out.push_str(&format!("<p class=\"about\">The proofs assume: {}</p>\n", prose(&assumptions.join("; "))));
    }
    out.push_str("</section>\n");
}

/// The findings that fail something, alike ones together.
fn alarms(out: &mut String, report: &Report) {
    let alarms: Vec<&Finding> = report.alarms().into_iter().map(|(_, finding)| finding).collect();
    if alarms.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Findings, worst first</h2>\n");
    for group in grouped::groups(&alarms) {
        let Some(first) = group.first() else { continue };
        let tone = if first.severity >= Severity::Medium { "alarm" } else { "doubt" };
        let mut rank = format!("{}, {}", first.class, first.severity);
        if first.confidence != Confidence::High {
            rank.push_str(&format!(", confidence {}", first.confidence));
        }
        if group.len() > 1 {
            rank.push_str(&format!(" · {} times", group.len()));
        }
        out.push_str(&format!(
            "<article class=\"finding {tone}\">\n<h3><code>{}</code> <small>{}</small></h3>\n",
            text(first.code.id()),
            text(&rank)
        ));
        let told = grouped::told_once(report, &group);
        for one in &told {
            finding_details(out, report, one, told.len() > grouped::IN_FULL);
        }
        out.push_str(&format!(
            "<p class=\"about\">explained by <code>sshproof explain {}</code></p>\n</article>\n",
            text(first.code.id())
        ));
    }
    out.push_str("</section>\n");
}

fn finding_details(out: &mut String, report: &Report, told: &grouped::Told<'_>, folded: bool) {
    let finding = told.finding;
    let (open, summary_end, close) = if folded {
        ("<details><summary>", "</summary>", "</details>\n")
    } else {
        ("<div class=\"one\"><p class=\"message\">", "</p>", "</div>\n")
    };
    out.push_str(&format!("{open}{}{summary_end}\n<dl>\n", prose(&finding.message)));
    let mut pair = |label: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", text(label), prose(value)));
        }
    };
    pair("where", &told.place());
    let example = grouped::counterexample(report, finding);
    let pieces = finding.evidence.iter().filter(|piece| example.is_none() || !grouped::is_told_by_example(piece));
    for (label, value) in pieces.flat_map(evidence::lines) {
        pair(label, &value);
    }
    match example {
        Some(example) => {
            pair("who", &example.region);
            pair("example", &format!("{} from {} by `{}`", example.user, example.from, example.methods.join(",")));
            pair("proves only", &example.factors.join(", "));
            for line in &example.decided_by {
                pair("decided by", &evidence::spaced(line));
            }
            pair("fix", &example.fix);
            pair("try", &example.replay);
        }
        None => pair("fix", &finding.remediation),
    }
    for reference in &finding.references {
        pair("reference", reference);
    }
    out.push_str(&format!("</dl>\n{close}"));
}

fn worth_knowing(out: &mut String, report: &Report) {
    let known: Vec<_> = informational(report).collect();
    if known.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Worth knowing</h2>\n<ul>\n");
    for finding in known {
        out.push_str(&format!(
            "<li>{} <small><code>{}</code></small></li>\n",
            prose(&finding.message),
            text(finding.code.id())
        ));
    }
    out.push_str("</ul>\n</section>\n");
}

fn foot(out: &mut String, report: &Report) {
    out.push_str("<footer>\n");
    if !report.not_covered.is_empty() {
        out.push_str(&format!("<p><strong>Not covered:</strong> {}</p>\n", prose(&report.not_covered.join("; "))));
    }
    out.push_str(&format!("<p>{}</p>\n</footer>\n", text(&cost(report))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(text("<a href='x'>&\"\n"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\\x0a");
        assert_eq!(prose("a `b<c` d `e"), "a <code>b&lt;c</code> d <code>e</code>");
    }
}
