//! Modes, owners and capabilities, where a package system records them.

use super::super::standing::Standings;
use super::super::trust;
use crate::facts::RootFacts;
use crate::facts::package::Attributes;
use crate::formats::capability::FileCapabilities;
use crate::model::code::{CAPABILITIES_DIFFER, MODE_DIFFERS, OWNER_DIFFERS};
use crate::model::{CheckResult, Evidence, FileKind, Finding, Gap, Meta, RootedPath, Severity, Subject};

/// Bits that give rights to others than the owner, and those that lend the owner's.
const SET_ID: u32 = 0o6000;
const OTHERS_WRITE: u32 = 0o022;

/// Adds what is not as recorded of regular files of the surface. Of several records the one counts that the content agrees
/// with, else the first.
pub(super) fn check(root: &RootFacts, standings: &Standings<'_>, result: &mut CheckResult) {
    for (path, file) in root.files.surface() {
        let Some(meta) = file.meta().filter(|meta| meta.kind == FileKind::Regular) else { continue };
        let judged = trust::judge(root, standings, path).and_then(|judgement| judgement.record());
        let Some((record, attributes)) = judged.and_then(|record| Some((record, record.attributes.as_deref()?))) else {
            continue;
        };
        // The administrator registered another one (dpkg-statoverride(1)): judged elsewhere.
        if root.packages.overrides.contains_key(path) {
            continue;
        }
        let package = trust::package_label(root, record).unwrap_or_default();
        result.findings.extend(mode(path, meta, attributes, &package));
        owner(root, path, meta, attributes, &package, result);
        capabilities(root, path, attributes, &package, result);
    }
}

fn mode(path: &RootedPath, meta: &Meta, attributes: &Attributes, package: &str) -> Option<Finding> {
    let expected = attributes.mode? & 0o7777;
    if meta.mode == expected {
        return None;
    }
    let added = meta.mode & !expected;
    // Who takes rights away (a set-id bit that a site does not want) makes the file no more dangerous.
    let severity = match added {
        _ if added & SET_ID != 0 => Severity::High,
        _ if added & OTHERS_WRITE != 0 => Severity::High,
        0 => Severity::Informational,
        _ => Severity::Low,
    };
    let message = format!("`{path}` has mode {:04o}, `{package}` records {expected:04o}", meta.mode);
    let evidence = metadata(path, "mode", format!("{expected:04o}"), format!("{:04o}", meta.mode));
    Some(Finding::new(MODE_DIFFERS, Subject::file(path), message, evidence).with_severity(severity))
}

fn capabilities(root: &RootFacts, path: &RootedPath, attributes: &Attributes, package: &str, result: &mut CheckResult) {
    let Some(text) = &attributes.capabilities else { return };
    let Some(expected) = FileCapabilities::from_text(text.as_bytes()) else {
        let reason = format!("`{package}` records the capabilities `{text}`, which we do not know");
        return result.gap(Gap::noted(Subject::file(path), reason));
    };
    let actual = match root.packages.capabilities.get(path) {
        Some(Some(actual)) => *actual,
        Some(None) => return,
        None => FileCapabilities::default(),
    };
    if actual == expected || (actual.is_empty() && expected.is_empty()) {
        return;
    }
    let more = (actual.permitted & !expected.permitted) | (actual.inheritable & !expected.inheritable);
    // What lacks some does less than its packager meant; no door is open for it.
    let severity = if more == 0 { Severity::Informational } else { Severity::High };
    let message = format!("`{path}` has the capabilities `{actual}`, `{package}` records `{expected}`");
    let evidence = metadata(path, "capabilities", expected.to_string(), actual.to_string());
    result
        .findings
        .push(Finding::new(CAPABILITIES_DIFFER, Subject::file(path), message, evidence).with_severity(severity));
}

fn owner(
    root: &RootFacts,
    path: &RootedPath,
    meta: &Meta,
    attributes: &Attributes,
    package: &str,
    result: &mut CheckResult,
) {
    let accounts = root.login.accounts.iter().map(|account| (account.name.as_str(), account.uid));
    let groups = root.login.groups.iter().map(|group| (group.name.as_str(), group.gid));
    let user = attributes.user.as_deref().map(|name| ("owner", name, id(name, accounts), meta.uid));
    let group = attributes.group.as_deref().map(|name| ("group", name, id(name, groups), meta.gid));
    for (what, name, expected, actual) in user.into_iter().chain(group) {
        let Some(expected) = expected else {
            let reason = format!("the recorded {what} `{name}` is unknown here: {what} {actual} cannot be compared");
            result.gap(Gap::noted(Subject::file(path), reason));
            continue;
        };
        if expected != actual {
            let message = format!("{what} of `{path}` is {actual}, `{package}` records `{name}` ({expected})");
            let evidence = metadata(path, what, expected.to_string(), actual.to_string());
            result.findings.push(Finding::new(OWNER_DIFFERS, Subject::file(path), message, evidence));
        }
    }
}

/// The id that a name means; root's is the same everywhere.
fn id<'a>(name: &str, mut known: impl Iterator<Item = (&'a str, u32)>) -> Option<u32> {
    if name == "root" {
        Some(0)
    } else if let Some(number) = name.strip_prefix('#') {
        number.parse().ok()
    } else {
        known.find(|(known, _)| *known == name).map(|(_, id)| id)
    }
}

fn metadata(path: &RootedPath, property: &str, expected: String, actual: String) -> Evidence {
    Evidence::Metadata { path: path.clone(), property: property.to_owned(), expected, actual }
}
