//! Whether segments, sections and the file agree about what lies where.

use goblin::elf::program_header::{PT_DYNAMIC, PT_GNU_RELRO, PT_GNU_STACK, PT_INTERP, PT_NOTE, PT_PHDR};
use goblin::elf::section_header::{SHF_TLS, SHT_NOBITS, SHT_NOTE};

use super::super::view::{Elf, Section};
use super::{Hits, Rule, named};

pub(super) fn check(elf: &Elf<'_>, hits: &mut Hits) {
    segments(elf, hits);
    appended(elf, hits);
    // A file that was cut off has lost its section table too, and nobody hid it.
    if let Some(segment) = elf.loads().find(|segment| segment.file_end() > elf.raw().len()) {
        let (end, len) = (segment.file_end(), elf.raw().len());
        hits.add(Rule::CutOff, format!("is cut off: it loads bytes up to offset {end:#x} and has {len:#x}"));
        return;
    }
    if let Some(problem) = elf.strict_problem() {
        let detail = format!("has tables that strict readers refuse although it loads: {problem}");
        hits.add(Rule::HiddenFromTools, detail);
    }
    if elf.sections().is_empty() {
        hits.add(Rule::NoSectionHeaders, "has no section headers; no distributor strips them");
        return;
    }
    for section in elf.sections().iter().filter(|section| section.is_loaded() && section.size > 0) {
        section_in_segment(elf, section, hits);
        note_in_segment(elf, section, hits);
    }
    overlaps(elf, hits);
}

fn segments(elf: &Elf<'_>, hits: &mut Hits) {
    let mut end = 0;
    for segment in elf.loads() {
        hits.add_if(segment.address < end, Rule::SegmentTable, || {
            format!("has its segment at {:#x} out of order or overlapping the one before", segment.address)
        });
        end = end.max(segment.memory_end());
    }
    for (kind, name) in [
        (PT_INTERP, "PT_INTERP"),
        (PT_DYNAMIC, "PT_DYNAMIC"),
        (PT_GNU_STACK, "PT_GNU_STACK"),
        (PT_GNU_RELRO, "PT_GNU_RELRO"),
        (PT_PHDR, "PT_PHDR"),
    ] {
        let mut found = elf.segments().iter().filter(|segment| segment.kind == kind);
        let Some(first) = found.next() else { continue };
        hits.add_if(found.next().is_some(), Rule::SegmentTable, || format!("has more than one `{name}` segment"));
        // The kernel reads `PT_INTERP` by offset, ld.so(8) `PT_DYNAMIC` by address: a tool may read the other.
        if matches!(kind, PT_INTERP | PT_DYNAMIC) {
            let loaded_from = elf.file_offset(first.address).map(|(offset, _)| offset);
            hits.add_if(loaded_from != Some(first.offset), Rule::SegmentTable, || {
                format!(
                    "has a `{name}` segment at {:#x} that is not what lies at file offset {:#x}",
                    first.address, first.offset
                )
            });
        }
    }
}

/// Bytes after the end of everything.
fn appended(elf: &Elf<'_>, hits: &mut Hits) {
    let header = elf.header();
    let table = match header.e_shoff {
        0 => 0,
        at => at.saturating_add(u64::from(header.e_shnum).saturating_mul(header.e_shentsize.into())),
    };
    let sections = elf.sections().iter().map(Section::file_end).max().unwrap_or(0);
    let segments = elf.segments().iter().map(|segment| segment.file_end()).max().unwrap_or(0);
    let end = table.max(sections).max(segments);
    let rest = elf.raw().available(end, u64::MAX);
    if rest.is_empty() {
        return;
    }
    if rest.iter().all(|byte| *byte == 0) {
        hits.add(Rule::RewrittenNames, format!("ends with {} zero bytes that belong to nothing", rest.len()));
    } else {
        hits.add(Rule::AppendedData, format!("has {} bytes after its end, from offset {end:#x}", rest.len()));
    }
}

/// A loaded section lies in one segment, at the same distance from its start in memory and in the file.
fn section_in_segment(elf: &Elf<'_>, section: &Section<'_>, hits: &mut Hits) {
    // Thread-local zeros take no room in the image (elf(5), `.tbss`).
    if section.kind == SHT_NOBITS && section.flags & u64::from(SHF_TLS) != 0 {
        return;
    }
    let name = || named(section.name);
    let Some(segment) =
        elf.loads().find(|load| load.holds(section.address) && section.memory_end() <= load.memory_end())
    else {
        hits.add(
            Rule::SectionTable,
            format!("has its section {} at {:#x} outside all segments", name(), section.address),
        );
        return;
    };
    let in_memory = section.address.wrapping_sub(segment.address);
    let in_file = section.offset.wrapping_sub(segment.offset);
    hits.add_if(section.has_bytes() && in_memory != in_file, Rule::SectionTable, || {
        format!(
            "has its section {} at an address that belongs to another file offset than {:#x}",
            name(),
            section.offset
        )
    });
    hits.add_if(section.is_code() && !segment.is_code(), Rule::SectionTable, || {
        format!("has code in {}, in a segment that is not executable", name())
    });
}

/// Turning a `PT_NOTE` into a loaded segment leaves a note section that no segment covers.
fn note_in_segment(elf: &Elf<'_>, section: &Section<'_>, hits: &mut Hits) {
    let covered = elf
        .segments()
        .iter()
        .filter(|segment| segment.kind == PT_NOTE)
        .any(|segment| segment.offset <= section.offset && section.file_end() <= segment.file_end());
    hits.add_if(section.kind == SHT_NOTE && !covered, Rule::SectionTable, || {
        format!("has the note section {} in no `PT_NOTE` segment", named(section.name))
    });
}

fn overlaps(elf: &Elf<'_>, hits: &mut Hits) {
    let mut in_file: Vec<&Section<'_>> = elf.sections().iter().filter(|section| section.has_bytes()).collect();
    in_file.sort_by_key(|section| (section.offset, section.size));
    let is_tls_zeros = |section: &Section<'_>| section.kind == SHT_NOBITS && section.flags & u64::from(SHF_TLS) != 0;
    let mut in_memory: Vec<&Section<'_>> = elf
        .sections()
        .iter()
        .filter(|section| section.is_loaded() && section.size > 0 && !is_tls_zeros(section))
        .collect();
    in_memory.sort_by_key(|section| (section.address, section.size));
    for (sections, place) in [(in_file, "the file"), (in_memory, "memory")] {
        let by_file = place == "the file";
        let range = |s: &Section<'_>| if by_file { (s.offset, s.file_end()) } else { (s.address, s.memory_end()) };
        for pair in sections.windows(2) {
            let [first, second] = pair else { continue };
            hits.add_if(range(second).0 < range(first).1, Rule::SectionTable, || {
                format!("has its sections {} and {} overlapping in {place}", named(first.name), named(second.name))
            });
        }
    }
}
