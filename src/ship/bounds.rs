//! Which records a spool may do without: those that every sink has taken, and those it has no room for.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Timestamp;
use crate::model::event::{Acked, Body, DropReason, Event, LifeCycle, SpoolEvent};
use crate::model::{Class, Severity};
use crate::own::spool::{Entry, RecordName};

/// Records that were delivered and are kept all the same, the newest ones: a receiver that lost its memory can ask again.
const KEEP: usize = 16;

/// How much a spool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// In bytes.
    pub bytes: u64,
    /// In seconds.
    pub age: u64,
}

impl Default for Bounds {
    /// 32 MiB, because the spool of a diskless node is memory, and 30 days.
    fn default() -> Self {
        Self { bytes: 32 << 20, age: 30 * 86_400 }
    }
}

/// What is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Every sink has taken these.
    pub delivered: Vec<RecordName>,
    /// These are lost.
    pub dropped: Vec<(RecordName, DropReason)>,
}

impl Plan {
    /// Number of records that go.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.delivered.len().saturating_add(self.dropped.len())
    }

    /// Whether this one goes.
    #[must_use]
    pub fn takes(&self, name: &RecordName) -> bool {
        self.delivered.contains(name) || self.dropped.iter().any(|(dropped, _)| dropped == name)
    }

    /// What the next scan tells about it: neighbours of one reason in one event.
    #[must_use]
    pub fn lost(&self) -> Vec<SpoolEvent> {
        let mut names = self.dropped.clone();
        names.sort_by_key(|(name, _)| *name);
        let mut lost: Vec<SpoolEvent> = Vec::new();
        for (name, reason) in names {
            match lost.last_mut() {
                Some(last)
                    if last.reason == reason
                        && last.epoch == name.epoch
                        && last.last_seq.checked_add(1) == Some(name.first) =>
                {
                    last.last_seq = name.last;
                    last.findings |= name.rank > 0;
                }
                _ => lost.push(SpoolEvent {
                    reason,
                    epoch: name.epoch,
                    first_seq: name.first,
                    last_seq: name.last,
                    findings: name.rank > 0,
                }),
            }
        }
        lost
    }
}

/// What of `entries` (first event first) goes, so that `reserve` bytes more fit. Clean states go first, findings of an
/// intruder last, the older before the newer; the newest record never, since the chain goes on from it.
#[must_use]
pub fn plan(entries: &[Entry], acked: &BTreeMap<String, Acked>, bounds: Bounds, now: Timestamp, reserve: u64) -> Plan {
    let mut plan = Plan::default();
    let Some((_, older)) = entries.split_last() else { return plan };
    // Without a sink nothing counts as delivered.
    let all_took = acked.values().min().copied();
    let is_delivered =
        |entry: &Entry| all_took.is_some_and(|at| at >= Acked { epoch: entry.name.epoch, seq: entry.name.last });
    let keep_from = entries.len().saturating_sub(KEEP);
    plan.delivered = older.iter().take(keep_from).filter(|entry| is_delivered(entry)).map(|entry| entry.name).collect();
    let mut gone: BTreeSet<RecordName> = plan.delivered.iter().copied().collect();
    for entry in older.iter().filter(|entry| now.0.saturating_sub(entry.written.0) > bounds.age) {
        if gone.insert(entry.name) {
            if is_delivered(entry) {
                plan.delivered.push(entry.name);
            } else {
                plan.dropped.push((entry.name, DropReason::Age));
            }
        }
    }
    let left = entries.iter().filter(|entry| !gone.contains(&entry.name));
    let mut size = left.map(|entry| entry.size).fold(reserve, u64::saturating_add);
    let mut victims: Vec<&Entry> = older.iter().filter(|entry| !gone.contains(&entry.name)).collect();
    victims.sort_by_key(|entry| (!is_delivered(entry), entry.name.rank, entry.name));
    for entry in victims {
        if size <= bounds.bytes {
            break;
        }
        size = size.saturating_sub(entry.size);
        if is_delivered(entry) {
            plan.delivered.push(entry.name);
        } else {
            plan.dropped.push((entry.name, DropReason::Size));
        }
    }
    plan
}

/// How much the loss of these events would hurt: 0 holds no finding, 1 only such as come and go without an intruder,
/// 2 a new or changed trace of one.
#[must_use]
pub fn rank(events: &[Event]) -> u8 {
    let of_one = |event: &Event| match &event.body {
        Body::Finding(finding)
            if matches!(finding.class, Class::Compromise | Class::Integrity)
                && finding.severity > Severity::Informational
                && finding.status != LifeCycle::Closed =>
        {
            2
        }
        Body::Finding(_) => 1,
        Body::State(_) | Body::Spool(_) => 0,
    };
    events.iter().map(of_one).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of two events and 100 bytes each, with these ranks, one second apart.
    fn entries(ranks: &[u8]) -> Vec<Entry> {
        (1..)
            .step_by(2)
            .zip(ranks)
            .map(|(first, rank)| Entry {
                name: RecordName { epoch: 1, first, last: first + 1, rank: *rank },
                size: 100,
                written: Timestamp(1000 + first),
            })
            .collect()
    }

    /// `first` of what goes as delivered, then of what is dropped.
    fn check(ranks: &[u8], acked: Option<u64>, bounds: Bounds, now: u64, delivered: &[u64], dropped: &[u64]) {
        let acked = acked.map(|seq| ("s".to_owned(), Acked { epoch: 1, seq })).into_iter().collect();
        let plan = plan(&entries(ranks), &acked, bounds, Timestamp(now), 0);
        let firsts = |names: Vec<RecordName>| names.iter().map(|name| name.first).collect::<Vec<_>>();
        assert_eq!(firsts(plan.delivered), delivered);
        assert_eq!(firsts(plan.dropped.iter().map(|(name, _)| *name).collect()), dropped);
    }

    const WIDE: Bounds = Bounds { bytes: 1 << 20, age: 1 << 20 };

    #[test]
    fn clean_states_go_first_and_the_newest_never() {
        let bounds = |bytes| Bounds { bytes, ..WIDE };
        check(&[2, 0, 1, 0, 0], None, bounds(500), 2000, &[], &[]);
        check(&[2, 0, 1, 0, 0], None, bounds(499), 2000, &[], &[3]);
        check(&[2, 0, 1, 0, 0], None, bounds(250), 2000, &[], &[3, 7, 5]);
        check(&[2, 0, 1, 0, 0], None, bounds(0), 2000, &[], &[3, 7, 5, 1]);
        // What was delivered goes before anything is lost.
        check(&[2, 0, 1, 0, 0], Some(2), bounds(499), 2000, &[1], &[]);
    }

    #[test]
    fn old_ones_go_whatever_they_hold() {
        check(&[2, 0, 1], None, Bounds { age: 10, ..WIDE }, 1012, &[], &[1]);
        check(&[2, 0, 1], Some(6), Bounds { age: 10, ..WIDE }, 1012, &[1], &[]);
        // A clock that was set back makes nothing old.
        check(&[2, 0, 1], None, Bounds { age: 10, ..WIDE }, 5, &[], &[]);
    }

    #[test]
    fn delivered_ones_stay_for_another_request() {
        let ranks = [0; KEEP + 3];
        check(&ranks, Some(1000), WIDE, 2000, &[1, 3, 5], &[]);
        check(&ranks, None, WIDE, 2000, &[], &[]);
        // The slowest sink decides.
        check(&ranks, Some(4), WIDE, 2000, &[1, 3], &[]);
    }

    #[test]
    fn losses_are_told_in_rows() {
        let name = |first, rank| RecordName { epoch: 1, first, last: first + 1, rank };
        let dropped = [(5, 0), (1, 0), (3, 2), (9, 0)].map(|(first, rank)| (name(first, rank), DropReason::Size));
        let lost = Plan { delivered: vec![], dropped: dropped.to_vec() }.lost();
        let rows: Vec<_> = lost.iter().map(|lost| (lost.first_seq, lost.last_seq, lost.findings)).collect();
        assert_eq!(rows, [(1, 6, true), (9, 10, false)]);
    }
}
