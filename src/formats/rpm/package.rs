//! A package file of rpm (rpm's `docs/manual/format_v4.md`): lead, signature header, header, payload. What is taken of it is
//! the header with its signatures, in the form in which a database would hold them.

use super::tag;

/// Bytes before the header of signatures.
const LEAD: usize = 96;
const MAGIC: &[u8] = &[0x8e, 0xad, 0xe8, 0x01];
const ENTRY: usize = 16;

/// The header of the package in `bytes` with its OpenPGP signatures added as a database does (rpm's `headerMergeLegacySigs`):
/// what [`super::header::Header::parse`] reads. `None` if it is no package.
#[must_use]
pub fn header(bytes: &[u8]) -> Option<Vec<u8>> {
    let rest = bytes.get(LEAD..).filter(|_| bytes.starts_with(&[0xed, 0xab, 0xee, 0xdb]))?;
    let (signatures, length) = part(rest)?;
    let (header, _) = part(rest.get(length.checked_next_multiple_of(8)?..)?)?;
    let (mut index, mut data) = (header.index.to_vec(), header.data.to_vec());
    for entry in signatures.index.chunks_exact(ENTRY) {
        let number = |at: usize| Some(u32::from_be_bytes(entry.get(at..at.checked_add(4)?)?.try_into().ok()?));
        if ![tag::RSA_HEADER, tag::DSA_HEADER, tag::OPENPGP].contains(&number(0)?) {
            continue;
        }
        let start = signatures.data.get(usize::try_from(number(8)?).ok()?..)?;
        let count = usize::try_from(number(12)?).ok()?;
        let content = match number(4)? {
            // BIN, and an array of strings that end with NUL.
            7 => start.get(..count)?,
            8 => {
                let mut ends = memchr::memchr_iter(0, start);
                start.get(..=ends.nth(count.checked_sub(1)?)?)?
            }
            _ => return None,
        };
        let offset = u32::try_from(data.len()).ok()?.to_be_bytes();
        index.extend([entry.get(..8)?, offset.as_slice(), entry.get(12..16)?].concat());
        data.extend_from_slice(content);
    }
    let count = u32::try_from(index.len().checked_div(ENTRY)?).ok()?.to_be_bytes();
    let length = u32::try_from(data.len()).ok()?.to_be_bytes();
    Some([count.as_slice(), &length, &index, &data].concat())
}

/// Index and data of a header structure.
struct Part<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

/// The header structure that `bytes` begin with, and its length.
fn part(bytes: &[u8]) -> Option<(Part<'_>, usize)> {
    let rest = bytes.get(8..).filter(|_| bytes.starts_with(MAGIC))?;
    let number = |at: usize| {
        let four = rest.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_be_bytes(four.try_into().ok()?)).ok().filter(|number| *number <= super::MAX_BLOB)
    };
    let (count, length) = (number(0)?, number(4)?);
    let (index, after) = rest.get(8..)?.split_at_checked(count.checked_mul(ENTRY)?)?;
    let whole = count.checked_mul(ENTRY)?.checked_add(length)?.checked_add(16)?;
    Some((Part { index, data: after.get(..length)? }, whole))
}
