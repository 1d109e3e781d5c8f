//! Package databases, and what they record of the files looked at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::formats::capability::FileCapabilities;
use crate::formats::rpm::requires::Least;
use crate::model::{Digest, RootedPath};
use crate::trust::Checked;

/// The package systems found under a root and the records of the files that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFacts {
    /// Which systems have a database here, read or not.
    pub systems: Vec<Database>,
    /// Installed packages that own a file looked at, by the name that tells them apart: `name` or `name:arch` for dpkg,
    /// `name-version-release.arch` for rpm, which may have several versions of one installed.
    pub packages: BTreeMap<String, Package>,
    /// Every record of a file looked at, by its canonical path. Empty vector: asked, and no package owns it. Directories
    /// that were only searched are not asked for.
    pub records: BTreeMap<RootedPath, Vec<Record>>,
    /// Diversions from or to a file looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diversions: Vec<Diversion>,
    /// Owners and modes that the administrator registered for files looked at, by canonical path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<RootedPath, Override>,
    /// Alternatives on the way to a file looked at, by the path as asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alternatives: BTreeMap<RootedPath, Alternative>,
    /// Capabilities on disk of files whose package system records them, by canonical path: what has none is not here; absent
    /// value: they could not be read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capabilities: BTreeMap<RootedPath, Option<FileCapabilities>>,
    /// Links of an archive's chain that do not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<BrokenLink>,
}

/// A link between an archive's signature and a file of one of its packages that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "link")]
pub enum BrokenLink {
    /// An index is not the one that the signed list names.
    Index {
        /// The index.
        path: RootedPath,
        /// As the list says; absent if the list does not name it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<Digest>,
        /// As computed over its content.
        actual: Digest,
    },
    /// A package file is not the one that the index names.
    File {
        /// The package file.
        path: RootedPath,
        /// Key into [`PackageFacts::packages`].
        package: String,
        /// As the index says.
        expected: Digest,
        /// As computed.
        actual: Digest,
    },
    /// dpkg's database gives a file to a package whose own archive member it is not.
    Member {
        /// The package file.
        path: RootedPath,
        /// Key into [`PackageFacts::packages`].
        package: String,
        /// The file that it does not ship.
        file: RootedPath,
    },
}

impl PackageFacts {
    /// Whether some database was read to its end, so that "no package owns it" is an answer.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.systems.is_empty() && self.systems.iter().all(|system| system.reading == Reading::Whole)
    }
}

/// The database of one package system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Whose.
    pub system: PackageSystem,
    /// Where it was found.
    pub place: RootedPath,
    /// How much of it was read.
    pub reading: Reading,
}

/// How much of a database was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// All that was needed.
    Whole,
    /// Some of it could not be read or understood; what, the gaps say.
    Part,
    /// Nothing: this version of sshproof cannot read this system's records.
    Unsupported,
}

/// A package system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageSystem {
    /// Debian and its descendants.
    Dpkg,
    /// `status.d` of distroless images.
    DpkgStatusD,
    /// Red Hat, SUSE and their descendants.
    Rpm,
    /// Alpine.
    Apk,
    /// Arch.
    Pacman,
    /// Gentoo.
    Portage,
    /// Nix and NixOS.
    Nix,
    /// Guix.
    Guix,
    /// Void.
    Xbps,
    /// FreeBSD's pkg(8).
    FreeBsdPkg,
    /// Solaris and illumos.
    Ips,
    /// Slackware.
    Slackware,
    /// OpenWrt and other embedded systems.
    Opkg,
    /// A manifest of the site.
    Manifest,
}

impl PackageSystem {
    /// Its name in sentences.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::DpkgStatusD => "dpkg (status.d)",
            Self::Rpm => "rpm",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
            Self::Portage => "Portage",
            Self::Nix => "Nix",
            Self::Guix => "Guix",
            Self::Xbps => "xbps",
            Self::FreeBsdPkg => "FreeBSD pkg",
            Self::Ips => "IPS",
            Self::Slackware => "Slackware pkgtools",
            Self::Opkg => "opkg",
            Self::Manifest => "site manifest",
        }
    }
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its system.
    pub system: PackageSystem,
    /// Its name alone, escaped.
    pub name: String,
    /// Its version, escaped; empty if the database does not say.
    pub version: String,
    /// Its architecture, escaped; empty if the database does not say.
    pub architecture: String,
    /// Its state as the system writes it, escaped: `install ok installed`; empty where the system has none.
    pub status: String,
    /// The signed metadata that its records come from; absent where the system keeps none on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
    /// The site manifest that its records come from; absent if it is of a package database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<SiteSeal>,
    /// The source package that it was built from, a file name, escaped; empty if the database does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Least versions that it demands of other packages that own a file looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<Demand>,
}

/// A package's demand for a least version of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Name of the other, escaped.
    pub name: String,
    /// How.
    pub least: Least,
    /// `[epoch:]version[-release]`, escaped.
    pub version: String,
}

/// Metadata of a package of a kind that distributors sign, and the signatures found over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// What is signed.
    pub what: Sealed,
    /// SHA-256 of the signed bytes.
    pub digest: Digest,
    /// Each signature over them, checked; none: it is not signed, or was stripped of its signatures.
    pub signatures: Vec<Checked>,
    /// Tags that the database holds twice, signed and unsigned: its own tools show the unsigned value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadowed: Vec<u32>,
    /// What stands between the signatures and the records, each named by the one before it; none where the records themselves
    /// are signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<Passage>,
}

/// A file on the way from a signature to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Where it lies.
    pub path: RootedPath,
    /// SHA-256 of its content, uncompressed if it is an index.
    pub sha256: Digest,
}

/// A site manifest, and whose signatures over it hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SiteSeal {
    /// Where it was read from, escaped.
    pub name: String,
    /// What it is of, escaped.
    pub label: String,
    /// When it was made.
    pub made_at: crate::model::Timestamp,
    /// From when on it no longer counts.
    pub expires: crate::model::Timestamp,
    /// Public keys that it names, 64 hexadecimal digits, each with whether its signature holds.
    pub keys: Vec<(String, bool)>,
}

/// A kind of signed metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sealed {
    /// The immutable region of an rpm header.
    RpmHeader,
    /// The list of an archive's indices, `InRelease`, that leads to a package's file.
    Archive,
}

impl Sealed {
    /// What it is, in sentences.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RpmHeader => "rpm header",
            Self::Archive => "archive",
        }
    }
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
    /// What else it says of the file; absent where the system records nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Box<Attributes>>,
}

/// What a record says of a file besides its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// File type and permission bits as in stat(2) `st_mode`; absent if they are not to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Name of the owner, escaped; absent if it is not to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of the group, escaped; absent if it is not to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Capabilities in the words of cap_from_text(3), escaped; empty for none; absent if they are not to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// 1 for ELF of 32 bits, 2 for 64, 0 for neither: where packages for two architectures share a path, which of them
    /// this is.
    #[serde(default)]
    pub colour: u32,
    /// Whether the packager allows that it is missing.
    #[serde(default)]
    pub may_be_missing: bool,
    /// What the database says was done with it at installation, as rpm numbers it (1 replaced, 2 not installed, 3 on the
    /// network, 4 wrong colour); nobody signs that, so it excuses no file that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<u8>,
}

/// How strictly a record binds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// The file must be as recorded.
    File,
    /// Configuration: a different content is the administrator's right, and is reported as such.
    Conffile,
    /// Owned, but not shipped: the package's programs make it.
    Ghost,
    /// Configuration that a tool beside the package manager writes from a template: ucf(1), pam-auth-update(8).
    Managed {
        /// The tool.
        by: Manager,
        /// Other contents that were distributed: the template's, those of earlier versions.
        known: Vec<Digest>,
        /// The digest of the file as the tool compares it; absent if the tool compares the whole content, or if the
        /// file no longer has the tool's form.
        compared: Option<Digest>,
    },
}

/// A tool that keeps configuration files for packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// ucf(1).
    Ucf,
    /// pam-auth-update(8).
    PamAuthUpdate,
}

/// A file of a package that was moved aside for another (dpkg-divert(1)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diversion {
    /// Canonical form of the path that the owner's file had.
    pub from: RootedPath,
    /// Canonical form of the path that it has now.
    pub to: RootedPath,
    /// The package that may use `from`, escaped; absent: the administrator.
    pub by: Option<String>,
    /// The file that records it.
    pub source: RootedPath,
    /// The line there, counted from 1.
    pub line: u32,
}

/// An owner and mode registered with dpkg-statoverride(1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// User name, or `#` and a user id; escaped.
    pub user: String,
    /// Group name, or `#` and a group id; escaped.
    pub group: String,
    /// Permission bits with set-id and sticky.
    pub mode: u32,
    /// The file that records it.
    pub source: RootedPath,
    /// The line there, counted from 1.
    pub line: u32,
}

/// A generic name that update-alternatives(1) leads to one of several programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// Its name under `/etc/alternatives`, escaped.
    pub name: String,
    /// Where it leads now, canonical.
    pub target: RootedPath,
    /// The file that records the choices; absent if no record names this link.
    pub source: Option<RootedPath>,
    /// Whether the choice is made by priority; otherwise the administrator made it.
    pub automatic: bool,
    /// The recorded choices, canonical where they exist.
    pub choices: Vec<RootedPath>,
}
