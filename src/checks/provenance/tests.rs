//! What the cases on disk cannot show: releases that are long gone.

use std::collections::{BTreeMap, BTreeSet};

use super::check_root;
use crate::checks::standing::Standings;
use crate::facts::package::{Database, Package, PackageSystem, Reading, Record, RecordKind, Seal, Sealed};
use crate::facts::{FileFacts, FileState, Role, RootFacts};
use crate::formats::elf::ElfRecord;
use crate::formats::elf::record::SectionRecord;
use crate::knowledge::Knowledge;
use crate::model::{Algorithm, Check, CheckResult, Digest, FileKind, Meta, RootedPath, Timestamp};
use crate::policy::Policy;

/// A server that differs from its record and says that prelink rewrote it, on this release.
fn prelinked(id: &str, version: &str) -> CheckResult {
    let path = RootedPath::new("/usr/sbin/sshd").unwrap();
    let digest = |bytes: &[u8]| Digest::of(Algorithm::Sha256, bytes);
    let section = SectionRecord(".gnu.prelink_undo".to_owned(), 1, 0, 0, 0, 0);
    let meta = Meta {
        kind: FileKind::Regular,
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: 1,
        nlink: 1,
        mtime: 0,
        ctime: 0,
        dev: 0,
        ino: 0,
    };
    let file = FileFacts {
        state: FileState::Present(meta),
        roles: BTreeSet::from([Role::Server]),
        looks: BTreeSet::new(),
        digests: vec![digest(b"prelinked")],
        elf: Some(Box::new(ElfRecord { sections: vec![section], ..ElfRecord::default() })),
        text: None,
        keys: None,
        entries: None,
        hits: None,
        problem: None,
    };
    let package = Package {
        system: PackageSystem::Rpm,
        name: "openssh-server".to_owned(),
        version: "5.3p1-1".to_owned(),
        architecture: String::new(),
        status: String::new(),
        seal: Some(Seal {
            what: Sealed::RpmHeader,
            digest: digest(b"header"),
            signatures: Vec::new(),
            shadowed: Vec::new(),
            through: Vec::new(),
        }),
        source: String::new(),
        manifest: None,
        demands: Vec::new(),
    };
    let record = Record {
        package: "openssh-server-5.3p1-1".to_owned(),
        source: path.clone(),
        recorded_path: path.clone(),
        digest: Some(digest(b"as built")),
        kind: RecordKind::File,
        attributes: None,
    };
    let release = [("ID", id), ("VERSION_ID", version)].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut root = RootFacts { os_release: release.into(), ..RootFacts::default() };
    root.files.files = BTreeMap::from([(path.clone(), file)]);
    root.packages.systems = vec![Database { system: PackageSystem::Rpm, place: path.clone(), reading: Reading::Whole }];
    root.packages.packages = BTreeMap::from([(record.package.clone(), package)]);
    root.packages.records = BTreeMap::from([(path, vec![record])]);
    let knowledge = Knowledge::new("2026-01-01", Vec::new());
    let standings = Standings::of(&root, &knowledge, Timestamp(0));
    let mut result = CheckResult::new(Check::Provenance);
    check_root(&root, &standings, &knowledge, &Policy::default(), &mut result);
    result
}

#[test]
fn a_prelinked_file_is_unread_where_prelink_was_and_altered_elsewhere() {
    let altered = |result: &CheckResult| {
        let found = result.findings.iter().find(|finding| finding.code.id() == "provenance/digest-mismatch");
        found.map(|finding| finding.message.clone())
    };
    let unread = |result: &CheckResult| result.gaps.iter().any(|gap| gap.mandatory && gap.reason.contains("prelinked"));
    let old = prelinked("centos", "6.10");
    assert!(altered(&old).is_none() && unread(&old), "{old:?}");
    let new = prelinked("centos", "9");
    assert!(!unread(&new), "{new:?}");
    assert!(altered(&new).unwrap().ends_with("it says of itself that it was prelinked"));
}
