//! Where code may stand and where execution may begin.

use goblin::elf::header::{EM_ARM, EM_PPC64, ET_DYN};
use goblin::elf::program_header::{PF_W, PF_X, PT_GNU_STACK, PT_INTERP};

use super::super::view::{Elf, PAGE, Segment};
use super::{Hits, Rule, named};

pub(super) fn check(elf: &Elf<'_>, hits: &mut Hits) {
    entry_point(elf, hits);
    code_segments(elf, hits);
    for segment in elf.loads().filter(|segment| segment.is_code()) {
        gaps(elf, segment, hits);
        tail(elf, segment, hits);
    }
    stack(elf, hits);
}

fn entry_point(elf: &Elf<'_>, hits: &mut Hits) {
    let header = elf.header();
    let is_library = elf.kind() == ET_DYN && !elf.segments().iter().any(|segment| segment.kind == PT_INTERP);
    // Power ELFv1: the entry is the address of a function descriptor, in data.
    let by_descriptor = elf.machine() == EM_PPC64 && header.e_flags & 3 != 2;
    if by_descriptor || (header.e_entry == 0 && is_library) {
        return;
    }
    // ARM: the lowest bit selects the Thumb instruction set.
    let entry = if elf.machine() == EM_ARM { header.e_entry & !1 } else { header.e_entry };
    if !elf.loads().any(|segment| segment.is_code() && segment.holds(entry)) {
        hits.add(Rule::EntryPoint, format!("begins execution at {entry:#x}, outside executable memory"));
    }
    if elf.sections().is_empty() {
        return;
    }
    match elf.sections().iter().find(|section| section.is_loaded() && section.holds(entry)) {
        Some(section) if section.name == b".text" => {}
        Some(section) => {
            hits.add(
                Rule::EntryPoint,
                format!("begins execution at {entry:#x} in {}, not in `.text`", named(section.name)),
            );
        }
        None => hits.add(Rule::EntryPoint, format!("begins execution at {entry:#x}, which belongs to no section")),
    }
}

fn code_segments(elf: &Elf<'_>, hits: &mut Hits) {
    let code: Vec<&Segment> = elf.loads().filter(|segment| segment.is_code()).collect();
    hits.add_if(code.len() > 1, Rule::ExtraCodeSegment, || {
        format!("has {} executable segments; linkers make one", code.len())
    });
    if let Some(last) = elf.loads().max_by_key(|segment| segment.address) {
        hits.add_if(last.is_code(), Rule::ExtraCodeSegment, || {
            format!("has its highest segment, at {:#x}, executable; linkers put data last", last.address)
        });
    }
    for segment in code {
        hits.add_if(segment.flags & PF_W != 0, Rule::WritableCode, || {
            format!("has a segment at {:#x} that is writable and executable", segment.address)
        });
        let explained = elf.sections().iter().any(|section| section.is_code() && segment.holds(section.address));
        hits.add_if(!explained && !elf.sections().is_empty(), Rule::ExtraCodeSegment, || {
            format!("has an executable segment at {:#x} without any section of code in it", segment.address)
        });
    }
}

/// Linkers fill what lies between sections with zeros; assemblers pad code with no-operations or breakpoints.
const PADDING: [u8; 3] = [0x00, 0x90, 0xcc];

fn gaps(elf: &Elf<'_>, segment: &Segment, hits: &mut Hits) {
    if elf.sections().is_empty() {
        return;
    }
    let header = elf.header();
    let program_headers = u64::from(header.e_phnum).saturating_mul(header.e_phentsize.into());
    let mut covered: Vec<(u64, u64)> = elf
        .sections()
        .iter()
        .filter(|section| section.is_loaded() && section.has_bytes())
        .map(|section| (section.offset, section.file_end()))
        .chain([
            (0, u64::from(header.e_ehsize)),
            (header.e_phoff, header.e_phoff.saturating_add(program_headers)),
            // What follows the segment belongs to the next rule.
            (segment.file_end(), u64::MAX),
        ])
        .collect();
    covered.sort_unstable();
    let mut at = segment.offset;
    for (start, end) in covered {
        let start = start.min(segment.file_end());
        let gap = elf.raw().available(at, start.saturating_sub(at));
        if let Some(place) = gap.iter().position(|byte| !PADDING.contains(byte)) {
            let place = at.saturating_add(u64::try_from(place).unwrap_or(0));
            hits.add(
                Rule::CodeInGap,
                format!("has bytes other than padding between its sections of code, at offset {place:#x}"),
            );
        }
        at = at.max(end);
    }
}

/// The rest of the last page is mapped executable too, up to the bytes of the next segment. It must be zero. (Behind the
/// next segment, in files of less than a page, lies what belongs to no segment at all.)
fn tail(elf: &Elf<'_>, segment: &Segment, hits: &mut Hits) {
    let Some(end) = segment.address.checked_add(segment.file_size) else { return };
    let page = end.checked_next_multiple_of(PAGE).unwrap_or(end).saturating_sub(end);
    let start = segment.file_end();
    let next = elf.loads().map(|load| load.offset).filter(|offset| *offset >= start).min().unwrap_or(u64::MAX);
    let rest = elf.raw().available(start, page.min(next.saturating_sub(start)));
    if let Some(place) = rest.iter().position(|byte| *byte != 0) {
        let place = start.saturating_add(u64::try_from(place).unwrap_or(0));
        hits.add(Rule::CodeInGap, format!("has bytes after its code on the same page, at offset {place:#x}"));
    }
}

/// Without `PT_GNU_STACK` the kernel gives the machine's default, an executable stack on most (fs/binfmt_elf.c).
fn stack(elf: &Elf<'_>, hits: &mut Hits) {
    match elf.segments().iter().find(|segment| segment.kind == PT_GNU_STACK) {
        None => hits.add(Rule::ExecutableStack, "does not say that its stack is not executable (no `PT_GNU_STACK`)"),
        Some(stack) if stack.flags & PF_X != 0 => hits.add(Rule::ExecutableStack, "asks for an executable stack"),
        Some(_) => {}
    }
}
