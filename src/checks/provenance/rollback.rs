//! Versions that were put back: what the package database itself shows.
//!
//! An older package of the distributor's is as well signed as the current one. Only what other signed packages demand, a
//! newer record of the same package, and the packages of the same source tell it from a current one.

use std::collections::{BTreeMap, BTreeSet};

use super::super::standing::{Standing, Standings};
use super::super::trust::{self, Judgement};
use crate::facts::RootFacts;
use crate::facts::package::{Package, PackageSystem};
use crate::formats::rpm::version::Evr;
use crate::model::code::{MIXED_VERSIONS, VERSION_ROLLED_BACK};
use crate::model::{CheckResult, Evidence, Finding, Subject};

/// Adds a finding for each package of rpm's that is older than it must be. What nobody vouches for is no witness.
pub(super) fn check(root: &RootFacts, standings: &Standings<'_>, result: &mut CheckResult) {
    let vouched: Vec<(&String, &Package)> = root
        .packages
        .packages
        .iter()
        .filter(|(key, package)| {
            package.system == PackageSystem::Rpm && matches!(standings.of_package(key), Standing::Vouched(_))
        })
        .collect();
    let mut named: BTreeMap<&str, Vec<(&String, &Package)>> = BTreeMap::new();
    for (key, package) in root.packages.packages.iter().filter(|(_, package)| package.system == PackageSystem::Rpm) {
        named.entry(&package.name).or_default().push((key, package));
    }
    let mut missed = demanded(&vouched, &named);
    outdated(root, standings, &vouched, &mut missed);
    let accused = missed.keys().copied().collect();
    for (key, (package, evidence)) in missed {
        let message = format!("`{key}` is older than signed records beside it demand: it is {}", package.version);
        let mut evidence = evidence.into_iter();
        if let Some(first) = evidence.next() {
            let finding = Finding::new(VERSION_ROLLED_BACK, Subject::Package { name: key.clone() }, message, first);
            result.findings.push(evidence.fold(finding, Finding::and));
        }
    }
    mixed(&vouched, &accused, result);
}

/// Packages that are too old, with what shows it.
type Missed<'a> = BTreeMap<&'a String, (&'a Package, Vec<Evidence>)>;

/// Packages that miss what others demand of them.
fn demanded<'a>(
    vouched: &[(&'a String, &'a Package)],
    named: &BTreeMap<&str, Vec<(&'a String, &'a Package)>>,
) -> Missed<'a> {
    let mut missed = Missed::new();
    for (witness, package) in vouched {
        for demand in &package.demands {
            let Some(installed) = named.get(demand.name.as_str()) else { continue };
            // Of several versions or architectures one that is new enough will do.
            let is_old = |own: &(&String, &Package)| {
                demand.least.is_missed_by(own.1.version.as_bytes(), demand.version.as_bytes())
            };
            if installed.iter().all(is_old) {
                for (key, package) in installed {
                    let value = format!("{} {} {}", demand.name, demand.least.sign(), demand.version);
                    let evidence = Evidence::Fact { about: format!("demand of {witness}"), value };
                    missed.entry(key).or_insert_with(|| (package, Vec::new())).1.push(evidence);
                }
            }
        }
    }
    missed
}

/// Adds packages whose files are on disk although a newer signed record of the same package wants others: where an update was
/// cut short the newer one's files are there. Else a newer record beside the older one would satisfy every demand.
fn outdated<'a>(
    root: &'a RootFacts,
    standings: &Standings<'_>,
    vouched: &[(&'a String, &'a Package)],
    missed: &mut Missed<'a>,
) {
    let known: BTreeMap<&String, &Package> = vouched.iter().copied().collect();
    for (path, file) in root.files.surface() {
        let Some(Judgement::Matches(record)) = trust::judge(root, standings, path) else { continue };
        let Some((key, own)) = known.get_key_value(&record.package) else { continue };
        for other in root.packages.records.get(path).into_iter().flatten() {
            let Some(newer) = known.get(&other.package) else { continue };
            let is_same = newer.name == own.name && newer.architecture == own.architecture;
            let is_newer = evr(own).compare(&evr(newer)).is_lt();
            if is_same && is_newer && matches!(trust::against(file, other), Judgement::Differs { .. }) {
                let value = format!("`{path}` is as {} has it, not as {} does", own.version, newer.version);
                let evidence = Evidence::Fact { about: format!("record of {}", other.package), value };
                missed.entry(key).or_insert_with(|| (own, Vec::new())).1.push(evidence);
            }
        }
    }
}

/// Packages of one source, by its name without version and release, in different versions.
fn mixed(vouched: &[(&String, &Package)], accused: &BTreeSet<&String>, result: &mut CheckResult) {
    let mut sources: BTreeMap<&str, Vec<(&String, &Package)>> = BTreeMap::new();
    for (key, package) in vouched {
        // NAME-VERSION-RELEASE.src.rpm
        let name = package.source.rsplitn(3, '-').nth(2).unwrap_or_default();
        if !name.is_empty() {
            sources.entry(name).or_default().push((key, package));
        }
    }
    for (source, packages) in sources {
        let newest = packages.iter().max_by(|one, two| evr(one.1).compare(&evr(two.1)));
        let Some((newest, latest)) = newest else { continue };
        for (key, package) in &packages {
            if evr(package).compare(&evr(latest)).is_lt() && !accused.contains(key) {
                let message =
                    format!("`{key}` is older than `{newest}`, which is built from the same source `{source}`");
                let evidence = Evidence::Fact { about: format!("source of {newest}"), value: latest.source.clone() };
                result.findings.push(Finding::new(
                    MIXED_VERSIONS,
                    Subject::Package { name: (*key).clone() },
                    message,
                    evidence,
                ));
            }
        }
    }
}

fn evr(package: &Package) -> Evr<'_> {
    Evr::parse(package.version.as_bytes())
}
