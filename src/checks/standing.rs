//! Who stands behind the records of a package: its distributor's key, or why not.
//!
//! The one place where a [`Seal`] becomes an opinion. Another kind of signed metadata (an archive's index, a manifest of the
//! site) brings a seal of its kind and is judged here too.

use crate::facts::RootFacts;
use crate::facts::package::{Package, PackageSystem, Record, Seal};
use crate::knowledge::Knowledge;
use crate::model::report::{Link, LinkKind, Trust};
use crate::trust::vendor::{Doubt, Release, Voucher, vouches};

/// What stands behind a package's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The distributor's signature.
    Vouched(Voucher),
    /// Nothing, for this reason.
    Doubted(Doubt),
    /// Nothing, for its system keeps no signatures on the host.
    Unsealed,
}

/// What stands behind the records of `package`.
#[must_use]
pub fn of_package(root: &RootFacts, knowledge: &Knowledge, package: &Package) -> Standing {
    let Some(Seal { signatures, .. }) = &package.seal else { return Standing::Unsealed };
    let release = Release::of(&root.os_release);
    match vouches(signatures, knowledge.vendor_keys(), release.as_ref(), &package.name) {
        Ok(voucher) => Standing::Vouched(voucher),
        Err(doubt) => Standing::Doubted(doubt),
    }
}

/// What stands behind one record.
#[must_use]
pub fn of_record(root: &RootFacts, knowledge: &Knowledge, record: &Record) -> Standing {
    let package = root.packages.packages.get(&record.package);
    package.map_or(Standing::Unsealed, |package| of_package(root, knowledge, package))
}

/// What a match with `record` is worth. A weak digest in signed metadata counts as signed only for the releases whose
/// signatures are weak as well.
#[must_use]
pub fn trust(root: &RootFacts, knowledge: &Knowledge, record: &Record) -> Trust {
    let is_strong = record.digest.is_some_and(|digest| digest.algorithm().is_strong());
    let weak_release = || {
        Release::of(&root.os_release)
            .is_some_and(|release| knowledge.vendor_keys().allows_sha1(&release.id, &release.major))
    };
    match of_record(root, knowledge, record) {
        Standing::Vouched(_) if is_strong || weak_release() => Trust::VendorSigned,
        _ if is_strong => Trust::LocalStrong,
        _ => Trust::LocalWeak,
    }
}

/// The first link of the chain of a file with this record.
#[must_use]
pub fn link(root: &RootFacts, knowledge: &Knowledge, record: &Record) -> Link {
    // Records without a package are those of Debian's tools: ucf(1), pam-auth-update(8).
    let system =
        root.packages.packages.get(&record.package).map_or(PackageSystem::Dpkg, |package| package.system).name();
    let (by, ok) = match of_record(root, knowledge, record) {
        Standing::Vouched(voucher) => (voucher.words(), true),
        Standing::Doubted(doubt) => (words(&doubt), false),
        Standing::Unsealed => (format!("none: {system} keeps no signature"), false),
    };
    Link { link: LinkKind::Signature, by, ok }
}

/// A doubt in one clause.
#[must_use]
pub fn words(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Bad(why) => format!("the signature does not hold: {why}"),
        Doubt::Refused(why) => format!("the signature does not count: {why}"),
        Doubt::NotBase(whose) | Doubt::Unpinned(whose) => format!("signed by {whose}"),
        Doubt::Stranger(issuer) => format!("signed by key {issuer}, which is neither here nor pinned"),
        Doubt::Unsigned => "there is no signature".to_owned(),
        Doubt::KeyMissing(issuer) => format!("signed by the pinned key {issuer}, whose bytes are not here"),
        Doubt::CannotCheck(why) => format!("it carries {why}, which we cannot check"),
        Doubt::UnknownDistribution(which) => format!("whose keys count cannot be told: `{which}`"),
    }
}
