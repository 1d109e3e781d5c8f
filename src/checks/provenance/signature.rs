//! Signatures over the records of packages that own files of the surface.

use std::collections::{BTreeMap, BTreeSet};

use super::super::standing::{self, Standing};
use crate::facts::RootFacts;
use crate::facts::package::{Package, Seal};
use crate::knowledge::Knowledge;
use crate::model::code::{
    BASE_PACKAGE_SIGNER, HEADER_SHADOWED, SIGNATURE_BAD, SIGNATURE_REFUSED, SIGNATURE_STRIPPED, SIGNER_UNKNOWN,
};
use crate::model::{CheckResult, Code, Evidence, Finding, Gap, Severity, Subject};
use crate::trust::vendor::{Doubt, Release};

/// Adds a finding or a gap for each such package that nobody vouches for.
pub(super) fn check(root: &RootFacts, knowledge: &Knowledge, result: &mut CheckResult) {
    let surface = root.files.surface().filter_map(|(path, _)| root.packages.records.get(path));
    let owners: BTreeSet<&String> = surface.flatten().map(|record| &record.package).collect();
    // What we lack is said once for all packages that lack it.
    let mut missing: BTreeMap<Doubt, Vec<&str>> = BTreeMap::new();
    for name in owners {
        let Some(package) = root.packages.packages.get(name) else { continue };
        let Some(seal) = &package.seal else { continue };
        shadowed(name, seal, result);
        let Standing::Doubted(doubt) = standing::of_package(root, knowledge, package) else { continue };
        match finding(root, knowledge, name, package, seal, &doubt) {
            Some(finding) => result.findings.push(finding),
            None => missing.entry(doubt).or_default().push(name),
        }
    }
    for (doubt, names) in missing {
        result.gap(gap(&doubt, &names));
    }
}

/// The finding that a doubt is; `None` where the doubt is about what we can check.
fn finding(
    root: &RootFacts,
    knowledge: &Knowledge,
    name: &str,
    package: &Package,
    seal: &Seal,
    doubt: &Doubt,
) -> Option<Finding> {
    let is_base = knowledge.vendor_keys().is_base(&package.name);
    let pinned =
        Release::of(&root.os_release).is_some_and(|release| knowledge.vendor_keys().of(&release.id).next().is_some());
    let code: Code = match doubt {
        Doubt::Bad(_) => SIGNATURE_BAD,
        Doubt::Refused(_) => SIGNATURE_REFUSED,
        Doubt::NotBase(_) => BASE_PACKAGE_SIGNER,
        Doubt::Stranger(_) if is_base && pinned => BASE_PACKAGE_SIGNER,
        Doubt::Unpinned(_) | Doubt::Stranger(_) if pinned => SIGNER_UNKNOWN,
        Doubt::Unsigned if pinned => SIGNATURE_STRIPPED,
        _ => return None,
    };
    let message = match doubt {
        Doubt::Unsigned => format!("the {} of `{name}` carries no signature", seal.what.name()),
        doubt => format!("nobody vouches for the {} of `{name}`: {}", seal.what.name(), standing::words(doubt)),
    };
    let about = |fact: &str| format!("{fact} of {name}");
    let digest = Evidence::Fact { about: about(seal.what.name()), value: seal.digest.to_string() };
    let mut finding = Finding::new(code, Subject::Package { name: name.to_owned() }, message, digest);
    for checked in &seal.signatures {
        let made = checked.created.map_or_else(|| "at no stated time".to_owned(), |at| at.to_string());
        let value = format!("by key {}, version {}, {}, {made}", checked.issuer, checked.version, checked.hash.name());
        finding = finding.and(Evidence::Fact { about: about("signature"), value });
    }
    // On the way of a login, but not of the distribution's base: a site's own package may be unsigned.
    let is_grave = is_base || matches!(doubt, Doubt::Bad(_));
    Some(if is_grave { finding } else { finding.with_severity(Severity::Medium) })
}

fn gap(doubt: &Doubt, names: &[&str]) -> Gap {
    let packages = match names {
        [one] => format!("`{one}`"),
        [first, rest @ ..] => format!("`{first}` and {} more packages", rest.len()),
        [] => String::new(),
    };
    let help = match doubt {
        Doubt::KeyMissing(_) => "; give the distributor's key file with `--keyring`",
        Doubt::UnknownDistribution(_) | Doubt::Unsigned | Doubt::Unpinned(_) | Doubt::Stranger(_) => {
            "; no key is pinned for this distribution"
        }
        _ => "",
    };
    let reason = format!("the signature of {packages} could not be judged: {}{help}", standing::words(doubt));
    Gap::mandatory(Subject::Host, reason)
}

/// The database holds a tag twice: rpm shows the value that nobody signed.
fn shadowed(name: &str, seal: &Seal, result: &mut CheckResult) {
    if seal.shadowed.is_empty() {
        return;
    }
    let tags: Vec<String> = seal.shadowed.iter().map(ToString::to_string).collect();
    let message = format!("the database holds values of `{name}` that hide the signed ones from rpm");
    let evidence =
        Evidence::Fact { about: format!("tags of {name} both in and outside of the region"), value: tags.join(", ") };
    result.findings.push(Finding::new(HEADER_SHADOWED, Subject::Package { name: name.to_owned() }, message, evidence));
}
