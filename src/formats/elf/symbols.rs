//! The dynamic symbols: what a file takes from others and what it offers.

use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ};
use goblin::elf::dynamic::{DT_RELSZ, DT_STRTAB, DT_SYMTAB, DT_VERSYM};
use goblin::elf::header::{EM_FAKE_ALPHA, EM_S390};
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::{STB_LOCAL, st_bind, st_type};

use super::view::Elf;

/// Bytes of names read from one table, beyond four times the file's size: names may share bytes, but a table of
/// a million symbols that all point to one endless name is an attack.
const NAME_BUDGET: u64 = 1 << 20;

/// Symbols of one file that are kept once they were read, 48 bytes each. `libcrypto` has some 5,500; of larger tables each is
/// read anew when it is asked for.
const KEPT_LIMIT: u64 = 1 << 15;

/// Longest symbol name; C++ names of some thousand bytes are common, of 64 KiB unheard of.
const NAME_LIMIT: u64 = 1 << 16;

/// One entry of the dynamic symbol table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Position in the table.
    pub index: u64,
    /// Its name, as bytes; symbol names are not necessarily UTF-8.
    pub name: &'a [u8],
    /// `STB_*`.
    pub binding: u8,
    /// `STT_*`.
    pub kind: u8,
    /// `st_shndx`.
    pub section: u16,
    /// `st_value`.
    pub value: u64,
}

impl Symbol<'_> {
    /// Defined here and visible to others.
    #[must_use]
    pub fn is_export(&self) -> bool {
        u32::from(self.section) != SHN_UNDEF && self.binding != STB_LOCAL && !self.name.is_empty()
    }

    /// Taken from another file.
    #[must_use]
    pub fn is_import(&self) -> bool {
        u32::from(self.section) == SHN_UNDEF && self.binding != STB_LOCAL && !self.name.is_empty()
    }
}

/// A relocation of the dynamic tables (`DT_RELA`, `DT_REL`, `DT_JMPREL`); `DT_RELR` is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// `r_offset`, an address.
    pub address: u64,
    /// Index of its symbol, 0 for none.
    pub symbol: u64,
    /// `r_addend`; absent where it stands at the address itself (`REL`).
    pub addend: Option<u64>,
}

/// Where the dynamic symbols and their names lie in the file, looked up once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SymbolTable {
    at: u64,
    count: u64,
    names_at: u64,
    names_left: u64,
    versions: Option<(u64, u64)>,
}

impl SymbolTable {
    pub(super) fn locate(elf: &Elf<'_>) -> Self {
        let place = |tag| elf.dynamic.value(tag).and_then(|address| elf.file_offset(address));
        let (at, left) = place(DT_SYMTAB).unwrap_or_default();
        let (names_at, names_left) = place(DT_STRTAB).unwrap_or_default();
        let bound = left.checked_div(elf.symbol_size()).unwrap_or(0);
        Self { at, count: elf.count_symbols().min(bound), names_at, names_left, versions: place(DT_VERSYM) }
    }
}

impl<'a> Elf<'a> {
    /// The dynamic symbols, in order, without the null symbol. Symbols whose name cannot be read are left out.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'a>> + '_ {
        // Several rules ask for all of them; reading a name is the dearer part.
        let kept = self.symbols.count <= KEPT_LIMIT;
        let first = kept.then(|| self.first_symbols.get_or_init(|| self.read_symbols().collect()));
        let read = (!kept).then(|| self.read_symbols());
        first.into_iter().flatten().copied().chain(read.into_iter().flatten())
    }

    fn read_symbols(&self) -> impl Iterator<Item = Symbol<'a>> + '_ {
        let mut budget = self.raw().len().saturating_mul(4).saturating_add(NAME_BUDGET);
        (1..self.symbols.count)
            .map_while(move |index| {
                let symbol = self.symbol(index);
                let name = symbol.map_or(NAME_LIMIT, |symbol| u64::try_from(symbol.name.len()).unwrap_or(u64::MAX));
                budget = budget.checked_sub(name)?;
                Some(symbol)
            })
            .flatten()
    }

    /// The symbol at `index` of the dynamic symbol table.
    #[must_use]
    pub fn symbol(&self, index: u64) -> Option<Symbol<'a>> {
        let raw = self.raw();
        let table = &self.symbols;
        if index >= table.count {
            return None;
        }
        let at = table.at.checked_add(index.checked_mul(self.symbol_size())?)?;
        // elf(5), Elf64_Sym and Elf32_Sym: the same members in different order.
        let (value, info, section) = if raw.is_wide() { (8, 4, 6) } else { (4, 12, 14) };
        let info = *raw.slice(at.checked_add(info)?, 1)?.first()?;
        let name = u64::from(raw.u32(at)?);
        let limit = table.names_left.checked_sub(name)?.min(NAME_LIMIT);
        Some(Symbol {
            index,
            name: raw.c_string(table.names_at.checked_add(name)?, limit)?,
            binding: st_bind(info),
            kind: st_type(info),
            section: raw.u16(at.checked_add(section)?)?,
            value: raw.word(at.checked_add(value)?)?,
        })
    }

    /// How many dynamic symbols there are, the null symbol counted.
    #[must_use]
    pub const fn symbol_count(&self) -> u64 {
        self.symbols.count
    }

    /// Names taken from other files.
    pub fn imports(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.symbols().filter(Symbol::is_import).map(|symbol| symbol.name)
    }

    /// Names offered to other files.
    pub fn exports(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.symbols().filter(Symbol::is_export).map(|symbol| symbol.name)
    }

    /// The version index of the symbol at `index` (`DT_VERSYM`), without the hidden bit.
    #[must_use]
    pub fn version_index(&self, index: u64) -> Option<u16> {
        let (table, left) = self.symbols.versions?;
        let delta = index.checked_mul(2)?;
        left.checked_sub(delta.checked_add(2)?)?;
        Some(self.raw().u16(table.checked_add(delta)?)? & 0x7fff)
    }

    /// The relocations of the dynamic tables, those of the procedure linkage table last.
    pub fn relocations(&self) -> impl Iterator<Item = Relocation> + '_ {
        let value = |tag| self.dynamic.value(tag).unwrap_or(0);
        [
            (value(DT_RELA), value(DT_RELASZ), true),
            (value(DT_REL), value(DT_RELSZ), false),
            (value(DT_JMPREL), value(DT_PLTRELSZ), value(DT_PLTREL) == DT_RELA),
        ]
        .into_iter()
        .flat_map(move |(address, size, with_addend)| self.relocation_table(address, size, with_addend))
    }

    fn relocation_table(
        &self,
        address: u64,
        size: u64,
        with_addend: bool,
    ) -> impl Iterator<Item = Relocation> + use<'_, 'a> {
        let raw = self.raw();
        let word = raw.word_size();
        let entry = word.saturating_mul(if with_addend { 3 } else { 2 });
        let (start, left) = if size == 0 { (0, 0) } else { self.file_offset(address).unwrap_or((0, 0)) };
        let count = size.min(left).checked_div(entry).unwrap_or(0);
        (0..count).map_while(move |index| {
            let at = start.checked_add(index.checked_mul(entry)?)?;
            let info = raw.word(at.checked_add(word)?)?;
            Some(Relocation {
                address: raw.word(at)?,
                symbol: if raw.is_wide() { info >> 32 } else { info >> 8 },
                addend: if with_addend { Some(raw.word(at.checked_add(word.checked_mul(2)?)?)?) } else { None },
            })
        })
    }

    /// Bytes of one dynamic symbol.
    pub(super) const fn symbol_size(&self) -> u64 {
        if self.raw().is_wide() { 24 } else { 16 }
    }

    /// No table says how many symbols there are: the hash table ends with the last symbol that is offered, relocations
    /// use those that are taken, the section header is a hint that anybody can change. The greatest of the three.
    fn count_symbols(&self) -> u64 {
        let by_section = self
            .section(b".dynsym")
            .filter(|section| Some(section.address) == self.dynamic.value(DT_SYMTAB))
            .map_or(0, |section| section.size.checked_div(self.symbol_size()).unwrap_or(0));
        let by_use = self.relocations().map(|relocation| relocation.symbol.saturating_add(1)).max().unwrap_or(0);
        let by_hash = self.count_by_gnu_hash().or_else(|| self.count_by_hash()).unwrap_or(0);
        by_section.max(by_use).max(by_hash)
    }

    /// `DT_HASH`: `nbucket`, `nchain`, both words of 64 bits on s390x and alpha; `nchain` is the number of symbols.
    fn count_by_hash(&self) -> Option<u64> {
        let (at, _) = self.file_offset(self.dynamic.value(DT_HASH)?)?;
        let raw = self.raw();
        if raw.is_wide() && matches!(self.machine(), EM_FAKE_ALPHA | EM_S390) {
            return raw.u64(at.checked_add(8)?);
        }
        raw.u32(at.checked_add(4)?).map(u64::from)
    }

    fn count_by_gnu_hash(&self) -> Option<u64> {
        let hash = self.gnu_hash()?;
        let last = (0..hash.buckets).filter_map(|bucket| hash.bucket(self, bucket)).max()?;
        if last < hash.first {
            return Some(hash.first);
        }
        (last..).find_map(|index| match hash.chain(self, index) {
            None => Some(index),
            Some(value) if value & 1 != 0 => index.checked_add(1),
            Some(_) => None,
        })
    }

    /// The header of `DT_GNU_HASH`, if all of its tables lie in the file.
    pub(super) fn gnu_hash(&self) -> Option<GnuHash> {
        let (at, left) = self.file_offset(self.dynamic.value(DT_GNU_HASH)?)?;
        let raw = self.raw();
        let buckets = u64::from(raw.u32(at)?);
        let bloom = u64::from(raw.u32(at.checked_add(8)?)?).checked_mul(raw.word_size())?;
        let buckets_at = at.checked_add(16)?.checked_add(bloom)?;
        let chains_at = buckets_at.checked_add(buckets.checked_mul(4)?)?;
        let end = at.checked_add(left)?;
        (chains_at <= end).then_some(GnuHash {
            buckets,
            first: u64::from(raw.u32(at.checked_add(4)?)?),
            buckets_at,
            chains_at,
            end,
        })
    }
}

/// Where the parts of `DT_GNU_HASH` lie in the file (glibc, elf/dl-lookup.c, `_dl_setup_hash`).
#[derive(Clone, Copy, Debug)]
pub(super) struct GnuHash {
    buckets: u64,
    /// Index of the first symbol that is hashed.
    pub(super) first: u64,
    buckets_at: u64,
    chains_at: u64,
    end: u64,
}

impl GnuHash {
    fn bucket(&self, elf: &Elf<'_>, index: u64) -> Option<u64> {
        elf.raw().u32(self.buckets_at.checked_add(index.checked_mul(4)?)?).map(u64::from)
    }

    /// The chain word of the symbol at `index`: its hash with the lowest bit saying that the chain ends here.
    pub(super) fn chain(&self, elf: &Elf<'_>, index: u64) -> Option<u32> {
        let at = self.chains_at.checked_add(index.checked_sub(self.first)?.checked_mul(4)?)?;
        if at.checked_add(4)? > self.end {
            return None;
        }
        elf.raw().u32(at)
    }
}

/// The hash function of `DT_GNU_HASH` (glibc, sysdeps/generic/dl-new-hash.h).
pub(super) fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
}
