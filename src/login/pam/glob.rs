//! fnmatch(3) as PAM modules use it: `*`, `?`, `[...]`, no flags.

/// Whether `text` matches `pattern`. Time is bounded by the product of their lengths.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = p.strip_prefix(b"*") {
            retry = Some((rest, t));
            p = rest;
        } else if let (Some((byte, after)), Some(rest)) = (t.split_first(), t.first().and_then(|b| one(p, *b))) {
            let _ = byte;
            (p, t) = (rest, after);
        } else if p.is_empty() && t.is_empty() {
            return true;
        } else {
            match retry {
                Some((rest, from)) if !from.is_empty() => {
                    let from = from.get(1..).unwrap_or_default();
                    retry = Some((rest, from));
                    (p, t) = (rest, from);
                }
                _ => return false,
            }
        }
    }
}

/// The pattern after one element that matches `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'\\', literal, rest @ ..] => (*literal == byte).then_some(rest),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((true, after)) => Some(after),
            Some((false, _)) => None,
            None => (byte == b'[').then_some(rest),
        },
        [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// A bracket expression without its `[`: whether `byte` is in it, and what follows; `None` if it never ends.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match pattern {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut inside = false;
    let mut first = true;
    loop {
        match rest {
            [b']', after @ ..] if !first => return Some((inside != negated, after)),
            [low, b'-', high, after @ ..] if *high != b']' => {
                inside |= (*low..=*high).contains(&byte);
                rest = after;
            }
            [literal, after @ ..] => {
                inside |= *literal == byte;
                rest = after;
            }
            [] => return None,
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
    }

    #[test]
    fn as_fnmatch() {
        check("svc-*", "svc-", true);
        check("*-*-x", "a-b-c-x", true);
        check("*-*-x", "a-x", false);
        check("?[a-c]", "xb", true);
        check("?[!a-c]", "xb", false);
        check("[", "[", true);
        check("[]a]", "]", true);
        check("\\*", "*", true);
        check("", "", true);
        check("*", "", true);
        check("a", "", false);
        let long = "a".repeat(5000);
        check(&format!("{}b", "*a".repeat(20)), &long, false);
    }
}
