//! The state of the packages that own files of the surface.

use std::collections::BTreeSet;

use crate::facts::RootFacts;
use crate::facts::package::{PackageSystem, RecordKind};
use crate::formats::dpkg::status::State;
use crate::model::code::{PACKAGE_HALF_INSTALLED, PACKAGE_HELD, PACKAGE_NOT_CONFIGURED};
use crate::model::{CheckResult, Code, Evidence, Finding, Subject};

/// Adds a finding for each such package that is not simply installed.
pub(super) fn check(root: &RootFacts, result: &mut CheckResult) {
    let mut owners = BTreeSet::new();
    for (path, file) in root.files.surface() {
        if file.meta().is_some() {
            let records = root.packages.records.get(path).into_iter().flatten();
            owners.extend(records.filter(|record| record.kind == RecordKind::File).map(|record| &record.package));
        }
    }
    for name in owners {
        let Some(package) = root.packages.packages.get(name) else { continue };
        if package.system != PackageSystem::Dpkg {
            continue;
        }
        let mut add = |code: Code, what: &str| {
            let evidence = Evidence::Fact { about: "/var/lib/dpkg/status".to_owned(), value: package.status.clone() };
            let message = format!("package `{name}` {what}");
            result.findings.push(Finding::new(code, Subject::Package { name: name.clone() }, message, evidence));
        };
        let mut words = package.status.split_ascii_whitespace();
        let (wish, flag) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match State::of(package.status.as_bytes()) {
            Some(State::HalfInstalled) => add(PACKAGE_HALF_INSTALLED, "is half installed"),
            // dpkg sets this flag when it found the package broken (dpkg(1), "Package flags").
            _ if flag == "reinstreq" => add(PACKAGE_HALF_INSTALLED, "is broken and must be installed again"),
            Some(State::Unpacked | State::HalfConfigured) => add(PACKAGE_NOT_CONFIGURED, "is unpacked, not configured"),
            _ => {}
        }
        if wish == "hold" {
            add(PACKAGE_HELD, "is on hold");
        }
    }
}
