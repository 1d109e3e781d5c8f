//! Numbers for Prometheus, in its text format 0.0.4, for the textfile collector of node_exporter: of a node's spool, and of a row
//! of delivered events.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::event::{Acked, Body, Event};
use crate::model::{Timestamp, Verdict};
use crate::trust::continuity::{Continuity, Trouble};

/// What a spool shows.
#[derive(Debug)]
pub struct Spooled<'a> {
    /// The newest state event that lies there.
    pub state: Option<&'a Event>,
    /// The last event that lies there.
    pub last: Option<Acked>,
    /// How far each sink is; one that has taken nothing stands at zero.
    pub acked: &'a BTreeMap<String, Acked>,
    /// Dead letters that are kept.
    pub dead: u64,
    /// The current time.
    pub now: Timestamp,
}

/// The text of a node's own numbers. `ship` is one without knowledge of the host: nothing in it that its events do not say.
#[must_use]
pub fn spooled(spooled: &Spooled<'_>) -> String {
    let mut out = Text(String::new());
    out.family("sshproof_ship_timestamp_seconds", "gauge", "When these numbers were written.");
    out.sample("sshproof_ship_timestamp_seconds", &[], spooled.now.0);
    if let Some((event, Body::State(state))) = spooled.state.map(|event| (event, &event.body)) {
        out.family("sshproof_scan_timestamp_seconds", "gauge", "When the last scan began: the heartbeat.");
        out.sample("sshproof_scan_timestamp_seconds", &[], event.time.0);
        out.family("sshproof_verdict", "gauge", "1 for the verdict of each class of findings, `all` for the whole.");
        let whole = [("all".to_owned(), state.verdict)];
        let classes = state.classes.iter().map(|(class, verdict)| (class.to_string(), *verdict));
        for (class, verdict) in whole.into_iter().chain(classes) {
            for other in [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::NotApplicable] {
                let labels = [("class", class.as_str()), ("verdict", other.name())];
                out.sample("sshproof_verdict", &labels, u64::from(other == verdict));
            }
        }
        out.family("sshproof_findings_open", "gauge", "Findings that are open.");
        out.sample("sshproof_findings_open", &[], state.open);
        out.family("sshproof_spool_dropped_events_total", "counter", "Events lost before every sink had taken them.");
        out.sample("sshproof_spool_dropped_events_total", &[], state.spool.dropped);
        out.family("sshproof_mandatory_gaps", "gauge", "Things that an answer depends on and that could not be seen.");
        out.sample(
            "sshproof_mandatory_gaps",
            &[],
            state.checks.iter().fold(0, |sum, check| check.mandatory_gaps.saturating_add(sum)),
        );
    }
    if let Some(last) = spooled.last {
        out.family("sshproof_event_epoch", "gauge", "In which epoch the node counts; a new one means lost state.");
        out.sample("sshproof_event_epoch", &[], last.epoch);
        out.family("sshproof_event_seq", "gauge", "Number of the last event in its epoch.");
        out.sample("sshproof_event_seq", &[], last.seq);
        out.family("sshproof_sink_behind_events", "gauge", "Events of this epoch that a sink has not taken.");
        for (sink, acked) in spooled.acked {
            let behind = if acked.epoch == last.epoch { last.seq.saturating_sub(acked.seq) } else { last.seq };
            let behind = if *acked > last { 0 } else { behind };
            out.sample("sshproof_sink_behind_events", &[("sink", sink)], behind);
        }
    }
    out.family("sshproof_dead_letters", "gauge", "Events that a sink will never take, kept with its answer.");
    out.sample("sshproof_dead_letters", &[], spooled.dead);
    out.0
}

/// The text of what a row of delivered events shows.
#[must_use]
pub fn row(answer: &Continuity, now: Timestamp) -> String {
    let mut out = Text(String::new());
    out.family("sshproof_row_timestamp_seconds", "gauge", "When the delivered events were verified.");
    out.sample("sshproof_row_timestamp_seconds", &[], now.0);
    let count = |name: &str, wanted: fn(&Trouble) -> bool| {
        answer.remarks.iter().filter(|remark| remark.node == name && wanted(&remark.trouble)).count() as u64
    };
    out.family("sshproof_row_events", "gauge", "Different events of a node that arrived.");
    for (name, node) in &answer.nodes {
        out.sample("sshproof_row_events", &[("node", name)], node.events);
    }
    // Of a node whose every event is forged nothing is summed up, and still it is to be told.
    let mut names: Vec<&str> = answer.nodes.keys().map(String::as_str).collect();
    names.extend(answer.remarks.iter().map(|remark| remark.node.as_str()));
    names.sort_unstable();
    names.dedup();
    out.family("sshproof_row_gaps", "gauge", "Gaps in a node's numbers that it has not declared.");
    for name in &names {
        let gaps = count(name, |trouble| matches!(trouble, Trouble::Gap { declared: false, .. }));
        out.sample("sshproof_row_gaps", &[("node", name)], gaps);
    }
    out.family("sshproof_row_faults", "gauge", "Everything that is wrong with a node's row, gaps among it.");
    for name in &names {
        out.sample("sshproof_row_faults", &[("node", name)], count(name, Trouble::is_fault));
    }
    out.0
}

/// Lines that grow.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

/// Of a label's value `\`, `"` and newline are escaped; the rest of what could move text is made printable first.
fn escaped(value: &str) -> String {
    crate::model::text::printable(value).replace('\\', r"\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::continuity::{NodeSummary, Remark};

    #[test]
    fn a_row_tells_of_every_node() {
        let remark = |node: &str, trouble| Remark { node: node.into(), epoch: 7, seq: 1, trouble };
        let answer = Continuity {
            nodes: [("n\"1".to_owned(), NodeSummary { events: 2, last: None })].into(),
            remarks: vec![
                remark("n\"1", Trouble::Gap { to: 3, declared: false }),
                remark("n\"1", Trouble::Gap { to: 9, declared: true }),
                remark("forged", Trouble::Forked),
            ],
        };
        let text = row(&answer, Timestamp(9));
        for line in [
            "sshproof_row_timestamp_seconds 9",
            r#"sshproof_row_events{node="n\"1"} 2"#,
            r#"sshproof_row_gaps{node="n\"1"} 1"#,
            r#"sshproof_row_faults{node="n\"1"} 1"#,
            r#"sshproof_row_faults{node="forged"} 1"#,
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_sink_that_has_taken_nothing_is_behind() {
        let acked = |epoch, seq| Acked { epoch, seq };
        let sinks = [("a".to_owned(), acked(0, 0)), ("b".to_owned(), acked(7, 3)), ("c".to_owned(), acked(7, 5))];
        let sinks = sinks.into();
        let last = Some(acked(7, 5));
        let text = spooled(&Spooled { state: None, last, acked: &sinks, dead: 1, now: Timestamp(1) });
        for (sink, behind) in [("a", 5), ("b", 2), ("c", 0)] {
            assert!(text.contains(&format!("sshproof_sink_behind_events{{sink=\"{sink}\"}} {behind}\n")), "{text}");
        }
    }
}
