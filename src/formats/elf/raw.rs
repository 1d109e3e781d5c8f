//! Numbers and strings at offsets of an ELF file, in the file's own width and byte order. Never panics, never copies.

/// The bytes of a file with its class and byte order.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    bytes: &'a [u8],
    wide: bool,
    big_endian: bool,
}

impl<'a> Raw<'a> {
    pub(super) const fn new(bytes: &'a [u8], wide: bool, big_endian: bool) -> Self {
        Self { bytes, wide, big_endian }
    }

    /// Size of the file in bytes.
    #[must_use]
    pub fn len(self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    /// Whether the file is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// `ELFCLASS64`: words and addresses have eight bytes, otherwise four.
    #[must_use]
    pub const fn is_wide(self) -> bool {
        self.wide
    }

    /// `ELFDATA2MSB`.
    #[must_use]
    pub const fn is_big_endian(self) -> bool {
        self.big_endian
    }

    /// Bytes of a word of this class.
    #[must_use]
    pub const fn word_size(self) -> u64 {
        if self.wide { 8 } else { 4 }
    }

    /// `len` bytes from `offset`, all of them in the file.
    #[must_use]
    pub fn slice(self, offset: u64, len: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get(start..start.checked_add(usize::try_from(len).ok()?)?)
    }

    /// As much of `len` bytes from `offset` as the file has.
    #[must_use]
    pub fn available(self, offset: u64, len: u64) -> &'a [u8] {
        let end = offset.saturating_add(len).min(self.len());
        self.slice(offset, end.saturating_sub(offset)).unwrap_or_default()
    }

    /// A 16-bit number.
    #[must_use]
    pub fn u16(self, offset: u64) -> Option<u16> {
        let bytes = self.slice(offset, 2)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    /// A 32-bit number.
    #[must_use]
    pub fn u32(self, offset: u64) -> Option<u32> {
        let bytes = self.slice(offset, 4)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// A 64-bit number.
    #[must_use]
    pub fn u64(self, offset: u64) -> Option<u64> {
        let bytes = self.slice(offset, 8)?.try_into().ok()?;
        Some(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// A word of this class.
    #[must_use]
    pub fn word(self, offset: u64) -> Option<u64> {
        if self.wide { self.u64(offset) } else { self.u32(offset).map(u64::from) }
    }

    /// The bytes from `offset` up to a NUL that stands at most `limit` bytes further.
    #[must_use]
    pub fn c_string(self, offset: u64, limit: u64) -> Option<&'a [u8]> {
        let bytes = self.available(offset, limit.saturating_add(1));
        bytes.get(..bytes.iter().position(|b| *b == 0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_beyond_the_end_is_read() {
        let raw = Raw::new(b"ab\0c", true, false);
        assert_eq!(raw.c_string(0, 2), Some(&b"ab"[..]));
        assert_eq!(raw.c_string(0, 1), None);
        assert_eq!(raw.c_string(3, 100), None);
        assert_eq!(raw.slice(u64::MAX, 1), None);
        assert_eq!(raw.slice(1, u64::MAX), None);
        assert_eq!(raw.available(2, u64::MAX), b"\0c");
        assert_eq!(raw.available(9, 1), b"");
        assert_eq!(raw.u16(3), None);
        assert_eq!(raw.u32(0), Some(0x6300_6261));
        assert_eq!(Raw::new(b"ab\0c", false, true).word(0), Some(0x6162_0063));
    }
}
