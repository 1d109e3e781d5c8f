//! The cases of one family (`families/*.toml`), and the probes they amount to: a small host, and what must be said of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::host::{Entry, Host};
use super::stored::{Piece, reveal, spellings};

/// One file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cases {
    pub family: String,
    /// How many indicators the family has that are not looked for.
    pub unobserved: usize,
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// A host with traces, and the indicators that must be found, no others.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    pub name: String,
    pub expect: Vec<String>,
    /// Code of the one finding; empty for none.
    #[serde(default)]
    pub finding: String,
    #[serde(default)]
    pub file: Vec<FileCase>,
    #[serde(default)]
    pub sockets: Vec<String>,
    #[serde(default)]
    pub mappings: Vec<String>,
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// The case holds for each of these alone: paths of its only file, digests of it, sockets, mapped libraries.
    #[serde(default)]
    pub each_path: Vec<String>,
    #[serde(default)]
    pub each_digest: Vec<String>,
    #[serde(default)]
    pub each_socket: Vec<String>,
    #[serde(default)]
    pub each_mapping: Vec<String>,
}

/// One file of the host.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct FileCase {
    pub path: String,
    pub strings: Vec<String>,
    pub patterns: Vec<String>,
    /// Sections in which the pieces count; empty: anywhere.
    pub scope: Vec<String>,
    /// The pieces count in ELF files only.
    pub elf_only: bool,
    /// So many of the first strings count only between NUL bytes.
    pub whole: usize,
    /// NUL bytes between the pieces.
    pub gap: usize,
    /// Not an ELF file; this is added to each of its bytes.
    pub raw: Option<u8>,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub soname: Option<String>,
    pub needed: Vec<String>,
    pub init_array: u64,
    /// Pointers in `.ctors`.
    pub ctors: u64,
    pub digests: Vec<String>,
    pub directory: bool,
    pub mode: u32,
    pub uid: u32,
    pub size: u64,
    pub packaged: bool,
    /// No package database says whose it is.
    pub owner_unknown: bool,
    /// The path is what is found, so that another one is not.
    pub by_path: bool,
}

/// What must be said of a host.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Exactly these indicators, and this finding.
    Exactly(Vec<String>, String),
    /// At least one of these is not found.
    Lacks(Vec<String>),
    /// So many indicators are not looked for.
    Unobserved(usize),
}

/// A host and a claim.
#[derive(Clone)]
pub struct Probe {
    pub name: String,
    pub host: Host,
    pub claim: Claim,
}

const PATH: &str = "/usr/sbin/sshd";

impl Cases {
    /// Every probe: the cases as they stand, and their neighbours.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes =
            vec![Probe { name: "unobserved".into(), host: Host::default(), claim: Claim::Unobserved(self.unobserved) }];
        for case in &self.cases {
            for case in case.each() {
                case.probes(&mut probes);
            }
        }
        probes
    }
}

impl Case {
    /// The cases that this one stands for.
    fn each(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut case = self.clone();
            change(&mut case);
            all.push(case);
        };
        self.each_path.iter().for_each(|path| add(&|case| case.file[0].path.clone_from(path)));
        self.each_digest.iter().for_each(|digest| add(&|case| case.file[0].digests = vec![digest.clone()]));
        self.each_socket.iter().for_each(|name| add(&|case| case.sockets = vec![name.clone()]));
        self.each_mapping.iter().for_each(|name| add(&|case| case.mappings = vec![name.clone()]));
        if all.is_empty() {
            all.push(self.clone());
        }
        all
    }

    fn probes(&self, out: &mut Vec<Probe>) {
        let exactly = Claim::Exactly(self.expect.clone(), self.finding.clone());
        let host = self.host();
        let mut add = |name: String, host: Host, claim: &Claim| {
            out.push(Probe { name: format!("{}: {name}", self.name), host, claim: claim.clone() });
        };
        add("as it stands".into(), host.clone(), &exactly);
        let lacks = Claim::Lacks(self.expect.clone());
        for (at, file) in self.file.iter().enumerate() {
            let with = |entry: Entry| {
                let mut host = host.clone();
                host.files[at] = entry;
                host
            };
            for (name, entry) in file.same(&host.files[at]) {
                add(name, with(entry), &exactly);
            }
            if !self.expect.is_empty() {
                for (name, entry) in file.near_misses(&host.files[at]) {
                    add(name, with(entry), &lacks);
                }
            }
        }
        if self.expect.is_empty() {
            return;
        }
        for (at, name) in host.sockets.iter().enumerate() {
            for near in near_names(name) {
                let mut host = host.clone();
                host.sockets[at] = near;
                add("another socket".into(), host, &lacks);
            }
        }
        for (at, name) in host.mappings.iter().enumerate() {
            for near in near_names(name) {
                let mut host = host.clone();
                host.mappings[at] = near;
                add("another library".into(), host, &lacks);
            }
        }
        for name in host.packages.keys() {
            let mut other = host.clone();
            let version = other.packages.remove(name).unwrap();
            other.packages.insert(format!("x{name}"), version.clone());
            add("another package".into(), other, &lacks);
            let mut other = host.clone();
            other.packages.insert(name.clone(), format!("{version}0"));
            add("another release".into(), other, &exactly);
            let mut other = host.clone();
            other.packages.insert(name.clone(), version.replacen('6', "7", 1));
            add("another version".into(), other, &lacks);
        }
    }

    fn host(&self) -> Host {
        Host {
            files: self.file.iter().map(FileCase::entry).collect(),
            sockets: self.sockets.iter().map(|name| reveal(name)).collect(),
            mappings: self.mappings.iter().map(|name| reveal(name)).collect(),
            packages: self.packages.clone(),
        }
    }
}

impl FileCase {
    /// The file with its pieces in the first section of its scope, each pattern in its first spelling.
    fn entry(&self) -> Entry {
        let strings = self.strings.iter().map(|stored| Piece::literal(reveal(stored)));
        let patterns = self.patterns.iter().map(|stored| spellings(&text(stored)).remove(0));
        Entry {
            path: if self.path.is_empty() { PATH.as_bytes().to_vec() } else { reveal(&self.path) },
            pieces: strings.chain(patterns).collect(),
            section: self.scope.first().cloned().unwrap_or_else(|| ".rodata".to_owned()),
            gap: self.gap.max(1),
            raw: self.raw,
            plan: super::elf::Plan {
                imports: self.imports.clone(),
                exports: self.exports.iter().map(|stored| text(stored)).collect(),
                soname: self.soname.clone(),
                needed: self.needed.clone(),
                init_array: self.init_array,
                ..super::elf::Plan::default()
            },
            ctors: self.ctors,
            digests: self.digests.clone(),
            directory: self.directory,
            mode: if self.mode == 0 { 0o644 } else { self.mode },
            uid: self.uid,
            size: self.size,
            packaged: self.packaged,
            owner_unknown: self.owner_unknown,
        }
    }

    /// Files of which the same must be said.
    fn same(&self, entry: &Entry) -> Vec<(String, Entry)> {
        let mut all = Vec::new();
        for section in self.scope.iter().skip(1) {
            // The other sections are there too, so that segments do not stand in for them.
            let others = self.scope.iter().filter(|other| *other != section);
            let mut entry = Entry { section: section.clone(), ..entry.clone() };
            entry.plan.sections = others.map(|other| (other.clone(), b"nothing here".to_vec())).collect();
            all.push((format!("in {section}"), entry));
        }
        for (at, stored) in self.patterns.iter().enumerate() {
            for (number, piece) in spellings(&text(stored)).into_iter().enumerate().skip(1) {
                let mut entry = entry.clone();
                entry.pieces[self.strings.len() + at] = piece;
                all.push((format!("spelling {number}"), entry));
            }
        }
        if self.raw.is_none() {
            let mut stripped = entry.clone();
            stripped.plan.stripped = true;
            if self.ctors == 0 {
                all.push(("without a section table".into(), stripped));
            }
            let mut narrow = entry.clone();
            narrow.plan.narrow = true;
            all.push(("32-bit, big-endian".into(), narrow));
        }
        all
    }

    /// Files of which it must not be said.
    fn near_misses(&self, entry: &Entry) -> Vec<(String, Entry)> {
        let mut all = Vec::new();
        for (at, piece) in entry.pieces.iter().enumerate() {
            for byte in 0..piece.bytes.len() {
                if let Some(flipped) = piece.flipped(byte) {
                    let mut entry = entry.clone();
                    entry.pieces[at] = flipped;
                    all.push((format!("piece {at} without byte {byte}"), entry));
                }
            }
            let mut without = entry.clone();
            without.pieces.remove(at);
            all.push((format!("without piece {at}"), without));
            if at < self.whole {
                for (before, after) in [(&b"x"[..], &b""[..]), (b"", b"x")] {
                    let mut entry = entry.clone();
                    entry.pieces[at] = Piece::literal([before, &piece.bytes, after].concat());
                    all.push((format!("piece {at} inside a longer string"), entry));
                }
            }
        }
        if !self.scope.is_empty() {
            let other = if self.scope.iter().any(|name| name == ".text") { ".rodata" } else { ".text" };
            for (section, stripped) in [(".note.x", false), (other, false), (other, true)] {
                let mut entry = Entry { section: section.to_owned(), ..entry.clone() };
                entry.plan.stripped = stripped;
                if !stripped {
                    // A file that has the right section too, so that segments do not stand in for it.
                    entry.plan.sections = vec![(self.scope[0].clone(), b"nothing here".to_vec())];
                }
                all.push((format!("in {section}, stripped: {stripped}"), entry));
            }
        }
        if self.elf_only && !entry.pieces.is_empty() {
            let pieces: Vec<&[u8]> = entry.pieces.iter().map(|piece| piece.bytes.as_slice()).collect();
            let text = [&b"\0"[..], &pieces.join(&b"\0"[..]), b"\0"].concat();
            let entry = Entry { raw: Some(0), pieces: vec![Piece::literal(text)], ..entry.clone() };
            all.push(("not in an ELF file".into(), entry));
        }
        for (at, import) in self.imports.iter().enumerate() {
            let mut entry = entry.clone();
            entry.plan.imports[at] = format!("{import}x");
            all.push(("another import".into(), entry));
        }
        for (at, export) in entry.plan.exports.iter().enumerate() {
            let mut entry = entry.clone();
            entry.plan.exports[at] = format!("{export}x");
            all.push(("another export".into(), entry));
        }
        if let Some(soname) = &self.soname {
            let mut entry = entry.clone();
            entry.plan.soname = Some(format!("{soname}x"));
            all.push(("another soname".into(), entry));
        }
        if self.by_path {
            for path in near_names(&entry.path) {
                all.push(("another path".into(), Entry { path, ..entry.clone() }));
            }
            all.push(("owned by a package".into(), Entry { packaged: true, ..entry.clone() }));
        }
        for (at, digest) in self.digests.iter().enumerate() {
            let mut entry = entry.clone();
            let last = if digest.ends_with('0') { '1' } else { '0' };
            entry.digests[at].pop();
            entry.digests[at].push(last);
            all.push(("another digest".into(), entry));
        }
        all
    }
}

fn text(stored: &str) -> String {
    String::from_utf8(reveal(stored)).unwrap()
}

/// The name with one character changed, for each character but the first, and with one more.
fn near_names(name: &[u8]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = (1..name.len())
        .filter(|at| !matches!(name[*at], b'/' | b'.'))
        .map(|at| {
            let mut near = name.to_vec();
            near[at] ^= 1;
            near
        })
        .collect();
    names.push([name, b"x"].concat());
    names
}
