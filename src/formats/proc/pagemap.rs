//! `/proc/PID/pagemap`: what stands behind each page of a process (Documentation/admin-guide/mm/pagemap.rst of Linux).

/// Bytes of one entry. The entry of the page at `address` stands at `address / page size * ENTRY`.
pub const ENTRY: usize = 8;

/// Bit 63: the page is in memory.
const PRESENT: u64 = 1 << 63;
/// Bit 62: it is swapped out, or on its way to another place in memory.
const SWAPPED: u64 = 1 << 62;
/// Bit 61: it is a page of a file, or shared anonymous memory.
const OF_FILE: u64 = 1 << 61;

/// Whether the page belongs to the process alone, though its mapping is one of a file: the kernel copied it because it was
/// written to. A page of a file on its way elsewhere (migration) has bits 62 and 61. A page of persistent memory mapped
/// directly (DAX) has bit 63 alone, so that a copy that equals its file needs a second witness: `smaps`.
#[must_use]
pub const fn is_private(entry: u64) -> bool {
    entry & (PRESENT | SWAPPED) != 0 && entry & OF_FILE == 0
}

/// The entries, in the machine's byte order; a part of one at the end is left out.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks_exact(ENTRY).filter_map(|entry| Some(u64::from_ne_bytes(entry.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bits: &[u32], private: bool) {
        let entry = bits.iter().fold(0x1234, |entry, bit| entry | 1_u64 << bit);
        assert_eq!(is_private(entry), private, "{bits:?}");
    }

    #[test]
    fn only_what_was_copied_is_private() {
        check(&[], false);
        check(&[63, 61], false);
        check(&[63, 61, 56, 55], false);
        check(&[63], true);
        check(&[63, 56], true);
        check(&[62], true);
        check(&[62, 61], false);
        check(&[61], false);
    }

    #[test]
    fn entries_are_whole() {
        let bytes = [1_u64.to_ne_bytes(), 2_u64.to_ne_bytes()].concat();
        assert_eq!(entries(&bytes).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(entries(&bytes[..15]).collect::<Vec<_>>(), [1]);
    }
}
