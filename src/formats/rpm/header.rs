//! The header of an installed package as the database holds it: an index, a store of data, and within both the immutable
//! region that the vendor signed.
//!
//! Layout, big-endian: number of index entries, bytes of data, the entries of 16 bytes (tag, type, offset, count), the
//! data. The first entry is the region's: it points at a trailer in the data that says how many entries belong to the
//! region. What comes after both was added at installation ("dribbles"), signatures among it, and is not signed itself.

use std::collections::BTreeMap;

use super::tag;

/// What precedes the index in the bytes that are signed: the header's magic and four reserved bytes.
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/// Index entries allowed (`hdrchkTags` of rpm's lib/header_internal.hh).
const MAX_ENTRIES: usize = 0xffff;

const ENTRY: usize = 16;

/// A parsed header.
#[derive(Debug)]
pub struct Header<'a> {
    region: BTreeMap<u32, Entry>,
    dribbles: BTreeMap<u32, Entry>,
    index: &'a [u8],
    data: &'a [u8],
    region_entries: usize,
    region_data: usize,
    blob: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    kind: u32,
    offset: usize,
    count: usize,
    /// Where its data must have ended: the end of the region's data, or of all data.
    limit: usize,
}

/// Why a blob is no header that can be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderProblem {
    /// Shorter than it says, or longer.
    Length,
    /// More entries or data than rpm allows.
    TooLarge,
    /// It does not begin with an immutable region; of rpm 3, or stripped.
    NoRegion,
    /// The region's trailer is not where, or not what, it must be.
    Trailer,
    /// An entry's type, offset or count is impossible.
    Entry(u32),
    /// A tag stands twice in the region, or twice outside of it.
    Twice(u32),
    /// Entries share data: together they claim more than there is.
    Overlap,
}

impl std::fmt::Display for HeaderProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length => f.write_str("its length is not what it says"),
            Self::TooLarge => f.write_str("it has more entries or data than a header may have"),
            Self::NoRegion => f.write_str("it has no immutable region"),
            Self::Trailer => f.write_str("the trailer of its immutable region is damaged"),
            Self::Entry(tag) => write!(f, "the entry of tag {tag} is damaged"),
            Self::Twice(tag) => write!(f, "tag {tag} occurs twice"),
            Self::Overlap => f.write_str("its entries share data"),
        }
    }
}

impl<'a> Header<'a> {
    /// The header in `blob`, every entry of it checked.
    ///
    /// # Errors
    /// As [`HeaderProblem`] says; a header with any of these could be read in two ways and is not read at all.
    pub fn parse(blob: &'a [u8]) -> Result<Self, HeaderProblem> {
        let count = number(blob, 0).ok_or(HeaderProblem::Length)?;
        let length = number(blob, 4).ok_or(HeaderProblem::Length)?;
        if count == 0 || count > MAX_ENTRIES || length > super::MAX_BLOB {
            return Err(HeaderProblem::TooLarge);
        }
        let (index, data) = blob
            .get(8..)
            .and_then(|rest| rest.split_at_checked(count.checked_mul(ENTRY)?))
            .filter(|(_, data)| data.len() == length)
            .ok_or(HeaderProblem::Length)?;
        let (region_entries, region_data) = region(index, data)?;
        let mut header =
            Self { region: BTreeMap::new(), dribbles: BTreeMap::new(), index, data, region_entries, region_data, blob };
        // What entries claim of the data: none of it twice, so that no header costs more time than its length allows.
        let mut left = data.len();
        for number in 1..count {
            let inside = number < region_entries;
            // The trailer is the region's last 16 bytes; no data lies in it.
            let limit = if inside { region_data.saturating_sub(ENTRY) } else { data.len() };
            let (tag, entry) = entry(index, number, limit).ok_or(HeaderProblem::Length)?;
            let end = header.extent(&entry).ok_or(HeaderProblem::Entry(tag))?;
            left = left.checked_sub(end.saturating_sub(entry.offset)).ok_or(HeaderProblem::Overlap)?;
            if !inside && entry.offset < region_data {
                // A dribble that points into the region would show signed bytes under an unsigned name.
                return Err(HeaderProblem::Entry(tag));
            }
            let part = if inside { &mut header.region } else { &mut header.dribbles };
            if part.insert(tag, entry).is_some() {
                return Err(HeaderProblem::Twice(tag));
            }
        }
        Ok(header)
    }

    /// The bytes that the vendor's signature and digests cover.
    #[must_use]
    pub fn signed(&self) -> Vec<u8> {
        let entries = u32::try_from(self.region_entries).unwrap_or(u32::MAX).to_be_bytes();
        let length = u32::try_from(self.region_data).unwrap_or(u32::MAX).to_be_bytes();
        let index = self.index.get(..self.region_entries.saturating_mul(ENTRY)).unwrap_or_default();
        let data = self.data.get(..self.region_data).unwrap_or_default();
        [&MAGIC[..], &entries, &length, index, data].concat()
    }

    /// The blob itself.
    #[must_use]
    pub const fn blob(&self) -> &'a [u8] {
        self.blob
    }

    /// Tags that stand both in the region and outside of it: rpm reads the one outside. Only relocation makes them.
    pub fn shadowed(&self) -> impl Iterator<Item = u32> + '_ {
        self.dribbles.keys().copied().filter(|tag| self.region.contains_key(tag))
    }

    /// Whether there is an unsigned entry of this tag, of any type.
    #[must_use]
    pub fn is_dribble(&self, tag: u32) -> bool {
        self.dribbles.contains_key(&tag)
    }

    /// The bytes of an unsigned entry of type BIN: a signature.
    #[must_use]
    pub fn dribble_bytes(&self, tag: u32) -> Option<&'a [u8]> {
        let entry = self.dribbles.get(&tag).filter(|entry| entry.kind == kind::BIN)?;
        self.data.get(entry.offset..entry.offset.checked_add(entry.count)?)
    }

    /// The strings of an unsigned entry.
    #[must_use]
    pub fn dribble_strings(&self, tag: u32) -> Option<Strings<'a>> {
        self.strings_of(self.dribbles.get(&tag)?)
    }

    /// The numbers of an unsigned entry.
    #[must_use]
    pub fn dribble_numbers(&self, tag: u32) -> Option<Numbers<'a>> {
        self.numbers_of(self.dribbles.get(&tag)?)
    }

    /// The strings of a signed entry: one, an array, or the translations of one, the untranslated first.
    #[must_use]
    pub fn strings(&self, tag: u32) -> Option<Strings<'a>> {
        self.strings_of(self.region.get(&tag)?)
    }

    /// The first string of a signed entry.
    #[must_use]
    pub fn string(&self, tag: u32) -> Option<&'a [u8]> {
        self.strings(tag)?.next()
    }

    /// The numbers of a signed entry of 8, 16, 32 or 64 bits.
    #[must_use]
    pub fn numbers(&self, tag: u32) -> Option<Numbers<'a>> {
        self.numbers_of(self.region.get(&tag)?)
    }

    /// The first number of a signed entry.
    #[must_use]
    pub fn number(&self, tag: u32) -> Option<u64> {
        self.numbers(tag)?.get(0)
    }

    fn numbers_of(&self, entry: &Entry) -> Option<Numbers<'a>> {
        let size = match entry.kind {
            kind::CHAR | kind::INT8 => 1,
            kind::INT16 => 2,
            kind::INT32 => 4,
            kind::INT64 => 8,
            _ => return None,
        };
        let bytes = self.data.get(entry.offset..entry.offset.checked_add(entry.count.checked_mul(size)?)?)?;
        Some(Numbers { bytes, size })
    }

    fn strings_of(&self, entry: &Entry) -> Option<Strings<'a>> {
        if !matches!(entry.kind, kind::STRING | kind::STRING_ARRAY | kind::I18N_STRING) {
            return None;
        }
        Some(Strings { rest: self.data.get(entry.offset..entry.limit)?, left: entry.count })
    }

    /// Where an entry's data ends, if it has a known type and all its data lies before its limit.
    fn extent(&self, entry: &Entry) -> Option<usize> {
        let size = match entry.kind {
            kind::CHAR | kind::INT8 | kind::BIN => 1,
            kind::INT16 => 2,
            kind::INT32 => 4,
            kind::INT64 => 8,
            kind::STRING if entry.count == 1 => 0,
            kind::STRING_ARRAY | kind::I18N_STRING => 0,
            _ => return None,
        };
        if entry.count == 0 || entry.offset > entry.limit {
            return None;
        }
        let end = if size == 0 {
            // Each string takes at least its NUL, so a forged count cannot make us reserve memory.
            if entry.count > entry.limit.checked_sub(entry.offset)? {
                return None;
            }
            let strings = self.strings_of(entry)?;
            let (end, count) = strings.fold((entry.offset, 0_usize), |(end, count), string| {
                (end.saturating_add(string.len()).saturating_add(1), count.saturating_add(1))
            });
            (count == entry.count).then_some(end)?
        } else {
            // Numbers lie at multiples of their size (lib/header_internal.hh, `hdrchkAlign`).
            if entry.offset.checked_rem(size)? != 0 {
                return None;
            }
            entry.offset.checked_add(entry.count.checked_mul(size)?)?
        };
        (end <= entry.limit).then_some(end)
    }
}

/// Strings of an entry, each without its NUL. Read as they are asked for: an array of empty strings takes sixteen times its
/// length as a vector.
#[derive(Clone, Debug)]
pub struct Strings<'a> {
    rest: &'a [u8],
    left: usize,
}

impl Strings<'_> {
    /// How many there are, of a header that was parsed.
    #[must_use]
    pub const fn count_left(&self) -> usize {
        self.left
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (string, after) = self.rest.split_at_checked(memchr::memchr(0, self.rest)?)?;
        self.rest = after.get(1..)?;
        Some(string)
    }
}

/// Numbers of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl Numbers<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.size).unwrap_or(0)
    }

    /// Whether there are none; an entry of a header that was parsed has one at least.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Number `at`, counted from 0.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<u64> {
        let start = at.checked_mul(self.size)?;
        let bytes = self.bytes.get(start..start.checked_add(self.size)?)?;
        Some(bytes.iter().fold(0_u64, |value, byte| value.wrapping_shl(8) | u64::from(*byte)))
    }
}

/// Types of entries.
mod kind {
    pub const CHAR: u32 = 1;
    pub const INT8: u32 = 2;
    pub const INT16: u32 = 3;
    pub const INT32: u32 = 4;
    pub const INT64: u32 = 5;
    pub const STRING: u32 = 6;
    pub const BIN: u32 = 7;
    pub const STRING_ARRAY: u32 = 8;
    pub const I18N_STRING: u32 = 9;
}

/// The number of entries and of data bytes of the immutable region.
fn region(index: &[u8], data: &[u8]) -> Result<(usize, usize), HeaderProblem> {
    let (first, entry) = entry(index, 0, data.len()).ok_or(HeaderProblem::Length)?;
    if first != tag::HEADER_IMMUTABLE {
        return Err(HeaderProblem::NoRegion);
    }
    if entry.kind != kind::BIN || entry.count != ENTRY {
        return Err(HeaderProblem::Entry(first));
    }
    let end = entry.offset.checked_add(ENTRY).ok_or(HeaderProblem::Trailer)?;
    let trailer = data.get(entry.offset..end).ok_or(HeaderProblem::Trailer)?;
    let word = |at| number(trailer, at).ok_or(HeaderProblem::Trailer);
    let negative = u32::try_from(word(8)?).map_err(|_| HeaderProblem::Trailer)?;
    // The trailer counts backwards: minus sixteen times the number of entries.
    let bytes = usize::try_from(negative.wrapping_neg()).map_err(|_| HeaderProblem::Trailer)?;
    let sound = word(0)? == usize::try_from(tag::HEADER_IMMUTABLE).unwrap_or(0)
        && word(4)? == usize::try_from(kind::BIN).unwrap_or(0)
        && word(12)? == ENTRY
        && bytes.is_multiple_of(ENTRY)
        && bytes >= ENTRY
        && bytes <= index.len();
    let entries = bytes.checked_div(ENTRY).ok_or(HeaderProblem::Trailer)?;
    if sound { Ok((entries, end)) } else { Err(HeaderProblem::Trailer) }
}

fn entry(index: &[u8], which: usize, limit: usize) -> Option<(u32, Entry)> {
    let at = which.checked_mul(ENTRY)?;
    let tag = u32::try_from(number(index, at)?).ok()?;
    let kind = u32::try_from(number(index, at.checked_add(4)?)?).ok()?;
    let offset = number(index, at.checked_add(8)?)?;
    let count = number(index, at.checked_add(12)?)?;
    Some((tag, Entry { kind, offset, count, limit }))
}

/// The 32-bit number at `at`.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_be_bytes(word.try_into().ok()?)).ok()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "the test builds headers of a few hundred bytes")]
mod tests {
    use super::*;

    /// An entry: tag, type, count, data.
    type Row<'a> = (u32, u32, u32, &'a [u8]);

    /// A header as rpm writes it: the region with its trailer, then the dribbles.
    fn build(region: &[Row<'_>], dribbles: &[Row<'_>]) -> Vec<u8> {
        let mut index = Vec::new();
        let mut data = Vec::new();
        let mut put = |data: &mut Vec<u8>, (tag, kind, count, bytes): &Row<'_>| {
            let align = match kind {
                3 => 2,
                4 => 4,
                5 => 8,
                _ => 1,
            };
            while !data.len().is_multiple_of(align) {
                data.push(0);
            }
            index.extend([*tag, *kind, u32::try_from(data.len()).unwrap(), *count].map(u32::to_be_bytes).concat());
            data.extend_from_slice(bytes);
        };
        for row in region {
            put(&mut data, row);
        }
        let trailer = u32::try_from(data.len()).unwrap();
        let count = u32::try_from(region.len() + 1).unwrap();
        data.extend([63, 7, (count * 16).wrapping_neg(), 16].map(u32::to_be_bytes).concat());
        for row in dribbles {
            put(&mut data, row);
        }
        let all = u32::try_from(region.len() + dribbles.len() + 1).unwrap();
        let mut blob = [all, u32::try_from(data.len()).unwrap(), 63, 7, trailer, 16].map(u32::to_be_bytes).concat();
        blob.extend(index);
        blob.extend(data);
        blob
    }

    const REGION: &[Row<'_>] = &[
        (tag::NAME, 6, 1, b"openssh\0"),
        (tag::FILE_FLAGS, 4, 2, &[0, 0, 0, 1, 0, 0, 0, 64]),
        (tag::BASE_NAMES, 8, 2, b"sshd\0ssh\0"),
    ];
    const DRIBBLES: &[Row<'_>] = &[(tag::RSA_HEADER, 7, 3, &[1, 2, 3]), (tag::SHA256_HEADER, 6, 1, b"00\0")];

    fn check(blob: &[u8], expected: HeaderProblem) {
        assert_eq!(Header::parse(blob).err(), Some(expected));
    }

    #[test]
    fn region_and_dribbles_are_told_apart() {
        let blob = build(REGION, DRIBBLES);
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.string(tag::NAME), Some(&b"openssh"[..]));
        assert_eq!(header.strings(tag::BASE_NAMES).unwrap().collect::<Vec<_>>(), [&b"sshd"[..], b"ssh"]);
        let flags = header.numbers(tag::FILE_FLAGS).unwrap();
        assert_eq!((flags.len(), flags.get(0), flags.get(1), flags.get(2)), (2, Some(1), Some(64), None));
        assert_eq!(header.dribble_bytes(tag::RSA_HEADER), Some(&[1, 2, 3][..]));
        assert_eq!(header.string(tag::SHA256_HEADER), None, "what is not signed is not read as if it were");
        assert!(header.numbers(tag::NAME).is_none());
        // The dribbles change nothing of what is signed.
        let bare = build(REGION, &[]);
        assert_eq!(Header::parse(&bare).unwrap().signed(), header.signed());
        assert_eq!(header.signed(), [&MAGIC[..], &bare].concat());
    }

    #[test]
    fn a_tag_in_both_parts_is_seen() {
        let blob = build(REGION, &[(tag::NAME, 6, 1, b"other\0")]);
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.shadowed().collect::<Vec<_>>(), [tag::NAME]);
        assert_eq!(header.string(tag::NAME), Some(&b"openssh"[..]));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        check(b"", HeaderProblem::Length);
        check(&[0; 8], HeaderProblem::TooLarge);
        check(&[0xff; 64], HeaderProblem::TooLarge);
        check(&[build(REGION, DRIBBLES), vec![0]].concat(), HeaderProblem::Length);
        check(&build(&[REGION[0], REGION[0]], &[]), HeaderProblem::Twice(tag::NAME));
        check(&build(REGION, &[DRIBBLES[0], DRIBBLES[0]]), HeaderProblem::Twice(tag::RSA_HEADER));
        check(&build(&[(tag::NAME, 6, 1, b"no end")], &[]), HeaderProblem::Entry(tag::NAME));
        check(&build(&[(tag::NAME, 6, 2, b"a\0b\0")], &[]), HeaderProblem::Entry(tag::NAME));
        check(&build(&[(tag::NAME, 8, u32::MAX, b"a\0")], &[]), HeaderProblem::Entry(tag::NAME));
        check(&build(&[(tag::EPOCH, 4, 2, &[0, 0, 0, 0])], &[]), HeaderProblem::Entry(tag::EPOCH));
        check(&build(&[(tag::EPOCH, 10, 1, &[0])], &[]), HeaderProblem::Entry(tag::EPOCH));
    }

    #[test]
    fn entries_that_share_data_are_refused() {
        let bytes = [b'a', 0].repeat(20);
        let mut blob = build(&[(tag::BASE_NAMES, 8, 20, &bytes), (tag::DIR_NAMES, 8, 20, &bytes)], &[]);
        assert!(Header::parse(&blob).is_ok());
        // Both arrays begin at the first byte and hold all strings: 160 bytes claimed of 96.
        for number in [1, 2] {
            let at = 8 + number * ENTRY;
            blob[at + 8..at + 12].copy_from_slice(&[0; 4]);
            blob[at + 12..at + 16].copy_from_slice(&40_u32.to_be_bytes());
        }
        check(&blob, HeaderProblem::Overlap);
    }

    #[test]
    fn the_region_must_be_whole() {
        let mut other = build(REGION, DRIBBLES);
        other[11] = 61;
        check(&other, HeaderProblem::NoRegion);
        // The trailer's third word: how many entries the region has.
        let mut short = build(REGION, &[]);
        let at = short.len() - 5;
        short[at] = short[at].wrapping_add(1);
        check(&short, HeaderProblem::Trailer);
        let mut fewer = build(REGION, &[]);
        let at = fewer.len() - 5;
        fewer[at] = fewer[at].wrapping_add(16);
        // One entry less: the last becomes a dribble that points into the region.
        check(&fewer, HeaderProblem::Entry(tag::BASE_NAMES));
    }

    #[test]
    fn every_single_bit_of_a_signed_header_matters() {
        let blob = build(REGION, &[]);
        let signed = Header::parse(&blob).unwrap().signed();
        for at in 0..blob.len() * 8 {
            let mut bent = blob.clone();
            bent[at / 8] ^= 1 << (at % 8);
            assert_ne!(Header::parse(&bent).map(|header| header.signed()).ok(), Some(signed.clone()), "bit {at}");
        }
    }
}
