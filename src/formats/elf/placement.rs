//! Which segment of a file each part of its mappings in a process shows, given nothing but both lists.
//!
//! The kernel (fs/binfmt_elf.c) and ld.so (elf/dl-map-segments.h) map every `PT_LOAD` by whole pages, all at the same
//! distance from their addresses in the file. Code that lies anywhere else was not put there by them. The kernel joins
//! neighbouring mappings of equal rights, so that one mapping may show several segments.

use goblin::elf::program_header::{PF_W, PF_X};

use super::view::Segment;

/// One mapping of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// Offset of the first byte in the file.
    pub offset: u64,
}

/// What a part of a mapping shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// A segment that the file wants executed, and nobody to write to.
    Code,
    /// A segment that is neither written nor executed.
    ReadOnly,
    /// A segment that the file wants written: data, and what is read-only after relocation. Also the end of a read-only
    /// segment that is larger in memory than in the file, which the loader fills with zeros.
    Written,
    /// No segment.
    Nothing,
}

/// A part of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it lies.
    pub at: Placed,
    /// What it shows.
    pub shows: Shows,
}

/// The distances by which the file was loaded: for every mapping that shows the beginning of its first segment. More than
/// one where it is in more than one namespace of the loader (dlmopen(3)).
#[must_use]
pub fn biases(loads: &[Segment], page: u64, mappings: &[Placed]) -> Vec<u64> {
    let Some(first) = loads.iter().min_by_key(|load| load.address) else { return Vec::new() };
    let (address, offset) = (down(first.address, page), down(first.offset, page));
    mappings.iter().filter(|map| map.offset == offset).map(|map| map.start.wrapping_sub(address)).collect()
}

/// The parts of `mapping`, in order, seamless.
#[must_use]
pub fn parts(loads: &[Segment], biases: &[u64], page: u64, mapping: Placed) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = mapping;
    while rest.start < rest.end {
        let (shows, end) = biases
            .iter()
            .flat_map(|bias| loads.iter().filter_map(|load| shown(load, *bias, page, rest)))
            .next()
            .unwrap_or((Shows::Nothing, rest.start.saturating_add(page)));
        let end = end.min(rest.end);
        let at = Placed { end, ..rest };
        match parts.last_mut().filter(|last| last.shows == shows) {
            Some(last) => last.at.end = end,
            None => parts.push(Part { at, shows }),
        }
        rest.offset = rest.offset.saturating_add(end.saturating_sub(rest.start));
        rest.start = end;
    }
    parts
}

/// What the first page of `mapping` shows, if it is one of this segment loaded by `bias`, and where that ends.
fn shown(load: &Segment, bias: u64, page: u64, mapping: Placed) -> Option<(Shows, u64)> {
    let address = mapping.start.wrapping_sub(bias);
    let first = down(load.address, page);
    let end = load.address.checked_add(load.file_size)?.checked_next_multiple_of(page)?;
    let into = address.checked_sub(first).filter(|_| address < end)?;
    (mapping.offset == down(load.offset, page).checked_add(into)?).then_some(())?;
    let shows = if load.flags & PF_W != 0 || load.memory_size > load.file_size {
        Shows::Written
    } else if load.flags & PF_X != 0 {
        Shows::Code
    } else {
        Shows::ReadOnly
    };
    Some((shows, end.wrapping_add(bias)))
}

fn down(value: u64, page: u64) -> u64 {
    value.checked_rem(page).map_or(value, |rest| value.saturating_sub(rest))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "numbers of the test's own making")]
mod tests {
    use goblin::elf::program_header::{PF_R, PT_LOAD};
    use proptest::prelude::*;

    use super::*;

    const PAGE: u64 = 0x1000;

    fn load(flags: u32, offset: u64, address: u64, file_size: u64, memory_size: u64) -> Segment {
        Segment { kind: PT_LOAD, flags, offset, address, file_size, memory_size, align: PAGE }
    }

    /// As binutils lays a library out: headers, code, read-only data, data with its relocated beginning.
    fn library() -> Vec<Segment> {
        vec![
            load(PF_R, 0, 0, 0x1800, 0x1800),
            load(PF_R | PF_X, 0x2000, 0x2000, 0x2345, 0x2345),
            load(PF_R, 0x5000, 0x5000, 0xf00, 0xf00),
            load(PF_R | PF_W, 0x5f80, 0x6f80, 0x400, 0x900),
        ]
    }

    fn map(start: u64, end: u64, offset: u64) -> Placed {
        Placed { start, end, offset }
    }

    fn check(mapping: Placed, expected: &[(u64, Shows)]) {
        let all = [map(0x7f00_0000, 0x7f00_2000, 0), mapping];
        let parts = parts(&library(), &biases(&library(), PAGE, &all), PAGE, mapping);
        let found: Vec<(u64, Shows)> = parts.iter().map(|part| (part.at.end - part.at.start, part.shows)).collect();
        assert_eq!(found, expected);
        assert_eq!((parts[0].at.start, parts.last().unwrap().at.end), (mapping.start, mapping.end));
    }

    #[test]
    fn each_segment_is_known_by_its_place() {
        check(map(0x7f00_0000, 0x7f00_2000, 0), &[(0x2000, Shows::ReadOnly)]);
        check(map(0x7f00_2000, 0x7f00_5000, 0x2000), &[(0x3000, Shows::Code)]);
        check(map(0x7f00_3000, 0x7f00_4000, 0x3000), &[(0x1000, Shows::Code)]);
        check(map(0x7f00_6000, 0x7f00_8000, 0x5000), &[(0x2000, Shows::Written)]);
        check(map(0x7f00_0000, 0x7f00_5000, 0), &[(0x2000, Shows::ReadOnly), (0x3000, Shows::Code)]);
    }

    #[test]
    fn what_lies_elsewhere_shows_nothing() {
        check(map(0x7f00_2000, 0x7f00_5000, 0x3000), &[(0x3000, Shows::Nothing)]);
        check(map(0x7f10_0000, 0x7f10_1000, 0x2000), &[(0x1000, Shows::Nothing)]);
        check(map(0x7f00_4000, 0x7f00_6000, 0x4000), &[(0x1000, Shows::Code), (0x1000, Shows::ReadOnly)]);
        assert_eq!(biases(&library(), PAGE, &[map(0x7f00_2000, 0x7f00_5000, 0x2000)]), [0_u64; 0]);
        assert_eq!(biases(&[], PAGE, &[map(0, 0x1000, 0)]), [0_u64; 0]);
    }

    #[test]
    fn a_file_loaded_twice_is_known_twice() {
        let all = [map(0x1_0000, 0x1_2000, 0), map(0x5_0000, 0x5_2000, 0)];
        assert_eq!(biases(&library(), PAGE, &all), [0x1_0000, 0x5_0000]);
        let second = parts(&library(), &[0x1_0000, 0x5_0000], PAGE, map(0x5_2000, 0x5_5000, 0x2000));
        assert_eq!(second[0].shows, Shows::Code);
    }

    proptest! {
        #[test]
        fn any_segments_end(headers in proptest::collection::vec(any::<[u64; 4]>(), 0..5), start: u64, pages in 0u64..64, offset: u64, page in 0u64..0x2001) {
            let loads: Vec<Segment> = headers.iter().map(|h| load(5, h[0], h[1], h[2], h[3])).collect();
            let page = page.max(1);
            let mapping = map(start, start.saturating_add(pages * page), offset);
            let biases = biases(&loads, page, &[mapping]);
            let _ = parts(&loads, &biases, page, mapping);
        }
    }
}
