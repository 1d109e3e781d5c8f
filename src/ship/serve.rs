//! Serves one sink: once, or until the program ends, with longer and longer pauses while it does not take anything.

use std::time::Duration;

use tracing::{info, warn};

use super::deliver::{DeliveryProblem, deliver};
use super::http::Stopped;
use super::sink::Sink;
use crate::model::event::Acked;
use crate::own::{clock, spool::Spool};

/// First pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// How long to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Deliver what is there.
    Once,
    /// Look for more after this long, for ever.
    Every(Duration),
}

/// Delivers what the sink has not taken, first of all everything from event `from` on if that is given. Whether it took
/// everything; returns with [`Service::Once`] only.
pub fn serve(sink: &Sink, spool: &Spool, from: Option<Acked>, service: Service) -> bool {
    let mut after = from.map(|at| Acked { seq: at.seq.saturating_sub(1), ..at });
    let mut pause = FIRST_PAUSE;
    loop {
        let mut asked = Duration::ZERO;
        let took = match deliver(sink, spool, after, &mut std::thread::sleep) {
            Ok(delivered) => {
                info!("sink {}: took {} events, {} dead letters", sink.name, delivered.events, delivered.dead);
                true
            }
            Err(problem) => {
                if let DeliveryProblem::Sink(Stopped { after: Some(after), .. }) = &problem {
                    asked = *after;
                }
                warn!("sink {}: not delivered, kept in the spool: {problem}", sink.name);
                false
            }
        };
        match service {
            Service::Once => return took,
            Service::Every(interval) if took => {
                after = None;
                pause = FIRST_PAUSE;
                std::thread::sleep(interval);
            }
            Service::Every(_) => {
                // Never before the time that the receiver named, and not all at that time either.
                std::thread::sleep(asked.saturating_add(clock::part_of(pause)));
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        }
    }
}
