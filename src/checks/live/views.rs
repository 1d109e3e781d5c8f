//! Judges what the kernel says of modules and processes in several ways, and what has happened to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::RootFacts;
use crate::facts::views::ModuleViews;
use crate::formats::proc::taint;
use crate::model::code::{HIDDEN_KERNEL_MODULE, HIDDEN_PROCESS, KERNEL_TAINTED};
use crate::model::{CheckResult, Evidence, Finding, Gap, Subject};

/// Modules named in one sentence; the evidence has them all.
const NAMED: usize = 4;

/// Adds what the views of `root` show. A kernel that lies the same way in all of them is believed: see the limits.
pub fn judge(root: &RootFacts, result: &mut CheckResult) {
    let Some(views) = &root.views else { return };
    for problem in &views.problems {
        result.gap(Gap::noted(Subject::Host, problem.clone()));
    }
    if let Some(modules) = &views.modules {
        hidden(modules, result);
    }
    if let Some(bits) = views.taint {
        result.findings.extend(tainted(bits, views.modules.as_ref()));
    }
    for pid in views.processes.iter().flat_map(|processes| &processes.unlisted) {
        let message = format!("process {pid} answers to its number and stands in no list of processes");
        let evidence = fact("kill(2) and pidfd_open(2) against /proc", format!("process {pid}"));
        result.findings.push(Finding::new(HIDDEN_PROCESS, Subject::Host, message, evidence));
    }
}

fn fact(about: &str, value: String) -> Evidence {
    Evidence::Fact { about: about.to_owned(), value }
}

/// A module that one view shows and another does not.
fn hidden(modules: &ModuleViews, result: &mut CheckResult) {
    let listed: BTreeSet<&String> = modules.listed.keys().collect();
    let mut views = vec![("`/proc/modules`", listed), ("`/sys/module`", modules.in_sysfs.iter().collect())];
    // A module without any symbol of its own has none there, so that being absent says nothing.
    let symbols = modules.in_symbols.as_ref().map(|names| ("`/proc/kallsyms`", names.iter().collect::<BTreeSet<_>>()));
    let all: BTreeSet<&String> = views.iter().chain(&symbols).flat_map(|(_, names)| names.iter().copied()).collect();
    views.truncate(2);
    for name in all {
        let missing: Vec<&str> =
            views.iter().filter(|(_, names)| !names.contains(name)).map(|(view, _)| *view).collect();
        if missing.is_empty() {
            continue;
        }
        let shows = views.iter().chain(&symbols).filter(|(_, names)| names.contains(name));
        let shows: Vec<&str> = shows.map(|(view, _)| *view).collect();
        let (shown, gone) = (shows.join(" and "), missing.join(" and "));
        let message = format!("the kernel module `{name}` stands in {shown} and not in {gone}");
        let evidence = fact("views of the kernel's modules", format!("`{name}`: in {shown}, not in {gone}"));
        result.findings.push(Finding::new(HIDDEN_KERNEL_MODULE, Subject::Host, message, evidence));
    }
}

/// Code that was loaded into the kernel or patched there, with who brought it.
fn tainted(bits: u64, modules: Option<&ModuleViews>) -> Option<Finding> {
    let code: Vec<(char, &str)> =
        taint::letters(bits).filter(|(.., code)| *code).map(|(letter, what, _)| (letter, what)).collect();
    if code.is_empty() {
        return None;
    }
    let mut by_letter: BTreeMap<char, Vec<&str>> = BTreeMap::new();
    for (name, letters) in modules.iter().flat_map(|modules| &modules.listed) {
        for letter in letters.chars() {
            by_letter.entry(letter).or_default().push(name);
        }
    }
    let who = |letter: &char| by_letter.get(letter).map(Vec::as_slice).unwrap_or_default();
    let tell = |(letter, what): &(char, &str)| {
        let names = who(letter);
        let more = names.len().saturating_sub(NAMED);
        let listed: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
        match (listed.is_empty(), more) {
            (true, _) => format!("{what} (`{letter}`), and no module that is loaded now has done it"),
            (false, 0) => format!("{what} (`{letter}`): {}", listed.join(", ")),
            (false, more) => format!("{what} (`{letter}`): {} and {more} more", listed.join(", ")),
        }
    };
    let message = format!("the kernel runs code that its distributor need not have built: {}", join(&code, tell));
    let first = fact("/proc/sys/kernel/tainted", bits.to_string());
    let all = |(letter, _): &(char, &str)| fact(&format!("modules that taint with `{letter}`"), who(letter).join(", "));
    let evidence: Vec<Evidence> = code.iter().filter(|(letter, _)| !who(letter).is_empty()).map(all).collect();
    let finding = Finding::new(KERNEL_TAINTED, Subject::Host, message, first);
    Some(evidence.into_iter().fold(finding, Finding::and))
}

fn join<T>(items: &[T], tell: impl Fn(&T) -> String) -> String {
    items.iter().map(tell).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::views::{ProcessViews, ViewFacts};
    use crate::model::{Check, Verdict};

    fn check(views: ViewFacts, expected: &[(&str, &str)], verdict: Verdict) {
        let root = RootFacts { views: Some(views), ..RootFacts::default() };
        let mut result = CheckResult { examined: 1, ..CheckResult::new(Check::Live) };
        judge(&root, &mut result);
        assert_eq!(result.findings.len(), expected.len(), "{result:#?}");
        for (finding, (code, words)) in result.findings.iter().zip(expected) {
            assert_eq!(finding.code.id(), *code);
            assert!(finding.message.contains(words), "{words}: {}", finding.message);
        }
        assert_eq!(result.verdict(), verdict);
    }

    /// Tables as they were recorded on hosts with modules, through the parsers.
    fn modules(listed: &str, in_sysfs: &[&str], symbols: Option<&str>) -> ModuleViews {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        let listed = crate::formats::proc::modules::parse(listed.as_bytes()).unwrap();
        let symbols = symbols.map(|symbols| crate::formats::proc::kallsyms::modules(symbols.as_bytes()));
        ModuleViews {
            listed: listed.iter().map(|(name, taint)| (text(name), text(taint))).collect(),
            in_sysfs: in_sysfs.iter().map(|name| (*name).to_owned()).collect(),
            in_symbols: symbols.map(|names| names.iter().map(text).collect()),
        }
    }

    const LISTED: &str = "nvidia 39059456 123 nvidia_uvm, Live 0x0000000000000000 (POE)\n\
                          nvidia_uvm 1400832 2 - Live 0x0000000000000000 (POE)\n\
                          ext4 1003520 2 - Live 0x0000000000000000\n";
    const SYMBOLS: &str =
        "ffffffff81000000 T _text\n0000000000000000 t ext4_init\t[ext4]\n0000000000000000 t x\t[bpf]\n";
    const ALL: [&str; 3] = ["ext4", "nvidia", "nvidia_uvm"];

    fn views(modules: ModuleViews, taint: u64) -> ViewFacts {
        ViewFacts { modules: Some(modules), taint: Some(taint), ..ViewFacts::default() }
    }

    #[test]
    fn a_module_stands_everywhere_or_is_hidden() {
        check(views(modules(LISTED, &ALL, None), 0), &[], Verdict::Pass);
        check(views(modules(LISTED, &ALL, Some(SYMBOLS)), 0), &[], Verdict::Pass);
        let hidden = "live/hidden-kernel-module";
        let more = [&ALL[..], &["quiet"]].concat();
        let said = "`quiet` stands in `/sys/module` and not in `/proc/modules`";
        check(views(modules(LISTED, &more, None), 0), &[(hidden, said)], Verdict::Fail);
        let said = "`nvidia_uvm` stands in `/proc/modules` and not in `/sys/module`";
        check(views(modules(LISTED, &ALL[..2], None), 0), &[(hidden, said)], Verdict::Fail);
        let symbols = format!("{SYMBOLS}0000000000000000 t hide_me\t[quiet]\n");
        let said = "`quiet` stands in `/proc/kallsyms` and not in `/proc/modules` and `/sys/module`";
        check(views(modules(LISTED, &ALL, Some(&symbols)), 0), &[(hidden, said)], Verdict::Fail);
    }

    #[test]
    fn taint_is_told_with_who_tainted_and_accuses_nobody() {
        let tainted = "live/kernel-tainted";
        let said =
            "(`P`): `nvidia`, `nvidia_uvm`; a module from outside the kernel's source was loaded (`O`): `nvidia`";
        check(views(modules(LISTED, &ALL, None), 1 | 1 << 12), &[(tainted, said)], Verdict::Pass);
        let said = "(`F`), and no module that is loaded now has done it";
        check(views(modules(LISTED, &ALL, None), 1 << 1), &[(tainted, said)], Verdict::Pass);
        // A warning and a machine check are no code.
        check(views(modules(LISTED, &ALL, None), 1 << 9 | 1 << 4), &[], Verdict::Pass);
        let without = ViewFacts { taint: Some(1 << 15), ..ViewFacts::default() };
        check(without, &[(tainted, "patched while it ran (`K`)")], Verdict::Pass);
    }

    #[test]
    fn a_process_that_answers_and_is_not_listed_is_hidden() {
        let processes = |unlisted| Some(ProcessViews { asked: 9, possible: 9, unlisted });
        check(ViewFacts { processes: processes(Vec::new()), ..ViewFacts::default() }, &[], Verdict::Pass);
        let hidden = ViewFacts { processes: processes(vec![77]), ..ViewFacts::default() };
        check(hidden, &[("live/hidden-process", "process 77 answers")], Verdict::Fail);
        let unseen = ViewFacts { problems: vec!["x".to_owned()], ..ViewFacts::default() };
        check(unseen, &[], Verdict::Pass);
    }
}
