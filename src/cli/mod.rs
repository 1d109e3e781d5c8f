//! Arguments → a call → an exit code. Holds no logic.

mod accounts;
mod args;
mod completions;
mod exit;
mod explain;
mod fleet;
mod inspect;
mod judge;
mod judging;
mod knowledge;
mod login;
mod man;
mod manifest;
mod output;
mod progress;
mod scan;
mod screen;
mod ship;
mod signatures;
mod spooling;
mod talk;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};

/// Runs the program: 0 pass, 1 fail, 2 inconclusive or unable, 64 usage.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    talk::start(cli.verbose, cli.quiet);
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            talk::error(&error);
            ExitCode::from(exit::INCONCLUSIVE)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Scan(args) => scan::run(args, cli.quiet),
        Command::Judge(args) => judge::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Login(args) => login::run(args),
        Command::Accounts(args) => accounts::run(args),
        Command::Manifest(args) => manifest::run(args),
        Command::Ship(args) => ship::run(args),
        Command::Fleet(args) => fleet::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Signatures(args) => signatures::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// Help and version are answers, everything else clap says is a complaint about the command line.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::PASS })
}
