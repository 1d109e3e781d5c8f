//! What one header says of the files asked for, as facts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::out::Out;
use crate::facts::package::{Attributes, Demand, Package, PackageSystem, Record, RecordKind, Seal, Sealed};
use crate::formats::rpm::files::{
    CONFIG, DOC, File, GHOST, MISSING_OK, VERIFY_CAPABILITIES, VERIFY_DIGEST, VERIFY_GROUP, VERIFY_MODE, VERIFY_USER,
};
use crate::formats::rpm::header::Header;
use crate::formats::rpm::{requires, signature, tag};
use crate::model::text::escape;
use crate::model::{Algorithm, Digest, RootedPath};
use crate::trust::keyring::Keyring;
use crate::trust::{Checked, Hash, Outcome};

/// Writes down the package of `header`, its signatures checked, and its records of the claimed files: canonical path and
/// file of the header. `source` is the database's file. Says whether any signature over it holds.
pub(super) fn write(
    header: &Header<'_>,
    claims: Vec<(RootedPath, File)>,
    keyring: &Keyring,
    source: &RootedPath,
    out: &mut Out,
) -> bool {
    let seal = seal(header, keyring);
    let signed = seal.signatures.iter().any(|checked| matches!(checked.outcome, Outcome::Good(_)));
    let key = unused_key(key(header), &seal, out);
    out.facts.packages.entry(key.clone()).or_insert_with(|| package(header, seal));
    for (real, file) in claims {
        let record = record(&key, file, source);
        let records = out.facts.records.entry(real).or_default();
        if !records.contains(&record) {
            records.push(record);
        }
    }
    signed
}

/// The package that the header describes, sealed so.
pub(super) fn package(header: &Header<'_>, seal: Seal) -> Package {
    let text = |tag| header.string(tag).map(escape).unwrap_or_default();
    Package {
        system: PackageSystem::Rpm,
        name: text(tag::NAME),
        version: version(header),
        architecture: text(tag::ARCH),
        status: String::new(),
        seal: Some(seal),
        source: text(tag::SOURCE_RPM),
        manifest: None,
        demands: requires::demands(header).iter().map(demand).collect(),
    }
}

fn demand(found: &requires::Demand<'_>) -> Demand {
    Demand { name: escape(found.name), least: found.least, version: escape(found.version) }
}

/// `key`, or, where another header bears it already, one of this header's own: whoever plants a second header with the
/// name of a signed one must not have the first one's signature count for it.
fn unused_key(key: String, seal: &Seal, out: &Out) -> String {
    let is_other = |package: &Package| package.seal.as_ref().is_none_or(|known| known.digest != seal.digest);
    if out.facts.packages.get(&key).is_some_and(is_other) {
        format!("{key} (header {})", seal.digest.hex())
    } else {
        key
    }
}

/// `name-version-release.arch`, escaped: what tells installed packages apart.
pub(super) fn key(header: &Header<'_>) -> String {
    let text = |tag| header.string(tag).map(escape).unwrap_or_default();
    let architecture = header.string(tag::ARCH).map(|arch| format!(".{}", escape(arch))).unwrap_or_default();
    format!("{}-{}{architecture}", text(tag::NAME), version(header))
}

/// `epoch:version-release`, the epoch only where there is one; escaped.
fn version(header: &Header<'_>) -> String {
    let text = |tag| header.string(tag).map(escape).unwrap_or_default();
    let epoch = header.number(tag::EPOCH).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    format!("{epoch}{}-{}", text(tag::VERSION), text(tag::RELEASE))
}

/// The signatures over the header, checked.
pub(super) fn seal(header: &Header<'_>, keyring: &Keyring) -> Seal {
    let signed = header.signed();
    let unknown = |outcome| Checked { version: 0, hash: Hash::Other, created: None, issuer: String::new(), outcome };
    let check = |packets: &Vec<u8>| {
        // A signature that makes the library fail is one that could not be checked, no more.
        catch_unwind(AssertUnwindSafe(|| keyring.check(&signed, packets)))
            .unwrap_or_else(|_| vec![unknown(Outcome::Unsupported("a signature that our library fails on".to_owned()))])
    };
    let signatures = match signature::packets(header) {
        Ok(packets) => packets.iter().flat_map(check).collect(),
        Err(tag) => vec![unknown(Outcome::Malformed(format!("tag {tag} holds no signature")))],
    };
    Seal {
        what: Sealed::RpmHeader,
        digest: Digest::of(Algorithm::Sha256, &signed),
        signatures,
        shadowed: header.shadowed().collect(),
        through: Vec::new(),
    }
}

fn record(package: &str, file: File, source: &RootedPath) -> Record {
    let compares = |bit| file.verify & bit != 0;
    let kind = if file.flags & GHOST != 0 {
        RecordKind::Ghost
    } else if file.flags & CONFIG != 0 || !compares(VERIFY_DIGEST) {
        // The packager may say that the content is not to be compared: then it changes as configuration does.
        RecordKind::Conffile
    } else {
        RecordKind::File
    };
    let attributes = Attributes {
        mode: file.mode.filter(|_| compares(VERIFY_MODE)),
        user: file.user.as_deref().filter(|_| compares(VERIFY_USER)).map(escape),
        group: file.group.as_deref().filter(|_| compares(VERIFY_GROUP)).map(escape),
        capabilities: compares(VERIFY_CAPABILITIES).then(|| escape(&file.capabilities)),
        colour: file.colour,
        may_be_missing: file.flags & (MISSING_OK | DOC | GHOST | CONFIG) != 0,
        state: file.state,
    };
    Record {
        package: package.to_owned(),
        source: source.clone(),
        recorded_path: file.path,
        digest: file.digest,
        kind,
        attributes: Some(Box::new(attributes)),
    }
}
