//! The cleartext signature framework of OpenPGP (RFC 9580, section 7): what is signed, and the signatures. Whatever
//! stands before or behind is nobody's word and is dropped.

use crate::formats::base64;
use crate::formats::lines::lines;

/// A signed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The text that is signed: dashes unescaped, blanks at the ends of lines dropped, lines divided by line feeds, none
    /// after the last (section 7.2).
    pub text: Vec<u8>,
    /// The signature packets, binary.
    pub packets: Vec<u8>,
}

/// The text and the signatures in `bytes`; `None` if it is not of that form.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Signed> {
    const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
    const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
    const END: &[u8] = b"-----END PGP SIGNATURE-----";
    let mut lines = lines(bytes).map(|(_, line)| line.trim_ascii_end());
    lines.by_ref().find(|line| *line == BEGIN)?;
    // Only `Hash` may stand there; the signature packet says it anyway.
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        line.strip_prefix(b"Hash:")?;
    }
    let mut text = Vec::with_capacity(bytes.len());
    let mut ended = false;
    for line in lines.by_ref() {
        if line == SIGNATURE {
            ended = true;
            break;
        }
        let line = match line.strip_prefix(b"- ") {
            Some(escaped) => escaped,
            // Nothing but an escaped line may begin with a dash.
            None if line.starts_with(b"-") => return None,
            None => line,
        };
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.pop();
    if !ended {
        return None;
    }
    let mut armour = Vec::new();
    for line in lines.by_ref().skip_while(|line| line.contains(&b':')).filter(|line| !line.is_empty()) {
        match line {
            END => return Some(Signed { text, packets: base64::decode(&armour)? }),
            // The checksum of 24 bits.
            [b'=', ..] => {}
            line => armour.extend_from_slice(line),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_signed_is_taken() {
        let message = |text: &str| {
            format!(
                "Origin: evil\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}\n-----BEGIN PGP SIGNATURE-----\n\
                 Version: 1\n\nZm9v\nYmFy\n=abcd\n-----END PGP SIGNATURE-----\nSuite: evil\n"
            )
        };
        let check = |text: &str, expected: Option<&str>| {
            let found = parse(message(text).as_bytes());
            assert_eq!(
                found.as_ref().map(|signed| String::from_utf8_lossy(&signed.text).into_owned()).as_deref(),
                expected
            );
            assert!(found.is_none_or(|signed| signed.packets == b"foobar"));
        };
        check("Origin: Debian  \n- - dash\r\nSuite: x", Some("Origin: Debian\n- dash\nSuite: x"));
        check("", Some(""));
        check("a\n-----BEGIN PGP SIGNED MESSAGE-----\nb", None);
        assert_eq!(parse(b"Origin: Debian\n"), None);
        assert_eq!(parse(&message("a").as_bytes()[..120]), None);
    }
}
