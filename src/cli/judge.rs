//! `judge`: judges stored facts again, with today's knowledge and policy.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::judging::JudgingArgs;
use crate::facts::{self, Facts};
use crate::model::Check;
use crate::model::text::printable;
use crate::{own, scan};

/// Facts of a host with every ELF file searched stay far below this; more is a mistake, or meant to exhaust us.
const MAX_BYTES: u64 = 512 << 20;

/// Arguments of `judge`.
#[derive(Args, Debug)]
pub struct JudgeArgs {
    /// What `scan --facts-out` wrote; `-` for standard input
    #[arg(value_name = "FACTS")]
    facts: PathBuf,
    #[command(flatten)]
    judging: JudgingArgs,
}

/// Reads the facts, judges, hands out the report.
pub fn run(args: &JudgeArgs) -> anyhow::Result<ExitCode> {
    let policy = args.judging.policy()?;
    let (knowledge, _) = args.judging.knowledge()?;
    let place = || format!("{}: cannot judge these facts", args.facts.display());
    let bytes = own::input::read(&args.facts, MAX_BYTES).with_context(place)?;
    let facts = parse(&bytes).with_context(place)?;
    let accounts = args.judging.accounts(&policy)?;
    args.judging.deliver(&scan::judge(&facts, &Check::ALL.into(), &knowledge, &policy, accounts.as_ref()))
}

/// Facts of the version that we understand.
fn parse(bytes: &[u8]) -> anyhow::Result<Facts> {
    /// What every version has.
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let head: Head = serde_json::from_slice(bytes).context("not stored facts")?;
    ensure!(
        head.schema == facts::SCHEMA,
        "they are `{}`, this sshproof reads `{}`",
        printable(&head.schema),
        facts::SCHEMA
    );
    Ok(serde_json::from_slice(bytes)?)
}
