//! `/proc/PID/maps`: the mappings of a process (proc(5)).

use super::number;

/// What the kernel appends to the path of a file whose name is gone.
const DELETED: &[u8] = b" (deleted)";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// `rwxp` or `rwxs`, `-` where a right is missing.
    pub permissions: [u8; 4],
    /// Offset into the file, in bytes.
    pub offset: u64,
    /// Major and minor number of the file system's device. On btrfs and overlayfs stat(2) gives another.
    pub device: (u64, u64),
    /// Inode number; 0 without a file.
    pub inode: u64,
    /// The path, or `[vdso]` and the like; empty for anonymous memory. Newlines are restored; ` (deleted)` stays.
    pub path: Vec<u8>,
}

impl Map {
    /// Whether instructions can be fetched from it.
    #[must_use]
    pub const fn executable(&self) -> bool {
        self.permissions[2] == b'x'
    }

    /// Whether it can be written to.
    #[must_use]
    pub const fn writable(&self) -> bool {
        self.permissions[1] == b'w'
    }

    /// Whether `address` lies in it.
    #[must_use]
    pub const fn holds(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// The path without the kernel's ` (deleted)`, and whether that stood there. A file may be *named* so: only the
    /// inode tells (see `observe::processes`).
    #[must_use]
    pub fn name(&self) -> (&[u8], bool) {
        match self.path.strip_suffix(DELETED) {
            Some(name) => (name, true),
            None => (&self.path, false),
        }
    }
}

/// The mappings in the order of their addresses; `None` if a line is not as proc(5) says, because then nothing can be
/// said about the process.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Vec<Map>> {
    bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(line).collect()
}

fn line(line: &[u8]) -> Option<Map> {
    let mut rest = line;
    let mut field = || {
        let (field, others) = first(rest)?;
        rest = others;
        Some(field)
    };
    let (range, permissions, offset, device, inode) = (field()?, field()?, field()?, field()?, field()?);
    let dash = range.iter().position(|b| *b == b'-')?;
    let colon = device.iter().position(|b| *b == b':')?;
    Some(Map {
        start: hex(range.get(..dash)?)?,
        end: hex(range.get(dash.checked_add(1)?..)?)?,
        permissions: permissions.try_into().ok()?,
        offset: hex(offset)?,
        device: (hex(device.get(..colon)?)?, hex(device.get(colon.checked_add(1)?..)?)?),
        inode: number(inode, 10)?,
        path: unescape(trimmed(rest)),
    })
}

/// A hexadecimal number of at most 64 bits, nothing around it: the quick way, for there are thousands of mappings.
fn hex(field: &[u8]) -> Option<u64> {
    let digits = (1..=16).contains(&field.len()).then_some(field)?;
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit.wrapping_sub(b'0'),
            b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

/// The first field of a line, and what follows it.
fn first(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = trimmed(line);
    let end = line.iter().position(|b| is_blank(*b)).unwrap_or(line.len());
    line.split_at_checked(end).filter(|(field, _)| !field.is_empty())
}

/// Without the blanks before it.
fn trimmed(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|b| !is_blank(*b)).unwrap_or(line.len());
    line.get(start..).unwrap_or_default()
}

const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// The kernel writes a newline in a path as `\012` and nothing else so (`seq_file_path(m, file, "\n")` in
/// fs/proc/task_mmu.c); a backslash stays as it is.
fn unescape(path: &[u8]) -> Vec<u8> {
    if !path.contains(&b'\\') {
        return path.to_vec();
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(br"\012") {
            out.push(b'\n');
            rest = after;
        } else {
            out.push(*first);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "numbers of the test's own making")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(input: &[u8], path: &[u8], name: &[u8], deleted: bool) {
        let maps = parse(input).unwrap();
        let map = maps.first().unwrap();
        assert_eq!(map.path, path);
        assert_eq!(map.name(), (name, deleted));
    }

    #[test]
    fn a_line_is_taken_apart() {
        let text = b"55d0c8a00000-55d0c8a0c000 r-xp 0000c000 fe:00 1234                       /usr/sbin/sshd\n";
        let maps = parse(text).unwrap();
        assert_eq!(
            maps,
            [Map {
                start: 0x55d0_c8a0_0000,
                end: 0x55d0_c8a0_c000,
                permissions: *b"r-xp",
                offset: 0xc000,
                device: (0xfe, 0),
                inode: 1234,
                path: b"/usr/sbin/sshd".to_vec(),
            }]
        );
        assert!(maps[0].executable() && !maps[0].writable() && maps[0].holds(0x55d0_c8a0_0000));
        assert!(!maps[0].holds(0x55d0_c8a0_c000));
    }

    #[test]
    fn paths_keep_spaces_and_newlines() {
        check(b"0-1 r-xp 0 00:00 0 \n", b"", b"", false);
        check(b"0-1 rwxp 00000000 00:00 0                  [heap]\n", b"[heap]", b"[heap]", false);
        check(b"0-1 r-xp 0 fe:00 9      /tmp/a b (deleted)\n", b"/tmp/a b (deleted)", b"/tmp/a b", true);
        check(b"0-1 r-xp 0 fe:00 9 /tmp/a\\012b\\n\n", b"/tmp/a\nb\\n", b"/tmp/a\nb\\n", false);
        check(b"0-1 r-xp 0 00:01 7 /memfd:x (deleted)\n", b"/memfd:x (deleted)", b"/memfd:x", true);
    }

    #[test]
    fn a_broken_line_is_not_skipped() {
        for text in [&b"zz-1 r-xp 0 fe:00 9\n"[..], b"0-1 r-x 0 fe:00 9\n", b"0-1 r-xp 0 fe00 9\n", b"0-1 r-xp 0\n"] {
            assert_eq!(parse(text), None, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(parse(b""), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_the_kernel_prints_comes_back(start in 0u64..1 << 47, length in 1u64..1 << 30, inode: u64, name in "[ -\\[\\]-~]{0,40}") {
            let line = format!("{start:08x}-{:08x} r-xp 00000000 fe:01 {inode}   /{name}\n", start + length);
            let maps = parse(line.as_bytes()).unwrap();
            prop_assert_eq!(maps[0].path.clone(), format!("/{name}").into_bytes());
            prop_assert_eq!((maps[0].start, maps[0].end, maps[0].inode), (start, start + length, inode));
        }
    }
}
