//! Follows the chain from signed lists over indices to package files, link by link. A link that does not hold ends it there
//! and is a fact; what lies behind a link is read only if the link holds.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use sha2::Digest as _;

use super::super::out::Out;
use super::super::{Asked, keys};
use super::place::Place;
use super::{Wanted, records};
use crate::facts::package::{BrokenLink, Passage, Seal, Sealed};
use crate::formats::apt::index::{Entry, Search};
use crate::formats::apt::release::Listed;
use crate::formats::apt::{clearsign, release};
use crate::formats::compressed;
use crate::host::root::PathProblem;
use crate::host::snapshot::ReadProblem;
use crate::model::text::escape;
use crate::model::{Algorithm, Digest, RootedPath, Subject};
use crate::trust::keyring::Keyring;
use crate::trust::{Checked, Outcome};

/// What was found so far.
pub(super) struct Chain<'a> {
    asked: &'a Asked<'a>,
    keyring: OnceCell<Keyring>,
    /// Links that do not hold; one of a package counts only if no other chain leads to it.
    broken: Vec<BrokenLink>,
    /// Chains that hold except that no signature at their beginning does, by the package's key.
    unsigned: BTreeMap<String, Seal>,
}

/// One signed list while its indices are looked at.
struct Release {
    path: RootedPath,
    bytes: Vec<u8>,
    sha256: Digest,
    signed: Option<clearsign::Signed>,
    checked: OnceCell<Vec<Checked>>,
}

/// An index whose digest the list names.
struct Index {
    path: RootedPath,
    sha256: Digest,
    /// The name by which the list knows it, with what its compression adds.
    name: String,
}

impl<'a> Chain<'a> {
    pub(super) const fn new(asked: &'a Asked<'a>) -> Self {
        Self { asked, keyring: OnceCell::new(), broken: Vec::new(), unsigned: BTreeMap::new() }
    }

    /// Proves of the `wanted` packages those whose chain lies in `place`, and takes them out.
    pub(super) fn follow(&mut self, place: &Place<'_>, wanted: &mut BTreeMap<Wanted, String>, out: &mut Out) {
        if wanted.is_empty() {
            return;
        }
        // Without a package file nothing is proved, and the lists need not be read: the common case.
        let candidates = place.candidates(&place.pool_names(), wanted);
        if candidates.is_empty() && !place.is_mirror() {
            return;
        }
        let is_open = |key: &String| place.is_mirror() || candidates.contains_key(key);
        for suite in place.suites() {
            if !wanted.values().any(is_open) {
                return;
            }
            let bytes = match place.read_release(&suite.path) {
                Ok(snapshot) => snapshot.bytes().to_vec(),
                Err(problem) => {
                    unread(place, &suite.path, &problem.to_string(), out);
                    continue;
                }
            };
            let signed = clearsign::parse(&bytes);
            let text = signed.as_ref().map_or(bytes.as_slice(), |signed| signed.text.as_slice()).to_vec();
            let listed = release::indices(&text);
            let sha256 = Digest::of(Algorithm::Sha256, &bytes);
            let release = Release { path: suite.path.clone(), bytes, sha256, signed, checked: OnceCell::new() };
            let mut architectures: Vec<String> = wanted.keys().map(|(_, _, arch)| arch.clone()).collect();
            architectures.sort();
            architectures.dedup();
            let held = self.broken.len();
            for (path, _, name) in place.indices(&suite, &listed, &architectures) {
                let open = wanted.iter().filter(|(_, key)| is_open(key));
                let names: BTreeSet<Vec<u8>> = open.map(|((name, ..), _)| name.as_bytes().to_vec()).collect();
                if names.is_empty() {
                    return;
                }
                let Some((index, content, entries)) = self.read_index(place, path, name, &listed, &names, out) else {
                    continue;
                };
                let used = self.resolve(place, &release, &index, &entries, &candidates, wanted, out);
                if used {
                    keep(self.asked, place, &flat_prefix(&release), "InRelease", &release.bytes, out);
                    keep(self.asked, place, &flat_prefix(&release), &index.name, &content, out);
                }
            }
            // `apt-get update` puts a new list with new indices: then the old one named others.
            let is_as_before = |release: &Release| {
                let again = place.read_release(&release.path);
                again.is_ok_and(|again| Digest::of(Algorithm::Sha256, again.bytes()) == release.sha256)
            };
            if self.broken.len() > held && !is_as_before(&release) {
                self.broken.truncate(held);
                unread(place, &release.path, "it was replaced while it was looked at", out);
            }
        }
    }

    /// The index at `path`, if it is the one that the list names, as it lies there, and what it says of these packages.
    fn read_index(
        &mut self,
        place: &Place<'_>,
        path: RootedPath,
        name: &[u8],
        listed: &BTreeMap<&[u8], Listed>,
        names: &BTreeSet<Vec<u8>>,
        out: &mut Out,
    ) -> Option<(Index, Vec<u8>, Vec<Entry>)> {
        let expected = *listed.get(name)?;
        let snapshot = match place.read_index(&path) {
            Ok(snapshot) => snapshot,
            Err(problem) => {
                unread(place, &path, &problem.to_string(), out);
                return None;
            }
        };
        let is_wanted = |name: &[u8]| names.contains(name);
        let mut search = Search::new(&is_wanted);
        let mut hasher = sha2::Sha256::new();
        // One byte more than it may have: then it is another one, and nothing was unpacked for nothing.
        let limit = expected.size.saturating_add(1);
        let read = compressed::read(snapshot.bytes(), limit, &mut |piece| {
            hasher.update(piece);
            search.push(piece)
        });
        let actual = Digest::Sha256(hasher.finalize().into());
        if actual != expected.sha256 {
            // Damage and surplus are differences too; what kind of compression we cannot read is our lack.
            if read == Err(compressed::Problem::Unsupported) {
                unread(place, &path, &compressed::Problem::Unsupported.to_string(), out);
            } else {
                let path = place.shown(&path);
                self.broken.push(BrokenLink::Index { path, expected: Some(expected.sha256), actual });
            }
            return None;
        }
        let end = [".lz4", ".xz", ".gz", ".zst"].into_iter().find(|end| path.file_name().ends_with(end.as_bytes()));
        let flat = escape(name).replace('/', "_");
        let index = Index { path, sha256: actual, name: format!("{flat}{}", end.unwrap_or_default()) };
        Some((index, snapshot.bytes().to_vec(), search.finish()))
    }

    /// Goes on from an index to package files. Whether any was reached.
    #[expect(clippy::too_many_arguments, reason = "one link needs what all before it gave")]
    fn resolve(
        &mut self,
        place: &Place<'_>,
        release: &Release,
        index: &Index,
        entries: &[Entry],
        candidates: &BTreeMap<String, RootedPath>,
        wanted: &mut BTreeMap<Wanted, String>,
        out: &mut Out,
    ) -> bool {
        let mut used = false;
        for entry in entries {
            let name = (escape(&entry.name), escape(&entry.version), escape(&entry.architecture));
            let Some(key) = wanted.get(&name).cloned() else { continue };
            let pool = if place.is_mirror() { place.in_pool(&entry.file) } else { None };
            let Some(path) = candidates.get(&key).cloned().or(pool) else { continue };
            let snapshot = match place.read_file(&path) {
                Ok(snapshot) => snapshot,
                // A mirror of a part of the archive.
                Err(ReadProblem::Path(PathProblem::Missing)) => continue,
                Err(problem) => {
                    unread(place, &path, &problem.to_string(), out);
                    continue;
                }
            };
            let (shown, actual) = (place.shown(&path), Digest::of(Algorithm::Sha256, snapshot.bytes()));
            if actual != entry.sha256 || snapshot.meta().size != entry.size {
                let expected = entry.sha256;
                self.broken.push(BrokenLink::File { path: shown, package: key, expected, actual });
                continue;
            }
            let passage = |path: &RootedPath, sha256| Passage { path: place.shown(path), sha256 };
            let seal = Seal {
                what: Sealed::Archive,
                digest: release.sha256,
                signatures: self.check(release, out),
                shadowed: Vec::new(),
                through: vec![
                    passage(&release.path, release.sha256),
                    passage(&index.path, index.sha256),
                    passage(&path, actual),
                ],
            };
            if !seal.signatures.iter().any(|checked| matches!(checked.outcome, Outcome::Good(_))) {
                self.unsigned.entry(key).or_insert(seal);
                continue;
            }
            match records::write(self.asked, &key, &shown, snapshot.bytes(), out) {
                Ok(foreign) => self.broken.extend(foreign),
                Err(problem) => {
                    unread(place, &path, &problem.to_string(), out);
                    continue;
                }
            }
            let file = format!("{}_{}_{}.deb", name.0, name.1.replace(':', "%3a"), name.2);
            keep(self.asked, place, "", &file, snapshot.bytes(), out);
            if let Some(package) = out.facts.packages.get_mut(&key) {
                package.seal = Some(seal);
            }
            wanted.remove(&name);
            used = true;
        }
        used
    }

    /// The signatures over a list, checked when the first package needs them.
    fn check(&self, release: &Release, out: &mut Out) -> Vec<Checked> {
        let Some(signed) = &release.signed else { return Vec::new() };
        let keyring = self.keyring.get_or_init(|| keys::read(self.asked, out));
        release.checked.get_or_init(|| keyring.check_text(&signed.text, &signed.packets)).clone()
    }

    /// Writes down the links that do not hold, of packages that nothing else led to.
    pub(super) fn finish(self, wanted: &mut BTreeMap<Wanted, String>, out: &mut Out) {
        for key in wanted.values() {
            if let (Some(seal), Some(package)) = (self.unsigned.get(key), out.facts.packages.get_mut(key)) {
                package.seal = Some(seal.clone());
            }
        }
        let is_open = |link: &BrokenLink| match link {
            BrokenLink::File { package, .. } => wanted.values().any(|key| key == package),
            BrokenLink::Index { .. } | BrokenLink::Member { .. } => true,
        };
        out.facts.broken.extend(self.broken.into_iter().filter(is_open));
    }
}

/// A file of an archive could not be read: the chain is no better than without it.
fn unread(place: &Place<'_>, path: &RootedPath, why: &str, out: &mut Out) {
    let path = place.shown(path);
    out.gap_if(false, Subject::file(&path), format!("this part of a package archive could not be used: {why}"));
}

/// What the names of a list and of its indices begin with in the state directory.
fn flat_prefix(release: &Release) -> String {
    format!("{}_", release.sha256.hex().get(..16).unwrap_or_default())
}

/// Notes a file that a record rests on for the state directory, if that is used.
fn keep(asked: &Asked<'_>, place: &Place<'_>, prefix: &str, name: &str, bytes: &[u8], out: &mut Out) {
    if !asked.remembers() {
        return;
    }
    let name = format!("{prefix}{name}");
    // Names in an index are the archive's own words.
    if name.contains('/') || name.len() > 240 {
        return;
    }
    if out.archive.used.insert(name.clone()) && !place.is_state {
        out.archive.new.push((name, bytes.to_vec()));
    }
}
