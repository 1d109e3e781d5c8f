//! The dynamic loader's list of what it loaded, as it lies in the memory of a process (`<link.h>`: `struct r_debug`, `struct
//! link_map`; the same in glibc and musl). 64-bit little-endian only.

/// Bytes of either structure that are public.
pub const SIZE: usize = 40;

/// `struct r_debug`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debug {
    /// 1; from 2 on a pointer to another one follows.
    pub version: u32,
    /// Address of the first entry.
    pub first: u64,
    /// Whether nothing is being loaded or unloaded (`RT_CONSISTENT`).
    pub consistent: bool,
}

/// `struct link_map`, without the pointer to the name: the address of the dynamic table tells the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the loader added to the addresses of the file (`l_addr`).
    pub bias: u64,
    /// Where its dynamic table lies (`l_ld`).
    pub dynamic: u64,
    /// Address of the next entry; 0 at the end.
    pub next: u64,
}

/// Reads a `struct r_debug`.
#[must_use]
pub fn debug(bytes: &[u8; SIZE]) -> Debug {
    let half = |word: u64| u32::try_from(word & 0xffff_ffff).unwrap_or(0);
    Debug { version: half(word(bytes, 0)), first: word(bytes, 1), consistent: half(word(bytes, 3)) == 0 }
}

/// Reads a `struct link_map`.
#[must_use]
pub fn entry(bytes: &[u8; SIZE]) -> Entry {
    Entry { bias: word(bytes, 0), dynamic: word(bytes, 2), next: word(bytes, 3) }
}

fn word(bytes: &[u8; SIZE], index: usize) -> u64 {
    bytes.as_chunks::<8>().0.get(index).map_or(0, |word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_structures_are_read() {
        let mut bytes = [0; SIZE];
        for (at, byte) in [(0, 1), (8, 0x10), (16, 0x20), (24, 0x30), (32, 0x40)] {
            bytes[at] = byte;
        }
        assert_eq!(debug(&bytes), Debug { version: 1, first: 0x10, consistent: false });
        assert_eq!(entry(&bytes), Entry { bias: 1, dynamic: 0x20, next: 0x30 });
        bytes[24] = 0;
        bytes[28] = 7; // padding
        assert!(debug(&bytes).consistent);
    }
}
