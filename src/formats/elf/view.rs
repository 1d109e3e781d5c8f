//! An ELF file as a loader sees it, borrowed from its bytes: header, segments, sections, dynamic table.
//!
//! Segments are the truth: the kernel and ld.so(8) read nothing else, so a damaged section table hides a program from
//! tools but not from the loader. What a strict reader would refuse is kept as [`Elf::strict_problem`] and reading goes
//! on. goblin reads the tables; its one-call `Elf::parse` is not used, because it stores every string of every string
//! table (24 bytes for each NUL of a hostile file) and decodes names as UTF-8, which ld.so does not.

use std::cell::OnceCell;
use std::ops::Range;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::{PF_X, PT_LOAD};
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS};
use goblin::elf::{Elf as GoblinElf, ProgramHeader, SectionHeader};
use serde::{Deserialize, Serialize};

use super::ElfProblem;
use super::dynamic::Dynamic;
use super::raw::Raw;
use super::symbols::{Symbol, SymbolTable};

/// The smallest page size of any machine Linux runs on. Every mapping covers whole pages.
pub const PAGE: u64 = 4096;

/// Longest section name that is looked at; the longest in a distribution has 33 bytes.
const SECTION_NAME_LIMIT: u64 = 256;

/// A program header (elf(5), `Elf64_Phdr`), without the physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// `p_type`.
    pub kind: u32,
    /// `p_flags`.
    pub flags: u32,
    /// `p_offset`, bytes from the start of the file.
    pub offset: u64,
    /// `p_vaddr`.
    pub address: u64,
    /// `p_filesz`, bytes.
    pub file_size: u64,
    /// `p_memsz`, bytes.
    pub memory_size: u64,
    /// `p_align`.
    pub align: u64,
}

impl Segment {
    /// Whether it is loaded with execute permission.
    #[must_use]
    pub const fn is_code(&self) -> bool {
        self.kind == PT_LOAD && self.flags & PF_X != 0
    }

    /// File offset after its last byte, saturating.
    #[must_use]
    pub const fn file_end(&self) -> u64 {
        self.offset.saturating_add(self.file_size)
    }

    /// Address after its last byte, saturating.
    #[must_use]
    pub const fn memory_end(&self) -> u64 {
        self.address.saturating_add(self.memory_size)
    }

    /// Whether the address lies in it.
    #[must_use]
    pub const fn holds(&self, address: u64) -> bool {
        self.address <= address && address < self.memory_end()
    }
}

/// A section header (elf(5), `Elf64_Shdr`) with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name; empty if the name table does not hold it.
    pub name: &'a [u8],
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`.
    pub address: u64,
    /// `sh_offset`, bytes from the start of the file.
    pub offset: u64,
    /// `sh_size`, bytes.
    pub size: u64,
    /// `sh_entsize`, bytes.
    pub entry_size: u64,
    /// `sh_link`, index of another section.
    pub link: u32,
}

impl Section<'_> {
    /// Whether it is loaded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.flags & u64::from(SHF_ALLOC) != 0
    }

    /// Whether it is loaded and executable.
    #[must_use]
    pub fn is_code(&self) -> bool {
        self.is_loaded() && self.flags & u64::from(SHF_EXECINSTR) != 0
    }

    /// Whether it is loaded and writable.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.is_loaded() && self.flags & u64::from(SHF_WRITE) != 0
    }

    /// Whether it has bytes in the file.
    #[must_use]
    pub const fn has_bytes(&self) -> bool {
        self.kind != SHT_NOBITS && self.size != 0
    }

    /// File offset after its last byte, saturating.
    #[must_use]
    pub const fn file_end(&self) -> u64 {
        if self.kind == SHT_NOBITS { self.offset } else { self.offset.saturating_add(self.size) }
    }

    /// Address after its last byte, saturating.
    #[must_use]
    pub const fn memory_end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }

    /// Whether the address lies in it.
    #[must_use]
    pub const fn holds(&self, address: u64) -> bool {
        self.address <= address && address < self.memory_end()
    }
}

/// A parsed file, borrowed from its bytes.
#[derive(Debug)]
pub struct Elf<'a> {
    raw: Raw<'a>,
    header: Header,
    segments: Vec<Segment>,
    sections: Vec<Section<'a>>,
    pub(super) dynamic: Dynamic,
    pub(super) symbols: SymbolTable,
    /// The first of them, once they were asked for.
    pub(super) first_symbols: OnceCell<Vec<Symbol<'a>>>,
    strict_problem: Option<String>,
}

impl<'a> Elf<'a> {
    /// Reads the tables of `bytes`.
    ///
    /// # Errors
    /// [`ElfProblem::NotElf`] without the magic number; [`ElfProblem::Broken`] where the kernel would refuse the file
    /// too: header or program headers outside the file, unknown class or byte order.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ElfProblem> {
        if !bytes.starts_with(header::ELFMAG) {
            return Err(ElfProblem::NotElf);
        }
        let (wide, big_endian) = class_and_order(bytes)?;
        let raw = Raw::new(bytes, wide, big_endian);
        let header = GoblinElf::parse_header(bytes).map_err(|_| broken("its header is cut off"))?;
        let ctx = Ctx::new(
            if wide { Container::Big } else { Container::Little },
            if big_endian { Endian::Big } else { Endian::Little },
        );
        let segments = segments(raw, &header, ctx)?;
        let (sections, strict_problem) = match sections(raw, &header, ctx) {
            Ok(sections) => (sections, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let (dynamic, symbols) = (Dynamic::default(), SymbolTable::default());
        let first_symbols = OnceCell::new();
        let mut elf = Self { raw, header, segments, sections, dynamic, symbols, first_symbols, strict_problem };
        elf.dynamic = Dynamic::read(&elf);
        elf.symbols = SymbolTable::locate(&elf);
        if elf.strict_problem.is_none() {
            elf.strict_problem = elf.out_of_bounds();
        }
        Ok(elf)
    }

    /// The file's bytes with its width and byte order.
    #[must_use]
    pub const fn raw(&self) -> Raw<'a> {
        self.raw
    }

    /// `e_machine`.
    #[must_use]
    pub const fn machine(&self) -> u16 {
        self.header.e_machine
    }

    /// `e_type`.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.header.e_type
    }

    /// The whole ELF header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The program headers, in file order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The `PT_LOAD` program headers, in file order.
    pub fn loads(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments.iter().filter(|segment| segment.kind == PT_LOAD)
    }

    /// The sections, in file order, without the null section; none if their table cannot be read.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// The first section of this name.
    #[must_use]
    pub fn section(&self, name: &[u8]) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Where the first section of this name lies in the file; `None` if it has no bytes there.
    #[must_use]
    pub fn section_range(&self, name: &[u8]) -> Option<Range<usize>> {
        let section = self.section(name).filter(|section| section.has_bytes())?;
        let bytes = self.raw.slice(section.offset, section.size)?;
        let start = usize::try_from(section.offset).ok()?;
        Some(start..start.checked_add(bytes.len())?)
    }

    /// The bytes of a section; empty if it has none in the file.
    #[must_use]
    pub fn section_bytes(&self, section: &Section<'_>) -> &'a [u8] {
        if section.has_bytes() { self.raw.slice(section.offset, section.size).unwrap_or_default() } else { &[] }
    }

    /// The dynamic table.
    #[must_use]
    pub const fn dynamic(&self) -> &Dynamic {
        &self.dynamic
    }

    /// What a strict reader would refuse though the kernel and ld.so do not mind; `None` for every file that a linker
    /// wrote.
    #[must_use]
    pub fn strict_problem(&self) -> Option<&str> {
        self.strict_problem.as_deref()
    }

    /// The file offset of the byte that is loaded at `address`, and how many bytes follow it in the same mapping. Later
    /// segments cover earlier ones, and the last page of a segment shows what follows in the file, as mmap(2) maps it.
    #[must_use]
    pub fn file_offset(&self, address: u64) -> Option<(u64, u64)> {
        let exact = |segment: &&Segment| {
            let delta = address.checked_sub(segment.address)?;
            let left = segment.file_size.checked_sub(delta).filter(|left| *left > 0)?;
            Some((segment.offset.checked_add(delta)?, left))
        };
        let by_page = |segment: &&Segment| {
            let start = segment.address.checked_sub(segment.address % PAGE)?;
            let end = segment.address.checked_add(segment.file_size)?.checked_next_multiple_of(PAGE)?;
            let left = end.checked_sub(address).filter(|left| *left > 0)?;
            let offset = segment.offset.checked_sub(segment.address.checked_sub(start)?)?;
            Some((offset.checked_add(address.checked_sub(start)?)?, left))
        };
        let loads = || self.loads().rev();
        let (offset, left) =
            loads().find_map(|segment| exact(&segment)).or_else(|| loads().find_map(|s| by_page(&s)))?;
        let left = left.min(self.raw.len().checked_sub(offset)?);
        (left > 0).then_some((offset, left))
    }

    /// The first section or segment whose bytes lie outside the file.
    fn out_of_bounds(&self) -> Option<String> {
        let len = self.raw.len();
        for section in self.sections.iter().filter(|section| section.has_bytes()) {
            if section.offset.checked_add(section.size).is_none_or(|end| end > len) {
                return Some(format!(
                    "section `{}` at {:#x} with {:#x} bytes lies outside the file",
                    crate::model::text::escape(section.name),
                    section.offset,
                    section.size
                ));
            }
        }
        self.segments.iter().find_map(|segment| {
            segment.offset.checked_add(segment.file_size).is_none_or(|end| end > len && segment.file_size > 0).then(
                || {
                    format!(
                        "segment of type {:#x} at {:#x} with {:#x} bytes lies outside the file",
                        segment.kind, segment.offset, segment.file_size
                    )
                },
            )
        })
    }
}

fn broken(what: impl Into<String>) -> ElfProblem {
    ElfProblem::Broken(what.into())
}

/// `EI_CLASS` is 64-bit; `EI_DATA` is big-endian. glibc's `open_verify` and the kernel refuse anything else.
fn class_and_order(bytes: &[u8]) -> Result<(bool, bool), ElfProblem> {
    let wide = match bytes.get(header::EI_CLASS) {
        Some(&header::ELFCLASS64) => true,
        Some(&header::ELFCLASS32) => false,
        _ => return Err(broken("its class is neither 32 nor 64 bits")),
    };
    let big_endian = match bytes.get(header::EI_DATA) {
        Some(&header::ELFDATA2LSB) => false,
        Some(&header::ELFDATA2MSB) => true,
        _ => return Err(broken("its byte order is unknown")),
    };
    Ok((wide, big_endian))
}

fn segments(raw: Raw<'_>, header: &Header, ctx: Ctx) -> Result<Vec<Segment>, ElfProblem> {
    if header.e_phnum == 0 {
        return Ok(Vec::new());
    }
    let size = if raw.is_wide() { 56 } else { 32 };
    if header.e_phentsize != size {
        // fs/binfmt_elf.c, load_elf_phdrs: "If the size of this structure has changed, then punt".
        return Err(broken(format!("its program headers have {} bytes each, not {size}", header.e_phentsize)));
    }
    // The table is cut out first: goblin adds offsets unchecked.
    let table = raw
        .slice(header.e_phoff, u64::from(header.e_phnum).saturating_mul(u64::from(size)))
        .ok_or_else(|| broken("its program headers lie outside the file"))?;
    let headers = ProgramHeader::parse(table, 0, header.e_phnum.into(), ctx)
        .map_err(|_| broken("its program headers cannot be read"))?;
    Ok(headers
        .into_iter()
        .map(|header| Segment {
            kind: header.p_type,
            flags: header.p_flags,
            offset: header.p_offset,
            address: header.p_vaddr,
            file_size: header.p_filesz,
            memory_size: header.p_memsz,
            align: header.p_align,
        })
        .collect())
}

fn sections<'a>(raw: Raw<'a>, header: &Header, ctx: Ctx) -> Result<Vec<Section<'a>>, String> {
    if header.e_shoff == 0 {
        return Ok(Vec::new());
    }
    let size = if raw.is_wide() { 64 } else { 40 };
    if header.e_shentsize != size {
        return Err(format!("section headers have {} bytes each, not {size}", header.e_shentsize));
    }
    // `e_shnum` 0 with a table: the number stands in `sh_size` of the null section (gABI, "Extended section header").
    let count = match header.e_shnum {
        0 => raw.word(header.e_shoff.saturating_add(if raw.is_wide() { 32 } else { 20 })),
        count => Some(u64::from(count)),
    };
    let table = count
        .and_then(|count| raw.slice(header.e_shoff, count.checked_mul(size.into())?))
        .ok_or("the section header table lies outside the file")?;
    let number = table.len().checked_div(size.into()).unwrap_or(0);
    if number == 0 {
        return Ok(Vec::new());
    }
    let headers = SectionHeader::parse_from(table, 0, number, ctx).map_err(|_| "the section headers cannot be read")?;
    // `SHN_XINDEX`: the index stands in `sh_link` of the null section.
    let names_at = match header.e_shstrndx {
        0xffff => headers.first().map_or(0, |null| null.sh_link),
        index => u32::from(index),
    };
    let names = usize::try_from(names_at)
        .ok()
        .and_then(|index| headers.get(index))
        .and_then(|names| raw.slice(names.sh_offset, names.sh_size))
        .ok_or("the section name table lies outside the file")?;
    let names = Raw::new(names, raw.is_wide(), raw.is_big_endian());
    Ok(headers
        .iter()
        .skip(1)
        .map(|header| Section {
            name: names
                .c_string(u64::try_from(header.sh_name).unwrap_or(u64::MAX), SECTION_NAME_LIMIT)
                .unwrap_or_default(),
            kind: header.sh_type,
            flags: header.sh_flags,
            address: header.sh_addr,
            offset: header.sh_offset,
            size: header.sh_size,
            entry_size: header.sh_entsize,
            link: header.sh_link,
        })
        .collect())
}
