//! `signatures`: what is known, and whether a site's own files can be read.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};

use super::{exit, knowledge, output, screen};
use crate::knowledge::load;
use crate::model::text::printable;
use crate::own::config;
use crate::render::signatures;

/// Arguments of `signatures`.
#[derive(Args, Debug)]
pub struct SignaturesArgs {
    #[command(subcommand)]
    command: SignaturesCommand,
}

#[derive(Debug, Subcommand)]
enum SignaturesCommand {
    /// List the families, or show what one of them looks for
    List {
        /// A family's id
        #[arg(value_name = "FAMILY")]
        family: Option<String>,
    },
    /// Read files of families as `signatures.d` would be read; exit 1 if one is refused
    Test {
        /// The files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

pub fn run(args: &SignaturesArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        SignaturesCommand::List { family: None } => {
            output::write(None, signatures::list(&knowledge::load()?, screen::stdout()).as_bytes())?;
        }
        SignaturesCommand::List { family: Some(id) } => {
            let known = knowledge::load()?;
            let Some(family) = known.family(id) else {
                bail!("there is no family `{}`; `sshproof signatures list` names all", printable(id));
            };
            output::write(None, signatures::family(family, screen::stdout()).as_bytes())?;
        }
        SignaturesCommand::Test { files } => return test(files),
    }
    Ok(ExitCode::from(exit::PASS))
}

fn test(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    let mut refused = false;
    for path in files {
        let file = config::read(path)?.ok_or_else(|| anyhow!("{}: no such file", path.display()))?;
        let name = path.display().to_string();
        match load::load(&name, file.text.as_bytes()) {
            Ok(family) => {
                let count = family.indicators.len();
                text.push_str(&format!("{}: family `{}`, {count} indicators\n", printable(&name), family.id));
            }
            Err(problems) => {
                refused = true;
                problems.iter().for_each(|problem| text.push_str(&format!("{problem}\n")));
            }
        }
    }
    output::write(None, text.as_bytes())?;
    Ok(ExitCode::from(if refused { exit::FAIL } else { exit::PASS }))
}
