//! The command line as typed: plain data. Turning it into a request is each subcommand's second step.

use clap::{Parser, Subcommand};

use super::accounts::AccountsArgs;
use super::completions::CompletionsArgs;
use super::explain::ExplainArgs;
use super::fleet::FleetArgs;
use super::inspect::InspectArgs;
use super::judge::JudgeArgs;
use super::login::LoginArgs;
use super::man::ManArgs;
use super::manifest::ManifestArgs;
use super::scan::ScanArgs;
use super::ship::ShipArgs;
use super::signatures::SignaturesArgs;

/// Printed at the end of `--help`, and part of the manual page.
pub const EXIT_CODES: &str = "\
Exit codes:
  0   pass: everything was looked at and is in order
  1   fail: there is a finding (see --fail-on)
  2   inconclusive: something that the answer depends on could not be seen, or the work could not be done
  64  the command line makes no sense";

const ABOUT: &str =
    "Is the SSH server the distributor's, does every login need two factors, is there a trace of a backdoor?";

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
    Scan(Box<ScanArgs>),
    /// Judge stored facts again, with today's knowledge and policy
    Judge(JudgeArgs),
    /// Show what any ELF file says about itself, and what our knowledge says about it
    Inspect(InspectArgs),
    /// Prove that every way in needs two factors, list the ways, or show what one connection would get
    Login(LoginArgs),
    /// List a directory's accounts on a host that can read it, for `judge` and `scan`
    Accounts(AccountsArgs),
    /// Write down and sign what the files of packages or of an image are, for `scan`
    Manifest(ManifestArgs),
    /// Deliver what scans left in the spool
    Ship(ShipArgs),
    /// Look at what many nodes have sent
    Fleet(FleetArgs),
    /// Say what a finding means and what to do, what no scan can prove, or list all codes
    Explain(ExplainArgs),
    /// Show what is known of backdoors, or test files of your own
    Signatures(SignaturesArgs),
    /// Print a shell's completion script
    Completions(CompletionsArgs),
    /// Print the manual page, or write one page for each subcommand
    Man(ManArgs),
}
