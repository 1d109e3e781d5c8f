//! `explain`: what a code means, what no scan can prove, which codes there are.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::{exit, knowledge, output, screen};
use crate::model::text::printable;
use crate::render::explain;

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// A finding's code, `limits`, or `list`
    #[arg(value_name = "CODE")]
    pub topic: String,
}

pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let style = screen::stdout();
    let text = match args.topic.as_str() {
        "limits" => explain::limits(style),
        "list" => explain::list(&knowledge::load()?, style),
        code => match explain::code(code, &knowledge::load()?, style) {
            Some(text) => text,
            None => bail!("there is no code `{}`; `sshproof explain list` names all", printable(code)),
        },
    };
    output::write(None, text.as_bytes())?;
    Ok(ExitCode::from(exit::PASS))
}
