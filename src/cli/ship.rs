//! `ship`: delivers the spool.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tracing::warn;

use super::exit;
use crate::model::event::Acked;
use crate::own;
use crate::own::spool::Spool;
use crate::ship::numbers::numbers;
use crate::ship::serve::{Service, serve};
use crate::ship::sink::{self, Sink};

/// Where the sinks are described unless the command line says otherwise.
const CONFIG: &str = "/etc/sshproof/ship.toml";

/// Arguments of `ship`.
#[derive(Args, Debug)]
pub struct ShipArgs {
    /// The spool that `scan --spool` fills
    #[arg(long, value_name = "DIR", default_value = "/var/spool/sshproof")]
    spool: PathBuf,
    /// Where events go
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// Serve this sink only
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// Deliver what is there and end: 0 if every sink has taken all of it, else 2
    #[arg(long)]
    once: bool,
    /// Send again from this event on, `EPOCH:SEQ`, as `fleet verify` names it
    #[arg(long, value_name = "EVENT", value_parser = place, requires = "sink")]
    from: Option<Acked>,
    /// How often to look for new events
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// Write numbers for node_exporter's textfile collector here, after each round
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

/// Serves each sink in a thread of its own, so that one that is dead holds up nobody.
pub fn run(args: &ShipArgs) -> anyhow::Result<ExitCode> {
    let sinks = sinks(args)?;
    let spool = Spool::open(&args.spool).with_context(|| format!("{}: no spool", args.spool.display()))?;
    let service = if args.once { Service::Once } else { Service::Every(args.interval) };
    let all = std::thread::scope(|scope| {
        if let (Some(file), Service::Every(interval)) = (&args.metrics, service) {
            let (spool, sinks) = (&spool, &sinks);
            scope.spawn(move || {
                loop {
                    tell(file, spool, sinks);
                    std::thread::sleep(interval);
                }
            });
        }
        let threads: Vec<_> =
            sinks.iter().map(|sink| scope.spawn(|| serve(sink, &spool, args.from, service))).collect();
        // The scope waits for the others too.
        threads.into_iter().all(|thread| thread.join().unwrap_or(false))
    });
    if let Some(file) = &args.metrics {
        tell(file, &spool, &sinks);
    }
    Ok(ExitCode::from(if all { exit::PASS } else { exit::INCONCLUSIVE }))
}

/// Writes the numbers; that this fails stops no delivery.
fn tell(file: &Path, spool: &Spool, sinks: &[Sink]) {
    let written = numbers(spool, sinks).and_then(|text| own::output::write_for(file, text.as_bytes(), 0o644, None));
    if let Err(error) = written {
        warn!("{}: no numbers written: {error}", file.display());
    }
}

fn sinks(args: &ShipArgs) -> anyhow::Result<Vec<Sink>> {
    let Some(file) = own::config::read(&args.config)? else { bail!("{}: no such file", args.config.display()) };
    let mut sinks = sink::parse(&file.text).with_context(|| args.config.display().to_string())?;
    if let Some(name) = &args.sink {
        sinks.retain(|sink| sink.name == *name);
        if sinks.is_empty() {
            bail!("{}: there is no sink `{name}`", args.config.display());
        }
    }
    Ok(sinks)
}

fn place(text: &str) -> Result<Acked, String> {
    let (epoch, seq) = text.split_once(':').ok_or("not EPOCH:SEQ")?;
    match (epoch.parse(), seq.parse()) {
        (Ok(epoch), Ok(seq)) => Ok(Acked { epoch, seq }),
        _ => Err("not EPOCH:SEQ".to_owned()),
    }
}
