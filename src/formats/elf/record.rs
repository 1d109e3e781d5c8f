//! What is kept of an ELF file once its bytes are gone: small, bounded, serialisable.

use goblin::elf::dynamic::{DT_FLAGS, DT_FLAGS_1, DT_INIT_ARRAYSZ, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME};
use goblin::elf::program_header::PT_INTERP;
use serde::{Deserialize, Serialize};

use super::anomaly::{Anomaly, anomalies};
use super::dynamic::STAND_INS;
use super::view::{Elf, Segment};
use crate::model::text::{escape, hex};

/// Program headers kept; real files have about 15.
const SEGMENT_LIMIT: usize = 64;

/// Sections kept; real files have about 35.
const SECTION_LIMIT: usize = 128;

/// Needed libraries kept. More is a problem that the record states: the closure would have a hole.
const NEEDED_LIMIT: usize = 1024;

/// Longest interpreter path that the kernel accepts (`PATH_MAX`, fs/binfmt_elf.c).
const INTERPRETER_LIMIT: u64 = 4096;

/// Bytes of a comment or a package note that are kept.
const TEXT_LIMIT: usize = 512;

/// What an ELF file says about itself. Names are escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfRecord {
    /// 32 or 64.
    pub bits: u8,
    /// Byte order.
    pub big_endian: bool,
    /// `e_machine`.
    pub machine: u16,
    /// `e_ident[EI_OSABI]`.
    pub os_abi: u8,
    /// `e_type`: 2 executable, 3 shared object or position-independent executable.
    pub kind: u16,
    /// `e_entry`.
    pub entry: u64,
    /// Path of the dynamic loader (`PT_INTERP`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// `DT_SONAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soname: Option<String>,
    /// `DT_NEEDED`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<String>,
    /// Libraries loaded without being needed: `DT_FILTER`, `DT_AUXILIARY`, and the auditors of `DT_AUDIT` and
    /// `DT_DEPAUDIT`. No program of a distribution has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_loads: Vec<String>,
    /// `DT_RPATH`, unsplit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpath: Option<String>,
    /// `DT_RUNPATH`, unsplit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runpath: Option<String>,
    /// The build-id in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Whether it has a dynamic table.
    pub dynamic: bool,
    /// `DT_FLAGS`.
    pub flags: u64,
    /// `DT_FLAGS_1`.
    pub flags_1: u64,
    /// `DT_INIT_ARRAYSZ`, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_array_size: Option<u64>,
    /// Size of the section `.ctors`, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctors_size: Option<u64>,
    /// How many symbols it takes from others.
    pub imports: u32,
    /// How many symbols it offers.
    pub exports: u32,
    /// Strings of `.comment`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<String>,
    /// The distributor's package note, JSON as embedded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_note: Option<String>,
    /// Of a dynamic loader: the directories it searches by default, in order, as they stand in its read-only data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_directories: Vec<String>,
    /// Its program headers.
    pub segments: Vec<Segment>,
    /// Its sections.
    pub sections: Vec<SectionRecord>,
    /// What a strict reader refuses although it loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_problem: Option<String>,
    /// What could not be read, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Structure that no linker makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
}

/// One section: name (escaped), `sh_type`, `sh_flags`, `sh_addr`, `sh_offset`, `sh_size`. A tuple, to be short in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionRecord(pub String, pub u32, pub u64, pub u64, pub u64, pub u64);

impl ElfRecord {
    /// `DF_BIND_NOW` or `DF_1_NOW`: all symbols are bound at start.
    #[must_use]
    pub const fn binds_now(&self) -> bool {
        self.flags & 0x8 != 0 || self.flags_1 & 0x1 != 0
    }

    /// `DF_1_NODEFLIB`: ld.so does not search the default directories for what it needs.
    #[must_use]
    pub const fn without_default_directories(&self) -> bool {
        self.flags_1 & 0x800 != 0
    }
}

impl Elf<'_> {
    /// The small record of this file.
    #[must_use]
    pub fn record(&self) -> ElfRecord {
        let dynamic = self.dynamic();
        let mut problems: Vec<String> = dynamic.problems().to_vec();
        let mut text = |tag: u64, name: &str, offset: u64| {
            let text = dynamic.string(self, offset).map(escape);
            if text.is_none() {
                problems.push(format!("`{name}` ({tag:#x}) is no readable string"));
            }
            text
        };
        let mut one = |tag, name: &str| dynamic.value(tag).and_then(|offset| text(tag, name, offset));
        let (soname, rpath, runpath) =
            (one(DT_SONAME, "DT_SONAME"), one(DT_RPATH, "DT_RPATH"), one(DT_RUNPATH, "DT_RUNPATH"));
        let needed: Vec<String> = dynamic
            .values(DT_NEEDED)
            .take(NEEDED_LIMIT)
            .filter_map(|offset| text(DT_NEEDED, "DT_NEEDED", offset))
            .collect();
        let also_loads: Vec<String> = STAND_INS
            .iter()
            .flat_map(|(tag, name)| dynamic.values(*tag).take(NEEDED_LIMIT).map(move |offset| (*tag, *name, offset)))
            .filter_map(|(tag, name, offset)| text(tag, name, offset))
            // Auditors are a list (ld.so(8), LD_AUDIT).
            .flat_map(|names| names.split(':').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let interpreter = self.interpreter().map(|path| path.map(escape));
        if interpreter == Some(None) {
            problems.push("the interpreter's path is no readable string".into());
        }
        for (count, limit, what) in [
            (dynamic.values(DT_NEEDED).count(), NEEDED_LIMIT, "needed libraries"),
            (self.segments().len(), SEGMENT_LIMIT, "program headers"),
            (self.sections().len(), SECTION_LIMIT, "sections"),
        ] {
            if count > limit {
                problems.push(format!("it has {count} {what}; {limit} are recorded"));
            }
        }
        problems.sort();
        problems.dedup();
        problems.truncate(16);
        let (mut imports, mut exports) = (0_u32, 0_u32);
        for symbol in self.symbols() {
            imports = imports.saturating_add(symbol.is_import().into());
            exports = exports.saturating_add(symbol.is_export().into());
        }
        ElfRecord {
            bits: if self.raw().is_wide() { 64 } else { 32 },
            big_endian: self.raw().is_big_endian(),
            machine: self.machine(),
            os_abi: self.header().e_ident.get(7).copied().unwrap_or(0),
            kind: self.kind(),
            entry: self.header().e_entry,
            interpreter: interpreter.flatten(),
            search_directories: if is_loader_name(soname.as_deref()) { self.search_directories() } else { Vec::new() },
            soname,
            needed,
            also_loads,
            rpath,
            runpath,
            build_id: self.build_id().map(|id| hex(id.get(..id.len().min(64)).unwrap_or_default())),
            dynamic: !dynamic.is_empty(),
            flags: dynamic.value(DT_FLAGS).unwrap_or(0),
            flags_1: dynamic.value(DT_FLAGS_1).unwrap_or(0),
            init_array_size: dynamic.value(DT_INIT_ARRAYSZ),
            ctors_size: self.section(b".ctors").map(|section| section.size),
            imports,
            exports,
            comments: self.comments().into_iter().map(cut).collect(),
            package_note: self.package_note().map(cut),
            segments: self.segments().iter().take(SEGMENT_LIMIT).copied().collect(),
            sections: self.sections().iter().take(SECTION_LIMIT).map(SectionRecord::from).collect(),
            strict_problem: self.strict_problem().map(str::to_owned),
            problems,
            anomalies: anomalies(self),
        }
    }

    /// The path of `PT_INTERP` as the kernel reads it: by file offset, with a NUL as its last byte (fs/binfmt_elf.c).
    /// `Some(None)`: there is one, and the kernel would refuse it.
    #[must_use]
    pub fn interpreter(&self) -> Option<Option<&[u8]>> {
        let segment = self.segments().iter().find(|segment| segment.kind == PT_INTERP)?;
        if segment.file_size > INTERPRETER_LIMIT {
            return Some(None);
        }
        let path = self.raw().slice(segment.offset, segment.file_size).and_then(|path| path.strip_suffix(b"\0"));
        Some(path.and_then(|path| path.split(|b| *b == 0).next()).filter(|path| !path.is_empty()))
    }

    /// The default directories compiled into glibc's loader: strings that begin and end with `/`, one after the other in
    /// its read-only data (elf/dl-load.c, `system_dirs`). They differ between distributions, so the loader itself is asked.
    fn search_directories(&self) -> Vec<String> {
        let is_directory = |part: &&[u8]| part.len() > 1 && part.starts_with(b"/") && part.ends_with(b"/");
        let Some(section) = self.section(b".rodata") else { return Vec::new() };
        let bytes = self.section_bytes(section);
        let parts: Vec<&[u8]> = bytes.split(|b| *b == 0).collect();
        let Some(run) = parts.split(|part| !is_directory(part)).find(|run| run.len() > 1) else { return Vec::new() };
        run.iter().take(16).map(|part| escape(part)).collect()
    }
}

impl From<&super::view::Section<'_>> for SectionRecord {
    fn from(section: &super::view::Section<'_>) -> Self {
        Self(escape(section.name), section.kind, section.flags, section.address, section.offset, section.size)
    }
}

/// `ld-linux-x86-64.so.2`, `ld64.so.2`, `ld.so.1`: the sonames of glibc's loaders (shlib-versions).
fn is_loader_name(soname: Option<&str>) -> bool {
    soname.is_some_and(|name| ["ld-linux", "ld64.so", "ld.so", "ld-lsb"].iter().any(|start| name.starts_with(start)))
}

fn cut(bytes: &[u8]) -> String {
    escape(bytes.get(..bytes.len().min(TEXT_LIMIT)).unwrap_or_default())
}
