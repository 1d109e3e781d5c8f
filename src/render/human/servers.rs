//! One line for each server: from the record of its executable down to the processes that run it.

use super::{Page, Tone, count};
use crate::model::Digest;
use crate::model::report::{File, Link, LinkKind, Login, Proof, Report, Server};

/// Column of the text beside a label.
const TEXT: usize = 14;

/// The lines; a host without an SSH server says so.
pub fn write(page: &mut Page, report: &Report) {
    page.heading("servers");
    if report.servers.is_empty() {
        page.text(2, "no SSH server was found");
    }
    for server in &report.servers {
        let sockets = if server.sockets.is_empty() { "not listening".to_owned() } else { server.sockets.join(", ") };
        let mut facts = format!("{sockets} · {}", server.started_by);
        if let Some(config) = &server.config {
            facts.push_str(&format!(" · {config}"));
        }
        if server.user_server {
            facts.push_str(" · a user's own server: listed and searched, outside the verdict");
        }
        page.hang(&[("  ", Tone::Plain), (&server.label, Tone::Strong)], TEXT, &facts);
        page.hang(&[("    chain", Tone::Faint)], TEXT, &chain(report, server).join(" → "));
        for login in report.login.iter().filter(|login| login.server == server.label) {
            page.hang(&[("    logins", Tone::Faint)], TEXT, &proof(login));
            for assumption in &login.assumptions {
                page.text(TEXT, &format!("assuming {assumption}"));
            }
        }
    }
}

/// The links, ending in what executes them.
fn chain(report: &Report, server: &Server) -> Vec<String> {
    let mut links = Vec::new();
    let file = report.files.iter().find(|file| file.path == server.binary);
    let mut in_memory = false;
    if let Some(file) = file {
        for one in &file.chain {
            in_memory |= one.link == LinkKind::Memory;
            links.push(link(one, file));
            if one.link == LinkKind::Record && one.ok {
                links.extend(file.package.clone());
            }
        }
        if !file.chain.iter().any(|link| link.link == LinkKind::Digest) {
            links.extend(file.sha256.as_ref().map(|sha256| format!("sha256 {}", short(sha256))));
        }
    }
    links.push(server.binary.to_string());
    if !in_memory {
        links.push(match server.pids.as_slice() {
            [] => "not running".to_owned(),
            pids => format!("runs as pid {}", pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        });
    }
    links
}

fn link(link: &Link, file: &File) -> String {
    let by = &link.by;
    let sha256 = file.sha256.as_ref().map(short);
    let digest = || sha256.map_or_else(|| "content not read".to_owned(), |sha256| format!("sha256 {sha256}"));
    match (link.link, link.ok) {
        (LinkKind::Signature, true) => format!("signed by {by}"),
        (LinkKind::Signature, false) => format!("✗ NO VALID SIGNATURE: {by}"),
        (LinkKind::Record, true) => format!("recorded in {by}"),
        (LinkKind::Record, false) => format!("✗ NO RECORD: {by}"),
        (LinkKind::Digest, true) => format!("{} ({by} as recorded)", digest()),
        (LinkKind::Digest, false) => format!("✗ CONTENT IS NOT AS RECORDED: {by}, {}", digest()),
        (LinkKind::Memory, true) => by.clone(),
        (LinkKind::Memory, false) => format!("✗ MEMORY DIFFERS: {by}"),
    }
}

/// First and last digits: enough to compare by eye, the whole stands in the JSON.
fn short(digest: &Digest) -> String {
    let hex = digest.hex();
    match (hex.get(..8), hex.get(hex.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) => format!("{head}…{tail}"),
        _ => hex,
    }
}

fn proof(login: &Login) -> String {
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
        Proof::ProvedWithExemptions => "proved, except for exemptions that the site declared",
        Proof::Refuted => "REFUTED: there is a way in that needs less than policy demands",
        Proof::Unknown => "UNDECIDED: something on the way could not be read or is not modelled",
    };
    format!("{word}{numbers}")
}
