//! `explain`: what a code means, what no scan can prove, which codes there are.

use std::process::ExitCode;

use anyhow::bail;

use super::args::ExplainArgs;
use super::{exit, output, screen};
use crate::render::explain;

pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let style = screen::stdout();
    let text = match args.topic.as_str() {
        "limits" => explain::limits(style),
        "list" => explain::list(style),
        code => match explain::code(code, style) {
            Some(text) => text,
            None => bail!("there is no code `{code}`; `sshproof explain list` names all"),
        },
    };
    output::write(None, text.as_bytes())?;
    Ok(ExitCode::from(exit::PASS))
}
