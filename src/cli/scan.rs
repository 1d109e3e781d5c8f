//! `scan`: examines this host, or an image of one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use tracing::info;

use super::judging::JudgingArgs;
use super::knowledge::Keyrings;
use super::output;
use super::progress::Bar;
use super::spooling::SpoolArgs;
use crate::model::Check;
use crate::observe::Request;
use crate::own::{config, memory};
use crate::render::json;
use crate::scan;

/// Arguments of `scan`.
#[derive(Args, Debug)]
pub struct ScanArgs {
    /// Examine the image mounted here instead of the running system
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Run only these checks, separated by commas: provenance, live, backdoor, anomaly, login, hygiene
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = check)]
    check: Vec<Check>,
    /// Search every ELF file beneath the root for indicators, not only what can decide a login; takes minutes, and memory as
    /// large as the largest file (at most 1 GiB)
    #[arg(long)]
    scan_all: bool,
    /// Read all code and read-only data of running servers and compare it with the files; without it only pages are read
    /// that no longer are the file's own
    #[arg(long)]
    deep: bool,
    /// Keep nothing of the memory of a server that executes something else than its files; without this the report carries its map and
    /// those pages of code, at most 1 MiB in all
    #[arg(long)]
    no_capsule: bool,
    /// Store what was observed, for `judge` (a new file of mode 0600 takes the place of an old one)
    #[arg(long, value_name = "FILE")]
    facts_out: Option<PathBuf>,
    /// Stop looking after this long (`30s`, `5min`); what was not seen by then is a gap
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    max_runtime: Option<Duration>,
    /// Check distributors' signatures with the OpenPGP keys in this file too (may be repeated); a key counts only if it is
    /// pinned
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,
    /// Prove Debian's packages with the archive here too: a mirror, or a directory of packages with the lists of apt (may be
    /// repeated; docs/trust.md)
    #[arg(long, value_name = "DIR")]
    archive: Vec<PathBuf>,
    /// Hold files against this manifest of the site (may be repeated; docs/manifest.md); it counts if a key that `trust.d` pins
    /// has signed it
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// Pass over the packages and lists that apt keeps on the host; where it keeps many, unpacking them takes a second or two
    #[arg(long)]
    without_own_archive: bool,
    #[command(flatten)]
    spooling: SpoolArgs,
    #[command(flatten)]
    judging: JudgingArgs,
}

/// Scans, stores the facts if asked to, hands out the report.
pub fn run(args: &ScanArgs, quiet: bool) -> anyhow::Result<ExitCode> {
    memory::keep();
    let policy = args.judging.policy()?;
    let (knowledge, pinned) = args.judging.knowledge()?;
    let accounts = args.judging.accounts(&policy)?;
    let (request, wanted) = (request(args, pinned)?, wanted(args));
    let bar = Bar::new(quiet);
    let (facts, report) =
        scan::scan(&request, &wanted, &knowledge, &policy, accounts.as_ref(), &mut |step| bar.show(step))
            .context("nothing was examined")?;
    bar.finish();
    info!("{} ms CPU, {} ms in all", report.usage.cpu_ms, report.duration_ms);
    if let Some(path) = &args.facts_out {
        output::file(path, &json::line(&facts).context("cannot write the facts as JSON")?)?;
    }
    // Whoever asked is answered even if nothing could be spooled; the exit code then says that something was not done.
    let code = args.judging.deliver(&report)?;
    args.spooling.keep(&facts, accounts.as_ref(), &report)?;
    Ok(code)
}

/// The request that these arguments amount to; the time allowed begins now.
fn request(args: &ScanArgs, mut keyrings: Keyrings) -> anyhow::Result<Request> {
    let keyring = |path: &PathBuf| Ok((path.display().to_string(), config::read_bytes(path)?));
    keyrings.extend(args.keyring.iter().map(keyring).collect::<anyhow::Result<Keyrings>>()?);
    Ok(Request {
        root: args.root.clone(),
        scan_all: args.scan_all,
        capsule: !args.no_capsule,
        deep: args.deep,
        deadline: args.max_runtime.and_then(|time| Instant::now().checked_add(time)),
        keyrings,
        state: args.spooling.state(),
        archives: args.archive.clone(),
        without_own_archive: args.without_own_archive,
        manifests: args
            .manifest
            .iter()
            .map(|path| Ok((path.display().to_string(), super::manifest::read(path)?)))
            .collect::<anyhow::Result<_>>()?,
    })
}

/// The checks asked for; all, if none is named.
fn wanted(args: &ScanArgs) -> BTreeSet<Check> {
    if args.check.is_empty() { Check::ALL.into() } else { args.check.iter().copied().collect() }
}

/// The check of that name.
fn check(name: &str) -> Result<Check, String> {
    Check::ALL
        .into_iter()
        .find(|check| check.name() == name)
        .ok_or_else(|| format!("there is no such check; there are {}", Check::ALL.map(Check::name).join(", ")))
}
