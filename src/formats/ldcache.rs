//! The cache of ld.so(8), `/etc/ld.so.cache`: library name → path, as ldconfig(8) last saw it.
//!
//! The format is glibc's sysdeps/generic/dl-cache.h: `glibc-ld.so.cache1.1`, alone or behind an old
//! `ld.so-1.7.0` table (glibc before 2.32). Numbers are in the byte order of the machine; `flags` says which, in caches of
//! glibc 2.33 and later. Names are found as elf/dl-cache.c finds them, by binary search.

use std::cmp::Ordering;

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER_SIZE: usize = 48;
const ENTRY_SIZE: usize = 24;
const OLD_HEADER_SIZE: usize = 16;
const OLD_ENTRY_SIZE: usize = 12;
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
/// `cache_extension_tag_glibc_hwcaps`.
const TAG_HWCAPS: u32 = 1;
/// Upper half of `hwcap` in entries of a `glibc-hwcaps` subdirectory; ten bits below it hold the ISA level.
const HWCAP_EXTENSION: u32 = 1 << 30;
const ISA_LEVEL_MASK: u32 = (1 << 10) - 1;
/// Extension sections read at most; there are two.
const EXTENSION_LIMIT: usize = 64;

/// A cache file, borrowed.
#[derive(Clone, Debug)]
pub struct LdCache<'a> {
    /// From the magic of the new table on: offsets of strings count from there.
    bytes: &'a [u8],
    big_endian: bool,
    count: usize,
    hwcaps: Vec<&'a [u8]>,
}

/// One library in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Kind of library and machine (`FLAG_*` of sysdeps/generic/ldconfig.h).
    pub flags: u32,
    /// Its name, as `DT_NEEDED` asks for it.
    pub name: &'a [u8],
    /// Its path.
    pub path: &'a [u8],
    /// Which processors it is for.
    pub variant: Variant<'a>,
}

/// Which processors an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant<'a> {
    /// All.
    Base,
    /// Those of a `glibc-hwcaps` subdirectory: `x86-64-v3`.
    Subdirectory(&'a [u8]),
    /// Those with these capability bits (glibc before 2.37).
    Bits(u64),
}

/// Why a cache cannot be used; ld.so ignores such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheProblem {
    /// Neither magic number.
    NotACache,
    /// Only the table of glibc before 2.2.
    OldOnly,
    /// Its counts exceed its size.
    CutOff,
}

impl std::fmt::Display for CacheProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotACache => "is no cache of ld.so",
            Self::OldOnly => "holds only the table of glibc before 2.2",
            Self::CutOff => "is cut off",
        })
    }
}

impl<'a> LdCache<'a> {
    /// Reads the header of `bytes`, a whole file. `big_endian`: the machine's order, used where the file does not say.
    ///
    /// # Errors
    /// As [`CacheProblem`] says.
    pub fn parse(bytes: &'a [u8], big_endian: bool) -> Result<Self, CacheProblem> {
        let bytes = new_table(bytes, big_endian)?;
        // `cache_file_new_flags_endian_*`: 0 not said, 2 little, 3 big.
        let big_endian = match bytes.get(28).map(|flags| flags & 3) {
            Some(2) => false,
            Some(3) => true,
            _ => big_endian,
        };
        let mut cache = Self { bytes, big_endian, count: 0, hwcaps: Vec::new() };
        let count = cache.number(20).ok_or(CacheProblem::CutOff)?;
        cache.count = count.try_into().map_err(|_| CacheProblem::CutOff)?;
        let table = cache.count.checked_mul(ENTRY_SIZE).and_then(|size| size.checked_add(HEADER_SIZE));
        if table.is_none_or(|end| end > bytes.len()) {
            return Err(CacheProblem::CutOff);
        }
        cache.hwcaps = cache.read_hwcaps().unwrap_or_default();
        Ok(cache)
    }

    /// How many entries it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All entries in file order; those with unreadable strings are left out.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> + '_ {
        (0..self.count).filter_map(|index| self.entry(index))
    }

    /// What ld.so would choose from for `name` on a machine whose libraries have one of `flags`: the variants for certain
    /// processors, then the one for all, in file order; nothing after that one (elf/dl-cache.c, `search_cache`).
    #[must_use]
    pub fn lookup(&self, name: &[u8], flags: &[u32]) -> Vec<Entry<'a>> {
        let mut found = Vec::new();
        for entry in self.equal_entries(name) {
            if !flags.contains(&entry.flags) {
                continue;
            }
            found.push(entry);
            if entry.variant == Variant::Base {
                break;
            }
        }
        found
    }

    /// The entries named `name`, from the first of the run that binary search meets.
    fn equal_entries(&self, name: &[u8]) -> impl Iterator<Item = Entry<'a>> + '_ {
        let (mut left, mut right) = (0_usize, self.count);
        let mut hit = None;
        while left < right {
            // As glibc halves: between the first and the last candidate.
            let middle = left.midpoint(right.saturating_sub(1));
            let Some(entry) = self.entry(middle) else { break };
            match compare_names(name, entry.name) {
                Ordering::Equal => {
                    hit = Some(middle);
                    break;
                }
                // The table is sorted in descending order.
                Ordering::Less => left = middle.saturating_add(1),
                Ordering::Greater => right = middle,
            }
        }
        let same = move |cache: &Self, index: usize, name: &[u8]| {
            cache.entry(index).filter(|entry| compare_names(name, entry.name) == Ordering::Equal)
        };
        let mut first = hit.unwrap_or(self.count);
        while let Some(before) = first.checked_sub(1).filter(|_| hit.is_some()) {
            if same(self, before, name).is_none() {
                break;
            }
            first = before;
        }
        let name = name.to_vec();
        (first..self.count).map_while(move |index| same(self, index, &name))
    }

    fn entry(&self, index: usize) -> Option<Entry<'a>> {
        let at = index.checked_mul(ENTRY_SIZE)?.checked_add(HEADER_SIZE)?;
        let (first, second) = (self.number(at.checked_add(16)?)?, self.number(at.checked_add(20)?)?);
        let (high, low) = if self.big_endian { (first, second) } else { (second, first) };
        let variant = if high & !ISA_LEVEL_MASK == HWCAP_EXTENSION {
            let index = usize::try_from(low).ok()?;
            Variant::Subdirectory(self.hwcaps.get(index).copied().unwrap_or_default())
        } else if (high, low) == (0, 0) {
            Variant::Base
        } else {
            Variant::Bits(u64::from(high) << 32 | u64::from(low))
        };
        Some(Entry {
            flags: self.number(at)?,
            name: self.string(self.number(at.checked_add(4)?)?)?,
            path: self.string(self.number(at.checked_add(8)?)?)?,
            variant,
        })
    }

    fn read_hwcaps(&self) -> Option<Vec<&'a [u8]>> {
        let extension = usize::try_from(self.number(32)?).ok().filter(|offset| *offset != 0)?;
        if self.number(extension)? != EXTENSION_MAGIC {
            return None;
        }
        let count = usize::try_from(self.number(extension.checked_add(4)?)?).ok()?.min(EXTENSION_LIMIT);
        for index in 0..count {
            let section = extension.checked_add(8)?.checked_add(index.checked_mul(16)?)?;
            if self.number(section)? != TAG_HWCAPS {
                continue;
            }
            let offset = usize::try_from(self.number(section.checked_add(8)?)?).ok()?;
            let size = usize::try_from(self.number(section.checked_add(12)?)?).ok()?;
            let end = offset.checked_add(size).filter(|end| *end <= self.bytes.len())?;
            return (offset..end).step_by(4).map(|at| self.string(self.number(at)?)).collect();
        }
        None
    }

    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn string(&self, at: u32) -> Option<&'a [u8]> {
        let rest = self.bytes.get(usize::try_from(at).ok()?..)?;
        // A name cannot be longer than a path (PATH_MAX).
        let rest = rest.get(..rest.len().min(4096))?;
        rest.get(..rest.iter().position(|byte| *byte == 0)?)
    }
}

/// The new table of a file that may begin with the old one.
fn new_table(bytes: &[u8], big_endian: bool) -> Result<&[u8], CacheProblem> {
    if bytes.starts_with(MAGIC) {
        return Ok(bytes);
    }
    if !bytes.starts_with(OLD_MAGIC) {
        return Err(CacheProblem::NotACache);
    }
    let count = bytes.get(12..OLD_HEADER_SIZE).and_then(|count| count.try_into().ok());
    let count = count.map(|count| if big_endian { u32::from_be_bytes(count) } else { u32::from_le_bytes(count) });
    let end = count
        .and_then(|count| usize::try_from(count).ok())
        .and_then(|count| count.checked_mul(OLD_ENTRY_SIZE)?.checked_add(OLD_HEADER_SIZE)?.checked_next_multiple_of(8))
        .ok_or(CacheProblem::CutOff)?;
    bytes.get(end..).filter(|rest| rest.starts_with(MAGIC)).ok_or(CacheProblem::OldOnly)
}

/// The order of the table: runs of digits compare as numbers, and a digit follows everything else (elf/dl-cache.c,
/// `_dl_cache_libcmp`).
fn compare_names(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        match (a, b) {
            ([], _) | (_, []) => return a.len().min(1).cmp(&b.len().min(1)),
            ([x, ..], [y, ..]) => match (x.is_ascii_digit(), y.is_ascii_digit()) {
                (true, true) => {
                    let (first, rest_of_a) = leading_number(a);
                    let (second, rest_of_b) = leading_number(b);
                    match first.cmp(&second) {
                        Ordering::Equal => (a, b) = (rest_of_a, rest_of_b),
                        unequal => return unequal,
                    }
                }
                (true, false) => return Ordering::Greater,
                (false, true) => return Ordering::Less,
                (false, false) => match x.cmp(y) {
                    Ordering::Equal => (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default()),
                    unequal => return unequal,
                },
            },
        }
    }
}

fn leading_number(text: &[u8]) -> (u64, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let value = digits
        .iter()
        .fold(0_u64, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit.saturating_sub(b'0'))));
    (value, rest)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "the test builds small files")]
mod tests {
    use super::*;

    /// A cache in the given byte order; entries are (flags, name, path, upper half of hwcap, lower half).
    fn build(entries: &[(u32, &str, &str, u32, u32)], hwcaps: &[&str], big: bool, flags: u8) -> Vec<u8> {
        let put = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let extension = HEADER_SIZE + ENTRY_SIZE * entries.len();
        let list = extension + 8 + 16;
        let mut strings = Vec::new();
        let base = list + 4 * hwcaps.len();
        let mut string = |text: &str| {
            let at = base + strings.len();
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            put(u32::try_from(at).unwrap())
        };
        let mut out = MAGIC.to_vec();
        out.extend(put(u32::try_from(entries.len()).unwrap()));
        out.extend(put(0));
        out.extend([flags, 0, 0, 0]);
        out.extend(put(u32::try_from(extension).unwrap()));
        out.extend([0; 12]);
        for (flags, name, path, high, low) in entries {
            out.extend(put(*flags));
            out.extend(string(name));
            out.extend(string(path));
            out.extend(put(0));
            let (first, second) = if big { (*high, *low) } else { (*low, *high) };
            out.extend(put(first));
            out.extend(put(second));
        }
        for number in [EXTENSION_MAGIC, 1, TAG_HWCAPS, 0, list as u32, 4 * hwcaps.len() as u32] {
            out.extend(put(number));
        }
        for name in hwcaps {
            out.extend(string(name));
        }
        out.extend(strings);
        out
    }

    const ENTRIES: &[(u32, &str, &str, u32, u32)] = &[
        (0x303, "libz.so.1", "/lib/libz.so.1", 0, 0),
        (0x303, "libc.so.6", "/lib/glibc-hwcaps/x86-64-v3/libc.so.6", HWCAP_EXTENSION | 4, 1),
        (3, "libc.so.6", "/lib32/libc.so.6", 0, 0),
        (0x303, "libc.so.6", "/lib/libc.so.6", 0, 0),
        (0x303, "libc.so.6", "/usr/local/lib/libc.so.6", 0, 0),
        (0x303, "liba.so.10", "/lib/liba.so.10", 0, 0),
        (0x303, "liba.so.9", "/lib/liba.so.9", 0, 0),
    ];

    fn check(bytes: &[u8], big: bool) {
        let cache = LdCache::parse(bytes, big).unwrap();
        let paths = |name: &str, flags: &[u32]| -> Vec<String> {
            cache.lookup(name.as_bytes(), flags).iter().map(|e| String::from_utf8_lossy(e.path).into_owned()).collect()
        };
        assert_eq!(paths("libc.so.6", &[0x303]), ["/lib/glibc-hwcaps/x86-64-v3/libc.so.6", "/lib/libc.so.6"]);
        assert_eq!(paths("libc.so.6", &[3]), ["/lib32/libc.so.6"]);
        assert_eq!(paths("liba.so.10", &[0x303]), ["/lib/liba.so.10"]);
        assert_eq!(paths("liba.so.9", &[0x303]), ["/lib/liba.so.9"]);
        assert_eq!(paths("libz.so.1", &[0x303]), ["/lib/libz.so.1"]);
        assert!(paths("libb.so.1", &[0x303]).is_empty());
        let first = cache.lookup(b"libc.so.6", &[0x303])[0];
        assert_eq!(first.variant, Variant::Subdirectory(b"x86-64-v3"));
    }

    #[test]
    fn both_byte_orders_and_behind_an_old_table() {
        let hwcaps = ["x86-64-v2", "x86-64-v3"];
        check(&build(ENTRIES, &hwcaps, false, 2), false);
        check(&build(ENTRIES, &hwcaps, false, 2), true);
        check(&build(ENTRIES, &hwcaps, true, 3), false);
        check(&build(ENTRIES, &hwcaps, true, 0), true);
        let mut old = OLD_MAGIC.to_vec();
        old.extend([0, 1, 0, 0, 0]);
        old.extend([0; 12 + 4]);
        old.extend(build(ENTRIES, &hwcaps, false, 0));
        check(&old, false);
    }

    #[test]
    fn damage_is_no_panic() {
        let whole = build(ENTRIES, &["x86-64-v2", "x86-64-v3"], false, 2);
        for len in 0..whole.len() {
            if let Ok(cache) = LdCache::parse(&whole[..len], false) {
                let _ = (cache.lookup(b"libc.so.6", &[0x303]), cache.entries().count());
            }
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if let Ok(cache) = LdCache::parse(&bytes, false) {
                    let _ = (cache.lookup(b"libc.so.6", &[0x303]), cache.entries().count());
                }
            }
        }
        assert_eq!(LdCache::parse(b"", false).unwrap_err(), CacheProblem::NotACache);
        assert_eq!(LdCache::parse(b"ld.so-1.7.0\0\0\0\0\0", false).unwrap_err(), CacheProblem::OldOnly);
        assert_eq!(LdCache::parse(MAGIC, false).unwrap_err(), CacheProblem::CutOff);
    }

    #[test]
    fn names_in_the_order_of_the_cache() {
        let check = |a: &str, b: &str, order| assert_eq!(compare_names(a.as_bytes(), b.as_bytes()), order, "{a} {b}");
        check("liba.so.9", "liba.so.10", Ordering::Less);
        check("liba.so", "liba.so.1", Ordering::Less);
        check("liba1.so", "liba.so", Ordering::Greater);
        check("liba.so.1", "liba.so.1", Ordering::Equal);
        check("libb.so.1", "liba.so.1", Ordering::Greater);
    }
}
