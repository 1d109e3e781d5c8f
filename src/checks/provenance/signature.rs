//! Signatures over the records of packages that own files of the surface.

use std::collections::{BTreeMap, BTreeSet};

use super::super::standing::{self, Standing, Standings};
use super::archive;
use crate::facts::RootFacts;
use crate::facts::package::{Seal, Sealed};
use crate::knowledge::Knowledge;
use crate::model::code::{
    BASE_PACKAGE_SIGNER, HEADER_SHADOWED, PIN_ENDED, SIGNATURE_BAD, SIGNATURE_REFUSED, SIGNATURE_STRIPPED,
    SIGNER_OUT_OF_SCOPE, SIGNER_UNKNOWN, SITE_SIGNED,
};
use crate::model::{CheckResult, Code, Evidence, Finding, Gap, Severity, Subject};
use crate::trust::vendor::{Doubt, Voucher};

/// Adds a finding or a gap for each such package that nobody vouches for.
pub(super) fn check(root: &RootFacts, standings: &Standings<'_>, knowledge: &Knowledge, result: &mut CheckResult) {
    let surface = root.files.surface().filter_map(|(path, _)| root.packages.records.get(path));
    let owners: BTreeSet<&String> = surface.flatten().map(|record| &record.package).collect();
    // What we lack is said once for all packages that lack it.
    let mut missing: BTreeMap<Doubt, Vec<&str>> = BTreeMap::new();
    // So is what the site answers for, pin by pin.
    let mut ended: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    // One list of an archive speaks for many packages.
    let mut archives: BTreeMap<&Doubt, Vec<(&str, &Seal)>> = BTreeMap::new();
    let mut by_site: BTreeMap<&str, (&Voucher, Vec<&str>)> = BTreeMap::new();
    for name in owners {
        let Some(package) = root.packages.packages.get(name) else { continue };
        let Some(seal) = &package.seal else { continue };
        shadowed(name, seal, result);
        let doubt = match standings.of_package(name) {
            Standing::Doubted(Doubt::PinEnded(whose)) => {
                ended.entry(whose).or_default().push(name);
                continue;
            }
            Standing::Doubted(doubt) => doubt,
            Standing::Vouched(voucher) => {
                if let Some(pin) = voucher.site() {
                    by_site.entry(pin.source()).or_insert_with(|| (&**voucher, Vec::new())).1.push(name);
                }
                continue;
            }
            Standing::Site(_) | Standing::Unsealed => continue,
        };
        if seal.what == Sealed::Archive {
            archives.entry(doubt).or_default().push((name, seal));
            continue;
        }
        let is_base = knowledge.vendor_keys().is_base(&package.name);
        match finding(standings.is_known, is_base, name, seal, doubt) {
            Some(finding) => result.findings.push(finding),
            None => missing.entry(doubt.clone()).or_default().push(name),
        }
    }
    result.findings.extend(ended.into_iter().map(|(whose, names)| pin_ended(whose, &names)));
    result.findings.extend(by_site.into_values().filter_map(|(voucher, names)| site_signed(voucher, &names)));
    for (doubt, packages) in archives {
        archive::unsigned(doubt, &packages, standings.is_known, result);
    }
    for (doubt, names) in missing {
        result.gap(gap(&doubt, &names));
    }
}

/// Keys of the site that are in use are told, never silent.
fn site_signed(voucher: &Voucher, names: &[&str]) -> Option<Finding> {
    let pin = voucher.site()?;
    let message = format!(
        "{} vouched for by a pinned key ({}): {}",
        match names {
            [one] => format!("`{one}` is"),
            all => format!("{} packages are", all.len()),
        },
        pin.answered_for(),
        pin.reason()
    );
    Some(
        Finding::new(
            SITE_SIGNED,
            Subject::Host,
            message,
            Evidence::Fact { about: pin.source().to_owned(), value: voucher.words() },
        )
        .and(packages(names)),
    )
}

fn pin_ended(whose: &str, names: &[&str]) -> Finding {
    let message = match names {
        [one] => format!("nobody vouches for `{one}` any more: signed by {whose}"),
        all => format!("nobody vouches for {} packages any more: signed by {whose}", all.len()),
    };
    Finding::new(PIN_ENDED, Subject::Host, message, packages(names))
}

pub(super) fn packages(names: &[&str]) -> Evidence {
    /// Packages named in one finding.
    const NAMED: usize = 50;
    let named: Vec<&str> = names.iter().take(NAMED).copied().collect();
    Evidence::Fact { about: "packages".to_owned(), value: named.join(", ") }
}

/// The finding that a doubt is; `None` where the doubt is about what we can check. `is_known`: whether the distribution's keys
/// are pinned; `is_base`: whether the package is of the base.
fn finding(is_known: bool, is_base: bool, name: &str, seal: &Seal, doubt: &Doubt) -> Option<Finding> {
    let code: Code = match doubt {
        Doubt::Bad(_) => SIGNATURE_BAD,
        Doubt::Refused(_) => SIGNATURE_REFUSED,
        Doubt::NotBase(_) => BASE_PACKAGE_SIGNER,
        Doubt::OutOfScope(_) => SIGNER_OUT_OF_SCOPE,
        Doubt::Stranger(_) if is_base && is_known => BASE_PACKAGE_SIGNER,
        Doubt::Unpinned(_) | Doubt::Stranger(_) if is_known => SIGNER_UNKNOWN,
        Doubt::Unsigned if is_known => SIGNATURE_STRIPPED,
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
        Doubt::KeyMissing(_) => "; give the key file with `--keyring`",
        Doubt::UnknownDistribution(_) | Doubt::Unsigned | Doubt::Unpinned(_) | Doubt::Stranger(_) => {
            "; no key is pinned for this distribution (one of your own can be, in `trust.d`)"
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
