//! A row of a table or an entry of an index: columns with their types ("Record format" of sqlite.org/fileformat2.html).

/// A row: its columns as serial types and their bytes ("Record format").
pub(super) struct Record<'a> {
    columns: Vec<(u64, &'a [u8])>,
}

impl<'a> Record<'a> {
    /// Columns kept; the tables read here have two and five.
    const MAX_COLUMNS: usize = 16;

    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        let (size, _) = varint(payload)?;
        let (head, mut body) = payload.split_at_checked(usize::try_from(size).ok()?)?;
        let (_, mut head) = varint(head)?;
        let mut columns = Vec::new();
        while !head.is_empty() && columns.len() < Self::MAX_COLUMNS {
            let (kind, rest) = varint(head)?;
            head = rest;
            let length = match kind {
                0 | 8 | 9 => 0,
                1..=4 => usize::try_from(kind).ok()?,
                5 => 6,
                6 | 7 => 8,
                10 | 11 => return None,
                _ => usize::try_from(kind.checked_sub(12)?.checked_div(2)?).ok()?,
            };
            let (column, rest) = body.split_at_checked(length)?;
            columns.push((kind, column));
            body = rest;
        }
        Some(Self { columns })
    }

    /// A column of text.
    pub(super) fn text(&self, column: usize) -> Option<&'a [u8]> {
        let (kind, bytes) = self.columns.get(column)?;
        (*kind >= 13 && kind & 1 == 1).then_some(*bytes)
    }

    /// A column of bytes.
    pub(super) fn blob(&self, column: usize) -> Option<&'a [u8]> {
        let (kind, bytes) = self.columns.get(column)?;
        (*kind >= 12 && kind & 1 == 0).then_some(*bytes)
    }

    /// The number in the last column: of an entry of an index, its row.
    pub(super) fn last(&self) -> Option<u64> {
        self.integer(self.columns.len().checked_sub(1)?)
    }

    /// A number that is not negative.
    pub(super) fn integer(&self, column: usize) -> Option<u64> {
        match self.columns.get(column)? {
            (8, _) => Some(0),
            (9, _) => Some(1),
            (1..=6, bytes) if bytes.first().is_some_and(|first| first & 0x80 == 0) => {
                Some(bytes.iter().fold(0, |value: u64, byte| value.wrapping_shl(8) | u64::from(*byte)))
            }
            _ => None,
        }
    }
}

/// A number of one to nine bytes, high bits first.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (count, byte) in bytes.iter().take(9).enumerate() {
        let after = count.checked_add(1)?;
        if count == 8 {
            return Some((value.wrapping_shl(8) | u64::from(*byte), bytes.get(after..)?));
        }
        value = value.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(after..)?));
        }
    }
    None
}
