//! A backdoor family and the typed indicators by which it is known. The file form stands in docs/signatures.md; `load`
//! reads it, `engine` matches the content rules, `checks::backdoor` weighs what was found.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::pattern::Masked;
use crate::model::{Digest, RootedPath};

/// How seldom something innocent looks like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Specificity {
    /// No weight of its own: it is the condition of another indicator.
    Auxiliary,
    /// Needs corroboration.
    Weak,
    /// Unusual; innocent examples are known or likely.
    Moderate,
    /// Hard to explain otherwise.
    Strong,
    /// Proves the family.
    Decisive,
}

impl Specificity {
    /// What an indicator that is not decisive adds to its family's score (docs/signatures.md, "From indicators to a verdict").
    #[must_use]
    pub const fn points(self) -> u32 {
        match self {
            Self::Auxiliary => 0,
            Self::Weak => 5,
            Self::Moderate => 25,
            Self::Strong | Self::Decisive => 50,
        }
    }

    /// The word used in files and outputs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auxiliary => "auxiliary",
            Self::Weak => "weak",
            Self::Moderate => "moderate",
            Self::Strong => "strong",
            Self::Decisive => "decisive",
        }
    }
}

impl fmt::Display for Specificity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One family: one file under `signatures/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Kebab-case; its findings have the code `backdoor/` and this.
    pub id: String,
    /// What it is, a few words.
    pub title: String,
    /// Year of the first report.
    pub year: u16,
    /// MITRE ATT&CK technique ids.
    pub attack: Vec<String>,
    /// What to do when it is found.
    pub remediation: String,
    /// What its authors can change to pass unseen by these indicators.
    pub evades: String,
    /// Where its facts were read.
    pub sources: Vec<Source>,
    /// Its indicators, in the order of the file, kinds in the order of [`Kind`].
    pub indicators: Vec<Indicator>,
}

impl Family {
    /// The indicator with this id.
    #[must_use]
    pub fn indicator(&self, id: &str) -> Option<&Indicator> {
        self.indicators.iter().find(|indicator| indicator.id == id)
    }
}

/// A public source of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// How indicators name it.
    pub id: String,
    /// Title, repository or address.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Terms of the place the facts were read in.
    pub licence: String,
}

/// One thing to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicator {
    /// Unique in its family.
    pub id: String,
    /// What it is, a few words, without the searched-for value.
    pub title: String,
    /// Its weight.
    pub specificity: Specificity,
    /// Id of its source.
    pub source: String,
    /// What to look at, and how.
    pub kind: Kind,
}

/// What an indicator looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The digest of a file.
    Digest(Vec<Digest>),
    /// The content of a file.
    Content(Content),
    /// A path, its inode, and maybe its content.
    Path(PathRule),
    /// An abstract UNIX socket with one of these names, without the leading `@`.
    Socket(Vec<Vec<u8>>),
    /// A file of this name mapped by a process of an SSH server.
    Mapping(Vec<Vec<u8>>),
    /// An installed package of these names and versions.
    Package(PackageRule),
    /// Something that no observation of this version shows.
    Unobserved(Unobserved),
}

impl Kind {
    /// The word by which files and documents call it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Digest(_) => "digest",
            Self::Content(_) => "content",
            Self::Path(_) => "path",
            Self::Socket(_) => "socket",
            Self::Mapping(_) => "mapping",
            Self::Package(_) => "package",
            Self::Unobserved(_) => "unobserved",
        }
    }
}

/// A condition on the content of one file: every group holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Content {
    /// Only ELF files are looked at, though no group demands it.
    pub elf: bool,
    /// What is subtracted (modulo 256) from each byte of the file before strings and patterns are compared; 0 for the
    /// bytes as they are.
    pub subtract: u8,
    /// After subtraction, every byte of the file is printable ASCII, a tab or a line end; files above
    /// [`PRINTABLE_LIMIT`](super::engine::PRINTABLE_LIMIT) are not.
    pub printable: bool,
    /// The conditions.
    pub groups: Vec<Group>,
}

/// How many parts of a group must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Need {
    /// All.
    All,
    /// None.
    None,
    /// At least so many; at least 1, at most as many as there are parts.
    AtLeast(usize),
}

/// Parts of which enough must be there, in the same file and the same sections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How many of the parts.
    pub need: Need,
    /// Sections in which the bytes must lie whole; empty for anywhere. A name also stands for those that continue it
    /// after a dot. Where the file has no such section (the loader ignores them, so an attacker may strip or rename
    /// them), segments with the same rights count instead.
    pub sections: Vec<String>,
    /// Strings are bounded by NUL bytes, or by the ends of their section or file.
    pub whole: bool,
    /// All needed bytes lie within so many bytes of each other, counted from first byte to first byte.
    pub within: Option<u64>,
    /// The parts.
    pub parts: Vec<Part>,
}

/// One part of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Part {
    /// Bytes in one of these spellings.
    Bytes(Vec<Masked>),
    /// A symbol that the file imports.
    Import(String),
    /// A symbol that the file exports.
    Export(String),
    /// `DT_SONAME` is one of these.
    Soname(Vec<String>),
    /// `DT_NEEDED` names something besides these; `*` at the end stands for any continuation.
    NeededOutside(Vec<String>),
    /// `DT_INIT_ARRAYSZ` is more than so many pointers.
    InitArrayAbove(u64),
    /// The section `.ctors` is larger than so many pointers.
    CtorsAbove(u64),
}

/// A condition on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// Where; any of them.
    pub places: Vec<PlacePattern>,
    /// A package database must say that nobody owns it. Without this, it is enough that none is known to own it.
    pub unowned: bool,
    /// What it must be; `None` for anything.
    pub file_type: Option<PathType>,
    /// All of these permission bits are set.
    pub mode: u32,
    /// Its owner has this user id.
    pub uid: Option<u32>,
    /// It has at most so many bytes.
    pub max_size: Option<u64>,
    /// Content indicators of the same family; one of them matched the file.
    pub content: Vec<String>,
}

/// What an inode must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// A directory and a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacePattern {
    /// The directory.
    pub dir: RootedPath,
    /// The name; where [`Self::is_glob`], each `*` stands for any run of bytes.
    pub name: Vec<u8>,
}

impl PlacePattern {
    /// `path` as a pattern; `None` unless it is absolute and `*` stands in its last component only.
    #[must_use]
    pub fn new(path: &[u8]) -> Option<Self> {
        let path = RootedPath::new(path)?;
        let dir = path.parent()?;
        let name = path.file_name().to_vec();
        if dir.as_bytes().contains(&b'*') { None } else { Some(Self { dir, name }) }
    }

    /// Whether the name stands for many, so that the directory must be listed.
    #[must_use]
    pub fn is_glob(&self) -> bool {
        self.name.contains(&b'*')
    }

    /// The path that the pattern is; `None` for a glob.
    #[must_use]
    pub fn path(&self) -> Option<RootedPath> {
        if self.is_glob() { None } else { self.dir.join(&self.name) }
    }

    /// Whether a name in [`Self::dir`] fits.
    #[must_use]
    pub fn fits(&self, name: &[u8]) -> bool {
        let mut pieces = self.name.split(|byte| *byte == b'*');
        let Some(first) = pieces.next() else { return false };
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return rest.ends_with(piece);
            }
            match find(rest, piece) {
                Some(at) => rest = rest.get(at.saturating_add(piece.len())..).unwrap_or_default(),
                None => return false,
            }
        }
        false
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A condition on an installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageRule {
    /// Names, without architecture.
    pub names: Vec<String>,
    /// Bad upstream versions: what remains of a package's version without epoch and packaging revision.
    pub upstream: Vec<String>,
    /// Whole versions that are not bad though their upstream version is.
    pub except: Vec<String>,
}

impl PackageRule {
    /// Whether a package of this `name` (`name` or `name:arch`) and `version` is meant.
    #[must_use]
    pub fn applies(&self, name: &str, version: &str) -> bool {
        let name = name.split(':').next().unwrap_or_default();
        self.names.iter().any(|known| known == name)
            && !self.except.iter().any(|good| good == version)
            && self.upstream.iter().any(|bad| bad == upstream(version))
    }
}

/// The upstream part of a version: without `epoch:` before and `-revision` behind (deb-version(7); rpm and pacman write
/// `[epoch:]version-release` too). `5.6.1+really5.4.5-1` gives `5.6.1+really5.4.5`, which is 5.4.5 in truth and not 5.6.1.
fn upstream(version: &str) -> &str {
    let version = match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => version,
    };
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

/// Something known that is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unobserved {
    /// The observation it needs.
    pub needs: Observation,
    /// What would be looked for.
    pub values: Vec<Vec<u8>>,
}

/// Observations that this version does not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// Names in `/proc/kallsyms`.
    KernelSymbols,
    /// Loaded kernel modules.
    KernelModules,
    /// Programs and pinned objects of BPF.
    Bpf,
    /// System V shared memory segments.
    SharedMemory,
    /// Raw and packet sockets with attached filters.
    RawSockets,
    /// Listening sockets of processes that are no SSH servers.
    Listeners,
    /// Heap and writable data of processes.
    ProcessMemory,
    /// Environment, parents, limits and children of processes.
    Processes,
    /// Traffic, or a probe of the server from outside.
    Network,
    /// The control flow of code.
    Code,
    /// Source trees and build scripts.
    SourceTrees,
    /// Users' own files, such as `authorized_keys`.
    HomeDirectories,
    /// When an inode was changed, compared with when its package was installed.
    Times,
}

impl Observation {
    /// What it is, in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KernelSymbols => "kernel symbols",
            Self::KernelModules => "kernel modules",
            Self::Bpf => "BPF objects",
            Self::SharedMemory => "shared memory segments",
            Self::RawSockets => "raw sockets and their filters",
            Self::Listeners => "listeners of other programs",
            Self::ProcessMemory => "process memory",
            Self::Processes => "environment and ancestry of processes",
            Self::Network => "network traffic",
            Self::Code => "control flow of code",
            Self::SourceTrees => "source trees",
            Self::HomeDirectories => "users' files",
            Self::Times => "inode times against package times",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_reverted_version_is_not_the_bad_one() {
        let rule = PackageRule {
            names: vec!["liblzma5".into()],
            upstream: vec!["5.6.0".into(), "5.6.1".into()],
            except: vec!["5.6.1-2".into()],
        };
        let check = |name, version, expected| assert_eq!(rule.applies(name, version), expected, "{name} {version}");
        check("liblzma5", "5.6.1-1", true);
        check("liblzma5:amd64", "1:5.6.0-0.2", true);
        check("liblzma5", "5.6.1", true);
        check("liblzma5", "5.6.1+really5.4.5-1", false);
        check("liblzma5", "5.6.1-2", false);
        check("liblzma5", "5.6.1.revertto5.4-3.2", false);
        check("liblzma5", "5.6.2-1", false);
        check("liblzma5", "5.6.10-1", false);
        check("liblzma", "5.6.1-1", false);
    }

    #[test]
    fn globs_stand_in_the_last_component() {
        let check = |pattern: &str, name: &str, expected| {
            assert_eq!(
                PlacePattern::new(pattern.as_bytes()).unwrap().fits(name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        };
        check("/tmp/.abc_*", ".abc_a1", true);
        check("/tmp/.abc_*", ".abc", false);
        check("/a/*b*c", "xxbyyc", true);
        check("/a/*b*c", "xxbyycz", false);
        check("/a/b", "b", true);
        check("/a/b", "bb", false);
        check("/a/*", "anything", true);
        assert!(PlacePattern::new(b"/a/*/b").is_none());
        assert!(PlacePattern::new(b"a/b").is_none());
        assert!(PlacePattern::new(b"/").is_none());
        assert!(PlacePattern::new(b"/tmp/x*").unwrap().path().is_none());
    }
}
