//! How much stands behind each file of the surface: the package record against the bytes, as a judgement, a grade and a
//! chain of links. Makes no findings: `provenance` does, the other checks ask here what is proven.

use super::standing::Standings;
use crate::facts::package::{PackageSystem, Reading, Record, RecordKind};
use crate::facts::{FileFacts, FileState, RootFacts};
use crate::model::report::{File, Link, LinkKind, Trust};
use crate::model::{Algorithm, Digest, FileKind, RootedPath};

/// What the records say of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// Its content is as recorded.
    Matches(&'a Record),
    /// Its content is another, and no administrator is expected to change it.
    Differs {
        /// Who expects another.
        record: &'a Record,
        /// As recorded.
        expected: Digest,
        /// As computed, by the same algorithm.
        actual: Digest,
    },
    /// Configuration whose content is another than the distributed one: the administrator's right.
    Changed {
        /// What was distributed.
        record: &'a Record,
        /// As recorded; absent if the package has not been configured yet.
        expected: Option<Digest>,
        /// As computed.
        actual: Digest,
    },
    /// Configuration written from a template: outside the tool's own blocks it is as distributed.
    Generated(&'a Record),
    /// A package owns it, but records no digest of it.
    NoDigest(&'a Record),
    /// A package records it, and it is not there.
    Gone(&'a Record),
    /// No package owns it, and all of them were asked.
    Unowned,
    /// It cannot be told.
    Unknown(Unknown),
}

/// Why a file could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// There is no package database.
    NoDatabase,
    /// No record was found, but a database was read in part or not at all.
    Incomplete,
    /// Its content could not be read, and why.
    Unread(String),
    /// It is not there, and nobody records it.
    Absent,
}

/// What the records of `root` say of the file with the canonical path `path`; `None` if nobody looked at it.
#[must_use]
pub fn judge<'a>(root: &'a RootFacts, standings: &Standings<'_>, path: &RootedPath) -> Option<Judgement<'a>> {
    let file = root.files.files.get(path)?;
    let records = root.packages.records.get(path).map(Vec::as_slice).unwrap_or_default();
    Some(match &file.state {
        FileState::Unknown(reason) => Judgement::Unknown(Unknown::Unread(reason.clone())),
        FileState::Missing => match records.iter().find(|record| record.digest.is_some()) {
            Some(record) => Judgement::Gone(record),
            None => Judgement::Unknown(Unknown::Absent),
        },
        FileState::Present(_) => judge_present(root, standings, file, records),
    })
}

fn judge_present<'a>(
    root: &'a RootFacts,
    standings: &Standings<'_>,
    file: &FileFacts,
    records: &'a [Record],
) -> Judgement<'a> {
    if records.is_empty() {
        let systems = &root.packages.systems;
        return if systems.is_empty() {
            Judgement::Unknown(Unknown::NoDatabase)
        } else if systems.iter().any(|system| system.reading != Reading::Whole) {
            Judgement::Unknown(Unknown::Incomplete)
        } else {
            Judgement::Unowned
        };
    }
    // Several packages may list one path (`Multi-Arch: same`, two architectures, a forced overwrite): one that agrees is
    // enough here, that another disagrees `provenance` reports. But what anybody could have written does not outweigh what a
    // distributor signed.
    let judgements: Vec<_> = records.iter().map(|record| against(file, record)).collect();
    let worth = |judgement: &Judgement<'_>| judgement.record().map(|record| standings.trust(record));
    let rank = |judgement: &Judgement<'_>| match judgement {
        Judgement::Differs { .. } => 3,
        Judgement::Changed { .. } | Judgement::Generated(_) => 2,
        Judgement::Unknown(_) => 1,
        _ => 0,
    };
    let is_match = |judgement: &&Judgement<'_>| matches!(judgement, Judgement::Matches(_));
    let is_other = |judgement: &&Judgement<'_>| matches!(judgement, Judgement::Differs { .. });
    let best = |wanted: &dyn Fn(&&Judgement<'a>) -> bool| {
        judgements.iter().filter(|judgement| wanted(judgement)).min_by_key(|judgement| worth(judgement))
    };
    let answer = match (best(&is_match), best(&is_other)) {
        (Some(matching), Some(other)) if worth(other) < worth(matching) => Some(other),
        (Some(matching), _) => Some(matching),
        _ => judgements.iter().rev().max_by_key(|judgement| rank(judgement)),
    };
    answer.cloned().unwrap_or(Judgement::Unowned)
}

/// What one record says of a file that is there.
#[must_use]
pub fn against<'a>(file: &FileFacts, record: &'a Record) -> Judgement<'a> {
    let algorithm = record.digest.map_or(Algorithm::Md5, |digest| digest.algorithm());
    let unread = || {
        let is_directory = file.meta().is_some_and(|meta| meta.kind == FileKind::Directory);
        let reason = match &file.problem {
            _ if is_directory => "is a directory, a regular file is recorded".to_owned(),
            Some(problem) => problem.clone(),
            None if !file.digests.is_empty() => {
                format!("its {algorithm} digest, which its package records, was not taken")
            }
            None => "its content was not read".to_owned(),
        };
        Judgement::Unknown(Unknown::Unread(reason))
    };
    let actual = content_digest(file, algorithm);
    match (&record.kind, record.digest) {
        (RecordKind::File, None) | (RecordKind::Ghost, _) => Judgement::NoDigest(record),
        (RecordKind::File, Some(expected)) => match actual {
            None => unread(),
            Some(actual) if actual == expected => Judgement::Matches(record),
            Some(actual) => Judgement::Differs { record, expected, actual },
        },
        (RecordKind::Conffile, expected) => match actual {
            None => unread(),
            Some(actual) if Some(actual) == expected => Judgement::Matches(record),
            Some(actual) => Judgement::Changed { record, expected, actual },
        },
        (RecordKind::Managed { known, compared, .. }, expected) => {
            let distributed = |digest: &Digest| Some(*digest) == expected || known.contains(digest);
            match (actual, compared) {
                (_, Some(compared)) if distributed(compared) => Judgement::Generated(record),
                (None, _) => unread(),
                (Some(actual), _) if distributed(&actual) => Judgement::Matches(record),
                (Some(actual), _) => Judgement::Changed { record, expected, actual },
            }
        }
    }
}

/// The digest of a file's content: as taken when it was read or, for text that was kept, of that text.
fn content_digest(file: &FileFacts, algorithm: Algorithm) -> Option<Digest> {
    file.digest(algorithm).copied().or_else(|| Some(Digest::of(algorithm, file.text_bytes()?)))
}

/// How much stands behind a file so judged.
#[must_use]
pub fn trust(standings: &Standings<'_>, judgement: &Judgement<'_>) -> Trust {
    match judgement {
        Judgement::Matches(record) => standings.trust(record),
        _ => Trust::Unowned,
    }
}

/// Whether a chain of verified signatures proves the content of the file at `path`: then it needs no search for traces
/// of tampering. A match with an unsigned record proves nothing against root, who can rewrite it.
#[must_use]
pub fn is_proven(root: &RootFacts, standings: &Standings<'_>, path: &RootedPath) -> bool {
    judge(root, standings, path).is_some_and(|judgement| trust(standings, &judgement) <= Trust::SiteSigned)
}

/// Whether the content of the file at `path` is as some record, signed or not, has it.
#[must_use]
pub fn is_as_recorded(root: &RootFacts, standings: &Standings<'_>, path: &RootedPath) -> bool {
    matches!(judge(root, standings, path), Some(Judgement::Matches(_)))
}

/// The weakest trust of any code file of the surface that is there; `None` if there is none. Configuration does not
/// count: it is the administrator's.
#[must_use]
pub fn floor(root: &RootFacts, standings: &Standings<'_>) -> Option<Trust> {
    let code = root.files.surface().filter(|(_, file)| is_code(file) && is_regular(file));
    code.filter_map(|(path, _)| Some(trust(standings, &judge(root, standings, path)?))).max()
}

/// The files of the surface that are there, as the report lists them.
#[must_use]
pub fn report_files(root: &RootFacts, standings: &Standings<'_>) -> Vec<File> {
    let mut files = Vec::new();
    for (path, file) in root.files.surface().filter(|(_, file)| is_regular(file)) {
        let Some(judgement) = judge(root, standings, path) else { continue };
        files.push(File {
            path: path.clone(),
            sha256: content_digest(file, Algorithm::Sha256),
            size: file.meta().map_or(0, |meta| meta.size),
            package: judgement.record().and_then(|record| package_label(root, record)),
            trust: trust(standings, &judgement),
            chain: chain(standings, &judgement),
        });
    }
    files
}

/// The links from the signing key, or what stands in its place, to the bytes on disk.
#[must_use]
pub fn chain(standings: &Standings<'_>, judgement: &Judgement<'_>) -> Vec<Link> {
    let Some(record) = judgement.record() else {
        let by = match judgement {
            Judgement::Unknown(Unknown::NoDatabase) => "there is no package database".to_owned(),
            Judgement::Unknown(Unknown::Incomplete) => {
                "no record found, but not all package databases could be read".to_owned()
            }
            Judgement::Unknown(Unknown::Unread(reason)) => reason.clone(),
            _ => "no package owns it".to_owned(),
        };
        return vec![Link { link: LinkKind::Record, by, ok: false }];
    };
    let algorithm =
        record.digest.map_or_else(|| "no digest recorded".to_owned(), |digest| digest.algorithm().to_string());
    let digest = match judgement {
        Judgement::Generated(_) => "as the template, except for the blocks that the tool fills".to_owned(),
        Judgement::Changed { .. } => format!("{algorithm}, changed by the administrator"),
        _ => algorithm,
    };
    let mut links = vec![standings.link(record)];
    links.extend(standings.passages(record));
    links.push(Link { link: LinkKind::Record, by: record.source.to_string(), ok: true });
    links.push(Link { link: LinkKind::Digest, by: digest, ok: matches!(judgement, Judgement::Matches(_)) });
    links
}

/// The first link that does not hold: what would have to be mended to trust the file more.
#[must_use]
pub fn first_gap(chain: &[Link]) -> Option<&Link> {
    chain.iter().find(|link| !link.ok)
}

/// `name version` of a record's package, for rpm `name-version-release.arch`, as far as known; `None` if not even its name is (ucf without its registry).
#[must_use]
pub fn package_label(root: &RootFacts, record: &Record) -> Option<String> {
    let name = &record.package;
    match root.packages.packages.get(name) {
        Some(package) if matches!(package.system, PackageSystem::Rpm | PackageSystem::Manifest) => Some(name.clone()),
        Some(package) if !package.version.is_empty() => Some(format!("{name} {}", package.version)),
        _ => (!name.is_empty()).then(|| name.clone()),
    }
}

impl<'a> Judgement<'a> {
    /// The record it rests on.
    #[must_use]
    pub const fn record(&self) -> Option<&'a Record> {
        match self {
            Self::Matches(record) | Self::Generated(record) | Self::NoDigest(record) | Self::Gone(record) => {
                Some(record)
            }
            Self::Differs { record, .. } | Self::Changed { record, .. } => Some(record),
            Self::Unowned | Self::Unknown(_) => None,
        }
    }
}

/// Whether somebody looked at the file as code that a server or client runs.
#[must_use]
pub fn is_code(file: &FileFacts) -> bool {
    file.roles.iter().any(|role| role.is_code())
}

fn is_regular(file: &FileFacts) -> bool {
    file.meta().is_some_and(|meta| meta.kind == FileKind::Regular)
}
