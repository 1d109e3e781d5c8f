//! dpkg: `/var/lib/dpkg`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::out::{Out, path};
use super::{Aliases, Asked};
use crate::facts::package::{Database, Diversion, Override, Package, PackageSystem, Record, RecordKind};
use crate::formats::dpkg::list::Wanted;
use crate::formats::dpkg::status::{Entry, State, is_name};
use crate::formats::dpkg::{diversions, md5sums, statoverride, status};
use crate::host::snapshot::Snapshot;
use crate::model::text::escape;
use crate::model::{RootedPath, Subject};

const HOME: &str = "/var/lib/dpkg";

/// Records what dpkg knows of the files asked for.
pub(super) fn observe(asked: &Asked<'_>, out: &mut Out) {
    let place = path(HOME);
    let status_path = path("/var/lib/dpkg/status");
    let info_path = path("/var/lib/dpkg/info");
    let gaps_before = out.gaps.len();
    let status = out.read(asked.root, &status_path);
    let info = out.list(asked.root, &info_path);
    if status.is_none() && info.is_none() && out.gaps.len() == gaps_before {
        return;
    }
    for (missing, what) in [(status.is_none(), &status_path), (info.is_none(), &info_path)] {
        if missing && out.gaps.len() == gaps_before {
            out.gap(Subject::file(what), "a part of dpkg's database is missing".to_owned());
        }
    }
    let journal = read_journal(asked, out);
    let entries = Entries::parse(status.as_ref(), &status_path, &journal, out);
    let diversions = read_diversions(asked, out);
    read_overrides(asked, out);

    let info = info.unwrap_or_default();
    let lists: BTreeSet<&[u8]> = info.iter().filter_map(|name| name.strip_suffix(b".list")).collect();
    let owners = search_lists(asked, &lists, &diversions, out);
    for (stem, claims) in owners {
        record_package(asked, stem, &claims, &entries, out);
    }
    entries.report_missing_lists(asked, &lists, out);
    let reading = out.reading_since(gaps_before);
    out.facts.systems.push(Database { system: PackageSystem::Dpkg, place, reading });
}

/// The pending changes to `status`, in the order in which dpkg would merge them: files whose names are digits only
/// (lib/dpkg/dbmodify.c, `cleanupdates`; all have the same length).
fn read_journal(asked: &Asked<'_>, out: &mut Out) -> Vec<(RootedPath, Snapshot)> {
    let place = path("/var/lib/dpkg/updates");
    let names = out.list(asked.root, &place).unwrap_or_default();
    let pending = names.iter().filter(|name| !name.is_empty() && name.iter().all(u8::is_ascii_digit));
    pending
        .filter_map(|name| {
            let path = place.join(name)?;
            let snapshot = out.read(asked.root, &path)?;
            Some((path, snapshot))
        })
        .collect()
}

/// The packages of `status` with the journal laid over it.
struct Entries<'a> {
    by_name: HashMap<&'a [u8], Vec<Entry<'a>>>,
    /// Whether `status` was there and free of problems: only then does a package that it does not name not exist.
    sound: bool,
}

impl<'a> Entries<'a> {
    fn parse(
        status: Option<&'a Snapshot>,
        status_path: &RootedPath,
        journal: &'a [(RootedPath, Snapshot)],
        out: &mut Out,
    ) -> Self {
        let mut by_name: HashMap<&[u8], Vec<Entry<'_>>> = HashMap::new();
        let mut sound = status.is_some();
        let files = status.map(|status| (status_path, status)).into_iter();
        for (path, snapshot) in files.chain(journal.iter().map(|(path, snapshot)| (path, snapshot))) {
            let (entries, problems) = status::parse(snapshot.bytes());
            sound &= problems.is_empty();
            out.problems(path, &problems);
            for entry in entries {
                let same = by_name.entry(entry.name).or_default();
                same.retain(|other| other.architecture != entry.architecture);
                same.push(entry);
            }
        }
        Self { by_name, sound }
    }

    /// The package whose records are called `stem`: `name`, or `name:arch` for those that may be installed once for each
    /// architecture.
    fn get(&self, stem: &[u8]) -> Option<&Entry<'a>> {
        let (name, architecture) = split_stem(stem);
        let same = self.by_name.get(name)?;
        match architecture {
            Some(architecture) => same.iter().find(|entry| entry.architecture == architecture),
            None => same.iter().find(|entry| entry.state().is_some_and(State::has_files)).or_else(|| same.first()),
        }
    }

    /// An installed package without a list: dpkg would take it to own nothing, so files of its would seem to be
    /// nobody's. That matters where code seems to be nobody's.
    fn report_missing_lists(&self, asked: &Asked<'_>, lists: &BTreeSet<&[u8]>, out: &mut Out) {
        let mut missing = BTreeSet::new();
        for entry in self.by_name.values().flatten() {
            let with_architecture = [entry.name, b":", entry.architecture].concat();
            if entry.state().is_some_and(State::has_files)
                && !lists.contains(entry.name)
                && !lists.contains(with_architecture.as_slice())
            {
                missing.insert(escape(entry.name));
            }
        }
        if let Some(first) = missing.first() {
            let reason = match missing.len() {
                1 => format!("the list of files of the installed package `{first}` is missing"),
                n => format!("the lists of files of {n} installed packages are missing, `{first}` among them"),
            };
            out.gap_if(asked.has_orphans(out), Subject::file(&path("/var/lib/dpkg/info")), reason);
        }
    }
}

fn split_stem(stem: &[u8]) -> (&[u8], Option<&[u8]>) {
    match stem.iter().position(|b| *b == b':') {
        Some(at) => (stem.get(..at).unwrap_or_default(), stem.get(at + 1..)),
        None => (stem, None),
    }
}

/// The diversions with canonical paths; those of files looked at are facts too.
fn read_diversions(asked: &Asked<'_>, out: &mut Out) -> Vec<Diversion> {
    let source = path("/var/lib/dpkg/diversions");
    let Some(snapshot) = out.read(asked.root, &source) else { return Vec::new() };
    let (parsed, problems) = diversions::parse(snapshot.bytes());
    out.problems(&source, &problems);
    let all: Vec<Diversion> = parsed
        .into_iter()
        .map(|diversion| Diversion {
            from: asked.aliases.normalise(&diversion.from),
            to: asked.aliases.normalise(&diversion.to),
            by: diversion.by,
            source: source.clone(),
            line: diversion.line,
        })
        .collect();
    let asked_for = |d: &&Diversion| asked.file(&d.from).is_some() || asked.file(&d.to).is_some();
    out.facts.diversions.extend(all.iter().filter(asked_for).cloned());
    all
}

fn read_overrides(asked: &Asked<'_>, out: &mut Out) {
    let source = path("/var/lib/dpkg/statoverride");
    let Some(snapshot) = out.read(asked.root, &source) else { return };
    let (parsed, problems) = statoverride::parse(snapshot.bytes());
    out.problems(&source, &problems);
    for entry in parsed {
        if let Some(path) = asked.file(&asked.aliases.normalise(&entry.path)).cloned() {
            let statoverride::Override { user, group, mode, line, .. } = entry;
            out.facts.overrides.insert(path, Override { user, group, mode, source: source.clone(), line });
        }
    }
}

/// A package's claim to a file: the file's canonical path, and the path as its list spells it.
type Claim = (RootedPath, RootedPath);

/// Claims by the stem of the package's records.
type Owners<'a> = BTreeMap<&'a [u8], Vec<Claim>>;

/// Who lists the files asked for.
fn search_lists<'a>(
    asked: &Asked<'_>,
    lists: &BTreeSet<&'a [u8]>,
    diversions: &[Diversion],
    out: &mut Out,
) -> Owners<'a> {
    // Where a file was diverted to, its owner still lists it under its old name.
    let old_names = diversions.iter().filter(|diversion| asked.file(&diversion.to).is_some()).map(|d| &d.from);
    let wanted = Wanted::new(asked.paths().chain(old_names));
    let mut owners = Owners::new();
    let mut elsewhere: Vec<(&[u8], RootedPath)> = Vec::new();
    for stem in lists {
        let Some(list) = list_path(stem, b".list") else { continue };
        let Some(snapshot) = out.read(asked.root, &list) else { continue };
        for line in wanted.find(snapshot.bytes()) {
            let Some(recorded) = RootedPath::new(line) else { continue };
            let real = place_of(&asked.aliases.normalise(&recorded), split_stem(stem).0, diversions);
            if let Some(file) = asked.path(&real) {
                owners.entry(*stem).or_default().push((file.clone(), recorded));
            } else if elsewhere.len() < MAX_ELSEWHERE {
                elsewhere.push((*stem, recorded));
            }
        }
    }
    let owned: BTreeSet<&RootedPath> = owners.values().flatten().map(|(path, _)| path).collect();
    let found = behind_links(asked, &owned, &elsewhere);
    for (stem, claim) in found {
        owners.entry(stem).or_default().push(claim);
    }
    owners
}

/// Paths of the same file name in other directories that are kept for [`behind_links`].
const MAX_ELSEWHERE: usize = 20_000;

/// A directory below the top may be a link too, so that code seems to be nobody's: then every recorded path of the same
/// file name is resolved in the root. Its own last component is not followed, for a package that ships a link does not
/// thereby own what it leads to.
fn behind_links<'a>(
    asked: &Asked<'_>,
    owned: &BTreeSet<&RootedPath>,
    elsewhere: &[(&'a [u8], RootedPath)],
) -> Vec<(&'a [u8], Claim)> {
    let mut orphans: HashMap<&[u8], &RootedPath> = HashMap::new();
    for path in asked.code().filter(|path| !owned.contains(path)) {
        orphans.insert(path.file_name(), path);
    }
    let mut found = Vec::new();
    for (stem, recorded) in elsewhere.iter().filter(|(_, recorded)| orphans.contains_key(recorded.file_name())) {
        let real = recorded
            .parent()
            .and_then(|directory| asked.root.canonical(&directory).ok())
            .and_then(|directory| directory.join(recorded.file_name()));
        if let Some(real) = real.filter(|real| asked.files.files.contains_key(real) && !owned.contains(real)) {
            found.push((*stem, (real, recorded.clone())));
        }
    }
    found
}

/// Where a package's file lies, diversions considered (deb-divert: all packages but the diverting one).
fn place_of(canonical: &RootedPath, package: &[u8], diversions: &[Diversion]) -> RootedPath {
    let diverted = diversions.iter().find(|diversion| {
        diversion.from == *canonical && diversion.by.as_ref().is_none_or(|by| by.as_bytes() != package)
    });
    diverted.map_or_else(|| canonical.clone(), |diversion| diversion.to.clone())
}

fn list_path(stem: &[u8], suffix: &[u8]) -> Option<RootedPath> {
    let (name, architecture) = split_stem(stem);
    (is_name(name) && architecture.is_none_or(is_name)).then_some(())?;
    path("/var/lib/dpkg/info").join([stem, suffix].concat())
}

/// Writes down what the package of `stem` records of the files it claims.
fn record_package(asked: &Asked<'_>, stem: &[u8], claims: &[Claim], entries: &Entries<'_>, out: &mut Out) {
    let name = escape(stem);
    let entry = entries.get(stem);
    let state = entry.and_then(Entry::state);
    match (entry, state) {
        // dpkg does not know the package, or knows that it is gone: the list is a leftover.
        (None, _) if entries.sound => return,
        (Some(_), Some(State::NotInstalled)) => return,
        (Some(_), None) => {
            let reason = format!("the state of the package is not understood: `{}`", status_text(entry));
            out.gap(Subject::Package { name: name.clone() }, reason);
        }
        _ => {}
    }
    out.facts.packages.insert(
        name.clone(),
        Package {
            system: PackageSystem::Dpkg,
            name: escape(split_stem(stem).0),
            seal: None,
            source: String::new(),
            manifest: None,
            demands: Vec::new(),
            version: entry.map(|entry| escape(entry.version)).unwrap_or_default(),
            architecture: entry.map(|entry| escape(entry.architecture)).unwrap_or_default(),
            status: status_text(entry),
        },
    );
    let conffiles = read_conffiles(entry, &asked.aliases, out);
    let (Some(sums_path), Some(list)) = (list_path(stem, b".md5sums"), list_path(stem, b".list")) else { return };
    let sums_file = out.read(asked.root, &sums_path);
    let (sums, problems) = sums_file.as_ref().map(|file| md5sums::parse(file.bytes())).unwrap_or_default();
    out.problems(&sums_path, &problems);
    let wanted: BTreeSet<&[u8]> = claims.iter().map(|(_, recorded)| recorded.relative()).collect();
    let sums: HashMap<&[u8], _> = sums.iter().filter(|s| wanted.contains(s.path)).map(|s| (s.path, s)).collect();
    for (real, recorded) in claims {
        let (kind, source, digest) = if let Some(digest) = conffiles.get(&asked.aliases.normalise(recorded)) {
            (RecordKind::Conffile, path("/var/lib/dpkg/status"), *digest)
        } else if let Some(sum) = sums.get(recorded.relative()) {
            let digest = sum.digest();
            if digest.is_none() {
                out.gap(Subject::file(&sums_path), format!("the MD5 of `{recorded}` is not hexadecimal"));
            }
            (RecordKind::File, sums_path.clone(), digest)
        } else {
            (RecordKind::File, if sums_file.is_some() { sums_path.clone() } else { list.clone() }, None)
        };
        let record =
            Record { package: name.clone(), source, recorded_path: recorded.clone(), digest, kind, attributes: None };
        let records = out.facts.records.entry(real.clone()).or_default();
        if !records.contains(&record) {
            records.push(record);
        }
    }
}

fn read_conffiles(
    entry: Option<&Entry<'_>>,
    aliases: &Aliases,
    out: &mut Out,
) -> BTreeMap<RootedPath, Option<crate::model::Digest>> {
    let Some(entry) = entry else { return BTreeMap::new() };
    let (conffiles, problems) = entry.conffiles();
    out.problems(&path("/var/lib/dpkg/status"), &problems);
    conffiles.into_iter().map(|conffile| (aliases.normalise(&conffile.path), conffile.digest)).collect()
}

fn status_text(entry: Option<&Entry<'_>>) -> String {
    entry.and_then(|entry| entry.status).map(escape).unwrap_or_default()
}
