//! Distroless images: `/var/lib/dpkg/status.d` with one stanza and one `.md5sums` file for each package, no lists.

use super::Asked;
use super::out::{Out, path};
use crate::facts::package::{Database, Package, PackageSystem, Record, RecordKind};
use crate::formats::dpkg::list::Wanted;
use crate::formats::dpkg::{md5sums, status};
use crate::model::text::escape;
use crate::model::{RootedPath, Subject};

/// Records what these files say of the files asked for.
pub(super) fn observe(asked: &Asked<'_>, out: &mut Out) {
    let place = path("/var/lib/dpkg/status.d");
    let gaps_before = out.gaps.len();
    let names = out.list(asked.root, &place);
    if names.is_none() && out.gaps.len() == gaps_before {
        return;
    }
    let names = names.unwrap_or_default();
    let wanted = Wanted::new(asked.paths());
    // Packages of configuration and data alone may come without one too.
    let mut without_sums = Vec::new();
    for name in names.iter().filter(|name| !name.ends_with(b".md5sums")) {
        let Some(stanza_path) = place.join(name) else { continue };
        let sums_name = [name.as_slice(), b".md5sums"].concat();
        if names.binary_search(&sums_name).is_err() {
            without_sums.push(stanza_path);
            continue;
        }
        let Some(sums_path) = place.join(&sums_name) else { continue };
        let Some(sums) = out.read(asked.root, &sums_path) else { continue };
        let mut claims = Vec::new();
        for line in wanted.find(sums.bytes()) {
            let line = [line, b"\n"].concat();
            let (sum, problems) = md5sums::parse(&line);
            out.problems(&sums_path, &problems);
            let Some(sum) = sum.first() else { continue };
            let Some(recorded) = RootedPath::root().join(sum.path) else { continue };
            if let Some(file) = asked.path(&asked.aliases.normalise(&recorded)) {
                claims.push((file.clone(), recorded, sum.digest()));
            }
        }
        if claims.is_empty() {
            continue;
        }
        let Some(key) = read_package(asked, &stanza_path, out) else { continue };
        for (real, recorded_path, digest) in claims {
            if digest.is_none() {
                out.gap(Subject::file(&sums_path), format!("the MD5 of `{recorded_path}` is not hexadecimal"));
            }
            let record = Record {
                package: key.clone(),
                source: sums_path.clone(),
                recorded_path,
                digest,
                kind: RecordKind::File,
                attributes: None,
            };
            out.facts.records.entry(real).or_default().push(record);
        }
    }
    for stanza_path in without_sums {
        let reason = "the package has no `.md5sums` file, its files are unknown".to_owned();
        out.gap_if(asked.has_orphans(out), Subject::file(&stanza_path), reason);
    }
    let reading = out.reading_since(gaps_before);
    out.facts.systems.push(Database { system: PackageSystem::DpkgStatusD, place, reading });
}

/// Notes the package of a stanza and returns its key.
fn read_package(asked: &Asked<'_>, stanza_path: &RootedPath, out: &mut Out) -> Option<String> {
    let snapshot = out.read(asked.root, stanza_path)?;
    let (entries, problems) = status::parse(snapshot.bytes());
    out.problems(stanza_path, &problems);
    let Some(entry) = entries.first() else {
        if problems.is_empty() {
            out.gap(Subject::file(stanza_path), "holds no package".to_owned());
        }
        return None;
    };
    let key = escape(entry.name);
    out.facts.packages.insert(
        key.clone(),
        Package {
            system: PackageSystem::DpkgStatusD,
            name: key.clone(),
            seal: None,
            source: String::new(),
            manifest: None,
            demands: Vec::new(),
            version: escape(entry.version),
            architecture: escape(entry.architecture),
            status: entry.status.map(escape).unwrap_or_default(),
        },
    );
    Some(key)
}
