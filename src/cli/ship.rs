//! `ship`: delivers the spool.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tracing::{info, warn};

use super::exit;
use crate::model::event::Acked;
use crate::own::{self, spool::Spool};
use crate::ship::deliver::{DeliveryProblem, deliver};
use crate::ship::sink::{self, Sink};

/// Where the sinks are described unless the command line says otherwise.
const CONFIG: &str = "/etc/sshproof/ship.toml";

/// First pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

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
}

/// Serves each sink in a thread of its own, so that one that is dead holds up nobody.
pub fn run(args: &ShipArgs) -> anyhow::Result<ExitCode> {
    let sinks = sinks(args)?;
    let spool = Spool::open(&args.spool).with_context(|| format!("{}: no spool", args.spool.display()))?;
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = sinks.iter().map(|sink| scope.spawn(|| serve(args, sink, &spool))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(false)).fold(true, |all, took| all && took)
    });
    Ok(ExitCode::from(if all { exit::PASS } else { exit::INCONCLUSIVE }))
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

/// Whether the sink has taken everything. Ends with `--once` only.
fn serve(args: &ShipArgs, sink: &Sink, spool: &Spool) -> bool {
    // The event before the one that is wanted.
    let mut from = args.from.map(|at| Acked { seq: at.seq.saturating_sub(1), ..at });
    let mut pause = FIRST_PAUSE;
    loop {
        let done = deliver(sink, spool, from, &mut std::thread::sleep);
        let took = report(sink, &done);
        if args.once {
            return took;
        }
        if took {
            from = None;
            pause = FIRST_PAUSE;
            std::thread::sleep(args.interval);
        } else {
            std::thread::sleep(own::clock::part_of(pause));
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}

fn report(sink: &Sink, done: &Result<crate::ship::deliver::Delivered, DeliveryProblem>) -> bool {
    match done {
        Ok(delivered) => {
            info!("sink {}: took {} events, {} dead letters", sink.name, delivered.events, delivered.dead);
            true
        }
        Err(problem) => {
            warn!("sink {}: not delivered, kept in the spool: {problem}", sink.name);
            false
        }
    }
}

fn place(text: &str) -> Result<Acked, String> {
    let (epoch, seq) = text.split_once(':').ok_or("not EPOCH:SEQ")?;
    match (epoch.parse(), seq.parse()) {
        (Ok(epoch), Ok(seq)) => Ok(Acked { epoch, seq }),
        _ => Err("not EPOCH:SEQ".to_owned()),
    }
}
