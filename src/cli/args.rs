//! The command line as typed: plain data. Turning it into a request is each subcommand's second step.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::{Check, Severity};
use crate::render::Format;

/// Printed at the end of `--help`, and part of the manual page.
pub const EXIT_CODES: &str = "\
Exit codes:
  0   pass: everything was looked at and is in order
  1   fail: there is a finding (see --fail-on)
  2   inconclusive: something that the answer depends on could not be seen, or the work could not be done
  64  the command line makes no sense";

const ABOUT: &str = "Is the SSH server the distributor's, does every login need two factors, is there a trace of a backdoor?";

const LONG_ABOUT: &str = "\
Answers three questions about this host, or about an image of one:

  Is the SSH server that answers logins the one that its distributor built?
  Does every way in demand two factors?
  Is there a trace of a known SSH backdoor, or of an unknown one?

It needs no configuration, no baseline and no network. It changes nothing on the examined host, runs none of its programs, \
and never calls \"could not look\" a pass. Results go to standard output, talk to standard error.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "sshproof", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXIT_CODES)]
#[command(max_term_width = 120, disable_help_subcommand = true, arg_required_else_help = false)]
pub struct Cli {
    /// Say more on standard error; twice for still more
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say nothing on standard error but errors; no progress bar
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Examine this host, or an image of one
    Scan(ScanArgs),
    /// Judge stored facts again, with today's knowledge and policy
    Judge(JudgeArgs),
    /// Show what any ELF file says about itself, and which indicators match it
    Inspect(InspectArgs),
    /// Say what a finding means and what to do, what no scan can prove, or list all codes
    Explain(ExplainArgs),
    /// Print a shell's completion script
    Completions(CompletionsArgs),
    /// Print the manual page, or write one page for each subcommand
    Man(ManArgs),
}

/// Arguments of `scan`.
#[derive(Args, Debug)]
pub struct ScanArgs {
    /// Examine the image mounted here instead of the running system
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Run only these checks
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = check)]
    pub check: Vec<Check>,
    /// Search every ELF file beneath the root for indicators, not only what can decide a login
    #[arg(long)]
    pub scan_all: bool,
    /// Store what was observed, for `judge`
    #[arg(long, value_name = "FILE")]
    pub facts_out: Option<PathBuf>,
    /// Give up looking after this long (`30s`, `5min`); what was not seen by then is a gap
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub max_runtime: Option<Duration>,
    /// What is judged and how it is shown.
    #[command(flatten)]
    pub judging: JudgingArgs,
}

/// What `scan` and `judge` have in common.
#[derive(Args, Debug)]
pub struct JudgingArgs {
    /// Form of the report
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = FormatArg::Human)]
    pub format: FormatArg,
    /// Write the report here instead of standard output (a new file of mode 0600 takes the place of an old one)
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 1 only for findings this severe or worse; the report and its verdict stay as they are
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = SeverityArg::Low)]
    pub fail_on: SeverityArg,
    /// The site's policy [default: /etc/sshproof/sshproof.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Arguments of `judge`.
#[derive(Args, Debug)]
pub struct JudgeArgs {
    /// What `scan --facts-out` wrote; `-` for standard input
    #[arg(value_name = "FACTS")]
    pub facts: PathBuf,
    /// What is judged and how it is shown.
    #[command(flatten)]
    pub judging: JudgingArgs,
}

/// Arguments of `inspect`.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Form of the answer
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = InspectFormat::Human)]
    pub format: InspectFormat,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// A finding's code, `limits`, or `list`
    #[arg(value_name = "CODE")]
    pub topic: String,
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write `sshproof.8` and a page for each subcommand into this directory
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
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
    /// One self-contained page
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

/// Forms of what `inspect` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InspectFormat {
    /// Text for a person
    Human,
    /// One document
    Json,
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

/// The check of that name.
fn check(name: &str) -> Result<Check, String> {
    Check::ALL.into_iter().find(|check| check.name() == name).ok_or_else(|| {
        format!("there is no such check; there are {}", Check::ALL.map(Check::name).join(", "))
    })
}
