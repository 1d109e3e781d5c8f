//! The dynamic loader of this root: which one a program asks for, and where that one searches.
//!
//! glibc: elf/dl-load.c, elf/dl-cache.c, elf/dl-hwcaps.c, elf/rtld.c (`do_preload`). musl: ldso/dynlink.c
//! (`load_library`, `path_open`).

use std::collections::BTreeSet;

use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};

use crate::facts::{FileState, FileTable, Look, Role, Want};
use crate::formats::elf::ElfRecord;
use crate::formats::ldcache::{LdCache, Variant};
use crate::model::text::unescape;
use crate::model::{FileKind, RootedPath};

/// What is known of something that may have to be looked at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known<T> {
    /// Look here first.
    Pending(Want),
    /// It is not there.
    Absent,
    /// It is there and cannot be used; why, one sentence.
    Lost(String),
    /// Here it is.
    Here(T),
}

/// The text of a file.
pub(super) fn text<'a>(files: &'a FileTable, path: &RootedPath, role: Role) -> Known<&'a [u8]> {
    let pending = || Known::Pending(Want { path: path.clone(), role, look: Look::Text });
    let Some(file) = files.get(path) else { return pending() };
    match &file.state {
        FileState::Missing => Known::Absent,
        FileState::Unknown(reason) => Known::Lost(format!("`{path}`: {reason}")),
        FileState::Present(_) if !file.looks.contains(&Look::Text) => pending(),
        FileState::Present(_) => match file.text_bytes() {
            Some(text) => Known::Here(text),
            None => Known::Lost(format!("`{path}`: {}", file.problem.as_deref().unwrap_or("it holds no text"))),
        },
    }
}

/// Whether `path` is a directory.
pub(super) fn is_directory(files: &FileTable, path: &RootedPath) -> Known<()> {
    match files.get(path).map(|file| &file.state) {
        None => Known::Pending(Want { path: path.clone(), role: Role::Probe, look: Look::Inode }),
        Some(FileState::Present(meta)) if meta.kind == FileKind::Directory => Known::Here(()),
        Some(FileState::Present(_) | FileState::Missing) => Known::Absent,
        Some(FileState::Unknown(reason)) => Known::Lost(format!("`{path}`: {reason}")),
    }
}

/// The names in the directory at `path`.
pub(super) fn entries(files: &FileTable, path: &RootedPath) -> Known<Vec<Vec<u8>>> {
    let pending = || Known::Pending(Want { path: path.clone(), role: Role::Probe, look: Look::Entries });
    let Some(file) = files.get(path) else { return pending() };
    match &file.state {
        FileState::Missing => Known::Absent,
        FileState::Unknown(reason) => Known::Lost(format!("`{path}`: {reason}")),
        FileState::Present(meta) if meta.kind != FileKind::Directory => Known::Absent,
        FileState::Present(_) if !file.looks.contains(&Look::Entries) => pending(),
        FileState::Present(_) => match &file.entries {
            Some(names) => Known::Here(names.iter().filter_map(|name| unescape(name)).collect()),
            None => Known::Lost(format!("`{path}`: {}", file.problem.as_deref().unwrap_or("it was not listed"))),
        },
    }
}

/// `path` with every `..` taken as the kernel takes it: after the links before it.
pub(super) fn physical(files: &FileTable, path: &[u8]) -> Known<RootedPath> {
    let mut done = RootedPath::root();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match files.canonical(&done) {
                None => return Known::Pending(Want { path: done, role: Role::Probe, look: Look::Inode }),
                Some(real) => done = real.parent().unwrap_or_else(RootedPath::root),
            },
            part => match done.join(part) {
                Some(next) => done = next,
                None => return Known::Lost("a path holds a NUL".into()),
            },
        }
    }
    Known::Here(done)
}

/// Whose rules the loader follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// GNU.
    Glibc,
    /// musl.
    Musl,
}

/// A loader and what it searches by default.
#[derive(Clone, Debug)]
pub(super) struct Loader<'a> {
    pub(super) family: Family,
    /// As the program spells it.
    pub(super) path: RootedPath,
    /// Its soname, if it has one.
    pub(super) soname: Option<Vec<u8>>,
    machine: u16,
    bits: u8,
    big_endian: bool,
    /// Directories searched last, in order.
    pub(super) directories: Vec<RootedPath>,
    /// What `$LIB` stands for.
    pub(super) lib: Option<Vec<u8>>,
    cache: Option<&'a [u8]>,
    /// What of its configuration could not be read.
    pub(super) problems: Vec<String>,
}

impl<'a> Loader<'a> {
    /// The loader at `path`, which a program with `record` names as its interpreter. Wishes go into `wants`; without
    /// its configuration there is no answer yet.
    pub(super) fn find(
        files: &'a FileTable,
        path: &RootedPath,
        record: &ElfRecord,
        wants: &mut BTreeSet<Want>,
    ) -> Option<Self> {
        wants.insert(Want { path: path.clone(), role: Role::Loader, look: Look::Binary });
        let file = files.get(path)?;
        let own = file.elf.as_deref();
        let musl = path.file_name().strip_prefix(b"ld-musl-").and_then(|name| name.split(|byte| *byte == b'.').next());
        let mut loader = Self {
            family: if musl.is_some() { Family::Musl } else { Family::Glibc },
            path: path.clone(),
            soname: own.and_then(|own| unescape(own.soname.as_ref()?)),
            machine: record.machine,
            bits: record.bits,
            big_endian: record.big_endian,
            directories: Vec::new(),
            lib: None,
            cache: None,
            problems: Vec::new(),
        };
        if file.state == FileState::Missing {
            loader.problems.push("this loader does not exist, though a program asks for it".into());
        }
        match musl {
            Some(architecture) => loader.configure_musl(files, architecture, wants)?,
            None => loader.configure_glibc(files, own, wants)?,
        }
        Some(loader)
    }

    fn configure_glibc(
        &mut self,
        files: &'a FileTable,
        own: Option<&ElfRecord>,
        wants: &mut BTreeSet<Want>,
    ) -> Option<()> {
        let listed: Vec<RootedPath> = own
            .iter()
            .flat_map(|own| &own.search_directories)
            .filter_map(|directory| RootedPath::new(unescape(directory)?))
            .collect();
        self.directories = if listed.is_empty() { usual_directories(self.machine, self.bits) } else { listed };
        self.lib = self.directories.first().map(|directory| directory.relative().to_vec());
        let path = RootedPath::new("/etc/ld.so.cache")?;
        match text(files, &path, Role::LoaderConfig) {
            Known::Pending(want) => {
                wants.insert(want);
                return None;
            }
            Known::Absent => {}
            Known::Lost(reason) => self.problems.push(reason),
            Known::Here(bytes) => match LdCache::parse(bytes, self.big_endian) {
                Ok(_) => self.cache = Some(bytes),
                // ld.so goes on without it, and so do we; that it is damaged is worth telling.
                Err(problem) => self.problems.push(format!("`{path}` {problem}")),
            },
        }
        Some(())
    }

    /// `/etc/ld-musl-ARCH.path`: directories separated by newlines or colons; without the file a fixed list.
    fn configure_musl(&mut self, files: &FileTable, architecture: &[u8], wants: &mut BTreeSet<Want>) -> Option<()> {
        let name = [b"/etc/ld-musl-", architecture, b".path"].concat();
        let list = match text(files, &RootedPath::new(name)?, Role::LoaderConfig) {
            Known::Pending(want) => {
                wants.insert(want);
                return None;
            }
            Known::Here(list) => list,
            Known::Absent => &b"/lib:/usr/local/lib:/usr/lib"[..],
            Known::Lost(reason) => {
                self.problems.push(reason);
                &[]
            }
        };
        self.directories = list.split(|byte| matches!(byte, b'\n' | b':')).filter_map(RootedPath::new).collect();
        Some(())
    }

    /// What the cache offers for `name`: paths for certain processors first, then the one for all, which the flag marks.
    pub(super) fn cached(&self, name: &[u8]) -> Vec<(RootedPath, bool)> {
        let Some(Ok(cache)) = self.cache.map(|bytes| LdCache::parse(bytes, self.big_endian)) else {
            return Vec::new();
        };
        let flags = cache_flags(self.machine, self.bits, self.big_endian);
        let entries = cache.lookup(name, flags);
        entries
            .iter()
            .filter_map(|entry| Some((RootedPath::new(entry.path)?, entry.variant == Variant::Base)))
            .collect()
    }

    /// Whether this loader takes a file of that class, byte order and machine; it passes over others.
    pub(super) const fn takes(&self, record: &ElfRecord) -> bool {
        record.machine == self.machine && record.bits == self.bits && record.big_endian == self.big_endian
    }

    /// Whether `name` is the loader itself: musl keeps these libraries in one file (ldso/dynlink.c, `reserved`).
    pub(super) fn is_itself(&self, name: &[u8]) -> bool {
        let reserved: [&[u8]; 7] = [b"c.", b"pthread.", b"rt.", b"m.", b"dl.", b"util.", b"xnet."];
        self.family == Family::Musl
            && name.strip_prefix(b"lib").is_some_and(|rest| reserved.iter().any(|start| rest.starts_with(start)))
    }

    /// Names of subdirectories that glibc before 2.37 combined, in this order (elf/dl-hwcaps.c,
    /// `_dl_important_hwcaps`); the platform's own name is the last.
    pub(super) const fn legacy_names(&self) -> &'static [&'static str] {
        match self.machine {
            EM_X86_64 => &["tls", "haswell", "xeon_phi", "avx512_1", "x86_64"],
            EM_386 => &["tls", "i686", "i586", "sse2"],
            EM_AARCH64 => &["tls", "atomics", "aarch64"],
            EM_PPC64 => {
                &["tls", "power10", "power9", "power8", "power7", "altivec", "dfp", "vsx", "arch_2_06", "arch_2_07"]
            }
            EM_S390 => &["tls", "z15", "z14", "z13", "zEC12", "z196", "z10", "z9-109", "z990", "highgprs", "vx"],
            _ => &["tls"],
        }
    }

    /// What `$PLATFORM` may stand for; the kernel and the processor decide (getauxval(3), `AT_PLATFORM`).
    pub(super) const fn platforms(&self) -> &'static [&'static str] {
        match self.machine {
            EM_X86_64 => &["haswell", "xeon_phi", "x86_64"],
            EM_386 => &["i686", "i586", "i486", "i386"],
            EM_AARCH64 => &["aarch64"],
            EM_ARM => &["v8l", "v7l", "v6l"],
            EM_PPC64 => &["power10", "power9", "power8", "power7"],
            EM_S390 => &["z16", "z15", "z14", "z13", "zEC12", "z196"],
            EM_LOONGARCH => &["loongarch"],
            _ => &[],
        }
    }
}

/// `_DL_CACHE_DEFAULT_ID` and what else `_dl_cache_check_flags` lets pass (sysdeps/*/dl-cache.h).
const fn cache_flags(machine: u16, bits: u8, big_endian: bool) -> &'static [u32] {
    match (machine, bits) {
        (EM_X86_64, 64) => &[0x303],
        (EM_X86_64, _) => &[0x803],
        (EM_AARCH64, _) => &[0xa03],
        (EM_ARM, _) => &[0x903, 0xb03, 0x003, 0x001],
        (EM_PPC64, _) => &[0x503],
        (EM_S390, 64) => &[0x403],
        (EM_RISCV, _) => &[0x1003, 0x0f03, 0x003],
        (EM_LOONGARCH, _) => &[0x1203, 0x1103, 0x003],
        _ if big_endian => &[0x003, 0x103, 0x703],
        _ => &[0x003],
    }
}

/// Where glibc searches when its own loader does not tell (musl-less images with a damaged loader): Debian's multiarch
/// directories, then `lib64`, then `lib`.
fn usual_directories(machine: u16, bits: u8) -> Vec<RootedPath> {
    let triplet = match (machine, bits) {
        (EM_X86_64, 64) => "x86_64-linux-gnu",
        (EM_X86_64, _) => "x86_64-linux-gnux32",
        (EM_386, _) => "i386-linux-gnu",
        (EM_AARCH64, _) => "aarch64-linux-gnu",
        (EM_ARM, _) => "arm-linux-gnueabihf",
        (EM_PPC64, _) => "powerpc64le-linux-gnu",
        (EM_S390, _) => "s390x-linux-gnu",
        (EM_RISCV, _) => "riscv64-linux-gnu",
        (EM_LOONGARCH, _) => "loongarch64-linux-gnu",
        _ => "",
    };
    ["/lib", "/usr/lib"]
        .iter()
        .map(|base| format!("{base}/{triplet}"))
        .chain(["/lib64".into(), "/usr/lib64".into(), "/lib".into(), "/usr/lib".into()])
        .filter_map(|path| RootedPath::new(path.trim_end_matches('/')))
        .collect()
}
