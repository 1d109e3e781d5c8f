//! `/proc/PID/uid_map`: how the user ids of a user namespace map to the reader's (user_namespaces(7)).

use super::{fields, number};

/// Whether some id of the namespace maps to `uid` of the reader's. Lines are `inside outside length`.
#[must_use]
pub fn reaches(bytes: &[u8], uid: u64) -> bool {
    bytes.split(|b| *b == b'\n').any(|line| {
        let mut numbers = fields(line).map(|field| number(field, 10));
        let (Some(Some(_)), Some(Some(outside)), Some(Some(length))) = (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        uid.checked_sub(outside).is_some_and(|at| at < length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], uid: u64, expected: bool) {
        assert_eq!(reaches(input, uid), expected);
    }

    #[test]
    fn a_range_is_half_open() {
        check(b"         0          0 4294967295\n", 0, true);
        check(b"         0       1000          1\n         1     100000      65536\n", 0, false);
        check(b"         0       1000          1\n         1     100000      65536\n", 165_535, true);
        check(b"         0       1000          1\n         1     100000      65536\n", 165_536, false);
        check(b"nonsense\n", 0, false);
    }
}
