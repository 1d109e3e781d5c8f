//! Do the running processes of SSH servers execute exactly the bytes that were looked at on disk?
//!
//! Each executable mapping must be the inode of a file of the surface, or hold the same content; `provenance` judges those
//! files. Each page of code and read-only data must be the file's own page, in its place. Each word that the
//! loader relocated, through which calls into other libraries go, must hold what the loader's rules say. What stands beside a server
//! (probes, packet sockets, shared memory), and views of the kernel that contradict each other, are told too.

mod agent;
mod binding;
pub mod link;
mod mapping;
mod medium;
mod pages;
mod past;
mod probe;
mod views;
mod watch;

use crate::facts::{Facts, ProcessFacts};
use crate::knowledge::Knowledge;
use crate::model::code::{EXECUTABLE_DISGUISED, TRACED};
use crate::model::{Check, CheckResult, Evidence, Finding, Gap, Subject, text};
use crate::policy::Policy;
use agent::Owners;
use past::Past;

/// Judges every process of every server. `examined` counts the processes that were seen whole. An image has none.
#[must_use]
pub fn check(facts: &Facts, knowledge: &Knowledge, policy: &Policy) -> CheckResult {
    let mut result = CheckResult::new(Check::Live);
    let machine = facts.kernel.as_ref().map_or("", |kernel| kernel.machine.as_str());
    for root in facts.roots.iter().filter(|root| root.live) {
        let past = Past { root, knowledge, policy, at: facts.observed_at };
        let owners = Owners::new(&past);
        for process in &root.processes {
            judge(&past, &owners, machine, process, &mut result);
        }
        for problem in root.history.iter().flat_map(|history| &history.problems) {
            result.gap(Gap::noted(Subject::Host, format!("of the history of packages: {problem}")));
        }
        medium::judge(root, &mut result);
        watch::judge(root, &owners, &mut result);
        views::judge(root, &mut result);
    }
    result
}

fn judge(past: &Past<'_>, owners: &Owners<'_>, machine: &str, process: &ProcessFacts, result: &mut CheckResult) {
    let subject = Subject::Process { pid: process.pid, starttime: process.starttime };
    if process.tracer != 0 {
        let message =
            format!("process {} of `{}` is traced by process {}", process.pid, process.server, process.tracer);
        let evidence = Evidence::Fact {
            about: format!("/proc/{}/status, TracerPid", process.pid),
            value: process.tracer.to_string(),
        };
        result.findings.push(Finding::new(TRACED, subject.clone(), message, evidence));
    }
    mapping::judge(past, process, result);
    result.findings.extend(disguised(process, &subject));
    if process.gone {
        let reason = format!("a process of `{}` ended while it was looked at", process.server);
        result.gap(Gap::noted(subject, reason));
    } else if let Some(problem) = &process.problem {
        let reason = format!("a process of `{}` could not be judged: {problem}", process.server);
        result.gap(Gap::mandatory(subject, reason));
    } else {
        pages::judge(past.root, owners, machine, process, result);
        binding::judge(process, result);
        result.examined = result.examined.saturating_add(1);
    }
}

/// `/proc/PID/exe` against the mapping with the entry point.
fn disguised(process: &ProcessFacts, subject: &Subject) -> Option<Finding> {
    let exe = process.exe.as_ref()?;
    let entry = process.mappings.iter().find(|mapping| mapping.entry && mapping.content.is_some())?;
    if *exe == entry.path {
        return None;
    }
    let message =
        format!("process {} of `{}` claims to run `{exe}` and executes `{}`", process.pid, process.server, entry.path);
    let evidence = mapping::evidence(process, entry, "holds the entry point (AT_ENTRY)");
    let claim = Evidence::Fact { about: format!("/proc/{}/exe", process.pid), value: text::escape(exe.as_bytes()) };
    Some(Finding::new(EXECUTABLE_DISGUISED, subject.clone(), message, evidence).and(claim))
}

#[cfg(test)]
mod tests;
