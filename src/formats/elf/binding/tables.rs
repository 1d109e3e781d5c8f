//! What the dynamic loader works with of one file, kept after its bytes are gone: symbols, versions, hash table, relocations
//! and the words that they change.

use std::collections::BTreeMap;

use goblin::elf::dynamic::{
    DF_1_NOW, DF_BIND_NOW, DF_SYMBOLIC, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_NEEDED,
    DT_PLTGOT, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMBOLIC, DT_SYMTAB, DT_VERSYM,
};
use goblin::elf::program_header::{PT_DYNAMIC, PT_GNU_RELRO, PT_LOAD, PT_TLS};
use goblin::elf::section_header::SHN_UNDEF;
use serde::{Deserialize, Serialize};

use super::super::view::{Elf, Segment};
use super::machine::{self, Kind};
use super::versions::{Version, versions};

/// `DT_RELR` and its size (gABI, not in goblin).
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;
/// Needed libraries kept.
const NEEDED_LIMIT: usize = 1024;
/// Bytes of tables kept of one file. libcrypto, the largest of a login, has 2 MB.
const TABLE_LIMIT: u64 = 64 << 20;
/// Addresses in `DT_RELR`.
const RELR_LIMIT: usize = 4 << 20;
/// The smallest page of any machine whose rules are known.
const PAGE: u64 = 4096;

/// One dynamic symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolEntry {
    /// Where its name begins in the string table.
    pub name: u32,
    /// `st_info`.
    pub info: u8,
    /// `st_other`.
    pub other: u8,
    /// `st_shndx`.
    pub section: u16,
    /// `st_value`.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
}

impl SymbolEntry {
    /// `STB_*`.
    #[must_use]
    pub const fn binding(&self) -> u8 {
        self.info >> 4
    }

    /// `STT_*`.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.info & 15
    }

    /// `STV_*`.
    #[must_use]
    pub const fn visibility(&self) -> u8 {
        self.other & 3
    }

    /// Whether this file does not define it.
    #[must_use]
    pub const fn is_undefined(&self) -> bool {
        self.section as u32 == SHN_UNDEF
    }
}

/// One relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Address of the place, as in the file.
    pub address: u64,
    /// `R_*`.
    pub kind: u32,
    /// Index of the symbol.
    pub symbol: u32,
    /// What is added.
    pub addend: u64,
    /// Whether it is one of the table for calls (`DT_JMPREL`).
    pub call: bool,
}

/// The hash table by which symbols are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hash {
    /// `DT_GNU_HASH`.
    Gnu {
        /// Index of the first symbol in it.
        first: u32,
        /// Shift of the second hash for the filter.
        shift: u32,
        /// The filter.
        bloom: Vec<u64>,
        /// First symbol of each bucket.
        buckets: Vec<u32>,
        /// Hashes, the lowest bit set at the end of a bucket.
        chain: Vec<u32>,
    },
    /// `DT_HASH`.
    System {
        /// First symbol of each bucket.
        buckets: Vec<u32>,
        /// The next symbol after each.
        chain: Vec<u32>,
    },
    /// Neither: ld.so finds no symbol here.
    Absent,
}

/// Words of the file that are compared with memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Address of the first, as in the file; a multiple of eight.
    pub address: u64,
    /// Their content in the file.
    pub words: Vec<u64>,
}

/// All of it. Addresses are those of the file: in a process the file's bias is added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tables {
    /// `e_machine`.
    pub machine: u16,
    /// `DT_SONAME`.
    pub soname: Option<Vec<u8>>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<Vec<u8>>,
    /// Whether it is searched first for its own symbols (`DT_SYMBOLIC`, `DF_SYMBOLIC`).
    pub symbolic: bool,
    /// Whether calls are bound before it runs (`DT_BIND_NOW`, `DF_BIND_NOW`, `DF_1_NOW`).
    pub binds_now: bool,
    /// Its `PT_LOAD` segments.
    pub loads: Vec<Segment>,
    /// Address and size of `PT_DYNAMIC`.
    pub dynamic: (u64, u64),
    /// Tags and values of the dynamic table.
    pub tags: Vec<(u64, u64)>,
    /// Whether it has thread-local storage.
    pub has_tls: bool,
    /// Dynamic symbols, with the null symbol.
    pub symbols: Vec<SymbolEntry>,
    /// Their names.
    pub names: Vec<u8>,
    /// `DT_VERSYM`; absent if symbols have no versions.
    pub version_of: Option<Vec<u16>>,
    /// The versions by index.
    pub versions: BTreeMap<u16, Version>,
    /// The hash table.
    pub hash: Hash,
    /// Relocations in the order in which the loader applies them.
    pub relocations: Vec<Entry>,
    /// The places of `DT_RELR`, to which the bias is added.
    pub relr: Vec<u64>,
    /// What is read-only after relocation, and global offset tables outside of it, by address.
    pub watched: Vec<Words>,
    /// First address and address after the last of what is read-only after relocation, as far as it fills pages.
    pub relro: Option<(u64, u64)>,
    /// `DT_PLTGOT`.
    pub plt_got: Option<u64>,
    /// What could not be read, one sentence; then nothing is said about bindings.
    pub problem: Option<String>,
}

impl Tables {
    /// Those of `elf`; `None` for a file without a dynamic table or of a machine whose rules are not known.
    #[must_use]
    pub fn read(elf: &Elf<'_>) -> Option<Self> {
        if elf.dynamic().is_empty() || !is_supported(elf) {
            return None;
        }
        let dynamic = elf.dynamic();
        let value = |tag| dynamic.value(tag);
        let flags = |tag, bits| value(tag).is_some_and(|flags| flags & bits != 0);
        let segment = elf.segments().iter().rev().find(|segment| segment.kind == PT_DYNAMIC)?;
        let mut tables = Self {
            machine: elf.machine(),
            soname: value(DT_SONAME).and_then(|at| dynamic.string(elf, at)).map(<[u8]>::to_vec),
            needed: needed(elf),
            symbolic: value(DT_SYMBOLIC).is_some() || flags(DT_FLAGS, DF_SYMBOLIC),
            binds_now: value(DT_BIND_NOW).is_some() || flags(DT_FLAGS, DF_BIND_NOW) || flags(DT_FLAGS_1, DF_1_NOW),
            loads: elf.segments().iter().filter(|segment| segment.kind == PT_LOAD).copied().collect(),
            dynamic: (segment.address, segment.memory_size),
            tags: dynamic.entries().to_vec(),
            has_tls: elf.segments().iter().any(|segment| segment.kind == PT_TLS),
            symbols: Vec::new(),
            names: Vec::new(),
            version_of: None,
            versions: versions(elf),
            hash: hash(elf).unwrap_or(Hash::Absent),
            relocations: Vec::new(),
            relr: Vec::new(),
            watched: Vec::new(),
            relro: None,
            plt_got: value(DT_PLTGOT),
            problem: None,
        };
        match tables.fill(elf) {
            Some(()) => {}
            None => tables.problem = Some("its dynamic tables cannot be read whole".to_owned()),
        }
        Some(tables)
    }

    fn fill(&mut self, elf: &Elf<'_>) -> Option<()> {
        let value = |tag| elf.dynamic().value(tag);
        if let Some(address) = value(DT_STRTAB) {
            self.names = bytes(elf, address, value(DT_STRSZ)?)?.to_vec();
        }
        if let Some(address) = value(DT_SYMTAB) {
            let table = bytes(elf, address, elf.symbol_count().checked_mul(24)?)?;
            self.symbols = table.chunks_exact(24).map(symbol).collect::<Option<_>>()?;
            let count = elf.symbol_count().checked_mul(2)?;
            self.version_of = match value(DT_VERSYM) {
                Some(address) => Some(halves(bytes(elf, address, count)?)),
                None => None,
            };
        }
        for (address, size, call) in [(DT_RELA, DT_RELASZ, false), (DT_JMPREL, DT_PLTRELSZ, true)] {
            let (Some(address), Some(size)) = (value(address), value(size)) else { continue };
            let table = bytes(elf, address, size)?;
            self.relocations.extend(table.chunks_exact(24).filter_map(|entry| relocation(entry, call)));
        }
        if let (Some(address), Some(size)) = (value(DT_RELR), value(DT_RELRSZ)) {
            self.relr = relr(&words(bytes(elf, address, size)?))?;
        }
        self.watch(elf)
    }

    /// Read-only after relocation is what `_dl_protect_relro` of glibc (elf/dl-reloc.c) protects: whole pages from the
    /// segment's beginning on. Words of the global offset table outside of it are kept one by one.
    fn watch(&mut self, elf: &Elf<'_>) -> Option<()> {
        let mut places: Vec<(u64, u64)> = Vec::new();
        if let Some(relro) = elf.segments().iter().rev().find(|segment| segment.kind == PT_GNU_RELRO) {
            let end = relro.memory_end();
            let end = end.checked_sub(end.checked_rem(PAGE)?)?;
            let start = relro.address.checked_next_multiple_of(8)?;
            self.relro = (start < end).then_some((start, end));
            places.extend(self.relro);
        }
        let table = |kind| matches!(kind, Some(Kind::GlobalData | Kind::JumpSlot));
        let slots = self.relocations.iter().filter(|entry| table(machine::kind(self.machine, entry.kind)));
        let mut single: Vec<u64> = slots.map(|entry| entry.address).collect();
        if let Some(header) = self.plt_got.filter(|_| self.relocations.iter().any(|entry| entry.call)) {
            single.extend((0..3).map(|at: u64| header.saturating_add(at.saturating_mul(8))));
        }
        single.retain(|address| {
            address % 8 == 0 && !places.iter().any(|place| place.0 <= *address && *address < place.1)
        });
        single.sort_unstable();
        single.dedup();
        for address in single {
            match places.last_mut().filter(|place| place.1 == address) {
                Some(place) => place.1 = address.checked_add(8)?,
                None => places.push((address, address.checked_add(8)?)),
            }
        }
        for (start, end) in places {
            let words = words(bytes(elf, start, end.checked_sub(start)?)?);
            self.watched.push(Words { address: start, words });
        }
        self.watched.sort_by_key(|words| words.address);
        Some(())
    }

    /// The name that begins at `at` of the string table.
    #[must_use]
    pub fn name(&self, at: u32) -> Option<&[u8]> {
        let rest = self.names.get(usize::try_from(at).ok()?..)?;
        rest.get(..rest.iter().position(|b| *b == 0)?)
    }

    /// The symbol at `index`.
    #[must_use]
    pub fn symbol(&self, index: u32) -> Option<&SymbolEntry> {
        self.symbols.get(usize::try_from(index).ok()?)
    }

    /// The version index of the symbol at `index`, with its hidden bit.
    #[must_use]
    pub fn version_index(&self, index: u32) -> Option<u16> {
        self.version_of.as_ref()?.get(usize::try_from(index).ok()?).copied()
    }

    /// The version that the symbol at `index` is to be looked up by.
    #[must_use]
    pub fn version(&self, index: u32) -> Option<&Version> {
        self.versions.get(&(self.version_index(index)? & 0x7fff))
    }

    /// Whether `address` lies in an executable segment.
    #[must_use]
    pub fn is_code(&self, address: u64) -> bool {
        self.loads.iter().any(|load| load.is_code() && load.holds(address))
    }

    /// Whether `address` lies in any segment.
    #[must_use]
    pub fn holds(&self, address: u64) -> bool {
        self.loads.iter().any(|load| load.holds(address))
    }
}

fn is_supported(elf: &Elf<'_>) -> bool {
    elf.raw().is_wide() && !elf.raw().is_big_endian() && machine::is_known(elf.machine())
}

fn needed(elf: &Elf<'_>) -> Vec<Vec<u8>> {
    let names = elf.dynamic().values(DT_NEEDED).take(NEEDED_LIMIT);
    names.filter_map(|at| elf.dynamic().string(elf, at)).map(<[u8]>::to_vec).collect()
}

/// `size` bytes of the file at `address`, all in one segment.
fn bytes<'a>(elf: &Elf<'a>, address: u64, size: u64) -> Option<&'a [u8]> {
    if size == 0 {
        return Some(&[]);
    }
    let (at, left) = elf.file_offset(address)?;
    (size <= left && size <= TABLE_LIMIT).then(|| elf.raw().slice(at, size))?
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?))).collect()
}

fn short_words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).filter_map(|word| Some(u32::from_le_bytes(word.try_into().ok()?))).collect()
}

fn halves(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).filter_map(|half| Some(u16::from_le_bytes(half.try_into().ok()?))).collect()
}

/// `Elf64_Sym` of elf(5).
fn symbol(bytes: &[u8]) -> Option<SymbolEntry> {
    Some(SymbolEntry {
        name: u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?),
        info: *bytes.get(4)?,
        other: *bytes.get(5)?,
        section: u16::from_le_bytes(bytes.get(6..8)?.try_into().ok()?),
        value: u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?),
        size: u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?),
    })
}

/// `Elf64_Rela` of elf(5).
fn relocation(bytes: &[u8], call: bool) -> Option<Entry> {
    let info = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    Some(Entry {
        address: u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?),
        kind: u32::try_from(info & 0xffff_ffff).ok()?,
        symbol: u32::try_from(info >> 32).ok()?,
        addend: u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?),
        call,
    })
}

/// The places that `DT_RELR` names (gABI, "Relative relocation section"): an even word is an address, an odd one says by its
/// bits which of the 63 words after the last place are further ones.
fn relr(table: &[u64]) -> Option<Vec<u64>> {
    let mut places = Vec::new();
    let mut next = 0_u64;
    for entry in table {
        if entry & 1 == 0 {
            places.push(*entry);
            next = entry.checked_add(8)?;
        } else {
            let set = (0..63_u64).filter(|bit| entry >> bit.saturating_add(1) & 1 != 0);
            for bit in set {
                places.push(next.checked_add(bit.checked_mul(8)?)?);
            }
            next = next.checked_add(63 * 8)?;
        }
        if places.len() > RELR_LIMIT {
            return None;
        }
    }
    Some(places)
}

fn hash(elf: &Elf<'_>) -> Option<Hash> {
    if let Some(address) = elf.dynamic().value(DT_GNU_HASH) {
        let header = short_words(bytes(elf, address, 16)?);
        let [buckets, first, words_of_filter, shift] = header.try_into().ok()?;
        let bloom_at = address.checked_add(16)?;
        let bloom_size = u64::from(words_of_filter).checked_mul(8)?;
        let buckets_at = bloom_at.checked_add(bloom_size)?;
        let chain_at = buckets_at.checked_add(u64::from(buckets).checked_mul(4)?)?;
        let hashed = elf.symbol_count().saturating_sub(first.into());
        return Some(Hash::Gnu {
            first,
            shift,
            bloom: words(bytes(elf, bloom_at, bloom_size)?),
            buckets: short_words(bytes(elf, buckets_at, u64::from(buckets).checked_mul(4)?)?),
            chain: short_words(available(elf, chain_at, hashed.checked_mul(4)?)),
        });
    }
    let address = elf.dynamic().value(DT_HASH)?;
    let header = short_words(bytes(elf, address, 8)?);
    let [buckets, chain] = header.try_into().ok()?;
    let buckets_at = address.checked_add(8)?;
    let chain_at = buckets_at.checked_add(u64::from(buckets).checked_mul(4)?)?;
    Some(Hash::System {
        buckets: short_words(bytes(elf, buckets_at, u64::from(buckets).checked_mul(4)?)?),
        chain: short_words(bytes(elf, chain_at, u64::from(chain).checked_mul(4)?)?),
    })
}

/// As much of `size` bytes at `address` as there is: undefined symbols at the end of the table are in no chain.
fn available<'a>(elf: &Elf<'a>, address: u64, size: u64) -> &'a [u8] {
    let (at, left) = elf.file_offset(address).unwrap_or_default();
    elf.raw().slice(at, size.min(left).min(TABLE_LIMIT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relr_names_places() {
        let check =
            |table: &[u64], expected: Option<&[u64]>| assert_eq!(relr(table).as_deref(), expected, "{table:x?}");
        check(&[], Some(&[]));
        check(&[0x1000], Some(&[0x1000]));
        // The word after the address is the first bit above the lowest.
        check(&[0x1000, 0b1011], Some(&[0x1000, 0x1008, 0x1018]));
        check(&[0x1000, 1, 0b11], Some(&[0x1000, 0x1008 + 63 * 8]));
        check(&[0x1000, 0x2000, 0b101], Some(&[0x1000, 0x2000, 0x2010]));
        check(&[0x1000, 1 << 63 | 1], Some(&[0x1000, 0x1008 + 62 * 8]));
        check(&[u64::MAX - 1], None);
    }
}
