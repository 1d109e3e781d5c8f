//! Notes and comments: who says he built the file.

use goblin::elf::note::NT_GNU_BUILD_ID;
use goblin::elf::program_header::PT_NOTE;
use goblin::elf::section_header::SHT_NOTE;

use super::raw::Raw;
use super::view::Elf;

/// Note type of the package metadata that distributions embed (systemd.io, "Package Metadata for Executable Files").
const NT_FDO_PACKAGING_METADATA: u32 = 0xcafe_1a7e;

/// Notes read from one file at most.
const NOTE_LIMIT: usize = 256;

/// Strings of `.comment` read at most.
const COMMENT_LIMIT: usize = 64;

/// One note: owner, type, content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// Owner, without its NUL: `GNU`, `FDO`, `stapsdt`.
    pub owner: &'a [u8],
    /// Type, in the owner's numbering.
    pub kind: u32,
    /// Content.
    pub content: &'a [u8],
}

impl<'a> Elf<'a> {
    /// The notes of all `PT_NOTE` segments; where there is none (an object file), those of note sections.
    #[must_use]
    pub fn notes(&self) -> Vec<Note<'a>> {
        let mut notes = Vec::new();
        for segment in self.segments().iter().filter(|segment| segment.kind == PT_NOTE) {
            read_notes(self, segment.offset, segment.file_size, segment.align, &mut notes);
        }
        if notes.is_empty() {
            for section in self.sections().iter().filter(|section| section.kind == SHT_NOTE) {
                read_notes(self, section.offset, section.size, 4, &mut notes);
            }
        }
        notes
    }

    /// The build-id (ld(1), `--build-id`), as bytes.
    #[must_use]
    pub fn build_id(&self) -> Option<&'a [u8]> {
        self.notes().iter().find(|note| note.owner == b"GNU" && note.kind == NT_GNU_BUILD_ID).map(|note| note.content)
    }

    /// The distributor's own words about the package, JSON.
    #[must_use]
    pub fn package_note(&self) -> Option<&'a [u8]> {
        let notes = self.notes();
        let note = notes.iter().find(|note| note.owner == b"FDO" && note.kind == NT_FDO_PACKAGING_METADATA)?;
        note.content.split(|b| *b == 0).next()
    }

    /// The strings of `.comment`: the compilers that took part.
    #[must_use]
    pub fn comments(&self) -> Vec<&'a [u8]> {
        let Some(section) = self.section(b".comment") else { return Vec::new() };
        self.section_bytes(section).split(|b| *b == 0).filter(|part| !part.is_empty()).take(COMMENT_LIMIT).collect()
    }
}

/// Notes are a header of three 32-bit numbers in both classes; name and content are padded to 4 bytes, to 8 where the
/// segment is aligned so (elf(5), "Notes"; gABI).
fn read_notes<'a>(elf: &Elf<'a>, offset: u64, size: u64, align: u64, notes: &mut Vec<Note<'a>>) {
    let align = if align == 8 { 8 } else { 4 };
    let bytes = elf.raw().available(offset, size);
    let raw = Raw::new(bytes, elf.raw().is_wide(), elf.raw().is_big_endian());
    let mut at = 0_u64;
    while notes.len() < NOTE_LIMIT {
        let Some((note, next)) = read_note(raw, at, align) else { break };
        notes.push(note);
        at = next;
    }
}

fn read_note(raw: Raw<'_>, at: u64, align: u64) -> Option<(Note<'_>, u64)> {
    let name_size = u64::from(raw.u32(at)?);
    let size = u64::from(raw.u32(at.checked_add(4)?)?);
    let kind = raw.u32(at.checked_add(8)?)?;
    let name_at = at.checked_add(12)?;
    let content_at = name_at.checked_add(name_size)?.checked_next_multiple_of(align)?;
    let owner = raw.slice(name_at, name_size)?;
    let content = raw.slice(content_at, size)?;
    let next = content_at.checked_add(size)?.checked_next_multiple_of(align)?;
    Some((Note { owner: owner.strip_suffix(b"\0").unwrap_or(owner), kind, content }, next))
}
