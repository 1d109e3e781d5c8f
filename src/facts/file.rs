//! Files that were looked at: by path, with everything seen of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::formats::elf::ElfRecord;
use crate::knowledge::Hit;
use crate::knowledge::family::PlacePattern;
use crate::model::text::Text;
use crate::model::{Digest, Meta, RootedPath};

/// Most names that one wildcard of an indicator is followed to.
pub const GLOB_LIMIT: usize = 1024;

/// Every path looked at. A path that leads through symbolic links stands in `links`; what it leads to, in `files`
/// under its canonical path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTable {
    /// By canonical path (no component is a symbolic link; the last one neither, unless it dangles or loops).
    pub files: BTreeMap<RootedPath, FileFacts>,
    /// Path as asked → canonical path, where the two differ.
    pub links: BTreeMap<RootedPath, RootedPath>,
}

impl FileTable {
    /// The canonical form of `path`, if it was looked at.
    #[must_use]
    pub fn canonical<'a>(&'a self, path: &'a RootedPath) -> Option<&'a RootedPath> {
        match self.links.get(path) {
            Some(real) => Some(real),
            None => self.files.get_key_value(path).map(|(path, _)| path),
        }
    }

    /// What was seen of `path`, through symbolic links; `None` if nobody looked.
    #[must_use]
    pub fn get(&self, path: &RootedPath) -> Option<&FileFacts> {
        self.files.get(self.canonical(path)?)
    }

    /// The paths that an indicator's place stands for: the path itself, or of a wildcard the names that fit, as far as its
    /// directory was listed; at most [`GLOB_LIMIT`].
    #[must_use]
    pub fn expand(&self, place: &PlacePattern) -> Vec<RootedPath> {
        if let Some(path) = place.path() {
            return vec![path];
        }
        let entries = self.get(&place.dir).and_then(|file| file.entries.as_ref());
        let names = entries.into_iter().flatten().filter_map(|name| crate::model::text::unescape(name));
        names.filter(|name| place.fits(name)).filter_map(|name| place.dir.join(&name)).take(GLOB_LIMIT).collect()
    }

    /// The files that somebody wanted in this role, with their canonical paths.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = (&RootedPath, &FileFacts)> {
        self.files.iter().filter(move |(_, file)| file.roles.contains(&role))
    }

    /// The files of the surface: those whose bytes can decide a login.
    pub fn surface(&self) -> impl Iterator<Item = (&RootedPath, &FileFacts)> {
        self.files.iter().filter(|(_, file)| file.roles.iter().any(|role| role.in_surface()))
    }
}

/// Why a file was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// An SSH server's executable: `sshd`, `sshd-session`, `sshd-auth`, `dropbear`, `tinysshd`, `sftp-server`, `ssh-keysign`.
    Server,
    /// A client that sees credentials: `ssh`, `ssh-agent`, `ssh-add`, `scp`, `ssh-keygen`.
    Client,
    /// A program that configuration names: `AuthorizedKeysCommand`, `ForceCommand`, `Subsystem`, `pam_exec`.
    Helper,
    /// The dynamic loader (`PT_INTERP`).
    Loader,
    /// A shared library in the `DT_NEEDED` closure of another file of the surface.
    Library,
    /// A PAM module named by a stack, with its closure.
    PamModule,
    /// An NSS module named by nsswitch.conf(5).
    NssModule,
    /// sshd_config(5) and what it includes.
    SshdConfig,
    /// A PAM stack, pam.conf(5), or a module's own configuration.
    PamConfig,
    /// Configuration of the loader: `ld.so.conf`, `ld.so.cache`, `ld.so.preload`.
    LoaderConfig,
    /// systemd units and defaults files that start a server.
    Unit,
    /// Other configuration that can decide a login: nsswitch.conf, passwd, group.
    SystemConfig,
    /// A host key.
    HostKey,
    /// A path at which a known backdoor leaves traces.
    Indicator,
    /// Part of a package database.
    PackageDatabase,
    /// A path that had to be probed to resolve another (a library search directory, a unit directory).
    Probe,
    /// The program of a process that may watch servers: it holds a packet socket, or a descriptor by which code is probed.
    Watcher,
    /// Asked for by `--scan-all` or `inspect`.
    Extra,
}

impl Role {
    /// Whether files in this role belong to the surface.
    #[must_use]
    pub const fn in_surface(self) -> bool {
        matches!(
            self,
            Self::Server
                | Self::Client
                | Self::Helper
                | Self::Loader
                | Self::Library
                | Self::PamModule
                | Self::NssModule
                | Self::SshdConfig
                | Self::PamConfig
                | Self::LoaderConfig
                | Self::Unit
                | Self::SystemConfig
        )
    }

    /// Whether files in this role hold code that a server or a client runs.
    #[must_use]
    pub const fn is_code(self) -> bool {
        matches!(
            self,
            Self::Server
                | Self::Client
                | Self::Helper
                | Self::Loader
                | Self::Library
                | Self::PamModule
                | Self::NssModule
        )
    }
}

/// A wish to look at a path. Pure functions over what is known so far make them (`observe::wants`), the observer fulfils
/// them, until nobody wishes for more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Want {
    /// Where; links are followed inside the root.
    pub path: RootedPath,
    /// Why.
    pub role: Role,
    /// How closely.
    pub look: Look,
}

/// How closely a path is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// Its inode only.
    Inode,
    /// The names in it, if it is a directory.
    Entries,
    /// Its content as text and its SHA-256; never used for files that hold secrets.
    Text,
    /// The same without what is secret in it: password fields of passwd(5) and group(5), keys in pam_duo.conf, everything but
    /// `cert-authority` in authorized_keys.
    Redacted,
    /// The public keys in it, and that there is anything else; never that.
    PublicKeys,
    /// Its digests, its ELF structure, and what the byte rules find in it; the content is not kept.
    Binary,
}

/// Everything seen of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Whether it is there.
    pub state: FileState,
    /// Why it was looked at.
    pub roles: BTreeSet<Role>,
    /// How closely.
    pub looks: BTreeSet<Look>,
    /// Digests of its content, all of the same read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<Digest>,
    /// What its ELF structure says; absent if not asked for or not ELF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elf: Option<Box<ElfRecord>>,
    /// Its content; only of configuration that holds no secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// The public keys in it, where they were asked for: apart from `text`, since the same file may be read as configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Text>,
    /// Names in it, if it is a directory that was listed; escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<String>>,
    /// What the byte rules found; absent if they were not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits: Option<Vec<Hit>>,
    /// Why its content could not be read or parsed though the file is there: permission, type, size, changed while
    /// read, broken structure. One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl FileFacts {
    /// A path in this state, nothing of its content seen.
    #[must_use]
    pub const fn new(state: FileState) -> Self {
        Self {
            state,
            roles: BTreeSet::new(),
            looks: BTreeSet::new(),
            digests: Vec::new(),
            elf: None,
            text: None,
            keys: None,
            entries: None,
            hits: None,
            problem: None,
        }
    }

    /// Its inode's properties, if it is there.
    #[must_use]
    pub const fn meta(&self) -> Option<&Meta> {
        match &self.state {
            FileState::Present(meta) => Some(meta),
            _ => None,
        }
    }

    /// Its digest by `algorithm`, if that one was taken.
    #[must_use]
    pub fn digest(&self, algorithm: crate::model::Algorithm) -> Option<&Digest> {
        self.digests.iter().find(|digest| digest.algorithm() == algorithm)
    }

    /// The bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> Option<&[u8]> {
        self.text.as_ref().map(Text::as_bytes)
    }
}

/// Whether a file is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// It is.
    Present(Meta),
    /// It is not.
    Missing,
    /// We could not find out, and why.
    Unknown(String),
}
