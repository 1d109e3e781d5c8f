//! Facts of a directory tree: the files that a test names, looked at, with the records of their packages.

use std::collections::BTreeSet;
use std::path::Path;

use sshproof::checks::provenance;
use sshproof::checks::standing::Standings;
use sshproof::facts::{Facts, FileFacts, FileState, FileTable, KeptArchive, Role, RootFacts};
use sshproof::formats::os_release;
use sshproof::host::root::{PathProblem, Root};
use sshproof::host::snapshot::{ReadProblem, Snapshot};
use sshproof::knowledge::Knowledge;
use sshproof::model::report::Usage;
use sshproof::model::{Algorithm, CheckResult, Digest, FileKind, RootedPath, Timestamp};
use sshproof::observe::packages;
use sshproof::policy::Policy;

/// Looks at each of `questions` beneath `dir`, in these roles, and at what package databases say of them.
pub fn look(dir: &Path, questions: &[(RootedPath, BTreeSet<Role>)]) -> RootFacts {
    look_with(dir, questions, packages::Aids::default()).0
}

/// The same with what is at hand beside the root; and what is to be remembered of archives.
pub fn look_with(
    dir: &Path,
    questions: &[(RootedPath, BTreeSet<Role>)],
    aids: packages::Aids<'_>,
) -> (RootFacts, KeptArchive) {
    let root = Root::open(dir, false).unwrap();
    let mut files = FileTable::default();
    for (question, roles) in questions {
        let real = root.canonical(question).unwrap_or_else(|_| question.clone());
        if real != *question {
            files.links.insert(question.clone(), real.clone());
        }
        let file = files.files.entry(real.clone()).or_insert_with(|| read(&root, &real));
        file.roles.extend(roles);
    }
    let packages::Answer { facts: packages, gaps, archive, .. } = packages::observe(&root, &files, aids);
    let release = Snapshot::read(&root, &RootedPath::new("/usr/lib/os-release").unwrap(), 1 << 16);
    let os_release = release.map(|file| os_release::parse(file.bytes())).unwrap_or_default();
    (RootFacts { path: "/".to_owned(), files, packages, gaps, os_release, ..RootFacts::default() }, archive)
}

fn read(root: &Root, path: &RootedPath) -> FileFacts {
    let mut facts = FileFacts {
        state: FileState::Missing,
        roles: BTreeSet::new(),
        looks: BTreeSet::new(),
        digests: Vec::new(),
        elf: None,
        text: None,
        keys: None,
        entries: None,
        hits: None,
        problem: None,
    };
    match root.stat(path) {
        Ok(meta) => {
            let is_directory = meta.kind == FileKind::Directory;
            facts.state = FileState::Present(meta);
            match Snapshot::read(root, path, 1 << 30) {
                Ok(snapshot) => {
                    facts.digests = [Algorithm::Md5, Algorithm::Sha256].map(|a| Digest::of(a, snapshot.bytes())).into();
                    if path.as_bytes().starts_with(b"/etc/") {
                        facts.text = Some(snapshot.bytes().into());
                    }
                }
                Err(ReadProblem::NotRegular(_)) if is_directory => {}
                Err(problem) => facts.problem = Some(problem.to_string()),
            }
        }
        Err(PathProblem::Missing) => {}
        Err(problem) => facts.state = FileState::Unknown(problem.to_string()),
    }
    facts
}

/// What the check says of one root.
pub fn judge(root: &RootFacts, policy: &Policy) -> CheckResult {
    let facts = Facts {
        schema: sshproof::facts::SCHEMA.to_owned(),
        observer: String::new(),
        knowledge: String::new(),
        byte_rules: String::new(),
        observed_at: Timestamp(0),
        duration_ms: 0,
        usage: Usage::default(),
        kernel: None,
        roots: vec![root.clone()],
        remember: sshproof::facts::Remember::default(),
    };
    let mut result = provenance::check(&facts, &knowledge(), policy);
    // As `scan::judge` does for every check.
    for observed in &root.gaps {
        result.gap(observed.gap.clone());
    }
    result
}

/// What stands behind the packages of one root.
pub fn standings(root: &RootFacts) -> Standings<'_> {
    Standings::of(root, &knowledge(), Timestamp(0))
}

/// Knowledge without families: this check needs the distributors' keys alone.
pub fn knowledge() -> Knowledge {
    Knowledge::new("2026-01-01", Vec::new())
}
