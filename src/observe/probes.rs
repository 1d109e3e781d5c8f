//! Who may have set breakpoints into code through the kernel (uprobes): asked for only where some were found, since it
//! means to look at the descriptors of every process.

use std::path::Path;

use super::namespaces::PROBING;
use crate::facts::RootFacts;
use crate::facts::pages::{ProbeFacts, ProbeHolder};
use crate::formats::proc::mountinfo;
use crate::host::process::Proc;
use crate::model::text;

/// Holders and lines kept.
const MAX_HOLDERS: usize = 64;
const MAX_LINES: usize = 256;
/// Largest table that is read.
const MAX_TABLE: usize = 4 << 20;

/// Fills `facts.probes` if the pages of a process differ from their files, or the kernel has made room for instructions that
/// breakpoints displaced.
pub fn observe(proc: &Proc, facts: &mut RootFacts) {
    let changed = facts.processes.iter().any(|process| {
        let differs = process.pages.iter().flat_map(|pages| &pages.copies).any(|copy| copy.differing > 0);
        differs || process.mappings.iter().any(|mapping| mapping.path.starts_with("[uprobes"))
    });
    if changed {
        facts.probes = Some(ProbeFacts { holders: holders(proc), events: events(proc) });
    }
}

fn holders(proc: &Proc) -> Vec<ProbeHolder> {
    let mut holders = Vec::new();
    for pid in proc.pids().unwrap_or_default() {
        let Ok(process) = proc.process(pid) else { continue };
        let targets = process.descriptors().unwrap_or_default();
        if let Some(target) = targets.iter().find(|target| PROBING.contains(&target.as_slice())) {
            let exe = text::escape(&process.link("exe").unwrap_or_default());
            holders.push(ProbeHolder { pid, exe, descriptor: text::escape(target) });
        }
        if holders.len() >= MAX_HOLDERS {
            break;
        }
    }
    holders
}

/// Lines of `uprobe_events`, wherever tracefs is mounted. It is not mounted for the purpose: a scan changes nothing.
fn events(proc: &Proc) -> Option<Vec<String>> {
    let table = proc.read("self/mountinfo", MAX_TABLE).ok()?;
    let mounts = mountinfo::parse(&table);
    let own = mounts.iter().filter(|mount| mount.kind == b"tracefs").map(|mount| mount.point.clone());
    let older =
        mounts.iter().filter(|mount| mount.kind == b"debugfs").map(|mount| [&mount.point, &b"/tracing"[..]].concat());
    let bytes = own.chain(older).find_map(|point| {
        let point = Path::new(std::str::from_utf8(&point).ok()?).to_path_buf();
        Proc::open(&point).ok()?.read("uprobe_events", MAX_TABLE).ok()
    })?;
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    Some(lines.take(MAX_LINES).map(text::escape).collect())
}
