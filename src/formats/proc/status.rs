//! `/proc/PID/status`: credentials and tracer of a process (proc(5)).

use super::{fields, number};

/// Bit of `CAP_SETUID` in a capability mask (capabilities(7)).
const CAP_SETUID: u32 = 7;

/// Bits of `CAP_DAC_READ_SEARCH`, `CAP_SYS_PTRACE`, `CAP_SYS_ADMIN` and `CAP_CHECKPOINT_RESTORE`.
const CAP_DAC_READ_SEARCH: u32 = 2;
const CAP_SYS_PTRACE: u32 = 19;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_CHECKPOINT_RESTORE: u32 = 40;

/// What of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Real, effective, saved and file system user id, as the reader's user namespace sees them.
    pub uids: [u32; 4],
    /// Process id of a tracer, 0 if none.
    pub tracer: i32,
    /// Permitted capabilities, in the process's own user namespace.
    pub permitted: u64,
}

impl Status {
    /// Whether it may change its user id to any that its user namespace maps (capabilities(7)).
    #[must_use]
    pub const fn can_change_uid(&self) -> bool {
        self.permitted & (1 << CAP_SETUID) != 0
    }

    /// Which of the capabilities it lacks that are needed to look at other users' processes: to read their directories in
    /// proc(5), to pass the check of ptrace(2), to open the files they map (`map_files`; CAP_SYS_ADMIN does too).
    #[must_use]
    pub fn lacks(&self) -> Vec<&'static str> {
        let none = |bits: &[u32]| bits.iter().all(|bit| self.permitted & (1 << bit) == 0);
        let needed: [(&str, &[u32]); 3] = [
            ("CAP_DAC_READ_SEARCH", &[CAP_DAC_READ_SEARCH]),
            ("CAP_SYS_PTRACE", &[CAP_SYS_PTRACE]),
            ("CAP_CHECKPOINT_RESTORE", &[CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN]),
        ];
        needed.into_iter().filter(|(_, bits)| none(bits)).map(|(name, _)| name).collect()
    }

    /// Whether it is, was, or is about to be the superuser.
    #[must_use]
    pub fn any_root(&self) -> bool {
        self.uids.contains(&0)
    }
}

/// Reads it; `None` if one of the lines is missing or malformed. The first line of each key counts: the kernel escapes
/// newlines in `Name`, so no process can forge one.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Status> {
    let value = |key: &[u8]| bytes.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(key)?.strip_prefix(b":"));
    let mut uids = fields(value(b"Uid")?).map(|field| number(field, 10).and_then(|uid| u32::try_from(uid).ok()));
    Some(Status {
        uids: [uids.next()??, uids.next()??, uids.next()??, uids.next()??],
        tracer: i32::try_from(number(value(b"TracerPid")?.trim_ascii(), 10)?).ok()?,
        permitted: number(value(b"CapPrm")?.trim_ascii(), 16)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: Option<Status>) {
        assert_eq!(parse(input), expected);
    }

    #[test]
    fn capabilities_that_are_missing() {
        let lacks = |permitted| Status { uids: [1; 4], tracer: 0, permitted }.lacks();
        let all = 1 << 2 | 1 << 19 | 1 << 40;
        assert!(lacks(all).is_empty() && lacks(u64::MAX).is_empty());
        assert_eq!(lacks(all & !(1 << 2)), ["CAP_DAC_READ_SEARCH"]);
        assert_eq!(lacks(all & !(1 << 19)), ["CAP_SYS_PTRACE"]);
        assert_eq!(lacks(all & !(1 << 40)), ["CAP_CHECKPOINT_RESTORE"]);
        assert!(lacks(1 << 2 | 1 << 19 | 1 << 21).is_empty());
        assert_eq!(lacks(0).len(), 3);
    }

    #[test]
    fn credentials_and_tracer() {
        let text =
            b"Name:\tsshd\nState:\tS (sleeping)\nTracerPid:\t77\nUid:\t0\t1000\t0\t0\nCapPrm:\t000001ffffffffff\n";
        check(text, Some(Status { uids: [0, 1000, 0, 0], tracer: 77, permitted: 0x1ff_ffff_ffff }));
        assert!(parse(text).unwrap().can_change_uid() && parse(text).unwrap().any_root());
        check(b"TracerPid:\t0\nUid:\t1\t2\t3\n", None);
        check(b"", None);
    }
}
