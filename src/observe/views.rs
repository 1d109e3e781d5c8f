//! Asks the kernel the same in several ways: which modules are loaded, which processes there are. Compares processes here, since
//! they come and go while they are counted; all else is left to the check.

use std::collections::BTreeSet;
use std::path::Path;

use crate::facts::RootFacts;
use crate::facts::views::{ModuleViews, ProcessViews, ViewFacts};
use crate::formats::proc::{kallsyms, modules, taint};
use crate::host::pids;
use crate::host::process::{Proc, ProcProblem};
use crate::model::text;

/// Where the kernel shows its modules, and the file in the directory of one that was loaded.
const SYSFS: &str = "/sys/module";
const STATE: &str = "initstate";
/// Largest table of modules, of symbols (some 20 MB on a large kernel), and of anything else.
const MAX_MODULES: usize = 4 << 20;
const MAX_SYMBOLS: usize = 256 << 20;
const MAX_SMALL: usize = 4096;
/// How often the lists of modules are read again where they differ: one may just be loaded.
const READINGS: usize = 3;
/// Numbers of processes asked for without `--deep`: the lowest, which were given out when the system was started, and those
/// before the one given out last. With it, all; Linux has at most 4 Mi (`PID_MAX_LIMIT`).
const LOWEST: i32 = 2048;
const LATEST: i32 = 2048;
const MOST: i32 = 1 << 22;
/// Unlisted processes kept.
const MAX_UNLISTED: usize = 64;

/// Fills `facts.views` if a server runs; if `deep`, symbols are read and every number is asked for.
pub fn observe(proc: &Proc, deep: bool, facts: &mut RootFacts) {
    if !facts.servers.iter().any(|server| !server.user_server && !server.pids.is_empty()) {
        return;
    }
    let mut views = ViewFacts::default();
    match proc.read("sys/kernel/tainted", MAX_SMALL).map(|text| taint::parse(&text)) {
        Ok(Some(taint)) => views.taint = Some(taint),
        Ok(None) => views.problems.push("`/proc/sys/kernel/tainted` is malformed".to_owned()),
        Err(problem) => views.problems.push(format!("`/proc/sys/kernel/tainted` cannot be read: {problem}")),
    }
    match compared_modules(proc, deep) {
        Ok(modules) => views.modules = modules,
        Err(problem) => views.problems.push(problem),
    }
    match processes(proc, deep) {
        Ok(processes) => views.processes = Some(processes),
        Err(problem) => views.problems.push(problem),
    }
    facts.views = Some(views);
}

/// Until two lists agree, or a few times.
fn compared_modules(proc: &Proc, deep: bool) -> Result<Option<ModuleViews>, String> {
    let mut seen = seen_modules(proc)?;
    for _ in 1..READINGS {
        let Some(views) = seen.as_ref().filter(|views| !views.in_sysfs.iter().eq(views.listed.keys())) else { break };
        let again = seen_modules(proc)?;
        // What differs twice in the same way differs.
        if again.as_ref() == Some(views) {
            break;
        }
        seen = again;
    }
    if let Some(views) = seen.as_mut().filter(|_| deep) {
        let symbols = proc.read("kallsyms", MAX_SYMBOLS);
        let symbols = symbols.map_err(|problem| format!("`/proc/kallsyms` cannot be read: {problem}"))?;
        views.in_symbols = Some(kallsyms::modules(&symbols).iter().map(|name| text::escape(name)).collect());
        // One may have come or gone since.
        if seen_modules(proc)?.is_none_or(|again| again.listed != views.listed) {
            return Err("kernel modules were loaded or unloaded while they were compared".to_owned());
        }
    }
    Ok(seen)
}

/// `None` for a kernel without modules.
fn seen_modules(proc: &Proc) -> Result<Option<ModuleViews>, String> {
    let listed = match proc.read("modules", MAX_MODULES) {
        Ok(table) => modules::parse(&table).ok_or("`/proc/modules` is malformed")?,
        Err(ProcProblem::Gone) => return Ok(None),
        Err(problem) => return Err(format!("`/proc/modules` cannot be read: {problem}")),
    };
    let unlisted =
        |why: &str| format!("`{SYSFS}` cannot be listed, so hidden kernel modules were not looked for: {why}");
    let sysfs = Proc::open(Path::new(SYSFS)).map_err(|error| unlisted(&error.to_string()))?;
    let names = sysfs.names().map_err(|problem| unlisted(&problem.to_string()))?;
    let loaded = names.into_iter().filter(|name| {
        let state = std::str::from_utf8(name).ok().map(|name| sysfs.read(&format!("{name}/{STATE}"), MAX_SMALL));
        state.is_some_and(|state| state.is_ok_and(|state| state.starts_with(b"live")))
    });
    Ok(Some(ModuleViews {
        in_sysfs: loaded.map(|name| text::escape(&name)).collect(),
        listed: listed.iter().map(|(name, taint)| (text::escape(name), text::escape(taint))).collect(),
        in_symbols: None,
    }))
}

/// Numbers that answer, are no threads, and stand in the list neither before nor after.
fn processes(proc: &Proc, deep: bool) -> Result<ProcessViews, String> {
    if !proc.is_ours() {
        return Err("processes were not counted twice: `/proc` is not of our own pid namespace".to_owned());
    }
    let listed = |proc: &Proc| -> Result<BTreeSet<i32>, String> {
        let pids = proc.pids().map_err(|problem| format!("processes cannot be listed: {problem}"))?;
        Ok(pids.into_iter().collect())
    };
    let before = listed(proc)?;
    // Mounted with `hidepid`, proc(5) does not list other users' processes to everybody.
    if !before.contains(&1) {
        return Err("processes were not counted twice: `/proc` hides some from us by intention (`hidepid`)".to_owned());
    }
    let number = |name: &str, pick: fn(&[u8]) -> Option<&[u8]>| {
        let text = proc.read(name, MAX_SMALL).ok()?;
        std::str::from_utf8(pick(&text)?).ok()?.parse::<i32>().ok()
    };
    let end = number("sys/kernel/pid_max", |text| Some(text.trim_ascii())).unwrap_or(MOST).clamp(1, MOST);
    // The last word is the number given out last.
    let last = number("loadavg", |text| text.trim_ascii().rsplit(|b| *b == b' ').next()).unwrap_or(end).clamp(1, end);
    let low_end = if deep || end <= LOWEST.saturating_add(LATEST) { end } else { LOWEST };
    let late = last.saturating_sub(LATEST).max(low_end)..last.saturating_add(1).max(low_end);
    let mut views = ProcessViews { possible: u64::try_from(end).unwrap_or(0), ..ProcessViews::default() };
    let mut suspects = Vec::new();
    for pid in (1..low_end).chain(late) {
        views.asked = views.asked.saturating_add(1);
        if !before.contains(&pid) && pids::answers(pid) {
            match pids::is_process(pid) {
                Some(true) => suspects.push(pid),
                Some(false) => {}
                None => return Err("processes were not counted twice: this kernel has no pidfd_open(2)".to_owned()),
            }
        }
    }
    if !suspects.is_empty() {
        let after = listed(proc)?;
        suspects.retain(|pid| !after.contains(pid) && pids::is_process(*pid) == Some(true));
        // It may have been born after the second list and have the number of one that died before the first.
        let once_more = listed(proc)?;
        suspects.retain(|pid| !once_more.contains(pid) && pids::is_process(*pid) == Some(true));
    }
    suspects.truncate(MAX_UNLISTED);
    views.unlisted = suspects;
    Ok(views)
}
