//! The report as prose: the answer first, a line a class, the chain a line a server, then findings, then what could
//! not be seen, then what to do. Meant to be read aloud to somebody who was woken up for it.

pub(super) mod advice;
pub(super) mod classes;
pub(super) mod evidence;
pub(super) mod findings;
pub(super) mod gaps;
pub(super) mod servers;

use super::page::{Page, Style, Tone};
use crate::model::report::Report;
use crate::model::{Class, Severity, Verdict};

/// `report` as text.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut page = Page::new(style);
    answer(&mut page, report);
    classes::write(&mut page, report);
    servers::write(&mut page, report);
    findings::write(&mut page, report);
    gaps::write(&mut page, report);
    advice::write(&mut page, report);
    foot(&mut page, report);
    page.finish()
}

/// The verdict with its reason, then which machine this is about.
fn answer(page: &mut Page, report: &Report) {
    let word = match report.verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive | Verdict::NotApplicable => "INCONCLUSIVE",
    };
    let host = host(report);
    let indent = word.len() + 2;
    page.hang(&[(word, Tone::of(report.verdict))], indent, &format!("{host}: {}", reason(report)));
    page.text(indent, &about(report));
    page.gap();
}

/// What to call the machine or image.
pub(super) fn host(report: &Report) -> &str {
    match (report.host.name.as_str(), report.host.live) {
        ("", true) => "this host",
        ("", false) => &report.host.root,
        (name, _) => name,
    }
}

/// Which system this is, when it was looked at, and with what.
pub(super) fn about(report: &Report) -> String {
    let os = if report.host.os.is_empty() { "unknown system" } else { &report.host.os };
    let place = if report.host.live { "running system".to_owned() } else { format!("image {}", report.host.root) };
    format!(
        "{os}, {place} · {} · sshproof {}, knowledge {}",
        report.started, report.tool.version, report.tool.knowledge
    )
}

/// Why the verdict is what it is, in one sentence.
pub(super) fn reason(report: &Report) -> String {
    match report.verdict {
        Verdict::Fail => {
            let counts = Class::ALL.map(|class| {
                let n = report.alarms().iter().filter(|(_, finding)| finding.class == class).count();
                (n > 0).then(|| count(n, classes::alarm_noun(class)))
            });
            let mut reason = counts.into_iter().flatten().collect::<Vec<_>>().join(", ");
            if report.results.iter().any(|result| result.gaps.iter().any(|gap| gap.mandatory)) {
                reason.push_str("; and not everything could be looked at");
            }
            reason
        }
        Verdict::Pass => {
            let said: Vec<_> = Class::ALL
                .into_iter()
                .filter(|class| report.classes.get(class) == Some(&Verdict::Pass))
                .filter_map(|class| classes::good_news(report, class))
                .collect();
            if said.is_empty() { "nothing is wrong with what was examined".to_owned() } else { said.join(", ") }
        }
        Verdict::Inconclusive | Verdict::NotApplicable => match gaps::mandatory(report) {
            0 => "nothing was there to be examined, so there is no answer".to_owned(),
            n => {
                format!("nothing wrong was seen, but the answer depends on {} not seen", count(n, ("thing", "things")))
            }
        },
    }
}

/// What is never covered, and what the scan cost.
fn foot(page: &mut Page, report: &Report) {
    page.gap();
    if !report.not_covered.is_empty() {
        page.field("not covered", &format!("{} (`sshproof explain limits`)", report.not_covered.join("; ")));
    }
    if let Some(sweep) = &report.sweep {
        page.field(
            "searched",
            &format!(
                "{} ELF files ({} MiB) among {} files, {} left out",
                sweep.elf_files,
                sweep.elf_bytes.div_ceil(1 << 20),
                sweep.files,
                sweep.left_out
            ),
        );
    }
    if !report.capsules.is_empty() {
        let pages = report.capsules.iter().map(|capsule| capsule.pages.len()).fold(0, usize::saturating_add);
        let (count, what) = (report.capsules.len(), if report.capsules.len() == 1 { "process" } else { "processes" });
        page.field(
            "kept",
            &format!("the map and {pages} pages of code of {count} {what}, in the JSON report (`--format json`)"),
        );
    }
    page.field("cost", &cost(report));
}

/// What the scan cost.
pub(super) fn cost(report: &Report) -> String {
    let usage = &report.usage;
    format!(
        "{} ms CPU, {} ms in all, {} MiB memory, {} MiB read",
        usage.cpu_ms,
        report.duration_ms,
        usage.peak_rss_kib.div_ceil(1 << 10),
        usage.bytes_read.div_ceil(1 << 20)
    )
}

/// `n` and the noun that fits.
pub(super) fn count(n: usize, (one, many): (&str, &str)) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// The informational findings, which fail nothing.
pub(super) fn informational(report: &Report) -> impl Iterator<Item = &crate::model::Finding> {
    report.results.iter().flat_map(|result| &result.findings).filter(|f| f.severity == Severity::Informational)
}
