//! Every indicator that matches, with the facts that show it. Nothing is weighed here.

use std::collections::BTreeMap;

use crate::facts::process::{MappedContent, Mapping};
use crate::facts::{Facts, FileFacts, RootFacts};
use crate::knowledge::family::{PackageRule, PathRule, PathType};
use crate::knowledge::{Family, Hit, Indicator, Kind, Knowledge, Specificity};
use crate::model::{Digest, Evidence, FileKind, Meta, RootedPath, Subject, text};

/// One indicator that matched one subject.
pub(super) struct Sighting {
    /// Id of the indicator in its family.
    pub indicator: String,
    /// Its title.
    pub title: String,
    /// Its weight.
    pub specificity: Specificity,
    /// Id of its source in the family.
    pub source: String,
    /// What it matched.
    pub subject: Subject,
    /// What shows it; at least one piece.
    pub evidence: Vec<Evidence>,
}

impl Sighting {
    fn new(indicator: &Indicator, subject: Subject, evidence: Vec<Evidence>) -> Self {
        Self {
            indicator: indicator.id.clone(),
            title: indicator.title.clone(),
            specificity: indicator.specificity,
            source: indicator.source.clone(),
            subject,
            evidence,
        }
    }
}

/// All sightings, each with the id of its family.
pub(super) fn all(facts: &Facts, knowledge: &Knowledge) -> Vec<(String, Sighting)> {
    let mut seen = Vec::new();
    let digests = by_digest(knowledge);
    for root in &facts.roots {
        for (path, file) in &root.files.files {
            content(path, file, knowledge, &mut seen);
            for digest in &file.digests {
                for (family, indicator) in digests.get(digest).into_iter().flatten() {
                    let evidence =
                        Evidence::Fact { about: format!("{} of {path}", digest.algorithm()), value: digest.hex() };
                    seen.push((family.id.clone(), Sighting::new(indicator, Subject::file(path), vec![evidence])));
                }
            }
        }
        mapped(root, knowledge, &digests, &mut seen);
        for family in knowledge.families() {
            for indicator in &family.indicators {
                let sightings = match &indicator.kind {
                    Kind::Path(rule) => places(root, family, indicator, rule),
                    Kind::Mapping(names) => mappings(root, indicator, names),
                    Kind::Package(rule) => packages(root, indicator, rule),
                    Kind::Socket(names) if root.live => sockets(facts, indicator, names),
                    Kind::Socket(_) | Kind::Digest(_) | Kind::Content(_) | Kind::Unobserved(_) => Vec::new(),
                };
                seen.extend(sightings.into_iter().map(|sighting| (family.id.clone(), sighting)));
            }
        }
    }
    seen
}

type ByDigest<'a> = BTreeMap<Digest, Vec<(&'a Family, &'a Indicator)>>;

fn by_digest(knowledge: &Knowledge) -> ByDigest<'_> {
    let mut map = ByDigest::new();
    for family in knowledge.families() {
        for indicator in &family.indicators {
            if let Kind::Digest(digests) = &indicator.kind {
                for digest in digests {
                    map.entry(*digest).or_default().push((family, indicator));
                }
            }
        }
    }
    map
}

/// Content rules that matched while the bytes were at hand. Every file counts, owned by a package or not: the records
/// that dpkg keeps are unsigned, and the one backdoor that was shipped signed was shipped by the distributors.
fn content(path: &RootedPath, file: &FileFacts, knowledge: &Knowledge, seen: &mut Vec<(String, Sighting)>) {
    for hit in file.hits.iter().flatten() {
        seen.extend(by_content(hit, knowledge, Subject::file(path), shown(path, hit)));
    }
}

fn by_content(
    hit: &Hit,
    knowledge: &Knowledge,
    subject: Subject,
    evidence: Vec<Evidence>,
) -> Option<(String, Sighting)> {
    let known = knowledge.family(&hit.family).and_then(|family| family.indicator(&hit.indicator));
    let sighting = Sighting {
        indicator: hit.indicator.clone(),
        title: known.map_or_else(|| hit.indicator.clone(), |known| known.title.clone()),
        specificity: hit.specificity,
        source: known.map_or_else(String::new, |known| known.source.clone()),
        subject,
        evidence,
    };
    (hit.specificity > Specificity::Auxiliary).then(|| (hit.family.clone(), sighting))
}

/// The same for what a server's process executes and no path leads to any more: deleted, replaced, never named.
fn mapped(root: &RootFacts, knowledge: &Knowledge, digests: &ByDigest<'_>, seen: &mut Vec<(String, Sighting)>) {
    for process in &root.processes {
        let subject = || Subject::Process { pid: process.pid, starttime: process.starttime };
        for mapping in &process.mappings {
            let Some(MappedContent::Other { sha256, hits, .. }) = &mapping.content else { continue };
            let piece = |detail: String| Evidence::Mapping {
                pid: process.pid,
                range: range(mapping),
                path: mapping.path.clone(),
                detail,
            };
            for hit in hits.iter().flatten() {
                let at = hit.places.first().map_or_else(String::new, |place| format!(" at offset {}", place.offset));
                let piece = piece(format!("{}/{}{at}", hit.family, hit.indicator));
                seen.extend(by_content(hit, knowledge, subject(), vec![piece]));
            }
            for (family, indicator) in digests.get(sha256).into_iter().flatten() {
                let sighting = Sighting::new(indicator, subject(), vec![piece(sha256.to_string())]);
                seen.push((family.id.clone(), sighting));
            }
        }
    }
}

fn range(mapping: &Mapping) -> String {
    format!("{:x}-{:x} {}", mapping.start, mapping.end, mapping.permissions)
}

fn shown(path: &RootedPath, hit: &Hit) -> Vec<Evidence> {
    let indicator = format!("{}/{}", hit.family, hit.indicator);
    let places = hit.places.iter().map(|place| Evidence::Bytes {
        path: path.clone(),
        offset: place.offset,
        hex: place.hex.clone(),
        indicator: indicator.clone(),
    });
    let traits = hit.traits.iter().map(|seen| Evidence::Symbol {
        path: path.clone(),
        name: seen.name.clone(),
        detail: seen.detail.clone(),
    });
    let mut evidence: Vec<Evidence> = places.chain(traits).collect();
    if evidence.is_empty() {
        evidence.push(Evidence::Fact { about: format!("content of {path}"), value: indicator });
    }
    evidence
}

fn places(root: &RootFacts, family: &Family, indicator: &Indicator, rule: &PathRule) -> Vec<Sighting> {
    let mut sightings: Vec<Sighting> = Vec::new();
    for asked in rule.places.iter().flat_map(|place| root.files.expand(place)) {
        let Some(path) = root.files.canonical(&asked) else { continue };
        let subject = Subject::file(path);
        if sightings.iter().any(|seen| seen.subject == subject) {
            continue;
        }
        let Some(file) = root.files.files.get(path) else { continue };
        let Some(meta) = file.meta() else { continue };
        if !inode_fits(rule, meta) || !owner_fits(rule, root, path) {
            continue;
        }
        let mut evidence = vec![Evidence::Metadata {
            path: path.clone(),
            property: "existence".to_owned(),
            expected: "absent".to_owned(),
            actual: describe(meta),
        }];
        if !rule.content.is_empty() {
            let hits = file.hits.iter().flatten();
            let hits: Vec<&Hit> =
                hits.filter(|hit| hit.family == family.id && rule.content.contains(&hit.indicator)).collect();
            if hits.is_empty() {
                continue;
            }
            evidence.extend(hits.into_iter().flat_map(|hit| shown(path, hit)));
        }
        sightings.push(Sighting::new(indicator, subject, evidence));
    }
    sightings
}

fn inode_fits(rule: &PathRule, meta: &Meta) -> bool {
    let type_fits = match rule.file_type {
        None => true,
        Some(PathType::File) => meta.kind == FileKind::Regular,
        Some(PathType::Directory) => meta.kind == FileKind::Directory,
    };
    type_fits
        && meta.mode & rule.mode == rule.mode
        && rule.uid.is_none_or(|uid| meta.uid == uid)
        && rule.max_size.is_none_or(|size| meta.size <= size)
}

/// A path that a package owns is the package's, and `provenance` says whether its content is. A rule for a name that
/// packages do use wants a database to say that none owns it.
fn owner_fits(rule: &PathRule, root: &RootFacts, path: &RootedPath) -> bool {
    match root.packages.records.get(path) {
        Some(records) => records.is_empty() && (!rule.unowned || root.packages.is_whole()),
        None => !rule.unowned,
    }
}

fn describe(meta: &Meta) -> String {
    let kind = match meta.kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::Fifo => "FIFO",
        FileKind::Socket => "socket",
        FileKind::Device => "device",
    };
    format!("{kind}, mode {:04o}, owner {}:{}, {} bytes", meta.mode, meta.uid, meta.gid, meta.size)
}

fn mappings(root: &RootFacts, indicator: &Indicator, names: &[Vec<u8>]) -> Vec<Sighting> {
    let mut sightings = Vec::new();
    for process in &root.processes {
        for mapping in &process.mappings {
            let Some(path) = text::unescape(&mapping.path) else { continue };
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            if !path.starts_with(b"/") || !names.iter().any(|known| known == name) {
                continue;
            }
            let subject = Subject::Process { pid: process.pid, starttime: process.starttime };
            let evidence = Evidence::Mapping {
                pid: process.pid,
                range: range(mapping),
                path: mapping.path.clone(),
                detail: "a name that the family uses".to_owned(),
            };
            sightings.push(Sighting::new(indicator, subject, vec![evidence]));
        }
    }
    sightings
}

fn packages(root: &RootFacts, indicator: &Indicator, rule: &PackageRule) -> Vec<Sighting> {
    let bad = root.packages.packages.iter().filter(|(_, package)| rule.applies(&package.name, &package.version));
    bad.map(|(name, package)| {
        let about = format!("installed version of {name}");
        let evidence = Evidence::Fact { about, value: package.version.clone() };
        Sighting::new(indicator, Subject::Package { name: name.clone() }, vec![evidence])
    })
    .collect()
}

fn sockets(facts: &Facts, indicator: &Indicator, names: &[Vec<u8>]) -> Vec<Sighting> {
    let known = facts.kernel.iter().flat_map(|kernel| kernel.abstract_sockets.iter().flatten());
    let found = known.filter(|socket| names.iter().any(|name| text::escape(name) == **socket));
    found
        .map(|socket| {
            let evidence = Evidence::Fact { about: "abstract UNIX socket".to_owned(), value: socket.clone() };
            Sighting::new(indicator, Subject::Host, vec![evidence])
        })
        .collect()
}
