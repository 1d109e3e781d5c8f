//! A small host made of a case: its facts, as the observer would have taken them.

use std::collections::BTreeMap;

use sshproof::facts::package::{Database, Package, PackageSystem, Reading, Record, RecordKind};
use sshproof::facts::process::Mapping;
use sshproof::facts::{Facts, FileFacts, FileState, KernelFacts, Look, ProcessFacts, Role, RootFacts, SCHEMA};
use sshproof::formats::elf::Elf;
use sshproof::knowledge::Knowledge;
use sshproof::model::report::Usage;
use sshproof::model::{FileKind, Meta, RootedPath, Timestamp, text};

use super::elf::{Plan, build};
use super::stored::Piece;

/// What the host shows.
#[derive(Clone, Debug, Default)]
pub struct Host {
    pub files: Vec<Entry>,
    pub sockets: Vec<Vec<u8>>,
    /// Names of libraries that its SSH server maps.
    pub mappings: Vec<Vec<u8>>,
    pub packages: BTreeMap<String, String>,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub path: Vec<u8>,
    pub pieces: Vec<Piece>,
    pub section: String,
    pub gap: usize,
    pub raw: Option<u8>,
    pub plan: Plan,
    pub ctors: u64,
    pub digests: Vec<String>,
    pub directory: bool,
    pub mode: u32,
    pub uid: u32,
    pub size: u64,
    pub packaged: bool,
    pub owner_unknown: bool,
}

impl Entry {
    /// Its content. Pieces stand between NUL bytes, in a file that is no ELF file one after the other.
    pub fn content(&self) -> Vec<u8> {
        let pieces: Vec<&[u8]> = self.pieces.iter().map(|piece| piece.bytes.as_slice()).collect();
        if let Some(add) = self.raw {
            return pieces.concat().into_iter().map(|byte: u8| byte.wrapping_add(add)).collect();
        }
        let mut plan = self.plan.clone();
        let nul = vec![0; self.gap];
        let content = [&b"first"[..], &nul, &pieces.join(&nul[..]), &nul, b"last"].concat();
        plan.sections.push((self.section.clone(), content));
        if self.ctors > 0 {
            let pointer = if plan.narrow { 4 } else { 8 };
            plan.sections.push((".ctors".to_owned(), vec![0; usize::try_from(self.ctors).unwrap() * pointer]));
        }
        build(&plan)
    }
}

impl Host {
    pub fn facts(&self, knowledge: &Knowledge) -> Facts {
        let mut root = RootFacts { live: true, ..RootFacts::default() };
        let place = RootedPath::new("/var/lib/dpkg").unwrap();
        root.packages.systems = vec![Database { system: PackageSystem::Dpkg, place, reading: Reading::Whole }];
        for entry in &self.files {
            let path = RootedPath::new(&entry.path).unwrap();
            if !entry.owner_unknown {
                root.packages.records.insert(path.clone(), entry.records(&path));
            }
            for above in std::iter::successors(path.parent(), RootedPath::parent) {
                let dir = root.files.files.entry(above).or_insert_with(directory);
                dir.entries.get_or_insert_default();
            }
            if let Some(dir) = path.parent().and_then(|dir| root.files.files.get_mut(&dir)) {
                dir.entries.get_or_insert_default().push(text::escape(path.file_name()));
            }
            root.files.files.insert(path, entry.facts(knowledge));
        }
        root.packages.packages =
            self.packages.iter().map(|(name, version)| (name.clone(), package(name, version))).collect();
        root.processes = vec![ProcessFacts {
            pid: 77,
            starttime: 1,
            uid: 0,
            server: "[::]:22".into(),
            listener: true,
            exe: Some("/usr/sbin/sshd".into()),
            mappings: self.mappings.iter().map(|name| mapping(name)).collect(),
            ..ProcessFacts::default()
        }];
        let abstract_sockets = Some(self.sockets.iter().map(|name| text::escape(name)).collect());
        Facts {
            schema: SCHEMA.to_owned(),
            observer: "test".into(),
            knowledge: knowledge.date().to_owned(),
            byte_rules: knowledge.byte_rules().to_owned(),
            observed_at: Timestamp(0),
            duration_ms: 0,
            usage: Usage::default(),
            kernel: Some(KernelFacts { abstract_sockets, ..KernelFacts::default() }),
            roots: vec![root],
            remember: sshproof::facts::Remember::default(),
        }
    }
}

impl Entry {
    fn facts(&self, knowledge: &Knowledge) -> FileFacts {
        if self.directory {
            let mut dir = directory();
            dir.state = FileState::Present(meta(FileKind::Directory, self.mode, self.uid, 4096));
            return dir;
        }
        let bytes = self.content();
        let elf = Elf::parse(&bytes).ok();
        let size = if self.size == 0 { bytes.len() as u64 } else { self.size };
        let mut file = FileFacts::new(FileState::Present(meta(FileKind::Regular, self.mode, self.uid, size)));
        file.roles.insert(Role::Indicator);
        file.looks.insert(Look::Binary);
        file.hits = Some(knowledge.match_bytes(&bytes, elf.as_ref()));
        file.digests = self.digests.iter().map(|digest| digest.parse().unwrap()).collect();
        file
    }

    fn records(&self, path: &RootedPath) -> Vec<Record> {
        let source = RootedPath::new("/var/lib/dpkg/info/some.list").unwrap();
        let record = Record {
            package: "some".into(),
            source,
            recorded_path: path.clone(),
            digest: None,
            kind: RecordKind::File,
            attributes: None,
        };
        if self.packaged { vec![record] } else { Vec::new() }
    }
}

fn directory() -> FileFacts {
    let mut dir = FileFacts::new(FileState::Present(meta(FileKind::Directory, 0o755, 0, 4096)));
    dir.roles.insert(Role::Indicator);
    dir.looks.insert(Look::Entries);
    dir.entries = Some(Vec::new());
    dir
}

fn meta(kind: FileKind, mode: u32, uid: u32, size: u64) -> Meta {
    Meta { kind, mode, uid, gid: 0, size, nlink: 1, mtime: 0, ctime: 0, dev: 1, ino: 1 }
}

fn package(name: &str, version: &str) -> Package {
    Package {
        system: PackageSystem::Dpkg,
        name: name.split(':').next().unwrap().to_owned(),
        seal: None,
        source: String::new(),
        manifest: None,
        demands: Vec::new(),
        version: version.to_owned(),
        architecture: "amd64".into(),
        status: "install ok installed".into(),
    }
}

fn mapping(name: &[u8]) -> Mapping {
    Mapping {
        start: 4096,
        end: 8192,
        permissions: "r-xp".into(),
        offset: 0,
        path: text::escape(&[b"/opt/", name].concat()),
        deleted: false,
        entry: false,
        in_place: None,
        content: None,
    }
}
