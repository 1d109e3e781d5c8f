//! The chain that stands behind one server, from who vouches for its executable to the processes that run it.

use crate::model::Digest;
use crate::model::report::{Compared, File, Link, LinkKind, Report, Server};

/// One step of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What kind of step, one word.
    pub title: &'static str,
    /// What it is, readable on its own.
    pub text: String,
    /// Whether it holds.
    pub state: State,
}

/// Whether a step holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was checked, and does.
    Holds,
    /// It was checked, and does not.
    Broken,
    /// It is shown for orientation; this report does not prove it.
    Shown,
}

/// Processes named.
const SHOWN: usize = 8;
/// What the link of a package system that signs nothing begins with.
const NONE: &str = "none: ";

/// The steps for `server`, strongest witness first.
#[must_use]
pub fn steps(report: &Report, server: &Server) -> Vec<Step> {
    let mut steps = Vec::new();
    let file = report.files.iter().find(|file| file.path == server.binary);
    for (link, file) in file.iter().flat_map(|file| file.chain.iter().map(move |link| (link, *file))) {
        if link.link == LinkKind::Memory {
            continue;
        }
        steps.push(step(link, file));
        if let (LinkKind::Record, true, Some(package)) = (link.link, link.ok, &file.package) {
            steps.push(Step { title: "package", text: package.clone(), state: State::Holds });
        }
    }
    let shown = |title, text| Step { title, text, state: State::Shown };
    match file {
        None => steps.push(shown("record", "not examined".to_owned())),
        Some(file) if !file.chain.iter().any(|link| link.link == LinkKind::Digest) => {
            steps.push(shown("content", content(file)));
        }
        Some(_) => {}
    }
    let proven = file.is_some_and(|file| file.chain.iter().any(|link| link.link == LinkKind::Digest && link.ok));
    let state = if proven { State::Holds } else { State::Shown };
    steps.push(Step { title: "file", text: server.binary.to_string(), state });
    steps.push(processes(server, file));
    steps
}

/// What runs the file. Servers that share one executable have a link each, told apart by their pids.
fn processes(server: &Server, file: Option<&File>) -> Step {
    let step = |text, state| Step { title: "processes", text, state };
    if server.pids.is_empty() {
        return step("not running".to_owned(), State::Shown);
    }
    let numbers: Vec<String> = server.pids.iter().map(ToString::to_string).collect();
    let pids = format!("pid {}", numbers.join(", "));
    let mut links = file.iter().flat_map(|file| &file.chain).filter(|link| link.link == LinkKind::Memory);
    match links.find(|link| link.by == pids || link.by.contains(&format!("`{}`", server.label))) {
        Some(link) if link.ok => step(format!("executed by {}{}", few(&numbers), compared(server)), State::Holds),
        Some(link) => step(format!("✗ {}", link.by), State::Broken),
        None => step(format!("runs as {}, not examined", few(&numbers)), State::Shown),
    }
}

/// The processes; of a server with many connections the first stand for all.
fn few(numbers: &[String]) -> String {
    let (first, others) = numbers.split_at(numbers.len().min(SHOWN));
    let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    format!("pid {}{more}", first.join(", "))
}

fn compared(server: &Server) -> String {
    let Some(Compared { processes, pages, slots }) = server.memory else { return String::new() };
    let noun = if processes == 1 { "process" } else { "processes" };
    format!(" ({processes} {noun}, {pages} pages, {slots} slots checked)")
}

fn step(link: &Link, file: &File) -> Step {
    let by = &link.by;
    let (title, text) = match (link.link, link.ok) {
        (LinkKind::Signature, true) => ("signature", format!("signed by {by}")),
        (LinkKind::Signature, false) => match by.strip_prefix(NONE) {
            Some(why) => return Step { title: "signature", text: format!("unsigned: {why}"), state: State::Shown },
            None => ("signature", format!("✗ NO VALID SIGNATURE: {by}")),
        },
        // Lists, index and package file follow from one another; the whole stands in the JSON.
        (LinkKind::Archive, _) => ("archive", by.split(" (").next().unwrap_or(by).to_owned()),
        (LinkKind::Record, true) => ("record", format!("recorded in {by}")),
        (LinkKind::Record, false) => ("record", format!("✗ NO RECORD: {by}")),
        (LinkKind::Digest, true) => ("content", format!("{} ({by} as recorded)", content(file))),
        (LinkKind::Digest, false) => ("content", format!("✗ CONTENT IS NOT AS RECORDED: {by}, {}", content(file))),
        (LinkKind::Memory, _) => ("processes", by.clone()),
    };
    Step { title, text, state: if link.ok { State::Holds } else { State::Broken } }
}

/// Whether every link that the package system offers holds, down to the bytes on disk and in memory.
#[must_use]
pub fn holds(file: &File) -> bool {
    file.chain.iter().all(|link| link.ok || link.link == LinkKind::Signature && link.by.starts_with(NONE))
}

/// First and last digits of the evidence digest: enough to compare by eye, the whole stands in the JSON.
fn content(file: &File) -> String {
    file.sha256.as_ref().map_or_else(|| "content not read".to_owned(), |sha256| format!("sha256 {}", short(sha256)))
}

fn short(digest: &Digest) -> String {
    let hex = digest.hex();
    match (hex.get(..8), hex.get(hex.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) => format!("{head}…{tail}"),
        _ => hex,
    }
}
