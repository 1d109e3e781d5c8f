//! Symbol versions: what a file asks for (`DT_VERNEED`) and what it offers (`DT_VERDEF`), by the index that stands beside each
//! symbol (`DT_VERSYM`). As `_dl_check_map_versions` of glibc (elf/dl-version.c) reads them.

use std::collections::BTreeMap;

use goblin::elf::dynamic::{DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM};
use serde::{Deserialize, Serialize};

use super::super::view::Elf;

/// Definitions and needs followed; libc has about 50.
const LIMIT: u64 = 65_536;
/// `VER_FLG_BASE`: the name of the file itself, which no symbol is looked up by.
const BASE: u16 = 1;
/// The bit of an index that hides a definition from whoever does not ask for its version.
const HIDDEN: u16 = 0x8000;

/// A version that symbols are bound by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its name, `GLIBC_2.34`.
    pub name: Vec<u8>,
    /// Whether an unversioned definition of other files does not do (`vna_other` with its highest bit).
    pub hidden: bool,
}

/// The versions of `elf` by their index.
#[must_use]
pub fn versions(elf: &Elf<'_>) -> BTreeMap<u16, Version> {
    let mut found = BTreeMap::new();
    needs(elf, &mut found);
    definitions(elf, &mut found);
    found
}

/// `Elfxx_Verneed` (`vn_cnt` at 2, `vn_aux` at 8, `vn_next` at 12) with its `Elfxx_Vernaux` (`vna_other` at 6, `vna_name` at
/// 8, `vna_next` at 12): the same in both classes.
fn needs(elf: &Elf<'_>, found: &mut BTreeMap<u16, Version>) -> Option<()> {
    let raw = elf.raw();
    let (mut at, _) = elf.file_offset(elf.dynamic().value(DT_VERNEED)?)?;
    for _ in 0..elf.dynamic().value(DT_VERNEEDNUM).unwrap_or(0).min(LIMIT) {
        let mut entry = at.checked_add(raw.u32(at.checked_add(8)?)?.into())?;
        for _ in 0..raw.u16(at.checked_add(2)?)? {
            let index = raw.u16(entry.checked_add(6)?)?;
            let name = elf.dynamic().string(elf, raw.u32(entry.checked_add(8)?)?.into())?;
            found.insert(index & !HIDDEN, Version { name: name.to_vec(), hidden: index & HIDDEN != 0 });
            let next = raw.u32(entry.checked_add(12)?)?;
            if next == 0 {
                break;
            }
            entry = entry.checked_add(next.into())?;
        }
        let next = raw.u32(at.checked_add(12)?)?;
        if next == 0 {
            break;
        }
        at = at.checked_add(next.into())?;
    }
    Some(())
}

/// `Elfxx_Verdef` (`vd_flags` at 2, `vd_ndx` at 4, `vd_aux` at 12, `vd_next` at 16); the first `Elfxx_Verdaux` begins with
/// `vda_name`.
fn definitions(elf: &Elf<'_>, found: &mut BTreeMap<u16, Version>) -> Option<()> {
    let raw = elf.raw();
    let (mut at, _) = elf.file_offset(elf.dynamic().value(DT_VERDEF)?)?;
    for _ in 0..elf.dynamic().value(DT_VERDEFNUM).unwrap_or(0).min(LIMIT) {
        if raw.u16(at.checked_add(2)?)? & BASE == 0 {
            let aux = at.checked_add(raw.u32(at.checked_add(12)?)?.into())?;
            let name = elf.dynamic().string(elf, raw.u32(aux)?.into())?;
            let index = raw.u16(at.checked_add(4)?)? & !HIDDEN;
            found.insert(index, Version { name: name.to_vec(), hidden: false });
        }
        let next = raw.u32(at.checked_add(16)?)?;
        if next == 0 {
            break;
        }
        at = at.checked_add(next.into())?;
    }
    Some(())
}
