//! Looks a symbol up as ld.so does: first definition in scope, by name and version (glibc 2.36 elf/dl-lookup.c, `do_lookup_x` and
//! `check_match`).

use goblin::elf::section_header::SHN_ABS;

use super::super::symbols::gnu_hash;
use super::tables::{Hash, SymbolEntry, Tables};
use super::versions::Version;

/// `STT_NOTYPE`, `STT_OBJECT`, `STT_FUNC`, `STT_COMMON`, `STT_TLS`, `STT_GNU_IFUNC`: others are never found.
const KINDS: u32 = 1 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 10;
/// `STT_TLS`.
const TLS: u8 = 6;
/// `STB_GLOBAL`, `STB_WEAK`, `STB_GNU_UNIQUE`: a weak definition is as good as any (`LD_DYNAMIC_WEAK` of ld.so(8) aside).
const BINDINGS: [u8; 3] = [1, 2, 10];

/// What is looked up.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its version; `None` for the default one.
    pub version: Option<&'a Version>,
    /// Whether an undefined symbol with a value is no definition (see [`super::machine::Kind::skips_undefined`]).
    pub skips_undefined: bool,
    any_version: bool,
    gnu: u32,
    system: u32,
}

impl<'a> Wanted<'a> {
    /// A symbol to look up.
    #[must_use]
    pub fn new(name: &'a [u8], version: Option<&'a Version>, skips_undefined: bool) -> Self {
        Self { name, version, skips_undefined, any_version: false, gnu: gnu_hash(name), system: system_hash(name) }
    }

    /// The same, and a definition of any version will do: for symbols that exist once in a process (`STB_GNU_UNIQUE`).
    #[must_use]
    pub const fn of_any_version(self) -> Self {
        Self { any_version: true, ..self }
    }
}

/// How many entries of hash chains may still be looked at: a file with one endless chain costs that much and no more.
#[derive(Debug)]
pub struct Budget(u64);

impl Budget {
    /// So many.
    #[must_use]
    pub const fn new(entries: u64) -> Self {
        Self(entries)
    }

    /// Whether it is used up, so that some look-up did not end.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.0 == 0
    }

    const fn spend(&mut self) -> Option<()> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Some(())
            }
            None => None,
        }
    }
}

/// The definition that `tables` offers, by its index.
#[must_use]
pub fn find(tables: &Tables, wanted: &Wanted<'_>, budget: &mut Budget) -> Option<u32> {
    let mut versioned = None;
    let mut seen = 0_u32;
    let found = match &tables.hash {
        Hash::Gnu { first, shift, bloom, buckets, chain } => {
            let hash = wanted.gnu;
            let count = u64::try_from(bloom.len()).ok()?;
            let word = bloom.get(usize::try_from(u64::from(hash >> 6).checked_rem(count)?).ok()?)?;
            let second = hash.checked_shr(*shift).unwrap_or(0);
            if word >> (hash & 63) & word >> (second & 63) & 1 == 0 {
                return None;
            }
            let bucket = hash.checked_rem(u32::try_from(buckets.len()).ok()?)?;
            let mut index = *buckets.get(usize::try_from(bucket).ok()?)?;
            if index == 0 {
                return None;
            }
            loop {
                budget.spend()?;
                let entry = *chain.get(usize::try_from(index.checked_sub(*first)?).ok()?)?;
                if (entry ^ hash) >> 1 == 0 && matches(tables, index, wanted, &mut versioned, &mut seen) {
                    break Some(index);
                }
                if entry & 1 != 0 {
                    break None;
                }
                index = index.checked_add(1)?;
            }
        }
        Hash::System { buckets, chain } => {
            let bucket = wanted.system.checked_rem(u32::try_from(buckets.len()).ok()?)?;
            let mut index = *buckets.get(usize::try_from(bucket).ok()?)?;
            loop {
                if index == 0 {
                    break None;
                }
                budget.spend()?;
                if matches(tables, index, wanted, &mut versioned, &mut seen) {
                    break Some(index);
                }
                index = *chain.get(usize::try_from(index).ok()?)?;
            }
        }
        Hash::Absent => None,
    };
    // Asked for without a version, the only definition is taken even if it has one that is not the default.
    let found = found.or(versioned.filter(|_| seen == 1))?;
    tables.symbol(found).is_some_and(|symbol| BINDINGS.contains(&symbol.binding())).then_some(found)
}

fn matches(tables: &Tables, index: u32, wanted: &Wanted<'_>, versioned: &mut Option<u32>, seen: &mut u32) -> bool {
    let Some(symbol) = tables.symbol(index) else { return false };
    if !is_definition(symbol, wanted) || tables.name(symbol.name) != Some(wanted.name) {
        return false;
    }
    let own = tables.version_index(index);
    match (wanted.version, own) {
        (_, None) => true,
        _ if wanted.any_version => true,
        (Some(version), Some(own)) => {
            let offered = tables.versions.get(&(own & 0x7fff));
            offered.is_some_and(|offered| offered.name == version.name)
                || !(version.hidden || offered.is_some() || own & 0x8000 != 0)
        }
        (None, Some(own)) => {
            if own & 0x7fff < 3 {
                return true;
            }
            if own & 0x8000 == 0 {
                if *seen == 0 {
                    *versioned = Some(index);
                }
                *seen = seen.saturating_add(1);
            }
            false
        }
    }
}

fn is_definition(symbol: &SymbolEntry, wanted: &Wanted<'_>) -> bool {
    let has_value = symbol.value != 0 || u32::from(symbol.section) == SHN_ABS || symbol.kind() == TLS;
    has_value && !(wanted.skips_undefined && symbol.is_undefined()) && KINDS >> symbol.kind() & 1 != 0
}

/// The hash function of `DT_HASH` (System V ABI, chapter 5).
fn system_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(*byte));
        (hash ^ (hash & 0xf000_0000) >> 24) & 0x0fff_ffff
    })
}
