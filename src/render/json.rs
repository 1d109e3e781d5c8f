//! JSON that is safe to show on a terminal: every character that could move, hide or reorder text is written `\uNNNN`.
//!
//! Facts and reports hold names in escaped form already; this is the last line of defence, and loses nothing.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use crate::model::text::is_deceptive;

/// `value` as one indented document with a newline at its end. Order of keys is that of the type, so stable.
///
/// # Errors
/// What the serialiser says.
pub fn pretty<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    with(value, PrettyFormatter::new())
}

/// `value` on one line, with a newline at its end.
///
/// # Errors
/// What the serialiser says.
pub fn line<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    with(value, CompactFormatter)
}

fn with<T: Serialize>(value: &T, formatter: impl Formatter) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Plain(formatter)))?;
    out.push(b'\n');
    Ok(out)
}

/// Another formatter's layout, with strings kept printable.
struct Plain<F>(F);

impl<F: Formatter> Formatter for Plain<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // RFC 8259 section 7 lets any character be written as `\u`; serde_json does it only for C0 controls.
        let mut from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_deceptive(*c) || *c == '\x7f') {
            writer.write_all(fragment.get(from..at).unwrap_or_default().as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            from = at + c.len_utf8();
        }
        writer.write_all(fragment.get(from..).unwrap_or_default().as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_array(w)
    }

    fn end_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_array(w)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(w, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_array_value(w)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_object(w)
    }

    fn end_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_object(w)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(w, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_object_value(w)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_object_value(w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        let out = String::from_utf8(line(&input).unwrap()).unwrap();
        assert_eq!(out.trim_end(), expected);
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), input);
    }

    #[test]
    fn strings_are_printable_and_lose_nothing() {
        check("plain zo\u{e9}", "\"plain zo\u{e9}\"");
        check("\u{1b}[31m\u{7f}", "\"\\u001b[31m\\u007f\"");
        check("a\u{9b}b\u{202e}c\u{e0041}", "\"a\\u009bb\\u202ec\\udb40\\udc41\"");
    }

    #[test]
    fn layout_is_serde_jsons_own() {
        let value = serde_json::json!({"a": [1, {"b": []}], "c": {}});
        assert_eq!(pretty(&value).unwrap(), [serde_json::to_vec_pretty(&value).unwrap(), b"\n".to_vec()].concat());
    }
}
