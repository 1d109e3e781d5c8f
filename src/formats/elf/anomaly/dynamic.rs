//! What the dynamic table must agree with: sections, symbols, versions, the places of names and initialisers.

use std::collections::BTreeSet;

use goblin::elf::dynamic::{
    DF_TEXTREL, DT_FLAGS, DT_GNU_HASH, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRTAB,
    DT_SYMTAB, DT_TEXTREL, DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM,
};
use goblin::elf::header::EM_ARM;
use goblin::elf::program_header::{PF_W, PT_DYNAMIC};
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::STB_LOCAL;

use super::super::dynamic::STAND_INS;
use super::super::symbols::gnu_hash;
use super::super::view::Elf;
use super::{Hits, Rule, named};

/// Initialisers looked at; real files have one to a few hundred.
const INITIALISER_LIMIT: u64 = 65_536;

/// Version definitions and needs followed; libc has about 50.
const VERSION_LIMIT: usize = 65_536;

pub(super) fn check(elf: &Elf<'_>, hits: &mut Hits) {
    if elf.dynamic().is_empty() {
        return;
    }
    tables_are_sections(elf, hits);
    names_moved(elf, hits);
    initialisers(elf, hits);
    paths(elf, hits);
    versions(elf, hits);
    hashes(elf, hits);
    let flags = elf.dynamic().value(DT_FLAGS).unwrap_or(0);
    let relocates_code = elf.dynamic().value(DT_TEXTREL).is_some() || flags & DF_TEXTREL != 0;
    hits.add_if(relocates_code, Rule::TextRelocations, || "asks ld.so to change its code (`DT_TEXTREL`)".into());
}

fn tables_are_sections(elf: &Elf<'_>, hits: &mut Hits) {
    if elf.sections().is_empty() {
        return;
    }
    let table = elf.segments().iter().rev().find(|segment| segment.kind == PT_DYNAMIC).map(|segment| segment.address);
    let value = |tag| elf.dynamic().value(tag);
    for (name, address) in
        [(&b".dynamic"[..], table), (&b".dynsym"[..], value(DT_SYMTAB)), (&b".dynstr"[..], value(DT_STRTAB))]
    {
        let Some(address) = address else { continue };
        let section = elf.section(name).map(|section| section.address);
        hits.add_if(section != Some(address), Rule::DynamicTable, || {
            format!("uses a table at {address:#x} that is not its section {}", named(name))
        });
    }
}

/// Linkers put the dynamic strings into the first segment, read-only. To add a name, patchelf and its kind move them to a
/// new one at the end.
fn names_moved(elf: &Elf<'_>, hits: &mut Hits) {
    let Some(address) = elf.dynamic().value(DT_STRTAB) else { return };
    let Some(segment) = elf.loads().find(|segment| segment.holds(address)) else { return };
    let first = elf.loads().map(|segment| segment.address).min();
    hits.add_if(first != Some(segment.address), Rule::RewrittenNames, || {
        format!("keeps its dynamic strings at {address:#x}, not in its first segment")
    });
    hits.add_if(segment.flags & PF_W != 0, Rule::RewrittenNames, || {
        format!("keeps its dynamic strings at {address:#x} in writable memory")
    });
}

fn initialisers(elf: &Elf<'_>, hits: &mut Hits) {
    let dynamic = elf.dynamic();
    let Some(array) = dynamic.value(DT_INIT_ARRAY) else { return };
    let size = dynamic.value(DT_INIT_ARRAYSZ).unwrap_or(0);
    if size == 0 || elf.sections().is_empty() {
        return;
    }
    let section = elf.section(b".init_array").map(|section| (section.address, section.size));
    hits.add_if(section != Some((array, size)), Rule::Initialiser, || {
        format!("runs {size} bytes of initialisers at {array:#x}, which is not its section `.init_array`")
    });
    let word = elf.raw().word_size();
    let end = array.saturating_add(size);
    let Some((offset, _)) = elf.file_offset(array) else { return };
    let count = size.checked_div(word).unwrap_or(0).min(INITIALISER_LIMIT);
    // What ld.so writes there counts; where it writes nothing of its own (`DT_RELR`, fixed addresses), what the file has.
    let mut targets: Vec<Option<u64>> =
        (0..count).map(|index| elf.raw().word(offset.saturating_add(index.saturating_mul(word)))).collect();
    for relocation in elf.relocations().filter(|relocation| (array..end).contains(&relocation.address)) {
        let index = relocation.address.saturating_sub(array).checked_div(word).unwrap_or(0);
        let Some(target) = usize::try_from(index).ok().and_then(|index| targets.get_mut(index)) else { continue };
        if relocation.symbol != 0 {
            let symbol = elf.symbol(relocation.symbol).filter(|symbol| u32::from(symbol.section) != SHN_UNDEF);
            *target = symbol.map(|symbol| symbol.value.wrapping_add(relocation.addend.unwrap_or(0)));
        } else if let Some(addend) = relocation.addend {
            *target = Some(addend);
        }
    }
    let thumb = u64::from(elf.machine() == EM_ARM);
    for target in targets.into_iter().flatten() {
        // 0 and -1 mark the ends of the table in old files.
        if target == 0 || target == u64::MAX || target == u64::from(u32::MAX) {
            continue;
        }
        let target = target & !thumb;
        let in_text = |name: &[u8]| name == b".text" || name.starts_with(b".text.");
        let fine =
            elf.sections().iter().any(|section| section.is_code() && in_text(section.name) && section.holds(target));
        hits.add_if(!fine, Rule::Initialiser, || format!("has an initialiser at {target:#x}, outside `.text`"));
    }
}

fn paths(elf: &Elf<'_>, hits: &mut Hits) {
    let dynamic = elf.dynamic();
    for name in dynamic.values(DT_NEEDED).filter_map(|offset| dynamic.string(elf, offset)) {
        hits.add_if(name.contains(&b'/'), Rule::LibraryPath, || {
            format!("needs the library {} by its path", named(name))
        });
    }
    for (tag, what) in STAND_INS {
        for offset in dynamic.values(tag) {
            let name = named(dynamic.string(elf, offset).unwrap_or_default());
            hits.add(Rule::StandIn, format!("has the library {name} loaded by `{what}`"));
        }
    }
    for (tag, what) in [(DT_RPATH, "DT_RPATH"), (DT_RUNPATH, "DT_RUNPATH")] {
        let Some(path) = dynamic.value(tag).and_then(|offset| dynamic.string(elf, offset)) else { continue };
        for part in path.split(|b| *b == b':') {
            hits.add_if(!is_system_directory(part), Rule::SearchPath, || {
                format!("searches libraries in {} (`{what}`)", named(part))
            });
        }
    }
}

/// `/usr`, `/lib…`, `/opt`, or relative to the file itself. An empty part means the current directory.
fn is_system_directory(part: &[u8]) -> bool {
    if part.starts_with(b"$ORIGIN") || part.starts_with(b"${ORIGIN}") {
        return true;
    }
    let Some(path) = crate::model::RootedPath::new(part) else { return false };
    let first = path.components().next().unwrap_or_default();
    matches!(first, b"usr" | b"opt") || first.starts_with(b"lib")
}

/// Every symbol's version is defined here or asked of somebody (glibc, elf/dl-version.c).
fn versions(elf: &Elf<'_>, hits: &mut Hits) {
    if elf.dynamic().value(DT_VERSYM).is_none() {
        return;
    }
    // 0 is local, 1 the file itself.
    let mut known: BTreeSet<u16> = [0, 1].into();
    let raw = elf.raw();
    let place = |tag| elf.dynamic().value(tag).and_then(|address| elf.file_offset(address)).map(|(at, _)| at);
    let number = |tag| elf.dynamic().value(tag).and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(VERSION_LIMIT);
    // Elf64_Verdef: vd_ndx at 4, vd_next at 16. Elf64_Verneed: vn_cnt at 2, vn_aux at 8, vn_next at 12; Elf64_Vernaux:
    // vna_other at 6, vna_next at 12.
    let mut at = place(DT_VERDEF);
    for _ in 0..number(DT_VERDEFNUM) {
        let Some(here) = at else { break };
        known.extend(raw.u16(here.saturating_add(4)).map(|index| index & 0x7fff));
        at = follow(raw.u32(here.saturating_add(16)), here);
    }
    let mut steps = VERSION_LIMIT;
    let mut at = place(DT_VERNEED);
    for _ in 0..number(DT_VERNEEDNUM) {
        let Some(here) = at else { break };
        let mut aux = follow(raw.u32(here.saturating_add(8)), here);
        for _ in 0..raw.u16(here.saturating_add(2)).unwrap_or(0) {
            let Some(there) = aux else { break };
            steps = steps.saturating_sub(1);
            if steps == 0 {
                return;
            }
            known.extend(raw.u16(there.saturating_add(6)).map(|index| index & 0x7fff));
            aux = follow(raw.u32(there.saturating_add(12)), there);
        }
        at = follow(raw.u32(here.saturating_add(12)), here);
    }
    for symbol in elf.symbols() {
        let Some(version) = elf.version_index(symbol.index).filter(|version| !known.contains(version)) else {
            continue;
        };
        hits.add(
            Rule::DynamicTable,
            format!("has {} with the version {version}, which does not exist", named(symbol.name)),
        );
        return;
    }
}

/// The next entry of a chain: 0 ends it.
fn follow(step: Option<u32>, here: u64) -> Option<u64> {
    step.filter(|step| *step != 0).map(|step| here.saturating_add(step.into()))
}

/// ld.so finds a symbol by the hash of its name. A name changed in place keeps the old hash. Local symbols may stand in
/// the hashed part without being hashed (section symbols on arm64, arm, ppc64el, loong64).
fn hashes(elf: &Elf<'_>, hits: &mut Hits) {
    if elf.dynamic().value(DT_GNU_HASH).is_none() {
        return;
    }
    let Some(table) = elf.gnu_hash() else {
        hits.add(Rule::SymbolHash, "has a symbol hash table that is not in the file");
        return;
    };
    for symbol in elf.symbols() {
        if symbol.index < table.first || u32::from(symbol.section) == SHN_UNDEF || symbol.binding == STB_LOCAL {
            continue;
        }
        // The lowest bit marks the end of a chain.
        let stored = table.chain(elf, symbol.index);
        if stored.is_none_or(|stored| stored | 1 != gnu_hash(symbol.name) | 1) {
            hits.add(Rule::SymbolHash, format!("offers {}, hashed as another name", named(symbol.name)));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_directories() {
        let check = |part: &str, fine| assert_eq!(is_system_directory(part.as_bytes()), fine, "{part}");
        check("/usr/lib/x86_64-linux-gnu/systemd", true);
        check("/lib64", true);
        check("$ORIGIN/../lib", true);
        check("${ORIGIN}", true);
        check("/opt/vendor/lib", true);
        check("", false);
        check(".", false);
        check("lib", false);
        check("/usr/../tmp", false);
        check("/tmp", false);
        check("/dev/shm/.x", false);
        check("/usrlocal", false);
    }
}
