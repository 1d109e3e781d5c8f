//! Judges the executable mappings of one process.

use std::collections::BTreeMap;

use crate::facts::process::{MappedContent, Mapping};
use crate::facts::{FileFacts, ProcessFacts, Role, RootFacts};
use crate::model::code::{
    ANONYMOUS_CODE, DELETED_EXECUTABLE, FOREIGN_MAPPING, MEMORY_FILE, MISPLACED_CODE, PROBED, REINSTALLED,
    RESTART_NEEDED, UNSIGNED_CODE, WRITABLE_MAPPING,
};
use crate::model::{Algorithm, CheckResult, Code, Digest, Evidence, Finding, Gap, RootedPath, Severity, Subject, text};

use super::past::{Origin, Past};

/// Code that the kernel itself maps into every process (`arch/*/kernel/vdso*`, `arch/arm/kernel/process.c`).
const KERNELS: [&str; 4] = ["[vdso]", "[vsyscall]", "[vectors]", "[sigpage]"];
/// Where the kernel runs instructions that a uprobe displaced (kernel/events/uprobes.c), and what probed code calls since
/// Linux 6.18 (arch/x86/kernel/uprobes.c).
const UPROBES: [&str; 2] = ["[uprobes]", "[uprobes-trampoline]"];

/// Adds what the mappings of `process` show. One finding for each file and process, whatever the number of mappings.
pub fn judge(past: &Past<'_>, process: &ProcessFacts, result: &mut CheckResult) {
    let root = past.root;
    let mut found = Found::new();
    let mut unread: Vec<(String, String)> = Vec::new();
    let mut unknown = None;
    for mapping in &process.mappings {
        if writable(mapping) {
            let what = named(mapping);
            note(&mut found, process, mapping, WRITABLE_MAPPING, &format!("has {what} mapped writable and executable"));
        }
        if mapping.in_place == Some(false) {
            let what = format!("executes `{}` where its loader would not have put code of it", mapping.path);
            note(&mut found, process, mapping, MISPLACED_CODE, &what);
        }
        match sort(root, mapping) {
            Sort::Good => {}
            Sort::Bad(code, what) if code == RESTART_NEEDED => {
                let reason = replaced(past, process, mapping, &what, &mut found);
                unknown = unknown.or(reason);
            }
            Sort::Bad(code, what) => {
                note(&mut found, process, mapping, code, &what);
            }
            Sort::Unread(reason) => unread.push((mapping.path.clone(), reason)),
        }
    }
    let subject = Subject::Process { pid: process.pid, starttime: process.starttime };
    for Noted { code, what, evidence, severity, start, path } in found.into_values() {
        let message = format!("process {} of `{}` {what}", process.pid, process.server);
        // What belongs to a file of its own is told of the mapping, so that the file stands in the subject.
        let subject = match code.id() {
            "live/restart-needed" | "live/reinstalled" | "live/deleted-executable" => subject.clone(),
            _ => Subject::Mapping { pid: process.pid, start, path },
        };
        let mut evidence = evidence.into_iter();
        if let Some(first) = evidence.next() {
            let mut finding = evidence.fold(Finding::new(code, subject, message, first), Finding::and);
            finding.severity = severity.unwrap_or(finding.severity);
            result.findings.push(finding);
        }
    }
    if let Some(why) = unknown {
        let reason = format!(
            "runs files that were replaced since, and it cannot be told whether they were the distributor's: {why}; a \
             restart settles it"
        );
        result.gap(Gap::mandatory(subject.clone(), reason));
    }
    if let Some((path, reason)) = unread.first() {
        let reason =
            format!("{} of its executable mappings could not be verified, `{path}` among them: {reason}", unread.len());
        result.gap(Gap::mandatory(subject, reason));
    }
}

/// Notes that `mapping` shows a file as it was before it was replaced; returns why it cannot be told whose that was, if it
/// cannot.
fn replaced(
    past: &Past<'_>,
    process: &ProcessFacts,
    mapping: &Mapping,
    what: &str,
    found: &mut Found,
) -> Option<&'static str> {
    let path = text::unescape(&mapping.path).and_then(RootedPath::new);
    let origin = match (&path, &mapping.content) {
        (Some(path), Some(MappedContent::Other { sha256, .. })) => past.origin(process, path, sha256),
        _ => Origin::Unknown("its path is none"),
    };
    match origin {
        Origin::Signed { version, now, since } => {
            let now = now.map(|now| format!("; installed is {now}")).unwrap_or_default();
            let what = format!("{what}: that of {version}{now}");
            let noted = note(found, process, mapping, RESTART_NEEDED, &what);
            noted.severity = path.map(|path| past.severity(&path));
            noted
                .evidence
                .push(Evidence::Fact { about: format!("signed metadata kept since {since}"), value: version });
            None
        }
        Origin::Unsigned { versions, since } => {
            let what = format!(
                "{what}, and that content is none of a signed version, though those of its package are known since {since}, \
                 before the process was started"
            );
            let noted = note(found, process, mapping, UNSIGNED_CODE, &what);
            noted.evidence.push(Evidence::Fact { about: "signed versions".to_owned(), value: versions.join(", ") });
            None
        }
        Origin::Unknown(why) => {
            note(found, process, mapping, RESTART_NEEDED, what);
            Some(why)
        }
    }
}

enum Sort {
    Good,
    /// The code, and what the process does, to follow its name.
    Bad(Code, String),
    Unread(String),
}

fn sort(root: &RootFacts, mapping: &Mapping) -> Sort {
    let path = mapping.path.as_str();
    if UPROBES.contains(&path) {
        return Sort::Bad(PROBED, "executes code in which the kernel has set breakpoints (uprobes)".to_owned());
    }
    if KERNELS.contains(&path) && mapping.content.is_none() {
        return Sort::Good;
    }
    let Some(content) = &mapping.content else {
        let what = format!("can execute {}, which belongs to no file", named(mapping));
        return Sort::Bad(ANONYMOUS_CODE, what);
    };
    if in_memory(mapping) {
        return Sort::Bad(MEMORY_FILE, format!("executes code of `{path}`, which exists in memory only"));
    }
    let here = RootedPath::new(text::unescape(path).unwrap_or_default());
    match content {
        MappedContent::SameInode(known) => {
            let in_surface = |path: &RootedPath| root.files.get(path).is_some_and(is_code);
            if in_surface(known) || here.as_ref().is_some_and(in_surface) { Sort::Good } else { foreign(mapping) }
        }
        MappedContent::Other { sha256, unlinked, .. } => other(root, mapping, here.as_ref(), sha256, *unlinked),
        MappedContent::Unreadable(reason) => Sort::Unread(reason.clone()),
    }
}

/// The mapped inode is none that was looked at by its path.
fn other(root: &RootFacts, mapping: &Mapping, here: Option<&RootedPath>, sha256: &Digest, unlinked: bool) -> Sort {
    let path = &mapping.path;
    let now = here.and_then(|here| root.files.get(here)).filter(|file| is_code(file));
    if let Some(file) = now.filter(|file| file.meta().is_some()) {
        return match file.digest(Algorithm::Sha256) {
            Some(digest) if digest == sha256 => {
                Sort::Bad(REINSTALLED, format!("executes `{path}`, which was replaced by a file of the same content"))
            }
            // A mount of its own shows the process another file in that place.
            Some(_) if !mapping.deleted && !unlinked => {
                Sort::Bad(FOREIGN_MAPPING, format!("executes another file as `{path}` than the one that lies there"))
            }
            Some(_) => Sort::Bad(RESTART_NEEDED, format!("executes `{path}` as it was before that file was replaced")),
            None => Sort::Unread("the file that lies at that path now could not be read".to_owned()),
        };
    }
    // The same bytes under another name, or in another mount namespace: judged by digest, never by place.
    let equal = root.files.files.values().any(|file| is_code(file) && file.digest(Algorithm::Sha256) == Some(sha256));
    if equal && !mapping.deleted {
        return Sort::Good;
    }
    if !mapping.deleted && !unlinked {
        return foreign(mapping);
    }
    if mapping.entry {
        return Sort::Bad(
            DELETED_EXECUTABLE,
            format!("runs `{path}`, which was deleted, and no file has taken its place"),
        );
    }
    if here.is_some_and(|here| has_successor(root, here)) {
        return Sort::Bad(RESTART_NEEDED, format!("executes `{path}`, which an upgrade has removed"));
    }
    foreign(mapping)
}

fn foreign(mapping: &Mapping) -> Sort {
    let gone = if mapping.deleted { ", and was deleted" } else { "" };
    Sort::Bad(
        FOREIGN_MAPPING,
        format!("executes code of `{}`, which is not part of what a login runs here{gone}", mapping.path),
    )
}

fn is_code(file: &FileFacts) -> bool {
    file.roles.iter().copied().any(Role::is_code)
}

/// Whether the same directory holds a library of the surface with the same name up to `.so`: an upgrade that raises a
/// version number (`libz.so.1.2.13` → `libz.so.1.3.1`) removes the old name.
fn has_successor(root: &RootFacts, gone: &RootedPath) -> bool {
    let stem = |path: &RootedPath| {
        let name = path.file_name();
        let at = name.windows(3).position(|window| window == b".so")?;
        Some((path.parent()?, name.get(..at)?.to_vec()))
    };
    let Some(wanted) = stem(gone) else { return false };
    root.files
        .files
        .iter()
        .any(|(path, file)| is_code(file) && file.meta().is_some() && stem(path).is_some_and(|stem| stem == wanted))
}

/// Memory that only looks like a file: memfd_create(2), System V segments (shmget(2)), shared anonymous memory.
fn in_memory(mapping: &Mapping) -> bool {
    let path = mapping.path.as_str();
    path.starts_with("/memfd:") || path.starts_with("/SYSV") && mapping.deleted || path == "/dev/zero"
}

fn writable(mapping: &Mapping) -> bool {
    mapping.permissions.as_bytes().get(1) == Some(&b'w')
}

fn named(mapping: &Mapping) -> String {
    if mapping.path.is_empty() { format!("memory at {:#x}", mapping.start) } else { format!("`{}`", mapping.path) }
}

/// The mapping as evidence.
pub fn evidence(process: &ProcessFacts, mapping: &Mapping, detail: &str) -> Evidence {
    let deleted = if mapping.deleted { ", its name is gone" } else { "" };
    Evidence::Mapping {
        pid: process.pid,
        range: format!("{:x}-{:x} {}", mapping.start, mapping.end, mapping.permissions),
        path: mapping.path.clone(),
        detail: format!("{detail}{deleted}"),
    }
}

/// By code and file.
type Found = BTreeMap<(String, String), Noted>;

struct Noted {
    code: Code,
    what: String,
    evidence: Vec<Evidence>,
    /// Another one than the code's.
    severity: Option<Severity>,
    start: u64,
    path: String,
}

/// Adds to the finding of this code about this file; memory without a file has one finding for each place.
fn note<'f>(found: &'f mut Found, process: &ProcessFacts, mapping: &Mapping, code: Code, what: &str) -> &'f mut Noted {
    let detail = match &mapping.content {
        Some(MappedContent::Other { sha256, .. }) => format!("mapped content {sha256}"),
        Some(MappedContent::SameInode(path)) => format!("the file {path}"),
        Some(MappedContent::Unreadable(reason)) => format!("not read: {reason}"),
        None => "no file".to_owned(),
    };
    let key = if mapping.path.is_empty() { format!("{:x}", mapping.start) } else { mapping.path.clone() };
    let noted = found.entry((code.id().to_owned(), key)).or_insert_with(|| Noted {
        code,
        what: what.to_owned(),
        evidence: Vec::new(),
        severity: None,
        start: mapping.start,
        path: mapping.path.clone(),
    });
    noted.evidence.push(evidence(process, mapping, &detail));
    noted
}
