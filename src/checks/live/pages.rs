//! Judges the pages of code and read-only data that are a process's own.

use std::collections::BTreeMap;

use super::agent::Owners;
use super::probe;
use crate::facts::pages::{Change, PageCopy, ProbeFacts, VdsoFacts};
use crate::facts::{ProcessFacts, RootFacts};
use crate::model::code::{AGENT_PROBE, TEXT_MODIFIED, TEXT_WAS_MODIFIED, UPROBE, VDSO_MODIFIED};
use crate::model::{CheckResult, Code, Evidence, Finding, Gap, Subject};

/// Changes that stand in one finding.
const MAX_EVIDENCE: usize = 8;

/// Adds what the pages of `process` show; `machine` is that of uname(2). A process without facts of its pages, and each part
/// of them that is missing, is a mandatory gap.
pub fn judge(root: &RootFacts, owners: &Owners<'_>, machine: &str, process: &ProcessFacts, result: &mut CheckResult) {
    let subject = Subject::Process { pid: process.pid, starttime: process.starttime };
    let Some(pages) = &process.pages else {
        result.gap(Gap::mandatory(subject, "the pages of its code were not compared with the files"));
        return;
    };
    for problem in &pages.problems {
        result.gap(Gap::mandatory(subject.clone(), format!("a process of `{}`: {problem}", process.server)));
    }
    let mut found: BTreeMap<(&str, String), (Code, Vec<&PageCopy>)> = BTreeMap::new();
    for copy in &pages.copies {
        let code = sort(copy, machine, &|target| probe::is_trampoline(root, process, target));
        let key = (copy.path.as_str(), code.id().to_owned());
        found.entry(key).or_insert_with(|| (code, Vec::new())).1.push(copy);
    }
    for ((path, _), (code, copies)) in found {
        let agents = if code == UPROBE && pages.more == 0 { owners.alone(path, &copies) } else { None };
        let code = if agents.is_some() { AGENT_PROBE } else { code };
        result.findings.extend(finding(root, process, path, code, &copies, pages.more));
    }
    match &process.vdso {
        Some(VdsoFacts::Differs { address, differing, changes }) => {
            result.findings.extend(vdso(process, *address, *differing, changes));
        }
        Some(VdsoFacts::NotCompared(reason)) => {
            result
                .gap(Gap::mandatory(subject, format!("the kernel's code in it (`[vdso]`) was not compared: {reason}")));
        }
        Some(VdsoFacts::Same) | None => {}
    }
}

fn sort(copy: &PageCopy, machine: &str, trampoline: &dyn Fn(u64) -> bool) -> Code {
    if copy.differing == 0 {
        TEXT_WAS_MODIFIED
    } else if copy.executable && probe::are_probes(copy, machine, trampoline) {
        UPROBE
    } else {
        TEXT_MODIFIED
    }
}

fn finding(
    root: &RootFacts,
    process: &ProcessFacts,
    path: &str,
    code: Code,
    copies: &[&PageCopy],
    more: u64,
) -> Option<Finding> {
    let (pid, server) = (process.pid, &process.server);
    let start = copies.first()?.address;
    let what = if copies.iter().any(|copy| copy.executable) { "code" } else { "read-only data" };
    let bytes: u32 = copies.iter().map(|copy| copy.differing).fold(0, u32::saturating_add);
    let places_of = |copy: &&PageCopy| u32::try_from(copy.changes.len()).unwrap_or(u32::MAX);
    let breakpoints: u32 = copies.iter().map(places_of).fold(0, u32::saturating_add);
    let places = copies.first()?.offset.saturating_add(copies.first()?.changes.first().map_or(0, |c| c.at.into()));
    let message = match code.id() {
        "live/uprobe" | "live/agent-probe" => format!(
            "process {pid} of `{server}` executes `{path}` with {breakpoints} breakpoint{} of the kernel in it, the first at \
             offset {places:#x}",
            if breakpoints == 1 { "" } else { "s" }
        ),
        "live/text-was-modified" => format!(
            "process {pid} of `{server}` has its own copy of {} of `{path}`: {what} was written to and put back",
            pages(copies.len())
        ),
        _ => format!(
            "process {pid} of `{server}` has {what} of `{path}` changed in memory: {bytes} byte{} from offset {places:#x} on",
            if bytes == 1 { "" } else { "s" }
        ),
    };
    let further =
        if more > 0 { format!("; {more} further pages of the process are not listed") } else { String::new() };
    let mut evidence: Vec<Evidence> = copies.iter().flat_map(|copy| evidence(pid, copy, &further)).collect();
    evidence.truncate(MAX_EVIDENCE);
    if [UPROBE, AGENT_PROBE].contains(&code) {
        evidence.extend(hints(root.probes.as_ref(), copies));
    }
    let mut evidence = evidence.into_iter();
    let subject = Subject::Mapping { pid, start, path: path.to_owned() };
    let finding = Finding::new(code, subject, message, evidence.next()?);
    Some(evidence.fold(finding, Finding::and))
}

fn pages(count: usize) -> String {
    if count == 1 { "a page".to_owned() } else { format!("{count} pages") }
}

/// What differs in one page, each run by itself.
fn evidence(pid: i32, copy: &PageCopy, further: &str) -> Vec<Evidence> {
    let mapping = |address: u64, detail: String| Evidence::Mapping {
        pid,
        range: format!("{address:x}"),
        path: copy.path.clone(),
        detail: format!("{detail}{further}"),
    };
    if copy.differing == 0 {
        let detail = format!("offset {:#x}: the page is a copy of the process's own and equals the file", copy.offset);
        return vec![mapping(copy.address, detail)];
    }
    let detail = |change: &Change| {
        let (address, offset) =
            (copy.address.saturating_add(change.at.into()), copy.offset.saturating_add(change.at.into()));
        mapping(address, told(change, offset))
    };
    copy.changes.iter().map(detail).collect()
}

fn told(change: &Change, offset: u64) -> String {
    let cut = if change.actual.len() < usize::try_from(change.length).unwrap_or(0) * 2 { "…" } else { "" };
    format!(
        "offset {offset:#x}, {} byte{}: the file holds {}{cut}, memory {}{cut}",
        change.length,
        if change.length == 1 { "" } else { "s" },
        change.expected,
        change.actual
    )
}

/// Who may have set a breakpoint.
fn hints(probes: Option<&ProbeFacts>, copies: &[&PageCopy]) -> Vec<Evidence> {
    let Some(probes) = probes else { return Vec::new() };
    let fact = |about: &str, value: String| Evidence::Fact { about: about.to_owned(), value };
    let mut hints = Vec::new();
    match &probes.events {
        None => hints.push(fact("uprobe_events in tracefs", "not mounted, or not readable".to_owned())),
        Some(lines) => {
            hints.extend(
                self::lines(lines, copies)
                    .take(MAX_EVIDENCE)
                    .map(|line| fact("uprobe_events in tracefs", line.clone())),
            );
            if hints.is_empty() {
                hints.push(fact("uprobe_events in tracefs", "no line for this place".to_owned()));
            }
        }
    }
    for holder in probes.holders.iter().take(MAX_EVIDENCE) {
        let value = format!("process {} (`{}`) holds `{}`", holder.pid, holder.exe, holder.descriptor);
        hints.push(fact("descriptors by which breakpoints are set", value));
    }
    hints
}

/// The lines of `uprobe_events` that set a breakpoint where these pages differ.
pub fn lines<'a>(events: &'a [String], copies: &[&PageCopy]) -> impl Iterator<Item = &'a String> {
    let places = |copy: &&PageCopy| {
        let offset = copy.offset;
        copy.changes.iter().map(move |change| offset.saturating_add(change.at.into())).collect::<Vec<u64>>()
    };
    let offsets: Vec<u64> = copies.iter().flat_map(places).collect();
    events.iter().filter(move |line| offset(line).is_some_and(|offset| offsets.contains(&offset)))
}

/// The offset in a line of `uprobe_events`: `p:group/name /usr/sbin/sshd:0x0000000000001040 …`
/// (`probes_seq_show` of kernel/trace/trace_uprobe.c).
fn offset(line: &str) -> Option<u64> {
    let (_, rest) = line.rsplit_once(":0x")?;
    let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    u64::from_str_radix(rest.get(..end)?, 16).ok()
}

fn vdso(process: &ProcessFacts, address: u64, differing: u32, changes: &[Change]) -> Option<Finding> {
    let path = "[vdso]".to_owned();
    let message = format!(
        "process {} of `{}` has the kernel's code (`[vdso]`) changed in memory: {differing} bytes",
        process.pid, process.server
    );
    let mut evidence = changes.iter().map(|change| Evidence::Mapping {
        pid: process.pid,
        range: format!("{:x}", address.saturating_add(change.at.into())),
        path: path.clone(),
        detail: told(change, change.at.into()).replace("the file holds", "our own holds"),
    });
    let subject = Subject::Mapping { pid: process.pid, start: address, path: path.clone() };
    let finding = Finding::new(VDSO_MODIFIED, subject, message, evidence.next()?);
    Some(evidence.fold(finding, Finding::and))
}

#[cfg(test)]
mod tests {
    use super::super::past::Past;
    use super::super::probe::ARM64;
    use super::*;
    use crate::facts::pages::{PageFacts, ProbeHolder};
    use crate::facts::process::Mapping;
    use crate::knowledge::Knowledge;
    use crate::model::{Check, Timestamp, Verdict};
    use crate::policy::Policy;

    fn change(at: u32, expected: &str, actual: &str) -> Change {
        let length = u32::try_from(actual.len() / 2).unwrap();
        Change { at, length, expected: expected.to_owned(), actual: actual.to_owned() }
    }

    fn copy(changes: Vec<Change>) -> PageCopy {
        PageCopy {
            address: 0x5000,
            path: "/usr/sbin/sshd".to_owned(),
            offset: 0x2000,
            executable: true,
            differing: changes.iter().map(|change| change.length).sum(),
            changes,
        }
    }

    fn result(process: &ProcessFacts, machine: &str) -> CheckResult {
        let probes = ProbeFacts {
            holders: vec![ProbeHolder {
                pid: 9,
                exe: "/usr/bin/perf".to_owned(),
                descriptor: "anon_inode:[perf_event]".to_owned(),
            }],
            events: Some(vec![
                "p:uprobes/a /usr/sbin/sshd:0x0000000000002010".to_owned(),
                "p:uprobes/b /usr/sbin/sshd:0x0000000000002020 arg1=%di".to_owned(),
            ]),
        };
        let root = RootFacts { probes: Some(probes), ..RootFacts::default() };
        let mut result = CheckResult::new(Check::Live);
        judged(&root, machine, process, &mut result);
        result.examined = 1;
        result
    }

    fn judged(root: &RootFacts, machine: &str, process: &ProcessFacts, result: &mut CheckResult) {
        let (knowledge, policy) = (Knowledge::new("2026-01-01", Vec::new()), Policy::default());
        let past = Past { root, knowledge: &knowledge, policy: &policy, at: Timestamp(0) };
        judge(root, &Owners::new(&past), machine, process, result);
    }

    fn check(copies: Vec<PageCopy>, machine: &str, expected: &[&str]) {
        let pages = PageFacts { examined: 9, copies, ..PageFacts::default() };
        let process = ProcessFacts { pages: Some(pages), vdso: Some(VdsoFacts::Same), ..ProcessFacts::default() };
        let result = result(&process, machine);
        let codes: Vec<&str> = result.findings.iter().map(|finding| finding.code.id()).collect();
        assert_eq!(codes, expected, "{result:#?}");
    }

    #[test]
    fn pages_are_told_by_what_differs() {
        check(Vec::new(), "x86_64", &[]);
        check(vec![copy(Vec::new())], "x86_64", &["live/text-was-modified"]);
        check(vec![copy(vec![change(4, "55", "c3")])], "x86_64", &["live/text-modified"]);
        check(vec![copy(vec![change(4, "5541", "cccc")])], "x86_64", &["live/text-modified"]);
        let breakpoints = || vec![change(4, "55", "cc"), change(0x20, "f3", "cc")];
        check(vec![copy(breakpoints())], "x86_64", &["live/uprobe"]);
        check(vec![copy(breakpoints()), copy(Vec::new())], "x86_64", &["live/text-was-modified", "live/uprobe"]);
        let data = PageCopy { executable: false, ..copy(breakpoints()) };
        check(vec![data], "x86_64", &["live/text-modified"]);
        let cut = PageCopy { differing: 99, ..copy(breakpoints()) };
        check(vec![cut], "x86_64", &["live/text-modified"]);
        check(vec![copy(vec![change(4, "fd7bbfa9", "a00020d4")])], ARM64, &["live/uprobe"]);
        check(vec![copy(vec![change(4, "fd", "a0"), change(6, "bfa9", "20d4")])], ARM64, &["live/uprobe"]);
        check(vec![copy(vec![change(4, "fd", "cc")])], ARM64, &["live/text-modified"]);
    }

    /// The copy lies at 0x5000.
    fn check_call(changes: Vec<Change>, own: &[u64], others: &[u64], expected: &str) {
        let mapping = |path: &str, start: u64| Mapping {
            start,
            end: start + 0x1000,
            permissions: "r-xp".to_owned(),
            path: path.to_owned(),
            ..Mapping::default()
        };
        let with = |starts: &[u64]| ProcessFacts {
            mappings: starts.iter().map(|start| mapping("[uprobes-trampoline]", *start)).collect(),
            ..ProcessFacts::default()
        };
        let mut process = with(own);
        process.mappings.push(mapping("/usr/sbin/sshd", 0x5000));
        process.pages = Some(PageFacts { copies: vec![copy(changes)], ..PageFacts::default() });
        let root = RootFacts { processes: vec![with(others)], ..RootFacts::default() };
        let mut result = CheckResult::new(Check::Live);
        judged(&root, "x86_64", &process, &mut result);
        assert_eq!(result.findings[0].code.id(), expected, "{result:#?}");
    }

    #[test]
    fn a_call_into_the_kernels_trampoline_is_a_probe() {
        // From 0x5015 back to 0x3000 it is -0x2015.
        let call = || vec![change(0x10, "0f1f440000", "e8ebdfffff")];
        check_call(call(), &[0x3000], &[], "live/uprobe");
        check_call(call(), &[], &[0x3000], "live/uprobe");
        check_call(call(), &[], &[], "live/text-modified");
        check_call(call(), &[0x2000], &[0x4000], "live/text-modified");
        // Onwards to 0x6000 it is 0xfeb: the last two bytes are those of the file.
        let near = || vec![change(0x10, "0f1f44", "e8eb0f")];
        check_call(near(), &[0x6000], &[], "live/uprobe");
        check_call(near(), &[0x3000], &[], "live/text-modified");
        // A byte in the middle that is the file's: 0x44eb on.
        let split = vec![change(0x10, "0f1f", "e8eb")];
        check_call(split, &[0x9500], &[], "live/uprobe");
        check_call([call(), vec![change(0x40, "55", "cc")]].concat(), &[0x3000], &[], "live/uprobe");
        check_call([call(), vec![change(0x40, "55", "c3")]].concat(), &[0x3000], &[], "live/text-modified");
        let two = vec![change(0x10, "0f1f4400000f1f440000", "e8ebdfffffe8e6dfffff")];
        check_call(two, &[0x3000], &[], "live/uprobe");
        // Another instruction than the one that the kernel replaces, and one that is cut off.
        check_call(vec![change(0x10, "4889e55dc3", "e8ebdfffff")], &[0x3000], &[], "live/text-modified");
        check_call(vec![change(0x10, "0f1e440000", "e8ebdfffff")], &[0x3000], &[], "live/text-modified");
        let cut = Change { length: 40, ..change(0x10, "0f1f440000", "e8ebdfffff") };
        check_call(vec![cut], &[0x3000], &[], "live/text-modified");
    }

    #[test]
    fn a_change_is_told_with_address_offset_and_bytes() {
        let pages = PageFacts { copies: vec![copy(vec![change(0x10, "55", "cc")])], ..PageFacts::default() };
        let process = ProcessFacts { pages: Some(pages), ..ProcessFacts::default() };
        let found = format!("{:?}", result(&process, "x86_64").findings);
        for expected in ["\"5010\"", "offset 0x2010, 1 byte: the file holds 55, memory cc", "/a /usr", "perf_event"] {
            assert!(found.contains(expected), "{expected}: {found}");
        }
        assert!(!found.contains("/b /usr"), "{found}");
    }

    #[test]
    fn what_was_not_compared_is_never_clean() {
        let unseen = ProcessFacts::default();
        assert_eq!(result(&unseen, "").verdict(), Verdict::Inconclusive);
        let pages = PageFacts { problems: vec!["permission denied".to_owned()], ..PageFacts::default() };
        let denied = ProcessFacts { pages: Some(pages), ..ProcessFacts::default() };
        assert_eq!(result(&denied, "").verdict(), Verdict::Inconclusive);
        let seen = ProcessFacts { pages: Some(PageFacts::default()), ..ProcessFacts::default() };
        assert_eq!(result(&seen, "").verdict(), Verdict::Pass);
        let other = ProcessFacts { vdso: Some(VdsoFacts::NotCompared("x".to_owned())), ..seen.clone() };
        assert_eq!(result(&other, "").verdict(), Verdict::Inconclusive);
        let differs = VdsoFacts::Differs { address: 0x7000, differing: 1, changes: vec![change(3, "00", "01")] };
        let changed = ProcessFacts { vdso: Some(differs), ..seen };
        let found = result(&changed, "");
        assert_eq!(found.findings[0].code, VDSO_MODIFIED);
        assert!(format!("{found:?}").contains("our own holds 00, memory 01"));
    }
}
