//! `/proc/PID/stat`: state, parent and start time of a process; `/proc/stat`: when the kernel was started (proc(5)).

use super::{fields, number};

/// What of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// State letter: `R`, `S`, `Z` …
    pub state: u8,
    /// Process id of the parent, 0 for none that can be seen.
    pub parent: i32,
    /// Start time in clock ticks since boot: tells a reused pid apart.
    pub starttime: u64,
}

impl Stat {
    /// Whether the process has ended and only waits to be reaped: it has no memory any more.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// Reads the line. The second field is the process's name in parentheses and may hold parentheses, spaces and newlines
/// itself, so the last `)` ends it.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Stat> {
    let name_end = bytes.iter().rposition(|b| *b == b')')?;
    let mut rest = fields(bytes.get(name_end.checked_add(1)?..)?.trim_ascii_end());
    // Fields 3, 4 and 22 of proc(5).
    let state = *rest.next()?.first()?;
    let parent = i32::try_from(number(rest.next()?, 10)?).ok()?;
    let starttime = number(rest.nth(17)?, 10)?;
    Some(Stat { state, parent, starttime })
}

/// `btime` of `/proc/stat`: seconds since 1970 at which the kernel was started.
#[must_use]
pub fn booted(table: &[u8]) -> Option<u64> {
    let line = table.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"btime "))?;
    number(line.trim_ascii(), 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_start() {
        assert_eq!(booted(b"cpu  1 2 3\nctxt 5\nbtime 1763800000\nprocesses 7\n"), Some(1_763_800_000));
        assert_eq!(booted(b"cpu  1 2 3\nbtime x\n"), None);
        assert_eq!(booted(b""), None);
    }

    fn check(input: &[u8], expected: Option<Stat>) {
        assert_eq!(parse(input), expected);
    }

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let tail = "S 17 812 812 0 -1 4194560 120 0 0 0 1 2 0 0 20 0 1 0 4242 15000 900 18446744073709551615\n";
        let expected = Some(Stat { state: b'S', parent: 17, starttime: 4242 });
        check(format!("812 (sshd) {tail}").as_bytes(), expected);
        check(format!("812 (a) Z 1 (b) {tail}").as_bytes(), expected);
        check(format!("812 (a\n) {tail}").as_bytes(), expected);
        check(b"812 (sshd) S 17", None);
        check(b"", None);
    }
}
