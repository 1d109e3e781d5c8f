//! The site manifest: what the files of packages or of an image are, written down where they can be had and signed by the site,
//! for hosts whose own records prove nothing or are missing.

use serde::{Deserialize, Serialize};

use super::{Digest, RootedPath, Timestamp};

/// The name and version of the serialised form.
pub const SCHEMA: &str = "sshproof.manifest/1";

/// The whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the sshproof that made it.
    pub tool: String,
    /// What it is of, in the site's words.
    pub label: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// From when on it no longer counts.
    pub expires: Timestamp,
    /// Packages, several versions of one perhaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Package>,
    /// The files of an image, all of them but those of places that change by themselves; absent if it is of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Vec<ImageFile>>,
    /// Headers of rpm packages with the distributor's signatures, as an rpm database holds them, in base64: each host verifies
    /// them itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Signatures over all of the above; none before it is signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
}

/// One package file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Name, escaped.
    pub name: String,
    /// Version as its package system writes it, escaped.
    pub version: String,
    /// Architecture, escaped.
    pub architecture: String,
    /// SHA-256 of the package file.
    pub sha256: Digest,
    /// Its regular files.
    pub files: Vec<File>,
}

/// What a file is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path as the package spells it.
    pub path: RootedPath,
    /// The digest of its content; absent if the content is not to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Permission bits with set-id and sticky; absent if they are not to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Name of its owner, or `#` and a number, escaped; absent if it is not to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of its group, or `#` and a number, escaped; absent if it is not to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether it is configuration, which the administrator may change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub config: bool,
}

/// A file of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFile {
    /// What brings it.
    pub layer: Layer,
    /// Its path, canonical.
    pub path: RootedPath,
    /// SHA-256 of its content; absent for what each node renders itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Permission bits with set-id and sticky.
    pub mode: u32,
    /// Number of its owner.
    pub uid: u32,
    /// Number of its group.
    pub gid: u32,
}

/// What brings a file onto a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The image.
    Image,
    /// An overlay, the same on every node.
    Overlay,
    /// The provisioning system, rendered for each node: its content is not compared.
    Node,
}

impl Layer {
    /// Its name in sentences.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image file",
            Self::Overlay => "overlay file",
            Self::Node => "per-node file",
        }
    }
}

/// One key's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The public key, 64 digits of lower-case hexadecimal.
    pub key: String,
    /// The signature, 128 such digits.
    pub signature: String,
}
