//! Manifests of the site: what they say of the files asked for. Whether their signatures hold is noted; whose count is not
//! decided here.

use super::Asked;
use super::out::Out;
use crate::facts::package::{Attributes, Database, Package, PackageSystem, Reading, Record, RecordKind, SiteSeal};
use crate::formats::base64;
use crate::model::manifest::{ImageFile, Layer, Manifest};
use crate::model::text::escape;
use crate::model::{RootedPath, Subject};
use crate::trust::manifest::verify;

/// Records what each manifest says.
pub(super) fn observe(asked: &Asked<'_>, out: &mut Out) {
    for (name, manifest) in asked.aids.manifests {
        let place = RootedPath::new(name).or_else(|| RootedPath::root().join(name)).unwrap_or_else(RootedPath::root);
        let label = escape(manifest.label.as_bytes());
        let seal = SiteSeal {
            name: escape(name.as_bytes()),
            label: label.clone(),
            made_at: manifest.made_at,
            expires: manifest.expires,
            keys: verify(manifest).into_iter().map(|(key, holds)| (escape(key.as_bytes()), holds.is_ok())).collect(),
        };
        packages(asked, manifest, &seal, &place, out);
        for file in manifest.image.iter().flatten() {
            image_file(asked, file, &seal, &place, out);
        }
        let headers = manifest.headers.iter().filter_map(|header| base64::decode(header.as_bytes()));
        super::rpm::enclosed(asked, &headers.collect::<Vec<_>>(), &place, out);
        // A manifest of packages says nothing of files that it does not name.
        let reading = if manifest.image.is_some() { Reading::Whole } else { Reading::Part };
        if manifest.image.is_some() || out.facts.systems.is_empty() {
            out.facts.systems.push(Database { system: PackageSystem::Manifest, place, reading });
        }
    }
}

/// Of a package that a database knows as installed only that version counts: otherwise an older one of the same manifest would
/// vouch for files that were put back.
fn packages(asked: &Asked<'_>, manifest: &Manifest, seal: &SiteSeal, place: &RootedPath, out: &mut Out) {
    for package in &manifest.packages {
        let name = escape(package.name.as_bytes());
        let mut installed = out.facts.packages.values().filter(|other| other.manifest.is_none() && other.name == name);
        if let Some(first) = installed.next()
            && first.version != package.version
            && installed.all(|other| other.version != package.version)
        {
            continue;
        }
        let version = escape(package.version.as_bytes());
        let key = format!("{name} {version} ({})", seal.label);
        for file in &package.files {
            let Some(real) = asked.path(&asked.aliases.normalise(&file.path)) else { continue };
            let attributes = Attributes {
                mode: file.mode,
                user: file.user.as_deref().map(|user| escape(user.as_bytes())),
                group: file.group.as_deref().map(|group| escape(group.as_bytes())),
                ..Attributes::default()
            };
            let record = Record {
                package: key.clone(),
                source: place.clone(),
                recorded_path: file.path.clone(),
                digest: file.digest,
                kind: if file.config { RecordKind::Conffile } else { RecordKind::File },
                attributes: Some(Box::new(attributes)),
            };
            out.facts.records.entry(real.clone()).or_default().push(record);
            let described = || described(seal, &name, &version, escape(package.architecture.as_bytes()));
            out.facts.packages.entry(key.clone()).or_insert_with(described);
        }
    }
}

fn image_file(asked: &Asked<'_>, file: &ImageFile, seal: &SiteSeal, place: &RootedPath, out: &mut Out) {
    let Some(real) = asked.path(&asked.aliases.normalise(&file.path)) else { return };
    let name = format!("{}: {}", seal.label, file.layer.name());
    let is_node = file.layer == Layer::Node;
    if !is_node && file.digest.is_none() {
        return out.gap(Subject::file(real), "the manifest has no digest of this file".to_owned());
    }
    let attributes = Attributes {
        mode: Some(file.mode),
        user: Some(format!("#{}", file.uid)),
        group: Some(format!("#{}", file.gid)),
        ..Attributes::default()
    };
    let record = Record {
        package: name.clone(),
        source: place.clone(),
        recorded_path: file.path.clone(),
        digest: file.digest.filter(|_| !is_node),
        kind: if is_node { RecordKind::Ghost } else { RecordKind::File },
        attributes: Some(Box::new(attributes)),
    };
    out.facts.records.entry(real.clone()).or_default().push(record);
    out.facts.packages.entry(name.clone()).or_insert_with(|| described(seal, &name, "", String::new()));
}

fn described(seal: &SiteSeal, name: &str, version: &str, architecture: String) -> Package {
    Package {
        system: PackageSystem::Manifest,
        name: name.to_owned(),
        version: version.to_owned(),
        architecture,
        status: String::new(),
        seal: None,
        manifest: Some(seal.clone()),
        source: String::new(),
        demands: Vec::new(),
    }
}
