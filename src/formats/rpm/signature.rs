//! The OpenPGP signatures that a header's dribbles carry over its immutable region.

use super::header::Header;
use super::tag;

/// Signatures taken from one header; packages of format 6 have one for each algorithm.
const MAX_SIGNATURES: usize = 16;

/// The binary OpenPGP packets of each signature over the region: tags 268 and 267 hold them as they are, 278 in base64. Empty
/// for an unsigned header. Signatures over header and payload together are of no use without the payload, and left out.
///
/// # Errors
/// The tag that is there and holds no signature: of another type, or not base64.
pub fn packets(header: &Header<'_>) -> Result<Vec<Vec<u8>>, u32> {
    let mut all = Vec::new();
    for tag in [tag::RSA_HEADER, tag::DSA_HEADER] {
        if header.is_dribble(tag) {
            all.push(header.dribble_bytes(tag).ok_or(tag)?.to_vec());
        }
    }
    if header.is_dribble(tag::OPENPGP) {
        for text in header.dribble_strings(tag::OPENPGP).ok_or(tag::OPENPGP)?.take(MAX_SIGNATURES) {
            all.push(base64(text).ok_or(tag::OPENPGP)?);
        }
    }
    Ok(all)
}

/// Base64 with or without line ends and padding (RFC 4648, section 4).
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0_u32);
    for character in text.iter().filter(|character| !character.is_ascii_whitespace()) {
        let value = match character {
            b'A'..=b'Z' => character.wrapping_sub(b'A'),
            b'a'..=b'z' => character.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => character.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = bits.wrapping_shl(6) | u32::from(value);
        count = count.wrapping_add(6);
        if count >= 8 {
            count = count.wrapping_sub(8);
            bytes.push(u8::try_from(bits.wrapping_shr(count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        // The test vectors of RFC 4648, section 10.
        for (text, expected) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYm\nFy\n", "foobar")] {
            assert_eq!(base64(text.as_bytes()).as_deref(), Some(expected.as_bytes()));
        }
        assert_eq!(base64(b"Zm9v!"), None);
    }
}
