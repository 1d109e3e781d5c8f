//! `accounts`: lists a directory's accounts for hosts that cannot read it, signs the list, shows it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};

use super::{exit, output, screen};
use crate::model::accounts::{Form, Names, SCHEMA, Snapshot};
use crate::model::text::{escape, printable};
use crate::observe::directory::{self, LOOKED_FOR, Order, Text};
use crate::own::{self, state};
use crate::policy::accounts::is_key;
use crate::render::{accounts, json};
use crate::trust::accounts::{sign, verify};
use crate::trust::chain::NodeKey;

/// A directory of a million accounts stays below this; more is a mistake, or meant to exhaust us.
const MAX_BYTES: u64 = 512 << 20;

/// Arguments of `accounts`.
#[derive(Args, Debug)]
pub struct AccountsArgs {
    #[command(subcommand)]
    what: What,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum What {
    /// Make a snapshot of LDIF or of what `getent` printed; runs no program and asks no directory itself
    Build(BuildArgs),
    /// Sign a snapshot
    Sign(SignArgs),
    /// Say whether a snapshot's signature holds, and whether the snapshot is complete
    Verify(VerifyArgs),
    /// Show what is in a snapshot
    Show(ShowArgs),
    /// Make a key to sign snapshots with, and print its public half
    Keygen(KeygenArgs),
}

/// Arguments of `build`.
#[derive(Args, Debug)]
struct BuildArgs {
    /// Entries of the directory as LDIF, from ldapsearch(1) or slapcat(8); `-` for standard input (may be repeated)
    #[arg(long, value_name = "FILE", required_unless_present = "passwd")]
    ldif: Vec<PathBuf>,
    /// What `getent -s SERVICE passwd` printed; `-` for standard input (may be repeated)
    #[arg(long, value_name = "FILE")]
    passwd: Vec<PathBuf>,
    /// What `getent -s SERVICE group` printed (may be repeated)
    #[arg(long, value_name = "FILE")]
    group: Vec<PathBuf>,
    /// The source in nsswitch.conf that these are the accounts of: `sss`, `ldap`, `winbind` (may be repeated)
    #[arg(long, value_name = "NAME", required = true)]
    service: Vec<String>,
    /// Declare that the files hold every account and group of it; without this nothing is ever proved with the snapshot
    #[arg(long)]
    complete: bool,
    /// Say how the directory takes names that differ in capital and small letters only
    #[arg(long, value_enum, value_name = "HOW")]
    names: Option<NamesArg>,
    /// Another form in which it takes a name, with `%n` for the name: `%n@example.org` (may be repeated)
    #[arg(long, value_name = "FORM", requires = "names", value_parser = form)]
    name_form: Vec<String>,
    /// Look into home directories beneath this directory, which stands for `/`, for what enrols an account: existence, owner
    /// and mode, never content
    #[arg(long, value_name = "DIR")]
    homes: Option<PathBuf>,
    /// Look for this file too, `~` the home directory and `%u` the account's name (may be repeated)
    #[arg(long, value_name = "PATH", requires = "homes", value_parser = place)]
    look_for: Vec<String>,
    /// Sign it with the key in this file
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Write it here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a directory takes names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum NamesArg {
    /// `Eve` is not `eve`
    Exact,
    /// `Eve` is `eve` (Active Directory; sssd with `case_sensitive = false`)
    AnyCase,
}

/// Arguments of `sign`.
#[derive(Args, Debug)]
struct SignArgs {
    /// The snapshot; `-` for standard input
    #[arg(value_name = "SNAPSHOT")]
    snapshot: PathBuf,
    /// The key, as `keygen` made it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Write it here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `verify`.
#[derive(Args, Debug)]
struct VerifyArgs {
    /// The snapshot; `-` for standard input
    #[arg(value_name = "SNAPSHOT")]
    snapshot: PathBuf,
    /// The key that it must be signed with: 64 hexadecimal digits, or a file that holds them (may be repeated)
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<String>,
}

/// Arguments of `show`.
#[derive(Args, Debug)]
struct ShowArgs {
    /// The snapshot; `-` for standard input
    #[arg(value_name = "SNAPSHOT")]
    snapshot: PathBuf,
    /// Show this account alone
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Arguments of `keygen`.
#[derive(Args, Debug)]
struct KeygenArgs {
    /// Where the secret key is written, mode 0600; nothing may stand there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Does it. Exit 0, or 1 where `verify` finds the snapshot of no use, 2 where it is incomplete.
pub fn run(args: &AccountsArgs) -> anyhow::Result<ExitCode> {
    let code = match &args.what {
        What::Build(args) => build(args)?,
        What::Sign(args) => {
            deliver(&signed(read(&args.snapshot)?, &args.key)?, args.output.as_deref())?;
            exit::PASS
        }
        What::Verify(args) => checked(args)?,
        What::Show(args) => {
            let snapshot = read(&args.snapshot)?;
            let user = args.user.as_ref().map(|user| escape(user.as_bytes()));
            if let Some(user) = user.as_ref().filter(|user| !snapshot.accounts.iter().any(|one| one.name == **user)) {
                bail!("there is no account `{user}` in it");
            }
            output::write(None, accounts::show(&snapshot, user.as_deref(), screen::stdout()).as_bytes())?;
            exit::PASS
        }
        What::Keygen(args) => {
            let seed = state::new_secret(&args.file).with_context(|| format!("cannot make {}", args.file.display()))?;
            output::write(None, format!("{}\n", NodeKey::new(&seed).public()).as_bytes())?;
            exit::PASS
        }
    };
    Ok(ExitCode::from(code))
}

fn build(args: &BuildArgs) -> anyhow::Result<u8> {
    let mut texts = Vec::new();
    for (form, paths) in [(Form::Ldif, &args.ldif), (Form::Passwd, &args.passwd), (Form::Group, &args.group)] {
        for path in paths {
            let bytes = own::input::read(path, MAX_BYTES).with_context(|| format!("cannot read {}", path.display()))?;
            texts.push(Text { form, name: path.display().to_string(), bytes });
        }
    }
    let looked_for = LOOKED_FOR.into_iter().map(str::to_owned).chain(args.look_for.iter().cloned());
    let order = Order {
        texts,
        services: args.service.iter().map(|service| escape(service.as_bytes())).collect(),
        complete: args.complete,
        names: args.names.map(|names| Names {
            any_case: names == NamesArg::AnyCase,
            forms: args.name_form.iter().map(|form| escape(form.as_bytes())).collect(),
        }),
        homes: args.homes.clone(),
        looked_for: looked_for.collect(),
    };
    let mut snapshot = directory::snapshot(&order, own::clock::now()).context("no snapshot was made")?;
    if let Some(key) = &args.key {
        snapshot = signed(snapshot, key)?;
    }
    deliver(&snapshot, args.output.as_deref())?;
    for reason in &snapshot.incomplete {
        super::talk::warning(&format!("incomplete: {reason}"));
    }
    Ok(if snapshot.incomplete.is_empty() { exit::PASS } else { exit::INCONCLUSIVE })
}

fn checked(args: &VerifyArgs) -> anyhow::Result<u8> {
    let snapshot = read(&args.snapshot)?;
    let keys: Vec<String> = args.key.iter().map(|key| public_key(key)).collect::<anyhow::Result<_>>()?;
    let problem = match (&snapshot.key, verify(&snapshot)) {
        (_, Err(problem)) => Some(problem.to_string()),
        (Some(key), Ok(())) if !keys.contains(key) => Some(format!("it is signed with another key, {key}")),
        _ => None,
    };
    let code = match &problem {
        Some(_) => exit::FAIL,
        None if snapshot.incomplete.is_empty() => exit::PASS,
        None => exit::INCONCLUSIVE,
    };
    let text = accounts::verified(&snapshot, problem.as_deref(), screen::stdout());
    output::write(None, text.as_bytes())?;
    Ok(code)
}

/// The snapshot in the file at `path`.
///
/// # Errors
/// If it cannot be read, or is none of the version that we understand.
pub fn read(path: &Path) -> anyhow::Result<Snapshot> {
    /// What every version has.
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let place = || format!("{}: cannot use this accounts snapshot", path.display());
    let bytes = own::input::read(path, MAX_BYTES).with_context(place)?;
    let head: Head = serde_json::from_slice(&bytes).context("not an accounts snapshot").with_context(place)?;
    ensure!(head.schema == SCHEMA, "{}: it is `{}`, this sshproof reads `{SCHEMA}`", place(), printable(&head.schema));
    serde_json::from_slice(&bytes).with_context(place)
}

/// The public key that was given itself, or in a file.
///
/// # Errors
/// If it is neither.
pub fn public_key(given: &str) -> anyhow::Result<String> {
    if is_key(given) {
        return Ok(given.to_owned());
    }
    let bytes = own::config::read_bytes(Path::new(given)).context("neither a public key nor a file that holds one")?;
    let text = String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
    ensure!(is_key(&text), "{given} holds no public key of 64 hexadecimal digits");
    Ok(text)
}

fn signed(snapshot: Snapshot, key: &Path) -> anyhow::Result<Snapshot> {
    let seed = state::secret(key).with_context(|| format!("cannot use the key {}", key.display()))?;
    sign(&NodeKey::new(&seed), snapshot).context("the snapshot holds a number beyond 2^53")
}

fn deliver(snapshot: &Snapshot, to: Option<&Path>) -> anyhow::Result<()> {
    output::write(to, &json::line(snapshot).context("cannot write the snapshot as JSON")?)
}

fn form(text: &str) -> Result<String, String> {
    if text.matches("%n").count() == 1 { Ok(text.to_owned()) } else { Err("a form holds `%n` once".to_owned()) }
}

fn place(text: &str) -> Result<String, String> {
    if text.starts_with("~/") || (text.starts_with('/') && text.contains("%u")) {
        Ok(text.to_owned())
    } else {
        Err("it begins with `~/`, or with `/` and holds `%u`".to_owned())
    }
}
