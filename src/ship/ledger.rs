//! What a node remembers of the events it has made: where its count stands and which findings are open.
//!
//! It is nothing but the sum of its events: after a crash between spool and state, the spool's events are added again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::event::{Acked, Body, Event, FindingEvent, LifeCycle, NOTHING_BEFORE};
use crate::trust::chain;

/// The name and version of the stored form.
pub const SCHEMA: &str = "sshproof.ledger/1";

/// The sum of a node's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the node, and the root that was examined: findings of another one are not these.
    pub subject: (String, String),
    /// The node's public key.
    pub key: String,
    /// The epoch that it counts in.
    pub epoch: u64,
    /// Number of the last event; 0 at the beginning.
    pub seq: u64,
    /// Digest of the last event.
    pub prev: String,
    /// Open findings by uid.
    pub open: BTreeMap<String, Open>,
    /// Events that were lost since the epoch began.
    pub dropped: u64,
}

/// An open finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// As it was told last.
    pub finding: FindingEvent,
    /// When that was.
    pub told: Timestamp,
}

/// An event does not continue a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discontinuous;

impl Ledger {
    /// Nothing sent yet.
    #[must_use]
    pub fn new(subject: (String, String), key: String, epoch: u64) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            subject,
            key,
            epoch,
            seq: 0,
            prev: NOTHING_BEFORE.to_owned(),
            open: BTreeMap::new(),
            dropped: 0,
        }
    }

    /// The last event.
    #[must_use]
    pub const fn head(&self) -> Acked {
        Acked { epoch: self.epoch, seq: self.seq }
    }

    /// Adds the event that follows.
    ///
    /// # Errors
    /// If it is not this node's, does not follow, or its signature does not hold; the ledger is as it was.
    pub fn add(&mut self, event: &Event) -> Result<(), Discontinuous> {
        let follows = event.node.key == self.key
            && event.chain.epoch == self.epoch
            && Some(event.chain.seq) == self.seq.checked_add(1)
            && event.chain.prev == self.prev;
        if !follows || chain::verify(event).is_err() {
            return Err(Discontinuous);
        }
        self.prev = chain::digest(event).ok_or(Discontinuous)?;
        self.seq = event.chain.seq;
        match &event.body {
            Body::Finding(finding) if finding.status == LifeCycle::Closed => {
                self.open.remove(&finding.uid);
            }
            Body::Finding(finding) => {
                let open = Open { finding: FindingEvent::clone(finding), told: event.time };
                self.open.insert(finding.uid.clone(), open);
            }
            Body::Spool(lost) => {
                let events = lost.last_seq.saturating_sub(lost.first_seq).saturating_add(1);
                self.dropped = self.dropped.saturating_add(events);
            }
            Body::State(_) => {}
        }
        Ok(())
    }
}
