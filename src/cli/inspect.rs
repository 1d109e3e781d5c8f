//! `inspect`: what any ELF file says about itself, and what knowledge says about it.

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};

use super::{exit, knowledge, output, screen};
use crate::model::{RootedPath, Severity};
use crate::render::inspect;
use crate::scan;

/// Arguments of `inspect`.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Form of the answer
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = InspectFormat::Human)]
    format: InspectFormat,
}

/// Forms of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum InspectFormat {
    /// Text for a person
    Human,
    /// One document: facts, findings and gaps of each file
    Json,
}

/// Looks at the files and shows each: exit 1 if there is a finding, else 2 if one could not be read whole.
pub fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let paths = args.files.iter().map(absolute).collect::<anyhow::Result<Vec<RootedPath>>>()?;
    let files = scan::inspect(&paths, &knowledge::load()?)?;
    let bytes = match args.format {
        InspectFormat::Human => inspect::human(&files, screen::stdout()).into_bytes(),
        InspectFormat::Json => inspect::document(&files).context("cannot write the answer as JSON")?,
    };
    output::write(None, &bytes)?;
    let findings = files.iter().flat_map(|file| &file.findings);
    Ok(exit::from(findings, files.iter().flat_map(|file| &file.gaps), Severity::Low))
}

/// `path` from the root directory, as the working directory has it.
fn absolute(path: &PathBuf) -> anyhow::Result<RootedPath> {
    let whole = std::path::absolute(path).with_context(|| format!("{}", path.display()))?;
    RootedPath::new(whole.as_os_str().as_bytes()).ok_or_else(|| anyhow!("{}: not a path", path.display()))
}
