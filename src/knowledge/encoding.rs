//! How searched-for values are stored in `signatures/`, so that neither an antivirus nor our own engine takes the rule
//! for the backdoor.
//!
//! A value that begins with `x:` is the hexadecimal of its bytes, each XORed with [`KEY`]. Any other value stands for
//! itself. Shipped files use the first form for everything that is searched for; a site may write either.

use crate::model::text;

/// Every byte of a stored value is XORed with this. It hides nothing from a reader, only from a matcher of plain bytes.
pub const KEY: u8 = 0xa5;

const MARK: &str = "x:";

/// The bytes that a stored value stands for; `None` if it is marked as encoded and is no hexadecimal.
#[must_use]
pub fn decode(stored: &str) -> Option<Vec<u8>> {
    match stored.strip_prefix(MARK) {
        None => Some(stored.as_bytes().to_vec()),
        Some(hex) => Some(text::unhex(hex)?.into_iter().map(|byte| byte ^ KEY).collect()),
    }
}

/// The stored form of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let masked: Vec<u8> = bytes.iter().map(|byte| byte ^ KEY).collect();
    format!("{MARK}{}", text::hex(&masked))
}

/// Whether a stored value hides what it stands for.
#[must_use]
pub fn is_encoded(stored: &str) -> bool {
    stored.starts_with(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_value_is_restored_and_does_not_show() {
        for bytes in [&b"x: plain\n"[..], b"\x00\xff\xa5", b""] {
            let stored = encode(bytes);
            assert_eq!(decode(&stored).as_deref(), Some(bytes));
            assert!(is_encoded(&stored));
        }
        assert_eq!(decode("as it is").as_deref(), Some(&b"as it is"[..]));
        assert_eq!(decode("x:0"), None);
        assert_eq!(decode("x:zz"), None);
    }
}
