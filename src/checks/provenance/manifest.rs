//! Manifests of the site: each in use is told, each that does not count is a finding.

use std::collections::BTreeMap;

use super::super::standing::{self, Standing, Standings};
use crate::facts::RootFacts;
use crate::facts::package::SiteSeal;
use crate::model::code::{MANIFEST_UNTRUSTED, SITE_SIGNED};
use crate::model::{CheckResult, Evidence, Finding, Severity, Subject};
use crate::trust::vendor::Doubt;

/// Adds what is to be said of each manifest.
pub(super) fn check(root: &RootFacts, standings: &Standings<'_>, result: &mut CheckResult) {
    let packages = root.packages.packages.iter();
    let used: BTreeMap<&SiteSeal, &String> =
        packages.filter_map(|(key, package)| Some((package.manifest.as_ref()?, key))).collect();
    for (manifest, key) in used {
        let name = &manifest.name;
        let evidence = |value: String| Evidence::Fact { about: name.clone(), value };
        result.findings.extend(match standings.of_package(key) {
            Standing::Site(words) => {
                let message = format!("files are vouched for by the site's manifest `{}`", manifest.label);
                Some(Finding::new(SITE_SIGNED, Subject::Host, message, evidence(words.clone())))
            }
            Standing::Doubted(doubt) => {
                let words = standing::words(doubt);
                let message = format!("the site's manifest `{}` does not count: {words}", manifest.label);
                let finding = Finding::new(MANIFEST_UNTRUSTED, Subject::Host, message, evidence(words));
                let is_forged = matches!(doubt, Doubt::Bad(_));
                Some(if is_forged { finding.with_severity(Severity::High) } else { finding })
            }
            Standing::Vouched(_) | Standing::Unsealed => None,
        });
    }
}
