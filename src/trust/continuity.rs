//! What a row of delivered events shows: which node has a gap, a change, another order, a repetition.
//!
//! Nothing is taken on trust but the first key of a node, unless the keys are given. Who is missing altogether, and what
//! a node has not sent yet, no row can show: that needs the list of nodes and the clock.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::{self, BadSignature};
use crate::model::event::{Acked, Body, EpochReason, Event, NOTHING_BEFORE};

/// Something that a row of events shows about one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The node's name.
    pub node: String,
    /// Epoch of the event it is about.
    pub epoch: u64,
    /// Number of the event it is about.
    pub seq: u64,
    /// What it is.
    pub trouble: Trouble,
}

/// What can be wrong with a row of events, and what merely ought to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The event is not what its node signed.
    Changed(BadSignature),
    /// Another event of the same number came before: the node's history has two versions.
    Forked,
    /// Its predecessor by number is not the event that it says it followed.
    Unchained,
    /// Events from this number on to `to` did not arrive.
    Gap {
        /// The last that is missing.
        to: u64,
        /// Whether the node itself has told that it dropped them all.
        declared: bool,
    },
    /// It came after an event of a higher number: sent again because it was missing, or put into another order on the way.
    /// What the right order is, the numbers say.
    Reordered,
    /// It came again, unchanged: delivered twice, or replayed. It says nothing new.
    Repeated,
    /// The node signs with another key than before, or than it was enrolled with.
    OtherKey,
    /// Another node signs with the same key: it was copied, with an image for instance.
    SharedKey {
        /// The node that was seen with it first.
        with: String,
    },
    /// The node began to count anew, for this reason; an epoch without one is told as [`Trouble::Unchained`].
    NewEpoch(EpochReason),
    /// The newest scan of the node does not answer the nonce asked for.
    Stale,
}

impl Trouble {
    /// Whether it is a fault, rather than something that ought to be known.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        !matches!(self, Self::Reordered | Self::Repeated | Self::NewEpoch(_) | Self::Gap { declared: true, .. })
    }
}

/// What to hold the events against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// Keys by name of node; a node that is not listed keeps the first key it is seen with.
    pub keys: BTreeMap<String, String>,
    /// What the newest scan of every node must answer.
    pub nonce: Option<String>,
}

/// What was learnt of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSummary {
    /// Different events that arrived and bear their node's signature.
    pub events: u64,
    /// The last of them.
    pub last: Option<Acked>,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Continuity {
    /// Each node that sent anything.
    pub nodes: BTreeMap<String, NodeSummary>,
    /// What is remarkable, by node, then by the event's place.
    pub remarks: Vec<Remark>,
}

/// What is kept of an event that was seen.
struct Link {
    digest: String,
    prev: String,
    new_epoch: Option<EpochReason>,
}

/// What is kept of a node while its events arrive.
#[derive(Default)]
struct Trail {
    key: String,
    links: BTreeMap<(u64, u64), Link>,
    dropped: Vec<(u64, u64, u64)>,
    newest: (u64, u64),
    /// Place and nonce of the newest state event.
    answered: Option<((u64, u64), Option<String>)>,
}

/// Follows `events` in the order in which they arrived.
pub fn follow(events: impl IntoIterator<Item = Event>, expectation: &Expectation) -> Continuity {
    let mut trails: BTreeMap<String, Trail> = BTreeMap::new();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    let mut remarks = Vec::new();
    for event in events {
        let name = event.node.name.clone();
        let place = (event.chain.epoch, event.chain.seq);
        // Before anything else: what is not signed must not bind a key to a name.
        if let Err(bad) = chain::verify(&event) {
            remarks.push(Remark { node: name, epoch: place.0, seq: place.1, trouble: Trouble::Changed(bad) });
            continue;
        }
        let owner = owners.entry(event.node.key.clone()).or_insert_with(|| name.clone()).clone();
        let trail = trails.entry(name.clone()).or_insert_with(|| Trail {
            key: expectation.keys.get(&name).unwrap_or(&event.node.key).clone(),
            ..Trail::default()
        });
        if let Some(trouble) = trail.take(&event, &owner) {
            remarks.push(Remark { node: name, epoch: place.0, seq: place.1, trouble });
        }
    }
    let mut nodes = BTreeMap::new();
    for (name, trail) in trails {
        trail.look_back(&name, expectation.nonce.as_deref(), &mut remarks);
        let last = trail.links.keys().next_back().map(|(epoch, seq)| Acked { epoch: *epoch, seq: *seq });
        nodes.insert(name, NodeSummary { events: trail.links.len() as u64, last });
    }
    remarks.sort_by(|a, b| (&a.node, a.epoch, a.seq).cmp(&(&b.node, b.epoch, b.seq)));
    Continuity { nodes, remarks }
}

impl Trail {
    /// Notes the event, whose signature holds; what is remarkable about it by itself.
    fn take(&mut self, event: &Event, owner: &str) -> Option<Trouble> {
        if event.node.key != self.key {
            return Some(Trouble::OtherKey);
        }
        if owner != event.node.name {
            return Some(Trouble::SharedKey { with: owner.to_owned() });
        }
        let digest = chain::digest(event)?;
        let place = (event.chain.epoch, event.chain.seq);
        if let Some(seen) = self.links.get(&place) {
            return Some(if seen.digest == digest { Trouble::Repeated } else { Trouble::Forked });
        }
        let mut new_epoch = None;
        match &event.body {
            Body::Spool(lost) => self.dropped.push((lost.epoch, lost.first_seq, lost.last_seq)),
            Body::State(state) => {
                new_epoch = state.new_epoch;
                if self.answered.as_ref().is_none_or(|(at, _)| *at < place) {
                    self.answered = Some((place, state.nonce.clone()));
                }
            }
            Body::Finding(_) => {}
        }
        self.links.insert(place, Link { digest, prev: event.chain.prev.clone(), new_epoch });
        if place < self.newest {
            return Some(Trouble::Reordered);
        }
        self.newest = place;
        None
    }

    /// What the whole row shows, in the order of the numbers.
    fn look_back(&self, name: &str, nonce: Option<&str>, remarks: &mut Vec<Remark>) {
        let mut remark = |epoch, seq, trouble| remarks.push(Remark { node: name.to_owned(), epoch, seq, trouble });
        let mut before: Option<(u64, u64, &Link)> = None;
        for ((epoch, seq), link) in &self.links {
            let (expected, follows) = match before {
                Some((last_epoch, last, seen)) if last_epoch == *epoch => {
                    (last.saturating_add(1), seen.digest.as_str())
                }
                // A row may begin anywhere; a later epoch begins with its first event.
                None => (*seq, if *seq == 1 { NOTHING_BEFORE } else { link.prev.as_str() }),
                Some(_) => (1, NOTHING_BEFORE),
            };
            if *seq > expected {
                let declared = (expected..*seq).all(|missing| {
                    self.dropped.iter().any(|(e, first, last)| e == epoch && (*first..=*last).contains(&missing))
                });
                remark(*epoch, expected, Trouble::Gap { to: seq.saturating_sub(1), declared });
            } else if link.prev != follows {
                remark(*epoch, *seq, Trouble::Unchained);
            }
            if let Some(reason) = link.new_epoch {
                remark(*epoch, *seq, Trouble::NewEpoch(reason));
            }
            before = Some((*epoch, *seq, link));
        }
        self.unexplained(&mut remark);
        if let Some(nonce) = nonce {
            let answer = self.answered.as_ref();
            if answer.is_none_or(|(_, given)| given.as_deref() != Some(nonce)) {
                let (epoch, seq) = answer.map_or(self.newest, |(place, _)| *place);
                remark(epoch, seq, Trouble::Stale);
            }
        }
    }

    /// Every epoch but the first must say why it began.
    fn unexplained(&self, remark: &mut impl FnMut(u64, u64, Trouble)) {
        let epochs: BTreeSet<u64> = self.links.keys().map(|(epoch, _)| *epoch).collect();
        for epoch in epochs.into_iter().skip(1) {
            let mut links = self.links.range((epoch, 0)..=(epoch, u64::MAX));
            let first = self.links.range((epoch, 0)..).next().map_or(1, |((_, seq), _)| *seq);
            if links.all(|(_, link)| link.new_epoch.is_none()) {
                remark(epoch, first, Trouble::Unchained);
            }
        }
    }
}

#[cfg(test)]
mod tests;
