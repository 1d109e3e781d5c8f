//! `login`: the proof, every way in, or the values that one connection would get.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::{exit, judging, knowledge, output, screen, talk};
use crate::checks::connection::{self, Asked, Paths, Values};
use crate::facts::directory::population;
use crate::facts::{Facts, RootFacts, ServerFacts};
use crate::model::report::{Login, Proof};
use crate::observe::Request;
use crate::render::{json, login, login_svg};
use crate::{checks, observe};

/// Arguments of `login`.
#[derive(Args, Debug)]
pub struct LoginArgs {
    #[command(subcommand)]
    question: Question,
}

/// The three questions.
#[derive(Debug, Subcommand)]
enum Question {
    /// Prove that every way in needs the factors that policy demands, or show one that does not
    Prove(ProveArgs),
    /// List every way in with what it proves, weakest first
    Paths(ProveArgs),
    /// Print the values that one connection would get, as `sshd -T -C` does, without running sshd
    Effective(EffectiveArgs),
}

/// Which servers, and how to answer.
#[derive(Args, Debug)]
struct Which {
    /// Examine the image mounted here instead of the running system
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Only the server with this label, as `scan` shows it [default: all]
    #[arg(long, value_name = "LABEL")]
    server: Option<String>,
    /// Form of the answer
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = LoginFormat::Human)]
    format: LoginFormat,
}

/// Arguments of `prove` and `paths`.
#[derive(Args, Debug)]
struct ProveArgs {
    #[command(flatten)]
    which: Which,
    /// The site's policy [default: /etc/sshproof/sshproof.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    accounts: judging::AccountsFile,
}

/// Arguments of `effective`.
#[derive(Args, Debug)]
struct EffectiveArgs {
    #[command(flatten)]
    which: Which,
    /// The name that the client gives
    #[arg(long)]
    user: Option<String>,
    /// The address that it comes from
    #[arg(long, value_name = "ADDRESS")]
    from: Option<std::net::IpAddr>,
    /// The name of the host that it comes from [default: the address]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// The address that it arrives at
    #[arg(long, value_name = "ADDRESS")]
    to: Option<std::net::IpAddr>,
    /// The port that it arrives at
    #[arg(long)]
    port: Option<u16>,
    /// Say of each value which line it comes from
    #[arg(long)]
    origins: bool,
}

/// Forms of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LoginFormat {
    /// Text for a person
    Human,
    /// One document
    Json,
    /// A drawing of the ways in, of `login paths` only
    Svg,
}

/// Answers. Exit 0 if proved (or shown whole), 1 if refuted, 2 if it could not be told.
pub fn run(args: &LoginArgs) -> anyhow::Result<ExitCode> {
    match &args.question {
        Question::Prove(args) => prove(args),
        Question::Paths(args) => paths(args),
        Question::Effective(args) => effective(args),
    }
}

fn prove(args: &ProveArgs) -> anyhow::Result<ExitCode> {
    let policy = judging::policy(args.policy.as_deref())?;
    let accounts = args.accounts.read(&policy)?;
    let facts = observe(&args.which)?;
    let labels: Vec<&str> = servers(&facts, &args.which)?.iter().map(|(_, server)| server.label.as_str()).collect();
    let mut proofs: Vec<Login> =
        checks::login::prove_all(&facts, &policy, accounts.as_ref()).into_iter().map(|proved| proved.entry).collect();
    proofs.retain(|login| labels.contains(&login.server.as_str()));
    show(&args.which, &proofs, |style| login::proofs(&proofs, style))?;
    Ok(ExitCode::from(if proofs.iter().any(|login| login.proof == Proof::Refuted) {
        exit::FAIL
    } else if proofs.iter().any(|login| login.proof == Proof::Unknown) {
        exit::INCONCLUSIVE
    } else {
        exit::PASS
    }))
}

fn paths(args: &ProveArgs) -> anyhow::Result<ExitCode> {
    let policy = judging::policy(args.policy.as_deref())?;
    let accounts = args.accounts.read(&policy)?;
    let facts = observe(&args.which)?;
    let servers = servers(&facts, &args.which)?;
    let (policy, _) = policy.login.at(facts.observed_at);
    let paths = |(root, server): &(&RootFacts, &ServerFacts)| {
        connection::paths(&population(&root.login, &root.files, facts.observed_at, accounts.as_ref()), server, &policy)
    };
    let found: Vec<Paths> = servers.iter().map(paths).collect();
    if args.which.format == LoginFormat::Svg {
        output::write(None, login_svg::paths(&found, &policy).as_bytes())?;
    } else {
        show(&args.which, &found, |style| login::paths(&found, style))?;
    }
    let whole = found.iter().all(|paths| paths.unknowns.is_empty() && paths.paths.iter().all(|path| !path.uncertain));
    Ok(ExitCode::from(if whole { exit::PASS } else { exit::INCONCLUSIVE }))
}

fn effective(args: &EffectiveArgs) -> anyhow::Result<ExitCode> {
    let asked = Asked {
        user: args.user.clone(),
        from: args.from.map(|address| address.to_string()),
        host: args.host.clone(),
        to: args.to.map(|address| address.to_string()),
        port: args.port,
    };
    let facts = observe(&args.which)?;
    let servers = servers(&facts, &args.which)?;
    let values = |(root, server): &(&RootFacts, &ServerFacts)| {
        connection::effective(&population(&root.login, &root.files, facts.observed_at, None), server, &asked)
    };
    let found: Vec<Values> = servers.iter().map(values).collect();
    show(&args.which, &found, |style| login::values(&found, args.origins, style))?;
    for values in &found {
        for problem in &values.problems {
            talk::warning(&format!("{}: {problem}", values.server));
        }
    }
    let whole = found.iter().all(|values| values.problems.is_empty());
    Ok(ExitCode::from(if whole { exit::PASS } else { exit::INCONCLUSIVE }))
}

fn observe(which: &Which) -> anyhow::Result<Facts> {
    let request = Request {
        root: which.root.clone(),
        // Whose files these are is not asked.
        without_own_archive: true,
        ..observe::Request::default()
    };
    observe::observe(&request, &knowledge::load()?, &mut |_| {}).context("nothing was examined")
}

/// The servers asked about.
fn servers<'a>(facts: &'a Facts, which: &Which) -> anyhow::Result<Vec<(&'a RootFacts, &'a ServerFacts)>> {
    let found = connection::servers(facts, which.server.as_deref());
    if found.is_empty() {
        let labels: Vec<String> =
            connection::servers(facts, None).iter().map(|(_, server)| format!("`{}`", server.label)).collect();
        match &which.server {
            Some(_) if !labels.is_empty() => bail!("no OpenSSH server has that label; there are {}", labels.join(", ")),
            _ => bail!("no OpenSSH server was found beneath {}", which.root.display()),
        }
    }
    Ok(found)
}

/// Prints `value`, in the form asked for.
fn show<T: Serialize>(
    which: &Which,
    value: &T,
    human: impl FnOnce(crate::render::Style) -> String,
) -> anyhow::Result<()> {
    let bytes = match which.format {
        LoginFormat::Human => human(screen::stdout()).into_bytes(),
        LoginFormat::Svg => bail!("only `login paths` can be drawn"),
        LoginFormat::Json => json::pretty(value).context("cannot write the answer as JSON")?,
    };
    output::write(None, &bytes)
}
