//! Versions of packages as rpm orders them (rpmio/rpmvercmp.c and rpmio/rpmver.c of rpm 4.18, after their documentation in
//! rpm-version(7)).

use std::cmp::Ordering;

/// `[epoch:]version[-release]`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evr<'a> {
    epoch: &'a [u8],
    version: &'a [u8],
    release: Option<&'a [u8]>,
}

impl<'a> Evr<'a> {
    /// Takes `text` apart.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Self {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (epoch, rest) = match text.split_at_checked(digits) {
            Some((epoch, [b':', rest @ ..])) => (epoch, rest),
            _ => (&b""[..], text),
        };
        let dash = rest.iter().rposition(|byte| *byte == b'-').and_then(|at| rest.split_at_checked(at));
        let (version, release) = dash.map_or((rest, None), |(version, release)| (version, release.get(1..)));
        Self { epoch, version, release }
    }

    /// How two versions stand to each other. Without an epoch it is 0; a release counts if both have one.
    #[must_use]
    pub fn compare(&self, other: &Evr<'_>) -> Ordering {
        let epoch = |own: &Evr<'_>| if own.epoch.is_empty() { b"0".to_vec() } else { own.epoch.to_vec() };
        let release = || match (self.release, other.release) {
            (Some(one), Some(two)) => segments(one, two),
            _ => Ordering::Equal,
        };
        segments(&epoch(self), &epoch(other)).then_with(|| segments(self.version, other.version)).then_with(release)
    }
}

/// Compares runs of digits as numbers and runs of letters as text; what stands between them only parts them. `~` is before
/// everything, the end too; `^` after the end and before everything else.
fn segments(mut one: &[u8], mut two: &[u8]) -> Ordering {
    let skip = |text: &[u8]| {
        text.iter().take_while(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'~' | b'^')).count()
    };
    if one == two {
        return Ordering::Equal;
    }
    while !one.is_empty() || !two.is_empty() {
        one = one.get(skip(one)..).unwrap_or_default();
        two = two.get(skip(two)..).unwrap_or_default();
        match (one.first(), two.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                one = one.get(1..).unwrap_or_default();
                two = two.get(1..).unwrap_or_default();
                continue;
            }
            (Some(b'~'), _) | (None, Some(b'^')) => return Ordering::Less,
            (_, Some(b'~')) | (Some(b'^'), None) => return Ordering::Greater,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (None, _) | (_, None) => break,
            (Some(first), Some(_)) => {
                let is_number = first.is_ascii_digit();
                let (left, after_one) = run(one, is_number);
                let (right, after_two) = run(two, is_number);
                if right.is_empty() {
                    // A number is newer than letters.
                    return if is_number { Ordering::Greater } else { Ordering::Less };
                }
                let order = if is_number {
                    let (left, right) = (significant(left), significant(right));
                    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
                } else {
                    left.cmp(right)
                };
                if order != Ordering::Equal {
                    return order;
                }
                (one, two) = (after_one, after_two);
            }
        }
    }
    // Whatever has something left is newer.
    one.is_empty().cmp(&two.is_empty()).reverse()
}

/// The digits, or letters, that `text` begins with, and the rest.
fn run(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let is_own = |byte: &&u8| if digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    text.split_at_checked(text.iter().take_while(is_own).count()).unwrap_or((text, b""))
}

fn significant(digits: &[u8]) -> &[u8] {
    digits.get(digits.iter().take_while(|digit| **digit == b'0').count()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered() {
        let check = |one: &str, two: &str, expected: Ordering| {
            let compare = |one: &str, two: &str| Evr::parse(one.as_bytes()).compare(&Evr::parse(two.as_bytes()));
            assert_eq!((compare(one, two), compare(two, one)), (expected, expected.reverse()), "{one} {two}");
        };
        check("1.0-1", "1.0-2", Ordering::Less);
        check("1.0", "1.0-2", Ordering::Equal);
        check("1:1.0-1", "2.0-1", Ordering::Greater);
        check("0:1.0", "1.0", Ordering::Equal);
        check("1.10", "1.9", Ordering::Greater);
        check("1.0~rc1", "1.0", Ordering::Less);
        check("1.0^git1", "1.0", Ordering::Greater);
        check("1.0^git1", "1.0.1", Ordering::Less);
        check("8.7p1-38.el9_4.4", "8.7p1-38.el9", Ordering::Greater);
        check("9.2p1", "9.10p1", Ordering::Less);
        check("1.a", "1.1", Ordering::Less);
        check("1.001", "1.1", Ordering::Equal);
    }
}
