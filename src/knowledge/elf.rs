//! What the content rules need to know of an ELF file besides its bytes. `formats::elf` makes it from the same bytes.

use std::ops::Range;

use goblin::elf::dynamic::{DT_INIT_ARRAYSZ, DT_NEEDED, DT_SONAME};
use goblin::elf::program_header::PF_X;

use crate::formats::elf::Elf;

/// A view of an ELF file, valid while its bytes are at hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElfView<'a> {
    /// Sections that occupy the file: name and offsets into it. Empty where the section table is absent or unreadable.
    pub sections: Vec<(&'a [u8], Range<usize>)>,
    /// Loadable segments: offsets into the file, and whether they are executable.
    pub segments: Vec<(Range<usize>, bool)>,
    /// `DT_SONAME`.
    pub soname: Option<&'a [u8]>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<&'a [u8]>,
    /// Size of a pointer in bytes: 4 or 8.
    pub pointer: u64,
    /// `DT_INIT_ARRAYSZ`, in bytes; 0 without one.
    pub init_array_size: u64,
    /// Undefined dynamic symbols.
    pub imports: Vec<&'a [u8]>,
    /// Defined global or weak dynamic symbols.
    pub exports: Vec<&'a [u8]>,
}

impl<'a> ElfView<'a> {
    /// The view of a parsed file.
    #[must_use]
    pub fn of(elf: &Elf<'a>) -> Self {
        let dynamic = elf.dynamic();
        let name = |offset| dynamic.string(elf, offset);
        let range = |offset: u64, size: u64| {
            let start = usize::try_from(offset).ok()?;
            let bytes = elf.raw().slice(offset, size)?;
            Some(start..start.checked_add(bytes.len())?)
        };
        let sections = elf.sections().iter().filter(|section| section.has_bytes());
        let loads = elf.loads();
        Self {
            sections: sections
                .filter_map(|section| Some((section.name, range(section.offset, section.size)?)))
                .collect(),
            segments: loads
                .filter_map(|load| Some((range(load.offset, load.file_size)?, load.flags & PF_X != 0)))
                .collect(),
            soname: dynamic.value(DT_SONAME).and_then(name),
            needed: dynamic.values(DT_NEEDED).filter_map(name).collect(),
            pointer: elf.raw().word_size(),
            init_array_size: dynamic.value(DT_INIT_ARRAYSZ).unwrap_or(0),
            imports: elf.imports().collect(),
            exports: elf.exports().collect(),
        }
    }
}

impl ElfView<'_> {
    /// The ranges of the file that a scope of section names stands for: the sections so named; where there is none, the
    /// segments with the rights that such sections have (`.text`, `.init`, `.fini`, `.plt`: executable; others: not).
    #[must_use]
    pub fn scope(&self, names: &[String]) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut code = false;
        let mut data = false;
        for name in names {
            let before = ranges.len();
            ranges.extend(self.sections.iter().filter(|(own, _)| is_named(own, name)).map(|(_, range)| range.clone()));
            if ranges.len() == before {
                match name.as_str() {
                    ".text" | ".init" | ".fini" | ".plt" => code = true,
                    _ => data = true,
                }
            }
        }
        if ranges.is_empty() {
            let wanted = self.segments.iter().filter(|(_, executable)| if *executable { code } else { data });
            ranges.extend(wanted.map(|(range, _)| range.clone()));
        }
        ranges
    }

    /// Size of the section of this name in bytes; 0 without one.
    #[must_use]
    pub fn section_size(&self, name: &str) -> u64 {
        let size = |range: &Range<usize>| u64::try_from(range.len()).unwrap_or(u64::MAX);
        self.sections.iter().find(|(own, _)| *own == name.as_bytes()).map_or(0, |(_, range)| size(range))
    }
}

/// Whether a section's `own` name is `name` or continues it after a dot.
fn is_named(own: &[u8], name: &str) -> bool {
    own.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "one range is what is meant")]
    fn segments_stand_in_for_sections_that_are_not_there() {
        let mut view = ElfView {
            sections: vec![(b".text", 0..10), (b".rodata.str1.1", 10..20), (b".datax", 20..30)],
            segments: vec![(0..10, true), (10..40, false)],
            ..ElfView::default()
        };
        let check = |view: &ElfView<'_>, names: &[&str], expected: &[Range<usize>]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(view.scope(&names), expected);
        };
        check(&view, &[".rodata", ".data"], &[10..20]);
        check(&view, &[".text"], &[0..10]);
        view.sections.clear();
        check(&view, &[".rodata", ".data"], &[10..40]);
        check(&view, &[".text"], &[0..10]);
        check(&view, &[".text", ".data"], &[0..10, 10..40]);
    }
}
