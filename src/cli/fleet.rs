//! `fleet`: looks at what many nodes have sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};

use super::{exit, output};
use crate::model::event::Event;
use crate::own;
use crate::render;
use crate::trust::continuity::{Continuity, Expectation, Trouble, follow};

/// More is a mistake, or meant to exhaust us.
const MAX_BYTES: u64 = 4 << 30;

/// Arguments of `fleet`.
#[derive(Args, Debug)]
pub struct FleetArgs {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Debug, Subcommand)]
enum FleetCommand {
    /// Show that no delivered event is missing, changed, out of order or replayed; exit with 1 if one is
    Verify(VerifyArgs),
}

/// Arguments of `fleet verify`.
#[derive(Args, Debug)]
struct VerifyArgs {
    /// Events as sent in the form `json`, one a line, in the order of their arrival; `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Keys of the nodes, `NODE KEY` on each line; without it each node keeps the first key it is seen with
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// What the newest scan of each node must tell back
    #[arg(long, value_name = "TEXT")]
    nonce: Option<String>,
    /// Write numbers of gaps and faults for node_exporter's textfile collector here
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

/// Dispatches.
pub fn run(args: &FleetArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        FleetCommand::Verify(args) => verify(args),
    }
}

fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let mut events = Vec::new();
    for path in &args.files {
        read(path, &mut events)?;
    }
    ensure!(!events.is_empty(), "there is no event in these files");
    let keys = args.keys.as_deref().map(keys).transpose()?.unwrap_or_default();
    let answer = follow(events, &Expectation { keys, nonce: args.nonce.clone() });
    output::write(None, render::continuity::render(&answer).as_bytes())?;
    if let Some(file) = &args.metrics {
        let text = render::metrics::row(&answer, own::clock::now());
        own::output::write_for(file, text.as_bytes(), 0o644, None).with_context(|| file.display().to_string())?;
    }
    Ok(code(&answer))
}

/// The events of a file. A line that is no event is an error: it may have been one.
fn read(path: &Path, events: &mut Vec<Event>) -> anyhow::Result<()> {
    let bytes = own::input::read(path, MAX_BYTES).with_context(|| path.display().to_string())?;
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let event = serde_json::from_slice(line)
            .with_context(|| format!("{}:{}: not an event", path.display(), number.saturating_add(1)))?;
        events.push(event);
    }
    Ok(())
}

fn keys(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let bytes = own::input::read(path, MAX_BYTES).with_context(|| path.display().to_string())?;
    let text = String::from_utf8(bytes).with_context(|| path.display().to_string())?;
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [node, key] => Ok(((*node).to_owned(), (*key).to_owned())),
            _ => Err(anyhow::anyhow!("{}: not `NODE KEY`: `{line}`", path.display())),
        })
        .collect()
}

fn code(answer: &Continuity) -> ExitCode {
    let fault = answer.remarks.iter().any(|remark| Trouble::is_fault(&remark.trouble));
    ExitCode::from(if fault { exit::FAIL } else { exit::PASS })
}
