//! `man`: the manual pages, made from the definition of the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use super::args::Cli;
use super::{exit, output};

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write `sshproof.8` and a page for each subcommand into this directory
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

pub fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    // Without building, pages of subcommands would lack the global options.
    let mut command = Cli::command();
    command.build();
    match &args.directory {
        None => output::write(None, &page(&command)?)?,
        Some(directory) => {
            output::file(&directory.join("sshproof.8"), &page(&command)?)?;
            for subcommand in command.get_subcommands() {
                let name = format!("sshproof-{}", subcommand.get_name());
                let page = page(&subcommand.clone().name(name.clone()).display_name(name.clone()))?;
                output::file(&directory.join(format!("{name}.8")), &page)?;
            }
        }
    }
    Ok(ExitCode::from(exit::PASS))
}

fn page(command: &clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).section("8").render(&mut page)?;
    Ok(page)
}
