//! Compressed streams, handed out piece by piece: whatever a stream says of itself, neither memory nor output grows beyond
//! a limit.

use std::io::Read;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not at all.
    Plain,
    /// gzip (RFC 1952).
    Gzip,
    /// xz (tukaani.org, `xz-file-format.txt` 1.2.1), with LZMA2 alone.
    Xz,
    /// Zstandard (RFC 8878).
    Zstd,
    /// LZ4 frames (`lz4_Frame_format.md` 1.6).
    Lz4,
}

impl Form {
    /// The form of a stream that begins so.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            _ => Self::Plain,
        }
    }
}

/// Why a stream was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is no such stream, or was cut.
    Damaged,
    /// Its content is larger than the limit.
    TooLarge,
    /// It uses a part of its format that is not read here, or asks for more memory than is given.
    Unsupported,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Damaged => "its compressed content is damaged",
            Self::TooLarge => "its compressed content is larger than any such file is",
            Self::Unsupported => "it is compressed in a way that is not read here",
        })
    }
}

/// Bytes handed out at once.
const PIECE: usize = 64 << 10;

/// Gives the content of `bytes` to `take`, piece after piece, until it returns false or the content ends; at most `limit`
/// bytes.
///
/// # Errors
/// As [`Problem`] says; what was handed out before is then to be forgotten.
pub fn read(bytes: &[u8], limit: u64, take: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Problem> {
    let mut left = limit;
    match Form::of(bytes) {
        Form::Plain => pump(bytes, &mut left, take).map(|_| ()),
        Form::Gzip => pump(flate2::read::MultiGzDecoder::new(bytes), &mut left, take).map(|_| ()),
        Form::Lz4 => pump(lz4_flex::frame::FrameDecoder::new(bytes), &mut left, take).map(|_| ()),
        Form::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|_| Problem::Damaged)?;
            pump(decoder, &mut left, take).map(|_| ())
        }
        Form::Xz => xz(bytes, &mut left, take),
    }
}

/// Whether `take` wants more.
fn pump(mut from: impl Read, left: &mut u64, take: &mut dyn FnMut(&[u8]) -> bool) -> Result<bool, Problem> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) => return Ok(true),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Problem::Damaged),
        };
        let length = u64::try_from(count).map_err(|_| Problem::TooLarge)?;
        *left = left.checked_sub(length).ok_or(Problem::TooLarge)?;
        if !take(piece.get(..count).unwrap_or_default()) {
            return Ok(false);
        }
    }
}

/// The largest dictionary that is given memory, in bytes: that of `xz -9`.
const MAX_DICTIONARY: u32 = 64 << 20;

/// One xz stream. Its checksums are not looked at: what is read here is held against a stronger digest.
fn xz(bytes: &[u8], left: &mut u64, take: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Problem> {
    // Stream header: magic, two bytes of flags of which the last names the kind of check, CRC-32.
    let check = match bytes.get(7).ok_or(Problem::Damaged)? & 0x0f {
        0 => 0,
        1..=3 => 4,
        4..=6 => 8,
        7..=9 => 16,
        10..=12 => 32,
        _ => 64,
    };
    let mut rest = bytes.get(12..).ok_or(Problem::Damaged)?;
    // A block header begins with its size in words of four bytes, less one; 0 is the index instead.
    while let Some(size) = rest.first().copied().filter(|size| *size != 0) {
        let length = usize::from(size).checked_add(1).and_then(|words| words.checked_mul(4)).ok_or(Problem::Damaged)?;
        let (header, content) = rest.split_at_checked(length).ok_or(Problem::Damaged)?;
        let dictionary = dictionary(header)?;
        let mut after = content;
        if !pump(lzma_rust2::Lzma2Reader::new(&mut after, dictionary, None), left, take)? {
            return Ok(());
        }
        let used = content.len().saturating_sub(after.len());
        let padding = used.wrapping_neg() & 3;
        rest = after.get(padding.saturating_add(check)..).ok_or(Problem::Damaged)?;
    }
    if rest.is_empty() { Err(Problem::Damaged) } else { Ok(()) }
}

/// The size of the dictionary that a block's only filter, LZMA2, asks for (`xz-file-format.txt`, sections 3.1 and 5.3.1).
fn dictionary(header: &[u8]) -> Result<u32, Problem> {
    let flags = *header.get(1).ok_or(Problem::Damaged)?;
    if flags & 0x3f != 0 {
        return Err(Problem::Unsupported);
    }
    let mut rest = header.get(2..).ok_or(Problem::Damaged)?;
    for present in [flags & 0x40 != 0, flags & 0x80 != 0] {
        if present {
            let end = rest.iter().take(9).position(|byte| byte & 0x80 == 0).ok_or(Problem::Damaged)?;
            rest = rest.get(end.saturating_add(1)..).ok_or(Problem::Damaged)?;
        }
    }
    let [0x21, 1, bits, ..] = rest else { return Err(Problem::Unsupported) };
    let shift = u32::from(bits / 2).saturating_add(11);
    let size = (2 | u32::from(bits & 1)).checked_shl(shift).filter(|_| shift < 31).ok_or(Problem::Unsupported)?;
    if size > MAX_DICTIONARY { Err(Problem::Unsupported) } else { Ok(size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], limit: u64, expected: Result<&[u8], Problem>) {
        let mut content = Vec::new();
        let result = read(bytes, limit, &mut |piece| {
            content.extend_from_slice(piece);
            true
        });
        assert_eq!(result.map(|()| content.as_slice()), expected, "{:?}", Form::of(bytes));
    }

    /// `printf 'sshd\n' |` gzip -n, xz, zstd; `-` and lz4.
    const HELLO: [&[u8]; 4] = [
        &[31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 43, 46, 206, 72, 225, 2, 0, 85, 191, 90, 166, 5, 0, 0, 0],
        b"sshd\n",
        XZ,
        ZSTD,
    ];
    const XZ: &[u8] = &[
        253, 55, 122, 88, 90, 0, 0, 4, 230, 214, 180, 70, 2, 0, 33, 1, 22, 0, 0, 0, 116, 47, 229, 163, 1, 0, 4, 115,
        115, 104, 100, 10, 0, 0, 0, 0, 251, 165, 62, 152, 139, 244, 74, 62, 0, 1, 29, 5, 184, 45, 128, 175, 31, 182,
        243, 125, 1, 0, 0, 0, 0, 4, 89, 90,
    ];
    const ZSTD: &[u8] = &[40, 181, 47, 253, 4, 88, 41, 0, 0, 115, 115, 104, 100, 10, 83, 107, 183, 232];

    #[test]
    fn each_form_gives_its_content_and_no_more_than_the_limit() {
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut frame, b"sshd\n").unwrap();
        let lz4 = frame.finish().unwrap();
        for bytes in HELLO.into_iter().chain([lz4.as_slice()]) {
            check(bytes, 5, Ok(b"sshd\n"));
            check(bytes, 4, Err(Problem::TooLarge));
        }
    }

    #[test]
    fn what_was_cut_or_asks_for_too_much_is_refused() {
        check(&HELLO[0][..20], 99, Err(Problem::Damaged));
        check(&XZ[..XZ.len() - 30], 99, Err(Problem::Damaged));
        check(&ZSTD[..9], 99, Err(Problem::Damaged));
        // 4 GiB of dictionary, then a filter for x86 code.
        let at = XZ.windows(2).position(|pair| pair == [0x21, 1]).unwrap();
        let mut greedy = XZ.to_vec();
        greedy[at + 2] = 40;
        check(&greedy, 99, Err(Problem::Unsupported));
        greedy[at] = 4;
        check(&greedy, 99, Err(Problem::Unsupported));
    }
}
