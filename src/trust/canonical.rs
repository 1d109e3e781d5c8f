//! The one byte form of an event that is signed and digested: RFC 8785 (JSON canonicalisation), for the JSON that events
//! consist of. A receiver that parsed and rewrote an event can still verify it.
//!
//! Events hold no fractions, so numbers are integers and need none of the RFC's section 3.2.2.3.

use serde::Serialize;
use serde_json::Value;

/// `value` in canonical form: no blanks, the members of each object sorted by their names' UTF-16 units, strings escaped
/// only where they must be. `None` if it cannot be expressed as JSON, or holds a number that is no integer a double
/// represents exactly (RFC 8785 takes numbers as doubles; RFC 7493, section 2.2).
#[must_use]
pub fn canonical<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    write(&serde_json::to_value(value).ok()?, &mut out)?;
    Some(out)
}

/// The largest integer up to which doubles represent all: 2⁵³ − 1.
const MAX_EXACT: u64 = (1 << 53) - 1;

fn write(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => serde_json::to_writer(out, value).ok(),
        Value::Number(number) => {
            let exact = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs))? <= MAX_EXACT;
            if exact { serde_json::to_writer(out, value).ok() } else { None }
        }
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
            Some(())
        }
        Value::Object(members) => {
            // Sorted here: serde_json keeps insertion order if any crate of the build asks it to.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, name).ok()?;
                out.push(b':');
                write(member, out)?;
            }
            out.push(b'}');
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        let value: Value = serde_json::from_str(input).unwrap();
        assert_eq!(String::from_utf8(canonical(&value).unwrap()).unwrap(), expected);
    }

    #[test]
    fn the_examples_of_rfc_8785_without_fractions() {
        // Section 3.2.3, sorting of names.
        check(
            r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        );
        // Section 3.2.2, strings and literals.
        check(
            r#"{ "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }"#,
            "{\"literals\":[null,true,false],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
        );
    }

    #[test]
    fn numbers_that_are_not_exact_everywhere_are_refused() {
        check("[0,-1,9007199254740991]", "[0,-1,9007199254740991]");
        for input in ["0.5", "9007199254740992", "1e400"] {
            let value: Result<Value, _> = serde_json::from_str(input);
            assert!(value.map_or(true, |value| canonical(&value).is_none()), "{input}");
        }
    }
}
