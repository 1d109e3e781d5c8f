//! What one file's judgement means.

use crate::checks::trust::{self, Judgement, Unknown, package_label};
use crate::facts::package::{Attributes, PackageSystem, Record, RecordKind};
use crate::facts::{FileFacts, Role, RootFacts};
use crate::formats::dpkg::status::State;
use crate::formats::rpm::files::NOT_INSTALLED;
use crate::model::code::{
    CONFIG_CHANGED, DIGEST_MISMATCH, MISSING_FILE, NO_DIGEST_RECORDED, SEVERAL_OWNERS, UNOWNED_CODE,
};
use crate::model::{Algorithm, CheckResult, Digest, Evidence, FileKind, Finding, Gap, RootedPath, Severity, Subject};

/// Adds the finding or the gap that `judgement` of the file at `path` gives, if any.
pub(super) fn check(
    root: &RootFacts,
    path: &RootedPath,
    file: &FileFacts,
    judgement: &Judgement<'_>,
    result: &mut CheckResult,
) {
    let finding = match judgement {
        Judgement::Matches(record) => disagreement(root, path, file, record),
        Judgement::Generated(_) => None,
        Judgement::Differs { record, expected, actual } => {
            let package = named(root, record);
            let prelinked = if is_prelinked(file) { "; it says of itself that it was prelinked" } else { "" };
            let message = format!("`{path}` is not the file that {package} records{prelinked}");
            let evidence = digests(*expected, *actual, &record.source);
            Some(with_sha256(Finding::new(DIGEST_MISMATCH, Subject::file(path), message, evidence), path, file))
        }
        Judgement::Changed { record, expected, actual } => {
            let package = named(root, record);
            let message = format!("`{path}` is not as {package} distributes it");
            let evidence = match expected {
                Some(expected) => digests(*expected, *actual, &record.source),
                None => sha256_of(path, file).unwrap_or_else(|| digest_fact(path, *actual)),
            };
            Some(with_sha256(Finding::new(CONFIG_CHANGED, Subject::file(path), message, evidence), path, file))
        }
        Judgement::NoDigest(record) => {
            if !trust::is_code(file) {
                return;
            }
            let package = named(root, record);
            if record.source.file_name().ends_with(b".list") {
                let reason = format!("the digest file of {package} is missing, `{path}` cannot be compared");
                result.gap(Gap::mandatory(Subject::Package { name: record.package.clone() }, reason));
                return;
            }
            let message = match record.kind {
                RecordKind::Ghost => format!("{package} owns the place `{path}`, but ships no such file"),
                _ => format!("{package} lists `{path}`, but records no digest of it"),
            };
            let evidence = Evidence::Fact {
                about: record.source.to_string(),
                value: format!("no digest for `{}`", record.recorded_path),
            };
            Some(with_sha256(Finding::new(NO_DIGEST_RECORDED, Subject::file(path), message, evidence), path, file))
        }
        Judgement::Gone(record) => gone(root, path, record),
        Judgement::Unowned => unowned(root, path, file),
        Judgement::Unknown(Unknown::Unread(reason)) => {
            if trust::is_code(file) || root.packages.records.get(path).is_some_and(|records| !records.is_empty()) {
                result.gap(Gap::mandatory(Subject::file(path), reason.clone()));
            }
            None
        }
        // Said once for the host.
        Judgement::Unknown(Unknown::NoDatabase | Unknown::Incomplete | Unknown::Absent) => None,
    };
    result.findings.extend(finding);
}

/// Devices, FIFOs and sockets that stand where a package lists something: no package ships one, and the content of a file
/// there cannot be told.
pub(super) fn check_kinds(root: &RootFacts, result: &mut CheckResult) {
    for (path, file) in &root.files.files {
        let what = match file.meta().map(|meta| meta.kind) {
            Some(FileKind::Device) => "a device",
            Some(FileKind::Fifo) => "a FIFO",
            Some(FileKind::Socket) => "a socket",
            _ => continue,
        };
        if let Some(record) = root.packages.records.get(path).and_then(|records| records.first()) {
            let reason = format!("is {what}, where {} lists a file", named(root, record));
            result.gap(Gap::mandatory(Subject::file(path), reason));
        }
    }
}

/// Another package records other content for a file that matches one record.
fn disagreement(root: &RootFacts, path: &RootedPath, file: &FileFacts, matching: &Record) -> Option<Finding> {
    let others = root.packages.records.get(path)?;
    let colour = |record: &Record| record.attributes.as_ref().map_or(0, |attributes| attributes.colour);
    // Packages for 32 and 64 bits may share a path: rpm keeps the file of the preferred one.
    let is_twin = |other: &&Record| colour(matching) != 0 && colour(other) != 0 && colour(other) != colour(matching);
    // A manifest of the site may hold other versions of a package too.
    let is_site = |other: &&Record| {
        root.packages.packages.get(&other.package).is_some_and(|package| package.system == PackageSystem::Manifest)
    };
    others.iter().filter(|other| !is_twin(other) && !is_site(other)).find_map(|other| {
        match trust::against(file, other) {
            Judgement::Differs { record, expected, actual } => {
                let (one, two) = (named(root, matching), named(root, record));
                let message = format!("`{path}` is as {one} records, and not as {two} does, which lists it too");
                let evidence = digests(expected, actual, &record.source);
                Some(Finding::new(SEVERAL_OWNERS, Subject::file(path), message, evidence))
            }
            _ => None,
        }
    })
}

/// A recorded file is not there. Of a package that is itself gone, only configuration may remain, or not.
fn gone(root: &RootFacts, path: &RootedPath, record: &Record) -> Option<Finding> {
    let package = root.packages.packages.get(&record.package)?;
    let has_files =
        package.system != PackageSystem::Dpkg || State::of(package.status.as_bytes()).is_none_or(State::has_files);
    let label = named(root, record);
    let evidence = Evidence::Fact {
        about: record.source.to_string(),
        value: record.digest.map_or_else(String::new, |digest| digest.to_string()),
    };
    let subject = Subject::file(path);
    if record.attributes.as_ref().is_some_and(|attributes| may_be_missing(attributes)) {
        return None;
    }
    match record.kind {
        RecordKind::File if has_files => {
            Some(Finding::new(MISSING_FILE, subject, format!("`{path}` of {label} is missing"), evidence))
        }
        RecordKind::Conffile | RecordKind::Managed { .. } if has_files => {
            Some(Finding::new(CONFIG_CHANGED, subject, format!("`{path}` of {label} was removed"), evidence))
        }
        _ => None,
    }
}

/// Whether its packager, or the installation, left a file out: that excuses a file that is not there, never one that is.
fn may_be_missing(attributes: &Attributes) -> bool {
    attributes.may_be_missing || attributes.state.is_some_and(|state| state == NOT_INSTALLED)
}

/// Nobody owns it: normal for configuration, not for code.
fn unowned(root: &RootFacts, path: &RootedPath, file: &FileFacts) -> Option<Finding> {
    let role = file.roles.iter().find(|role| role.is_code())?;
    let what = match role {
        Role::Server => "an SSH server's program",
        Role::Client => "an SSH client's program",
        Role::Helper => "a program that the configuration names",
        Role::Loader => "the dynamic loader",
        Role::PamModule => "a PAM module",
        Role::NssModule => "an NSS module",
        _ => "a library on the way of a login",
    };
    let severity = match role {
        Role::Client | Role::Helper => Severity::Medium,
        _ => Severity::High,
    };
    let systems: Vec<&str> = root.packages.systems.iter().map(|database| database.system.name()).collect();
    let evidence = Evidence::Fact { about: format!("owner in {}", systems.join(", ")), value: "none".to_owned() };
    let message = format!("`{path}`, {what}, belongs to no package");
    let mut finding = Finding::new(UNOWNED_CODE, Subject::file(path), message, evidence);
    finding = with_sha256(finding.with_severity(severity), path, file);
    if let Some(diversion) = root.packages.diversions.iter().find(|diversion| diversion.from == *path) {
        finding.message.push_str(&format!(
            "; the packaged file was moved aside to `{}` by {}",
            diversion.to,
            super::purpose::diverter(diversion)
        ));
        finding = finding.and(super::purpose::diversion_line(diversion));
    }
    let servers: Vec<_> = root.servers.iter().filter(|server| server.binary == *path).collect();
    if !servers.is_empty() && servers.iter().all(|server| server.user_server) {
        // It cannot log in anybody but its own user: listed, outside the verdict.
        finding.message.push_str("; it runs as an ordinary user's own server");
        finding.severity = Severity::Informational;
    }
    Some(finding)
}

/// A record's package in a sentence.
fn named(root: &RootFacts, record: &Record) -> String {
    package_label(root, record).map_or_else(|| "its package".to_owned(), |label| format!("`{label}`"))
}

fn digests(expected: Digest, actual: Digest, source: &RootedPath) -> Evidence {
    Evidence::Digest {
        algorithm: expected.algorithm(),
        expected: expected.hex(),
        actual: actual.hex(),
        source: source.to_string(),
    }
}

/// The evidence digest beside the record's own: what to look the file up by.
fn with_sha256(finding: Finding, path: &RootedPath, file: &FileFacts) -> Finding {
    match sha256_of(path, file) {
        Some(evidence) if !finding.evidence.contains(&evidence) => finding.and(evidence),
        _ => finding,
    }
}

fn sha256_of(path: &RootedPath, file: &FileFacts) -> Option<Evidence> {
    file.digest(Algorithm::Sha256).map(|digest| digest_fact(path, *digest))
}

fn digest_fact(path: &RootedPath, digest: Digest) -> Evidence {
    Evidence::Fact { about: format!("{} of {path}", digest.algorithm()), value: digest.hex() }
}

/// Whether prelink(8) rewrote the file, as far as it says so itself.
pub(super) fn is_prelinked(file: &FileFacts) -> bool {
    file.elf.as_ref().is_some_and(|elf| elf.sections.iter().any(|section| section.0 == ".gnu.prelink_undo"))
}

pub(super) fn is_directory(file: &FileFacts) -> bool {
    file.meta().is_some_and(|meta| meta.kind == FileKind::Directory)
}
