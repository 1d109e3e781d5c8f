//! `completions`: a shell's completion script, made from the definition of the command line.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use super::args::Cli;
use super::{exit, output};

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

pub fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sshproof", &mut script);
    output::write(None, &script)?;
    Ok(ExitCode::from(exit::PASS))
}
