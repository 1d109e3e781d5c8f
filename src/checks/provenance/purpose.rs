//! Replaced on purpose: diversions, alternatives, owners and modes that the administrator registered.

use crate::facts::package::{Alternative, Diversion, Override};
use crate::facts::{RootFacts, file::FileTable};
use crate::model::code::{ALTERNATIVE, ALTERNATIVE_UNRECORDED, DIVERTED, MODE_OVERRIDDEN, OVERRIDE_VIOLATED};
use crate::model::{CheckResult, Evidence, Finding, Meta, RootedPath, Subject};

/// Adds what concerns files of the surface that are there.
pub(super) fn check(root: &RootFacts, result: &mut CheckResult) {
    for diversion in &root.packages.diversions {
        let there = [&diversion.from, &diversion.to].into_iter().find(|path| in_surface(&root.files, path).is_some());
        if let Some(path) = there {
            let message =
                format!("`{}` was moved aside to `{}` by {}", diversion.from, diversion.to, diverter(diversion));
            result.findings.push(Finding::new(DIVERTED, Subject::file(path), message, diversion_line(diversion)));
        }
    }
    for (question, alternative) in &root.packages.alternatives {
        if in_surface(&root.files, &alternative.target).is_some() {
            result.findings.push(alternative_finding(question, alternative));
        }
    }
    for (path, entry) in &root.packages.overrides {
        if let Some(meta) = in_surface(&root.files, path) {
            result.findings.push(override_finding(root, path, entry, meta));
        }
    }
}

fn in_surface<'a>(files: &'a FileTable, path: &RootedPath) -> Option<&'a Meta> {
    let file = files.files.get(path)?;
    file.roles.iter().any(|role| role.in_surface()).then(|| file.meta()).flatten()
}

/// Who registered a diversion, in words.
pub(super) fn diverter(diversion: &Diversion) -> String {
    match &diversion.by {
        Some(package) => format!("package `{package}`"),
        None => "the administrator".to_owned(),
    }
}

/// Where a diversion is recorded.
pub(super) fn diversion_line(diversion: &Diversion) -> Evidence {
    Evidence::Line {
        path: diversion.source.clone(),
        line: diversion.line,
        text: format!("{} → {} ({})", diversion.from, diversion.to, diversion.by.as_deref().unwrap_or(":")),
    }
}

fn alternative_finding(question: &RootedPath, alternative: &Alternative) -> Finding {
    let Alternative { name, target, source, automatic, choices } = alternative;
    let subject = Subject::file(question);
    match source {
        Some(source) if choices.contains(target) => {
            let how = if *automatic { "by priority" } else { "by the administrator" };
            let message = format!("`{question}` means `{target}`, chosen {how} as the alternative `{name}`");
            let evidence = Evidence::Fact { about: source.to_string(), value: list(choices) };
            Finding::new(ALTERNATIVE, subject, message, evidence)
        }
        Some(source) => {
            let message =
                format!("`{question}` leads to `{target}`, which is no recorded choice of the alternative `{name}`");
            let evidence = Evidence::Fact { about: source.to_string(), value: list(choices) };
            Finding::new(ALTERNATIVE_UNRECORDED, subject, message, evidence)
        }
        None => {
            let message =
                format!("`{question}` leads to `{target}` through `/etc/alternatives/{name}`, which nobody records");
            let evidence =
                Evidence::Fact { about: "/var/lib/dpkg/alternatives".to_owned(), value: "no such link".to_owned() };
            Finding::new(ALTERNATIVE_UNRECORDED, subject, message, evidence)
        }
    }
}

fn list(paths: &[RootedPath]) -> String {
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    paths.join(", ")
}

fn override_finding(root: &RootFacts, path: &RootedPath, entry: &Override, meta: &Meta) -> Finding {
    let line = Evidence::Line {
        path: entry.source.clone(),
        line: entry.line,
        text: format!("{} {} {:o} {path}", entry.user, entry.group, entry.mode),
    };
    let mut wrong = Vec::new();
    let mut compare = |property: &str, expected: String, actual: String| {
        if expected != actual {
            wrong.push(Evidence::Metadata { path: path.clone(), property: property.to_owned(), expected, actual });
        }
    };
    compare("mode", format!("{:04o}", entry.mode), format!("{:04o}", meta.mode));
    let accounts = root.login.accounts.iter().map(|account| (account.name.as_str(), account.uid));
    let groups = root.login.groups.iter().map(|group| (group.name.as_str(), group.gid));
    if let Some(uid) = id_of(&entry.user, accounts) {
        compare("owner", uid.to_string(), meta.uid.to_string());
    }
    if let Some(gid) = id_of(&entry.group, groups) {
        compare("group", gid.to_string(), meta.gid.to_string());
    }
    if wrong.is_empty() {
        let message =
            format!("owner and mode of `{path}` were set to `{}:{} {:04o}`", entry.user, entry.group, entry.mode);
        return Finding::new(MODE_OVERRIDDEN, Subject::file(path), message, line);
    }
    let message = format!(
        "`{path}` is registered as `{}:{} {:04o}` and is `{}:{} {:04o}`",
        entry.user, entry.group, entry.mode, meta.uid, meta.gid, meta.mode
    );
    let finding = Finding::new(OVERRIDE_VIOLATED, Subject::file(path), message, line);
    wrong.into_iter().fold(finding, Finding::and)
}

/// The id that a name, or `#` and a number, means; `None` for a name that this root's files do not know.
fn id_of<'a>(name: &str, mut known: impl Iterator<Item = (&'a str, u32)>) -> Option<u32> {
    match name.strip_prefix('#') {
        Some(number) => number.parse().ok(),
        None if name == "root" => Some(0),
        None => known.find(|(known, _)| *known == name).map(|(_, id)| id),
    }
}
