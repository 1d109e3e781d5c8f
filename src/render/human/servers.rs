//! One line for each server: from the record of its executable down to the processes that run it.

use super::{Page, Tone, count};
use crate::model::report::{Exemption, Login, Proof, Report, Server};
use crate::render::chain;

/// Column of the text beside a label.
const TEXT: usize = 14;

/// The lines; a host without an SSH server says so.
pub fn write(page: &mut Page, report: &Report) {
    page.heading("servers");
    if report.servers.is_empty() {
        page.text(2, "no SSH server was found");
    }
    for server in &report.servers {
        page.hang(&[("  ", Tone::Plain), (&server.label, Tone::Strong)], TEXT, &format!(" {}", about(server)));
        let links: Vec<String> = chain::steps(report, server).into_iter().map(|step| step.text).collect();
        page.hang(&[("    chain", Tone::Faint)], TEXT, &links.join(" → "));
        for login in report.login.iter().filter(|login| login.server == server.label) {
            page.hang(&[("    logins", Tone::Faint)], TEXT, &proof(login));
            for exemption in &login.exemptions {
                page.hang(&[("", Tone::Faint)], TEXT, &answered_for(exemption));
            }
        }
    }
    let assumptions = assumptions(report);
    if !assumptions.is_empty() {
        page.field("assuming", &assumptions.join("; "));
    }
}

/// What the proofs rest on besides what was read, each once.
pub fn assumptions(report: &Report) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for assumption in report.login.iter().flat_map(|login| &login.assumptions) {
        if !all.contains(&assumption.as_str()) {
            all.push(assumption);
        }
    }
    all
}

/// How a server comes to run, and what it listens on where its label does not say.
pub fn about(server: &Server) -> String {
    let mut parts = vec![server.started_by.clone()];
    parts.extend(server.config.iter().map(ToString::to_string));
    match server.sockets.iter().filter(|socket| !server.label.contains(*socket)).cloned().collect::<Vec<_>>() {
        _ if server.sockets.is_empty() => parts.push("not listening".to_owned()),
        others if others.is_empty() => {}
        others => parts.push(format!("listens on {}", others.join(", "))),
    }
    if server.user_server {
        parts.push("a user's own server: listed and searched, outside the verdict".to_owned());
    }
    parts.join(" · ")
}

/// What the site answers for, in one line.
pub fn answered_for(exemption: &Exemption) -> String {
    let kind = if exemption.assumed { "assumed" } else { "exempted" };
    format!("{kind}: {} · {}", exemption.what, owner(exemption))
}

/// Who answers for it, until when, and why.
pub fn owner(exemption: &Exemption) -> String {
    let day: String = exemption.expires.to_string().chars().take(10).collect();
    format!("{} until {day}: {}", exemption.owner, exemption.reason)
}

/// The login proof in words.
pub fn proof(login: &Login) -> String {
    let numbers = match (login.authenticators, login.categories) {
        (Some(authenticators), Some(categories)) => {
            format!(
                " (weakest way in: {} of {})",
                count(authenticators as usize, ("authenticator", "authenticators")),
                count(categories as usize, ("category", "categories"))
            )
        }
        (Some(authenticators), None) => {
            format!(" (weakest way in: {})", count(authenticators as usize, ("authenticator", "authenticators")))
        }
        _ => String::new(),
    };
    let word = match login.proof {
        Proof::Proved => "proved: every way in needs what policy demands",
        Proof::ProvedWithExemptions => "proved, but for what the site answers for",
        Proof::Refuted => "REFUTED: there is a way in that needs less than policy demands",
        Proof::Unknown => "UNDECIDED: something on the way could not be read or is not modelled",
    };
    format!("{word}{numbers}")
}
