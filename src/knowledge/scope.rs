//! What the content rules ask of an ELF file besides its bytes.

use std::ops::Range;

use goblin::elf::dynamic::{DT_INIT_ARRAYSZ, DT_NEEDED, DT_SONAME};

use crate::formats::elf::{Elf, Section};

/// Section names that hold code in every linker's layout; all others hold data.
const CODE: [&str; 4] = [".text", ".init", ".fini", ".plt"];

/// The ranges of the file that a list of section names stands for: the sections so named, or so named up to a dot.
/// Where the file has none of them (the loader ignores sections, so an attacker may strip or rename them), the loadable
/// segments with the rights that such sections have.
#[must_use]
pub fn ranges(elf: &Elf<'_>, names: &[String]) -> Vec<Range<usize>> {
    let named = elf.sections().iter().filter(|section| names.iter().any(|name| is_named(section.name, name)));
    let sections: Vec<_> = named.filter_map(section_range).collect();
    if !sections.is_empty() {
        return sections;
    }
    let code = names.iter().any(|name| CODE.contains(&name.as_str()));
    let data = names.iter().any(|name| !CODE.contains(&name.as_str()));
    let loads = elf.loads().filter(|load| if load.is_code() { code } else { data });
    loads.filter_map(|load| range(load.offset, load.file_end())).collect()
}

/// The loader's name for the library.
#[must_use]
pub fn soname<'a>(elf: &Elf<'a>) -> Option<&'a [u8]> {
    elf.dynamic().string(elf, elf.dynamic().value(DT_SONAME)?)
}

/// The libraries that it asks for, in order; those whose names cannot be read are left out.
pub fn needed<'a>(elf: &Elf<'a>) -> impl Iterator<Item = &'a [u8]> {
    elf.dynamic().values(DT_NEEDED).filter_map(|offset| elf.dynamic().string(elf, offset))
}

/// `DT_INIT_ARRAYSZ` in bytes, 0 without one.
#[must_use]
pub fn init_array_size(elf: &Elf<'_>) -> u64 {
    elf.dynamic().value(DT_INIT_ARRAYSZ).unwrap_or(0)
}

/// Size in bytes of the section of this name, 0 without one.
#[must_use]
pub fn section_size(elf: &Elf<'_>, name: &str) -> u64 {
    elf.section(name.as_bytes()).map_or(0, |section| section.size)
}

/// Size of a pointer in bytes.
#[must_use]
pub fn pointer(elf: &Elf<'_>) -> u64 {
    if elf.raw().is_wide() { 8 } else { 4 }
}

fn section_range(section: &Section<'_>) -> Option<Range<usize>> {
    if section.has_bytes() { range(section.offset, section.file_end()) } else { None }
}

fn range(start: u64, end: u64) -> Option<Range<usize>> {
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

/// Whether a section's `own` name is `name` or continues it after a dot.
fn is_named(own: &[u8], name: &str) -> bool {
    own.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_those_that_continue_it_after_a_dot() {
        let check = |own: &str, name, expected| assert_eq!(is_named(own.as_bytes(), name), expected, "{own} {name}");
        check(".rodata", ".rodata", true);
        check(".rodata.str1.1", ".rodata", true);
        check(".rodatax", ".rodata", false);
        check(".data.rel.ro", ".data", true);
        check("", ".data", false);
    }
}
