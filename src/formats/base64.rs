//! Base64 (RFC 4648, section 4), as OpenPGP signatures and public keys of SSH are written.

/// The bytes that `text` stands for, with or without line ends and padding; `None` where another character is in it.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
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

/// `bytes` in base64 with padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = encode_unpadded(bytes);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// `bytes` in base64 without padding, as ssh-keygen(1) prints fingerprints.
#[must_use]
pub fn encode_unpadded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| three.get(at).copied().map_or(0, u32::from);
        let bits = byte(0).wrapping_shl(16) | byte(1).wrapping_shl(8) | byte(2);
        for place in 0..=three.len() {
            let shift = u32::try_from(place).map_or(0, |place| 18_u32.saturating_sub(place.saturating_mul(6)));
            let value = usize::try_from(bits.wrapping_shr(shift) & 63).unwrap_or(0);
            text.extend(ALPHABET.get(value).copied().map(char::from));
        }
    }
    text
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_standard() {
        // The test vectors of RFC 4648, section 10.
        for (text, expected) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYm\nFy\n", "foobar")] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(expected.as_bytes()));
            let plain: String = text.chars().filter(|character| !"=\n".contains(*character)).collect();
            assert_eq!(encode_unpadded(expected.as_bytes()), plain);
            assert_eq!(encode(expected.as_bytes()), text.replace('\n', ""));
        }
        assert_eq!(decode(b"Zm9v!"), None);
        assert_eq!(encode_unpadded(&[0xff, 0xef, 0xbe]), "/+++");
    }
}
