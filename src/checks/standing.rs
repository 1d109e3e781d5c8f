//! Who stands behind the records of a package: its distributor's key, one that the site pinned, or why
//! nobody's.
//!
//! The one place where a [`Seal`] becomes an opinion. Another kind of signed metadata (an archive's index, a manifest of the
//! site) brings a seal of its kind and is judged here too.

use std::collections::BTreeMap;

use crate::facts::RootFacts;
use crate::facts::package::{Package, PackageSystem, Record, Seal, Sealed, SiteSeal};
use crate::knowledge::Knowledge;
use crate::model::Timestamp;
use crate::model::report::{Link, LinkKind, Trust};
use crate::trust::vendor::{Doubt, Pins, Question, Release, Voucher, vouches};

/// What stands behind a package's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The signature of the distributor, or of somebody whom the site pinned.
    Vouched(Box<Voucher>),
    /// A manifest that a key of the site has signed: whose, and which, in one clause.
    Site(String),
    /// Nothing, for this reason.
    Doubted(Doubt),
    /// Nothing, for its system keeps no signatures on the host.
    Unsealed,
}

/// What stands behind each package of one root: judged once, for many files ask of the same package.
#[derive(Clone, Debug)]
pub struct Standings<'a> {
    /// By the key of [`crate::facts::PackageFacts::packages`].
    packages: BTreeMap<&'a str, (&'a Package, Standing)>,
    /// Whether anybody's keys are pinned for the root's distribution, so that each of its packages is to be signed.
    pub is_known: bool,
    /// Whether the root's release is one, at its end of life, whose signatures are weak.
    is_weak_release: bool,
}

impl<'a> Standings<'a> {
    /// Those of the packages of `root`, which was looked at at this moment.
    #[must_use]
    pub fn of(root: &'a RootFacts, knowledge: &Knowledge, at: Timestamp) -> Self {
        // Distributors' keys are read when somebody asks for them: nobody does where nothing is signed.
        let is_sealed = root.packages.packages.values().any(|package| package.seal.is_some());
        let release = Release::of(&root.os_release).filter(|_| is_sealed);
        let pins = || Pins { vendor: knowledge.vendor_keys(), site: knowledge.site_keys() };
        let packages = root.packages.packages.iter();
        Self {
            packages: packages
                .map(|(key, package)| (key.as_str(), (package, of_package(root, knowledge, package, at))))
                .collect(),
            is_known: release.as_ref().is_some_and(|release| pins().knows(release)),
            is_weak_release: release
                .as_ref()
                .is_some_and(|release| pins().vendor.allows_sha1(&release.id, &release.major)),
        }
    }

    /// Whether the root's release is of the time of prelink(8), which rewrote programs and libraries for speed: RHEL up to 6.
    /// Later ones have no such files, whatever a file says of itself.
    #[must_use]
    pub const fn has_prelink(&self) -> bool {
        self.is_weak_release
    }

    /// What stands behind the package with this key.
    #[must_use]
    pub fn of_package(&self, key: &str) -> &Standing {
        self.packages.get(key).map_or(&Standing::Unsealed, |(_, standing)| standing)
    }

    /// What stands behind `record`: what an archive signed says nothing of dpkg's own records of the same package.
    fn of_record(&self, record: &Record) -> &Standing {
        let seal = self.packages.get(record.package.as_str()).and_then(|(package, _)| package.seal.as_ref());
        match seal.filter(|seal| seal.what == Sealed::Archive).and_then(|seal| seal.through.last()) {
            Some(file) if file.path != record.source => &Standing::Unsealed,
            _ => self.of_package(&record.package),
        }
    }

    /// The links between the signature and `record`, which hold: otherwise it would not be a record.
    #[must_use]
    pub fn passages(&self, record: &Record) -> Vec<Link> {
        let seal = self.packages.get(record.package.as_str()).and_then(|(package, _)| package.seal.as_ref());
        let seal = seal.filter(|_| *self.of_record(record) != Standing::Unsealed);
        let passages = seal.into_iter().flat_map(|seal| &seal.through);
        passages
            .map(|passage| Link {
                link: LinkKind::Archive,
                by: format!("{} (sha256 {})", passage.path, passage.sha256.hex()),
                ok: true,
            })
            .collect()
    }

    /// What a match with `record` is worth. A weak digest in signed metadata counts as signed only for the releases whose
    /// signatures are weak as well.
    #[must_use]
    pub fn trust(&self, record: &Record) -> Trust {
        let is_strong = record.digest.is_some_and(|digest| digest.algorithm().is_strong());
        match self.of_record(record) {
            Standing::Vouched(voucher) if is_strong || self.is_weak_release => match voucher.site() {
                Some(_) => Trust::SiteSigned,
                None => Trust::VendorSigned,
            },
            Standing::Site(_) if is_strong => Trust::SiteSigned,
            _ if is_strong => Trust::LocalStrong,
            _ => Trust::LocalWeak,
        }
    }

    /// The first link of the chain of a file with this record.
    #[must_use]
    pub fn link(&self, record: &Record) -> Link {
        let (by, ok) = match self.of_record(record) {
            Standing::Vouched(voucher) => (voucher.words(), true),
            Standing::Site(words) => (words.clone(), true),
            Standing::Doubted(doubt) => (words(doubt), false),
            Standing::Unsealed => {
                // Records without a package are those of Debian's tools: ucf(1), pam-auth-update(8).
                let system = self
                    .packages
                    .get(record.package.as_str())
                    .map_or(PackageSystem::Dpkg, |(package, _)| package.system);
                (format!("none: {} keeps no signature", system.name()), false)
            }
        };
        Link { link: LinkKind::Signature, by, ok }
    }
}

/// What stands behind a package that need not be installed on `root`, which was looked at at this moment.
#[must_use]
pub fn of_package(root: &RootFacts, knowledge: &Knowledge, package: &Package, at: Timestamp) -> Standing {
    if let Some(manifest) = &package.manifest {
        return of_manifest(manifest, knowledge, at);
    }
    let Some(Seal { signatures, .. }) = &package.seal else { return Standing::Unsealed };
    let release = Release::of(&root.os_release);
    let pins = Pins { vendor: knowledge.vendor_keys(), site: knowledge.site_keys() };
    let question = Question { package: &package.name, release: release.as_ref(), at };
    match vouches(signatures, &pins, &question) {
        Ok(voucher) => Standing::Vouched(Box::new(voucher)),
        Err(doubt) => Standing::Doubted(doubt),
    }
}

/// What stands behind the records of a site manifest: a key that the site pinned, before its last day and the manifest's.
#[must_use]
pub fn of_manifest(manifest: &SiteSeal, knowledge: &Knowledge, at: Timestamp) -> Standing {
    let signed = |key: &str| manifest.keys.iter().any(|(other, holds)| *holds && other == key);
    let mut pins = knowledge.manifest_keys().iter().filter(|pin| signed(pin.key()));
    let doubt = match pins.clone().next() {
        _ if manifest.keys.is_empty() => Doubt::Unsigned,
        _ if manifest.keys.iter().all(|(_, holds)| !holds) => {
            Doubt::Bad("it was changed after it was signed".to_owned())
        }
        Some(_) if at >= manifest.expires => Doubt::PinEnded(format!("a manifest that ended on {}", manifest.expires)),
        Some(pin) => match pins.find(|pin| !pin.has_ended(at)) {
            Some(pin) => {
                let words = format!(
                    "key {} of {}, manifest `{}` of {}",
                    pin.key(),
                    pin.words(),
                    manifest.label,
                    manifest.made_at
                );
                return Standing::Site(words);
            }
            None => Doubt::PinEnded(format!("key {} of {}", pin.key(), pin.words())),
        },
        None => Doubt::Stranger(manifest.keys.first().map(|(key, _)| key.clone()).unwrap_or_default()),
    };
    Standing::Doubted(doubt)
}

/// A doubt in one clause.
#[must_use]
pub fn words(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Bad(why) => format!("the signature does not hold: {why}"),
        Doubt::Refused(why) => format!("the signature does not count: {why}"),
        Doubt::NotBase(whose) | Doubt::Unpinned(whose) | Doubt::PinEnded(whose) | Doubt::OutOfScope(whose) => {
            format!("signed by {whose}")
        }
        Doubt::Stranger(issuer) => format!("signed by key {issuer}, which is neither here nor pinned"),
        Doubt::Unsigned => "there is no signature".to_owned(),
        Doubt::KeyMissing(issuer) => format!("signed by the pinned key {issuer}, whose bytes are not here"),
        Doubt::CannotCheck(why) => format!("it carries {why}, which we cannot check"),
        Doubt::UnknownDistribution(which) => format!("whose keys count cannot be told: `{which}`"),
    }
}
