//! `/proc/PID/smaps`: how much of each mapping belongs to the process alone (proc(5)).

use super::{fields, number};

/// One mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// First address.
    pub start: u64,
    /// Memory that belongs to no file, in KiB: `Anonymous` and `Swap` together.
    pub anonymous: u64,
}

/// All mappings, in the order of their addresses. A line that is not understood is passed over: the kernel adds some with
/// every version.
#[must_use]
pub fn parse(bytes: &[u8]) -> Vec<Usage> {
    let mut found: Vec<Usage> = Vec::new();
    for line in bytes.split(|b| *b == b'\n') {
        if let Some(start) = start(line) {
            found.push(Usage { start, anonymous: 0 });
        } else if let (Some(amount), Some(last)) = (amount(line), found.last_mut()) {
            last.anonymous = last.anonymous.saturating_add(amount);
        }
    }
    found
}

/// The first address in the line that begins a mapping, as in `maps`: `55d0c8a00000-55d0c8a0c000 r-xp …`.
fn start(line: &[u8]) -> Option<u64> {
    let range = fields(line).next()?;
    let dash = range.iter().position(|b| *b == b'-')?;
    number(range.get(..dash)?, 16)
}

/// KiB of `Anonymous:` or `Swap:`.
fn amount(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"Anonymous:").or_else(|| line.strip_prefix(b"Swap:"))?;
    number(fields(rest).next()?, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_no_file_is_summed() {
        let text = b"1000-3000 r-xp 00000000 fe:00 9   /usr/sbin/sshd\nSize:   8 kB\nAnonymous:   4 kB\nSwap:   8 kB\n\
            SwapPss:  1 kB\nVmFlags: rd ex\n3000-4000 r--p 0 fe:00 9 /a\nAnonymous: 0 kB\n";
        let expected = [Usage { start: 0x1000, anonymous: 12 }, Usage { start: 0x3000, anonymous: 0 }];
        assert_eq!(parse(text), expected);
        assert_eq!(parse(b"Anonymous: 1 kB\n"), []);
    }
}
