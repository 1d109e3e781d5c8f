//! Package databases, and what they record of the files looked at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Digest, RootedPath};

/// The package systems found under a root and the records of the files that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFacts {
    /// Which systems have a database here.
    pub systems: Vec<PackageSystem>,
    /// Installed packages that own a file looked at, by name (`name` or `name:arch`).
    pub packages: BTreeMap<String, Package>,
    /// Every record of a file looked at, by its canonical path. Empty vector: asked, and no package owns it.
    pub records: BTreeMap<RootedPath, Vec<Record>>,
}

/// A package system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageSystem {
    /// Debian and its descendants.
    Dpkg,
    /// `status.d` of distroless images.
    DpkgStatusD,
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its system.
    pub system: PackageSystem,
    /// Its version, escaped.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// Its state as the system writes it: `install ok installed`.
    pub status: String,
}

/// What one package's record says about one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Key into [`PackageFacts::packages`].
    pub package: String,
    /// The file that holds the record.
    pub source: RootedPath,
    /// The path as the record spells it (`/lib/…` on a merged `/usr`).
    pub recorded_path: RootedPath,
    /// The recorded digest; absent for what the system records no digest of.
    pub digest: Option<Digest>,
    /// What kind of record it is.
    pub kind: RecordKind,
}

/// How strictly a record binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// The file must be as recorded.
    File,
    /// Configuration: a different content is the administrator's right, and is reported as such.
    Conffile,
}
