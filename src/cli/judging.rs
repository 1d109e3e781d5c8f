//! What `scan` and `judge` have in common: the policy to judge by, the form of the report, the exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::knowledge::{self, Keyrings};
use super::{exit, output, screen};
use crate::facts::directory::Given;
use crate::knowledge::Knowledge;
use crate::model::Severity;
use crate::model::report::Report;
use crate::model::text::escape;
use crate::own::{self, config};
use crate::policy::Policy;
use crate::render::{self, Format, Style};

/// The arguments.
#[derive(Args, Debug)]
pub struct JudgingArgs {
    /// Form of the report
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = FormatArg::Human)]
    format: FormatArg,
    /// Write the report here instead of to standard output; a new file of mode 0600 takes the place of an old one
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit with 1 only for findings this severe or worse; report and verdict stay as they are
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = SeverityArg::Low)]
    fail_on: SeverityArg,
    /// The site's policy [default: /etc/sshproof/sshproof.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of the keys that the site pins (docs/trust.md) [default: /etc/sshproof/trust.d, if there is one]
    #[arg(long, value_name = "DIR")]
    trust_dir: Option<PathBuf>,
    #[command(flatten)]
    accounts: AccountsFile,
}

impl JudgingArgs {
    /// As [`policy`].
    ///
    /// # Errors
    /// As [`policy`].
    pub fn policy(&self) -> anyhow::Result<Policy> {
        policy(self.config.as_deref())
    }

    /// The knowledge to judge by, with the site's pins, and the key files that these name.
    ///
    /// # Errors
    /// As [`knowledge::load_with_trust`].
    pub fn knowledge(&self) -> anyhow::Result<(Knowledge, Keyrings)> {
        knowledge::load_with_trust(self.trust_dir.as_deref())
    }

    /// The accounts snapshot, if one is named.
    ///
    /// # Errors
    /// As [`AccountsFile::read`].
    pub fn accounts(&self, policy: &Policy) -> anyhow::Result<Option<Given>> {
        self.accounts.read(policy)
    }

    /// Hands `report` out and says with which code to exit.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn deliver(&self, report: &Report) -> anyhow::Result<ExitCode> {
        let style = if self.output.is_some() { Style::PLAIN } else { screen::stdout() };
        let bytes = render::render(report, self.format.into(), style).context("cannot write the report as JSON")?;
        output::write(self.output.as_deref(), &bytes)?;
        Ok(exit::of(report, self.fail_on.into()))
    }
}

/// The accounts of a directory, listed on another host.
#[derive(Args, Debug)]
pub struct AccountsFile {
    /// Take accounts and groups of a directory from this snapshot, which `sshproof accounts` made and signed
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Trust the snapshot if it is signed with this key: 64 hexadecimal digits, or a file that holds them; besides those that
    /// the policy names (may be repeated)
    #[arg(long, value_name = "KEY", requires = "accounts")]
    accounts_key: Vec<String>,
}

impl AccountsFile {
    /// The snapshot with what it takes for it to count; `None` if no file is named.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub fn read(&self, policy: &Policy) -> anyhow::Result<Option<Given>> {
        let Some(path) = &self.accounts else { return Ok(None) };
        let mut keys = policy.accounts.keys.clone();
        for given in &self.accounts_key {
            keys.push(super::accounts::public_key(given)?);
        }
        Ok(Some(Given {
            name: escape(path.as_os_str().as_encoded_bytes()),
            snapshot: super::accounts::read(path)?,
            keys,
            max_age: policy.accounts.max_age,
            now: own::clock::now(),
        }))
    }
}

/// The site's policy in the file `named`, or in the usual place, or the defaults.
///
/// # Errors
/// If it cannot be read or does not parse, or if a named one is not there.
pub fn policy(named: Option<&Path>) -> anyhow::Result<Policy> {
    let path = named.unwrap_or_else(|| Path::new(config::POLICY));
    match config::read(path)? {
        Some(file) => Ok(Policy::parse(file.path, &file.text)?),
        None if named.is_some() => bail!("{}: no such policy file", path.display()),
        None => Ok(Policy::default()),
    }
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Text for a person
    Human,
    /// One document, described by docs/report.schema.json
    Json,
    /// One object a line: summary, findings, gaps
    Ndjson,
    /// One self-contained page for a browser
    Html,
    /// SARIF 2.1.0
    Sarif,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Human => Self::Human,
            FormatArg::Json => Self::Json,
            FormatArg::Ndjson => Self::Ndjson,
            FormatArg::Html => Self::Html,
            FormatArg::Sarif => Self::Sarif,
        }
    }
}

/// Severities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SeverityArg {
    /// Every finding
    Informational,
    /// What fails a check
    Low,
    /// What weakens a defence
    Medium,
    /// What opens a door or breaks the chain
    High,
    /// Somebody is in
    Critical,
}

impl From<SeverityArg> for Severity {
    fn from(severity: SeverityArg) -> Self {
        match severity {
            SeverityArg::Informational => Self::Informational,
            SeverityArg::Low => Self::Low,
            SeverityArg::Medium => Self::Medium,
            SeverityArg::High => Self::High,
            SeverityArg::Critical => Self::Critical,
        }
    }
}
