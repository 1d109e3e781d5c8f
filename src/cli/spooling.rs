//! The part of `scan` that leaves something behind: the spool, for `ship` to deliver. Without `--spool` nothing of it runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tracing::{info, warn};

use crate::facts::Facts;
use crate::facts::directory::Given;
use crate::model::event::Quote;
use crate::model::report::Report;
use crate::model::text::hex;
use crate::own;
use crate::ship::bounds::Bounds;
use crate::ship::events::report_digest;
use crate::ship::keep::{self, Keeping};

/// Arguments of `scan` about the spool.
#[derive(Args, Debug)]
pub struct SpoolArgs {
    /// Put signed events into the spool here, for `sshproof ship` to deliver
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// Where the node's key and its count of events are kept
    #[arg(long, value_name = "DIR", default_value = own::state::STATE, requires = "spool")]
    state: PathBuf,
    /// Most that the spool may hold, in bytes; beyond it clean states go first, findings last, and the loss is told
    #[arg(long, value_name = "BYTES", default_value_t = Bounds::default().bytes, requires = "spool")]
    spool_bytes: u64,
    /// Longest that an event may wait for delivery
    #[arg(long, value_name = "TIME", default_value = "30days", value_parser = humantime::parse_duration, requires = "spool")]
    spool_age: Duration,
    /// Told back in the state event, so that an old answer cannot pass for a new one
    #[arg(long, value_name = "TEXT", requires = "spool")]
    nonce: Option<String>,
    /// 32 bytes by which account names become pseudonyms, the same on every node [default: the node's own]
    #[arg(long, value_name = "FILE", requires = "spool")]
    pseudonym_key: Option<PathBuf>,
    /// Have the TPM sign the report's digest with the restricted key at this persistent handle, such as 0x81010002
    #[arg(long, value_name = "HANDLE", value_parser = handle, requires = "spool")]
    tpm_key: Option<u32>,
    /// The TPM's device, or the socket of an emulator
    #[arg(long, value_name = "PATH", default_value = own::tpm::DEVICE, requires = "tpm_key")]
    tpm: PathBuf,
}

impl SpoolArgs {
    /// The state directory, if one is used.
    pub fn state(&self) -> Option<PathBuf> {
        self.spool.is_some().then(|| self.state.clone())
    }

    /// Spools the events of `report` and remembers what later scans need, if asked to.
    ///
    /// # Errors
    /// If they are not in the spool, or the state cannot be written.
    pub fn keep(&self, facts: &Facts, accounts: Option<&Given>, report: &Report) -> anyhow::Result<()> {
        let Some(spool) = &self.spool else { return Ok(()) };
        let keeping = Keeping { quote: self.quote(report), ..self.keeping(spool, facts, accounts)? };
        let kept = keep::keep(report, &keeping).context("nothing was spooled")?;
        info!("spooled events {} to {} of epoch {}", kept.record.first, kept.record.last, kept.record.epoch);
        if kept.lost > 0 {
            warn!("{} events of earlier scans were lost before every sink had taken them", kept.lost);
        }
        self.remember(facts).with_context(|| format!("cannot keep the state in {}", self.state.display()))
    }

    /// A node whose TPM does not answer is told by the quote that is missing; its events are wanted all the same.
    fn quote(&self, report: &Report) -> Option<Quote> {
        let handle = self.tpm_key?;
        match own::tpm::quote(&self.tpm, handle, &report_digest(report)?) {
            Ok(own::tpm::Quoted { message, signature }) => {
                Some(Quote { message: hex(&message), signature: hex(&signature) })
            }
            Err(error) => {
                warn!("{}: no quote: {error}", self.tpm.display());
                None
            }
        }
    }

    fn remember(&self, facts: &Facts) -> std::io::Result<()> {
        let state = own::state::State::open(&self.state)?;
        state.keep_evidence(&facts.remember.evidence, facts.observed_at)?;
        let archive = &facts.remember.archive;
        state.keep_archive(&archive.used, &archive.new)?;
        state.keep_compared(&facts.remember.medium)?;
        state.keep_loaded(&facts.remember.loaded)
    }

    fn keeping<'a>(&'a self, spool: &'a Path, facts: &Facts, accounts: Option<&Given>) -> anyhow::Result<Keeping<'a>> {
        let own = facts.roots.iter().flat_map(|root| root.login.persons()).map(str::to_owned);
        let listed = accounts.iter().flat_map(|given| &given.snapshot.accounts).map(|account| account.name.clone());
        let secret =
            |path: &PathBuf| own::state::secret(path).with_context(|| format!("cannot use the key {}", path.display()));
        Ok(Keeping {
            spool,
            state: &self.state,
            bounds: Bounds { bytes: self.spool_bytes, age: self.spool_age.as_secs() },
            nonce: self.nonce.as_deref(),
            pseudonym_key: self.pseudonym_key.as_ref().map(secret).transpose()?,
            accounts: own.chain(listed).collect(),
            boot: own::state::boot_id(),
            now: own::clock::now(),
            quote: None,
        })
    }
}

/// A persistent handle: 81 in its first byte (TPM 2.0 Library, part 2, table 27).
fn handle(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").ok_or("not 0x and eight hexadecimal digits")?;
    let handle = u32::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
    if handle >> 24 == 0x81 { Ok(handle) } else { Err("a persistent handle begins with 0x81".to_owned()) }
}
