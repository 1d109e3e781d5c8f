//! `/proc/PID/mountinfo` (proc(5)): what is mounted where.

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount<'a> {
    /// Where, with octal escapes resolved.
    pub point: Vec<u8>,
    /// Type of the file system: `ext4`, `nfs4`, `fuse.sshfs` …
    pub kind: &'a [u8],
}

/// File systems that another machine answers for, or that another machine's are mounted upon when somebody looks: to
/// touch them may hang, and wakes a server up.
const DISTANT: [&[u8]; 18] = [
    b"nfs",
    b"nfs4",
    b"autofs",
    b"cifs",
    b"smb3",
    b"lustre",
    b"gpfs",
    b"beegfs",
    b"ceph",
    b"afs",
    b"9p",
    b"glusterfs",
    b"pvfs2",
    b"orangefs",
    b"panfs",
    b"wekafs",
    b"coda",
    b"cvmfs",
];

impl Mount<'_> {
    /// Whether another machine answers for it. Every FUSE file system counts: a process of some user answers for it.
    #[must_use]
    pub fn is_distant(&self) -> bool {
        DISTANT.contains(&self.kind) || self.kind == b"fuse" || self.kind.starts_with(b"fuse.")
    }
}

/// The mounts, in order. A line that is none is skipped: the kernel writes none.
#[must_use]
pub fn parse(bytes: &[u8]) -> Vec<Mount<'_>> {
    bytes.split(|b| *b == b'\n').filter_map(mount).collect()
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`
fn mount(line: &[u8]) -> Option<Mount<'_>> {
    let mut fields = line.split(|b| *b == b' ');
    let point = unescape(fields.nth(4)?);
    fields.find(|field| *field == b"-")?;
    Some(Mount { point, kind: fields.next()? })
}

/// The kernel writes space, tab, line feed and backslash as `\` and three octal digits.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(u8::is_ascii_digit));
        let value = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match value {
            Some(byte) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8], point: &[u8], distant: bool) {
        let mounts = parse(line);
        assert_eq!((mounts[0].point.as_slice(), mounts[0].is_distant()), (point, distant));
    }

    #[test]
    fn mounts_and_who_answers_for_them() {
        check(b"36 35 98:0 / /home rw,noatime master:1 shared:2 - nfs4 server:/home rw", b"/home", true);
        check(b"36 35 98:0 / /home rw - ext4 /dev/sda1 rw\n", b"/home", false);
        check(b"36 35 0:50 / /a\\040b\\134 rw - fuse.sshfs x rw", b"/a b\\", true);
        check(b"36 35 0:50 / /net rw - autofs auto.net rw", b"/net", true);
        assert!(parse(b"\n\xff\n1 2 3\n36 35 98:0 / /home rw ext4\n").is_empty());
    }
}
