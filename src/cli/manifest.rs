//! `manifest`: writes down what files are to be, signs it, shows it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};

use super::{accounts, exit, knowledge, output, screen};
use crate::manifest::{Order, build};
use crate::model::Timestamp;
use crate::model::manifest::{Manifest, SCHEMA};
use crate::model::text::printable;
use crate::own::{self, config, state};
use crate::render::{json, manifest as render};
use crate::trust::chain::NodeKey;
use crate::trust::manifest::{sign, verify};

/// The manifest of an image with a million files stays below this; more is a mistake, or meant to exhaust us.
const MAX_BYTES: u64 = 1 << 30;

/// Arguments of `manifest`.
#[derive(Args, Debug)]
pub struct ManifestArgs {
    #[command(subcommand)]
    what: What,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum What {
    /// Make a manifest of package files, directories of them, or the tree of an image; runs no program
    Build(BuildArgs),
    /// Sign a manifest; a second key's signature is added to the first one's
    Sign(SignArgs),
    /// Say whose signatures hold, and whether one is a key that is asked for
    Verify(VerifyArgs),
    /// Show what is in a manifest
    Show(ShowArgs),
    /// Make a key to sign manifests with, and print its public half
    Keygen(KeygenArgs),
}

/// Arguments of `build`.
#[derive(Args, Debug)]
struct BuildArgs {
    /// Package files (.deb, .rpm), or directories whose package files are all taken
    #[arg(value_name = "PACKAGE", required_unless_present = "root")]
    packages: Vec<PathBuf>,
    /// What the manifest is of, in your words: `compute image 2026-11`
    #[arg(long, value_name = "TEXT")]
    label: String,
    /// The day from which on it no longer counts
    #[arg(long, value_name = "DATE", value_parser = date)]
    expires: Timestamp,
    /// The tree of an image, as nodes get it
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// A tree that is laid over the image, the same on every node (may be repeated, the last on top)
    #[arg(long, value_name = "DIR", requires = "root")]
    overlay: Vec<PathBuf>,
    /// A path that is rendered for each node, whose content is not compared: `/etc/hostname`, `/etc/ssh/ssh_host_*` (may be repeated)
    #[arg(long, value_name = "PATH", requires = "root")]
    node_file: Vec<String>,
    /// Check distributors' signatures with the OpenPGP keys in this file too (may be repeated)
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,
    /// Sign it with the key in this file (may be repeated)
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Write it here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `sign`.
#[derive(Args, Debug)]
struct SignArgs {
    /// The manifest; `-` for standard input
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
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
    /// The manifest; `-` for standard input
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// A key of which one must have signed it: 64 hexadecimal digits, or a file that holds them (may be repeated)
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<String>,
}

/// Arguments of `show`.
#[derive(Args, Debug)]
struct ShowArgs {
    /// The manifest; `-` for standard input
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// Show the files of this package
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
}

/// Arguments of `keygen`.
#[derive(Args, Debug)]
struct KeygenArgs {
    /// Where the secret key is written, mode 0600; nothing may stand there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Does it. Exit 0, or 1 where `verify` finds the manifest of no use.
pub fn run(args: &ManifestArgs) -> anyhow::Result<ExitCode> {
    let code = match &args.what {
        What::Build(args) => made(args)?,
        What::Sign(args) => {
            deliver(&signed(read(&args.manifest)?, &args.key)?, args.output.as_deref())?;
            exit::PASS
        }
        What::Verify(args) => checked(args)?,
        What::Show(args) => {
            let manifest = read(&args.manifest)?;
            if let Some(name) = &args.package {
                ensure!(manifest.packages.iter().any(|one| one.name == *name), "there is no package `{name}` in it");
            }
            output::write(None, render::show(&manifest, args.package.as_deref(), screen::stdout()).as_bytes())?;
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

fn made(args: &BuildArgs) -> anyhow::Result<u8> {
    let mut packages = Vec::new();
    for path in &args.packages {
        if config::is_dir(path) {
            packages.extend(config::files(path, &[".deb", ".rpm"]).with_context(|| path.display().to_string())?);
        } else {
            packages.push(path.clone());
        }
    }
    let keyring = |path: &PathBuf| Ok((path.display().to_string(), config::read_bytes(path)?));
    let order = Order {
        label: args.label.clone(),
        expires: args.expires,
        packages,
        root: args.root.clone(),
        overlays: args.overlay.clone(),
        node_files: args.node_file.clone(),
        keyrings: args.keyring.iter().map(keyring).collect::<anyhow::Result<_>>()?,
    };
    let mut manifest = build(&order, &knowledge::load()?, own::clock::now()).context("no manifest was made")?;
    for key in &args.key {
        manifest = signed(manifest, key)?;
    }
    deliver(&manifest, args.output.as_deref())?;
    Ok(exit::PASS)
}

fn checked(args: &VerifyArgs) -> anyhow::Result<u8> {
    let manifest = read(&args.manifest)?;
    let wanted: Vec<String> = args.key.iter().map(|key| accounts::public_key(key)).collect::<anyhow::Result<_>>()?;
    let found = verify(&manifest);
    let problem = if found.is_empty() {
        Some("it bears no signature".to_owned())
    } else if !found.iter().any(|(key, holds)| holds.is_ok() && wanted.contains(key)) {
        Some("none of the keys asked for has signed it".to_owned())
    } else if own::clock::now() >= manifest.expires {
        Some("its time is over".to_owned())
    } else {
        None
    };
    let keys: Vec<_> = found.into_iter().map(|(key, holds)| (key, holds.err().map(|why| why.to_string()))).collect();
    let text = render::verified(&manifest, &keys, problem.as_deref(), screen::stdout());
    output::write(None, text.as_bytes())?;
    Ok(if problem.is_some() { exit::FAIL } else { exit::PASS })
}

/// The manifest in the file at `path`.
///
/// # Errors
/// If it cannot be read, or is none.
pub fn read(path: &Path) -> anyhow::Result<Manifest> {
    let place = || path.display().to_string();
    let bytes = own::input::read(path, MAX_BYTES).with_context(place)?;
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let head: Head = serde_json::from_slice(&bytes).with_context(place)?;
    ensure!(head.schema == SCHEMA, "{}: it is `{}`, this sshproof reads `{SCHEMA}`", place(), printable(&head.schema));
    serde_json::from_slice(&bytes).with_context(place)
}

fn signed(manifest: Manifest, key: &Path) -> anyhow::Result<Manifest> {
    let seed = state::secret(key).with_context(|| format!("cannot use the key {}", key.display()))?;
    sign(&NodeKey::new(&seed), manifest).context("the manifest holds a number beyond 2^53")
}

fn deliver(manifest: &Manifest, to: Option<&Path>) -> anyhow::Result<()> {
    output::write(to, &json::line(manifest).context("cannot write the manifest as JSON")?)
}

fn date(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "a day is written `2027-06-30`".to_owned())
}
