//! Turns bytes that an attacker chose into text that is safe to print, and back.
//!
//! Names of files, accounts and processes may hold terminal escapes, newlines, right-to-left overrides or bytes that
//! are no UTF-8 at all. Everything we show or store goes through [`escape`]; [`unescape`] restores the exact bytes.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bytes as printable text: `\` becomes `\\`, every control or invalid byte `\xNN`, and every character that
/// could reorder or hide text on a terminal `\u{N}`. Never fails; [`unescape`] is its inverse.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_ascii_control() => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c if is_deceptive(c) => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// `text` with everything that is not printable replaced as [`escape`] does, backslashes left alone: the last line of
/// defence of every output for text that ought to be escaped already. Harmless text is returned as it is.
#[must_use]
pub fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.chars().any(|c| c.is_ascii_control() || is_deceptive(c)) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if is_deceptive(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.into()
}

/// The bytes that [`escape`] was given, or `None` if `text` was not made by it.
#[must_use]
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let tail = tail.get(1..)?;
        rest = match tail.bytes().next()? {
            b'\\' => {
                out.push(b'\\');
                tail.get(1..)?
            }
            b'x' => {
                out.push(u8::from_str_radix(tail.get(1..3)?, 16).ok()?);
                tail.get(3..)?
            }
            b'u' => {
                let (hex, after) = tail.get(1..)?.strip_prefix('{')?.split_once('}')?;
                let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            _ => return None,
        };
    }
    out.extend_from_slice(rest.as_bytes());
    Some(out)
}

/// Content of a file as it is, escaped only where it is stored or shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<u8>);

impl Text {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Vec<u8>>> From<T> for Text {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", escape(&self.0))
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(&self.0))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        unescape(&text).map(Self).ok_or_else(|| serde::de::Error::custom("malformed escape"))
    }
}

/// Lower-case hexadecimal of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The bytes that `text` names in hexadecimal (either case, even length), or `None`.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u8>> =
        text.bytes().map(|b| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let nibbles = nibbles?;
    nibbles
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect()
}

/// C1 controls, line separators, zero-width characters and bidirectional controls (Unicode TR 36, section 2.10).
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    matches!(u32::from(c),
        0x80..=0x9f | 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xe0000..=0xe007f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], text: &str) {
        assert_eq!(escape(bytes), text);
        assert_eq!(unescape(text).as_deref(), Some(bytes));
    }

    #[test]
    fn hostile_names_round_trip() {
        check(b"/usr/sbin/sshd", "/usr/sbin/sshd");
        check("/home/zo\u{e9}".as_bytes(), "/home/zo\u{e9}");
        check(b"a\nb\x1b[31m", "a\\x0ab\\x1b[31m");
        check(b"\xff\\x41", "\\xff\\\\x41");
        check("\u{202e}gpj".as_bytes(), "\\u{202e}gpj");
        check("\u{9b}1m".as_bytes(), "\\u{9b}1m");
    }

    #[test]
    fn what_is_escaped_stays_as_it_is_and_the_rest_becomes_printable() {
        assert_eq!(printable("a\\x0ab zo\u{e9}"), "a\\x0ab zo\u{e9}");
        assert_eq!(printable("a\nb\u{1b}[31m\u{9b}\u{202e}"), "a\\x0ab\\x1b[31m\\u{9b}\\u{202e}");
    }

    #[test]
    fn malformed_escapes_are_refused() {
        for text in ["\\", "\\q", "\\x4", "\\xzz", "\\u{d800}", "\\u{41", "\\u41}"] {
            assert_eq!(unescape(text), None, "{text}");
        }
        assert_eq!(unhex("0g"), None);
        assert_eq!(unhex("abc"), None);
        assert_eq!(unhex("00fF").as_deref(), Some(&[0, 255][..]));
    }
}
