//! What a row of delivered events shows, in words: a line for each remark, then one for each node.

use std::fmt::Write as _;

use crate::model::text::printable;
use crate::trust::continuity::{Continuity, Trouble};

/// The text.
#[must_use]
pub fn render(answer: &Continuity) -> String {
    let mut out = String::new();
    for remark in &answer.remarks {
        let mark = if remark.trouble.is_fault() { "FAULT" } else { "note " };
        let numbers = match remark.trouble {
            Trouble::Gap { to, .. } if to > remark.seq => format!("{}-{to}", remark.seq),
            _ => remark.seq.to_string(),
        };
        let place = format!("{} {}:{numbers}", printable(&remark.node), remark.epoch);
        let _ = writeln!(out, "{mark}  {place}  {}", words(&remark.trouble));
    }
    for (name, node) in &answer.nodes {
        let faults = answer.remarks.iter().filter(|remark| remark.node == *name && remark.trouble.is_fault()).count();
        let end = node.last.map_or_else(String::new, |last| format!(", up to {}:{}", last.epoch, last.seq));
        let said = if faults == 0 { "unbroken".to_owned() } else { format!("{faults} faults") };
        let _ = writeln!(out, "{}  {} events{end}: {said}", printable(name), node.events);
    }
    out
}

fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Changed(why) => format!("not what the node signed: {why}"),
        Trouble::Forked => "another event of this number came before: two histories".to_owned(),
        Trouble::Unchained => "does not follow the event before it".to_owned(),
        Trouble::Gap { declared: true, .. } => "missing; the node told that it dropped them".to_owned(),
        Trouble::Gap { declared: false, .. } => "missing".to_owned(),
        Trouble::Reordered => "came after later events: sent again, or put into another order".to_owned(),
        Trouble::Repeated => "came again, unchanged: delivered twice or replayed".to_owned(),
        Trouble::OtherKey => "signed with another key than this node's".to_owned(),
        Trouble::SharedKey { with } => {
            format!("signed with the key of `{}`: a key belongs to one node", printable(with))
        }
        Trouble::NewEpoch(reason) => format!("counts anew: {}", reason.name()),
        Trouble::Stale => "the newest scan does not answer the nonce".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::continuity::{NodeSummary, Remark};

    #[test]
    fn remarks_name_node_and_numbers() {
        let remark = |seq, trouble| Remark { node: "n9".into(), epoch: 7, seq, trouble };
        let last = Some(crate::model::event::Acked { epoch: 7, seq: 130 });
        let answer = Continuity {
            nodes: [("n9".into(), NodeSummary { events: 126, last }), ("n\u{1b}x".into(), NodeSummary::default())]
                .into(),
            remarks: vec![
                remark(118, Trouble::Gap { to: 121, declared: false }),
                remark(125, Trouble::Repeated),
                remark(126, Trouble::Gap { to: 126, declared: true }),
            ],
        };
        let expected = "\
            FAULT  n9 7:118-121  missing\n\
            note   n9 7:125  came again, unchanged: delivered twice or replayed\n\
            note   n9 7:126  missing; the node told that it dropped them\n\
            n\\x1bx  0 events: unbroken\n\
            n9  126 events, up to 7:130: 1 faults\n";
        assert_eq!(render(&answer), expected);
    }
}
