//! What to do now, in order. What a single finding needs stands with it; this is about the machine.

use super::Page;
use crate::model::report::Report;
use crate::model::{Class, Verdict};

/// The steps for the worst class that failed, then for what could not be seen; nothing when all is well.
pub fn write(page: &mut Page, report: &Report) {
    let steps = steps(report);
    if steps.is_empty() {
        return;
    }
    page.heading("what to do");
    for (number, step) in steps.iter().enumerate() {
        page.hang(&[(&format!("  {}.", number + 1), super::Tone::Strong)], 5, step);
    }
}

/// The steps, in order.
pub fn steps(report: &Report) -> Vec<&'static str> {
    let failed = |class| report.classes.get(&class) == Some(&Verdict::Fail);
    let mut steps: Vec<&str> = Vec::new();
    if failed(Class::Compromise) {
        steps.extend(if report.host.live { COMPROMISED_HOST } else { COMPROMISED_IMAGE });
    } else if failed(Class::Integrity) {
        steps.extend(if report.host.live { ALTERED_HOST } else { ALTERED_IMAGE });
    }
    if failed(Class::Exposure) {
        steps.push(EXPOSED);
    }
    if failed(Class::Hygiene) {
        steps.push("Put permissions, owners and settings in order as each `fix` says.");
    }
    if failed(Class::Coverage) {
        steps.push("Put our own knowledge and exceptions in order as each `fix` says.");
    }
    if report.classes.get(&Class::Coverage) == Some(&Verdict::Inconclusive) {
        steps.push(UNSEEN);
    }
    steps
}

const COMPROMISED_HOST: &[&str] = &[
    "Treat this host as taken over: do not log in to it with a password or a forwarded agent, and let no new job start on it.",
    "Keep the evidence before anything is repaired or rebooted: copy `sshproof scan --format json` and `--facts-out` to \
     another machine, then memory and disk.",
    "Assume that every credential used on this host, or from it to others, is known to somebody else; scan the hosts it \
     reached next.",
];

const COMPROMISED_IMAGE: &[&str] = &[
    "Boot nothing from this image; scan what has already booted from it.",
    "Keep a copy of the image as evidence and build a new one from signed packages.",
];

const ALTERED_HOST: &[&str] = &[
    "Find out who changed what is listed above: a build of the site's own, a repair by hand and an intruder look alike. \
     If nobody admits to it, treat the host as taken over.",
    "Once it is explained, put the packaged files back (Debian: `apt-get install --reinstall PACKAGE`), restart the \
     server, and scan again.",
];

const ALTERED_IMAGE: &[&str] =
    &["Do not boot this image until somebody has explained each change; build it again from signed packages."];

const EXPOSED: &str =
    "Make the edit that stands at `fix`, reload the server, and scan again with `sshproof scan --check login`.";

const UNSEEN: &str = "Give the scan what it lacked, as each reason under `could not look` says, and scan again: until then this is no pass.";
