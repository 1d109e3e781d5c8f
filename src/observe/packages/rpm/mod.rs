//! rpm: its databases wherever distributions put them, and what the headers in them record of the files asked for.
//!
//! The database's own indices are hints that nobody signs: where they leave a file of code without an owner, every header is
//! read.

mod database;
mod kept;
mod record;

pub(super) use kept::versions;

use std::collections::{BTreeMap, BTreeSet};

use super::out::{Out, path};
use super::{Asked, keys};
use crate::facts::package::{Database, PackageSystem, Reading, Record};
use crate::formats::capability::FileCapabilities;
use crate::formats::rpm::header::Header;
use crate::host::root::PathProblem;
use crate::host::snapshot::Snapshot;
use crate::model::{Digest, FileKind, RootedPath, Subject};
use crate::trust::keyring::Keyring;
use database::{Form, OpenDatabase};

/// Where the database lies: rpm's default; Fedora since 36 and SUSE; rpm-ostree. One may be a link to another.
const PLACES: &[&str] = &["/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm"];

/// Records what rpm knows of the files asked for.
pub(super) fn observe(asked: &Asked<'_>, out: &mut Out) {
    let mut seen = BTreeSet::new();
    let mut keyring = None;
    for place in PLACES {
        let Ok(directory) = asked.root.canonical(&path(place)) else { continue };
        if !seen.insert(directory.clone()) {
            continue;
        }
        let gaps_before = out.gaps.len();
        let mut is_whole = true;
        let Some((form, file)) = choose(asked, &directory, out) else { continue };
        let keyring = keyring.get_or_insert_with(|| keys::read(asked, out));
        if let Some(database) = OpenDatabase::open(asked.root, form, &file, out) {
            let mut search = Search {
                asked,
                keyring,
                database: &database,
                done: BTreeSet::new(),
                directories: BTreeMap::new(),
                problems: Vec::new(),
            };
            search.run(out);
            // Damage matters where it may hide whose some code is.
            is_whole = search.problems.is_empty();
            let matters = asked.has_orphans(out);
            for (subject, reason) in search.problems {
                out.gap_if(matters, subject, reason);
            }
            database.note_changes(out);
        }
        let reading = if is_whole { out.reading_since(gaps_before) } else { Reading::Part };
        out.facts.systems.push(Database { system: PackageSystem::Rpm, place: file, reading });
    }
    keep_demands_among_themselves(out);
    capabilities(asked, out);
}

/// Records what headers that came with a manifest say of the files asked for. One counts only if some file of its is as it
/// says: a manifest may hold several versions of a package, of which one is installed.
pub(super) fn enclosed(asked: &Asked<'_>, headers: &[Vec<u8>], source: &RootedPath, out: &mut Out) {
    let mut keyring = None;
    for blob in headers {
        let Ok(header) = Header::parse(blob) else {
            out.gap_if(false, Subject::file(source), "a header in the manifest is damaged".to_owned());
            continue;
        };
        let names: BTreeSet<&[u8]> = asked.paths().map(RootedPath::file_name).collect();
        let Ok(files) = crate::formats::rpm::files::files(&header, &|name| names.contains(name)) else { continue };
        let real = |path: &RootedPath| asked.path(&asked.aliases.normalise(path)).cloned();
        let claims: Vec<_> = files.into_iter().filter_map(|file| Some((real(&file.path)?, file))).collect();
        let is_as_recorded = |(path, file): &(RootedPath, crate::formats::rpm::files::File)| {
            let digest = file.digest.filter(|digest| digest.algorithm().is_strong());
            digest.is_some_and(|digest| has_digest(asked, path, digest))
        };
        if claims.iter().any(is_as_recorded) {
            let keyring = keyring.get_or_insert_with(|| keys::read(asked, out));
            record::write(&header, claims, keyring, source, out);
        }
    }
}

/// Whether the file at `path` has this digest; it is read again where no digest of this kind was taken.
fn has_digest(asked: &Asked<'_>, path: &RootedPath, digest: Digest) -> bool {
    let taken = asked.files.files.get(path).and_then(|file| file.digest(digest.algorithm()));
    let read = || {
        let snapshot = Snapshot::read(asked.root, path, MAX_FILE).ok()?;
        Some(Digest::of(digest.algorithm(), snapshot.bytes()))
    };
    taken.copied().or_else(read) == Some(digest)
}

/// Largest file that is read again, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// Of the demands only those matter whose subject was looked at too.
fn keep_demands_among_themselves(out: &mut Out) {
    let names: BTreeSet<String> = out.facts.packages.values().map(|package| package.name.clone()).collect();
    for package in out.facts.packages.values_mut() {
        package.demands.retain(|demand| names.contains(&demand.name));
    }
}

/// Notes the capabilities on disk of each file that a record speaks of them.
fn capabilities(asked: &Asked<'_>, out: &mut Out) {
    let compared = |record: &Record| record.attributes.as_ref().is_some_and(|own| own.capabilities.is_some());
    let is_regular = |path: &RootedPath| {
        let file = asked.files.files.get(path);
        file.and_then(|file| file.meta()).is_some_and(|meta| meta.kind == FileKind::Regular)
    };
    let records = out.facts.records.iter().filter(|(path, records)| is_regular(path) && records.iter().any(compared));
    let paths: Vec<RootedPath> = records.map(|(path, _)| path.clone()).collect();
    for path in paths {
        let found = match asked.root.capabilities(&path) {
            Ok(None) | Err(PathProblem::Missing) => continue,
            Ok(Some(bytes)) => {
                FileCapabilities::from_attribute(&bytes).ok_or_else(|| "they have an unknown form".to_owned())
            }
            Err(problem) => Err(problem.to_string()),
        };
        if let Err(problem) = &found {
            out.gap_if(false, Subject::file(&path), format!("its capabilities cannot be read: {problem}"));
        }
        out.facts.capabilities.insert(path, found.ok());
    }
}

/// The database in `directory`. Where several forms lie side by side the newest one counts, as for rpm itself, which
/// converts the others; they are told of.
fn choose(asked: &Asked<'_>, directory: &RootedPath, out: &mut Out) -> Option<(Form, RootedPath)> {
    let files = Form::ALL.into_iter().filter_map(|form| Some((form, directory.join(form.file())?)));
    let mut there = files.filter(|(_, file)| asked.root.stat(file).is_ok());
    let chosen = there.next()?;
    for (form, file) in there {
        let reason = format!("a database of rpm in {} lies beside the newer one, and was not read", form.name());
        out.gap_if(false, Subject::file(&file), reason);
    }
    Some(chosen)
}

/// The search for the owners of the files asked for.
struct Search<'a> {
    asked: &'a Asked<'a>,
    keyring: &'a Keyring,
    database: &'a OpenDatabase,
    /// Headers looked at, by the digest of their blob: the second look at all of them need not record them twice.
    done: BTreeSet<[u8; 32]>,
    /// Recorded directories that were resolved in the root.
    directories: BTreeMap<RootedPath, Option<RootedPath>>,
    /// What could not be read.
    problems: Vec<(Subject, String)>,
}

impl Search<'_> {
    fn run(&mut self, out: &mut Out) {
        let names: BTreeSet<&[u8]> = self.asked.paths().map(RootedPath::file_name).collect();
        let database = self.database;
        let hinted = database.hinted(&names, &mut |blob| {
            self.look_into(&blob, &names, out);
            true
        });
        match hinted {
            Ok(true) => {}
            Ok(false) => return self.read_all(&names, out),
            Err(problem) => {
                let before = self.problems.len();
                self.read_all(&names, out);
                if self.problems.len() == before {
                    let reason =
                        format!("the index of rpm's database is damaged, all headers were read instead: {problem}");
                    out.gap_if(false, Subject::file(self.database.file()), reason);
                }
                return;
            }
        }
        let orphans: BTreeSet<&[u8]> = self.asked.orphans(out).iter().map(|path| path.file_name()).collect();
        if !orphans.is_empty() {
            self.read_all(&orphans, out);
        }
    }

    fn read_all(&mut self, names: &BTreeSet<&[u8]>, out: &mut Out) {
        let database = self.database;
        let walked = database.packages(&mut |blob| {
            self.look_into(&blob, names, out);
            true
        });
        if let Err(problem) = walked {
            let reason = format!("rpm's database is damaged, what follows was not read: {problem}");
            self.problems.push((Subject::file(database.file()), reason));
        }
    }

    /// Records what the header in `blob` says of files asked for whose last component is one of `names`.
    fn look_into(&mut self, blob: &[u8], names: &BTreeSet<&[u8]>, out: &mut Out) {
        use sha2::Digest as _;
        if !self.done.insert(sha2::Sha256::digest(blob).into()) {
            return;
        }
        let file = self.database.file();
        let header = match Header::parse(blob) {
            Ok(header) => header,
            Err(problem) => {
                let reason = format!("a header in rpm's database is damaged: {problem}");
                return self.problems.push((Subject::file(file), reason));
            }
        };
        let files = match crate::formats::rpm::files::files(&header, &|name| names.contains(name)) {
            Ok(files) => files,
            Err(problem) => {
                let reason = format!("the files of this package are not understood: {problem}");
                return self.problems.push((Subject::Package { name: record::key(&header) }, reason));
            }
        };
        let mut claims = Vec::new();
        for recorded in files {
            let normal = self.asked.aliases.normalise(&recorded.path);
            let real = self.asked.path(&normal).cloned().or_else(|| self.behind_links(&normal));
            claims.extend(real.map(|real| (real, recorded)));
        }
        if !claims.is_empty() {
            let is_code = claims.iter().any(|(real, _)| self.asked.is_code(real));
            let signed = record::write(&header, claims, self.keyring, file, out);
            if self.asked.remembers() && is_code && signed {
                out.evidence.push(blob.to_vec());
            }
        }
    }

    /// The file asked for that `normal` means where a directory on its way is a link below the top. Its last component is
    /// not followed: a package that ships a link does not thereby own what it leads to.
    fn behind_links(&mut self, normal: &RootedPath) -> Option<RootedPath> {
        let directory = normal.parent()?;
        let root = self.asked.root;
        let real = self.directories.entry(directory).or_insert_with_key(|directory| root.canonical(directory).ok());
        let real = real.as_ref()?.join(normal.file_name())?;
        self.asked.files.files.contains_key(&real).then_some(real)
    }
}
