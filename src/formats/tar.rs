//! tar as dpkg-deb(1) and rpm's tools write it (POSIX `ustar` with GNU's long names, pax headers for paths): members, the
//! digests of their content, the content of those that are asked for.

use sha2::Digest as _;

use crate::model::{Algorithm, Digest};

/// Members read; the largest packages (kernel headers, textures) have some 50,000.
const MAX_MEMBERS: usize = 400_000;
/// Bytes of names kept of all members together.
const MAX_NAMES: usize = 64 << 20;
/// The longest name, and the largest content that is kept, in bytes.
const MAX_NAME: u64 = 64 << 10;
const MAX_KEPT: u64 = 4 << 20;
const BLOCK: usize = 512;

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with the SHA-256 of its content, and its size in bytes.
    Regular(Digest, u64),
    /// Another name of an earlier member.
    HardLink(Vec<u8>),
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// A directory.
    Directory,
    /// A device or a FIFO.
    Other,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name as written: `./usr/sbin/sshd`.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-id and sticky.
    pub mode: u32,
    /// Name of its owner; the number where the archive gives no name.
    pub user: Vec<u8>,
    /// Name of its group; the number where the archive gives no name.
    pub group: Vec<u8>,
    /// Its content, if it was asked for and is no larger than 4 MiB.
    pub content: Option<Vec<u8>>,
}

/// What is wrong with an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TarProblem(pub &'static str);

impl std::fmt::Display for TarProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Reads an archive that comes piece by piece.
pub struct Reader<'a> {
    keep: &'a dyn Fn(&[u8]) -> bool,
    state: State,
    block: Vec<u8>,
    members: Vec<Member>,
    names: usize,
    /// Names from a header before the member's own.
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

enum State {
    /// Collecting a header.
    Header,
    /// In the content of a member: bytes left of it, and of the padding after it.
    Content { left: u64, padding: usize, into: Sink },
    /// Behind the two empty blocks.
    End,
}

enum Sink {
    Member { member: Box<Member>, hasher: Box<sha2::Sha256>, size: u64 },
    LongName(Vec<u8>),
    LongLink(Vec<u8>),
    Pax(Vec<u8>),
    Nothing,
}

impl<'a> Reader<'a> {
    /// `keep`: whether the content of the member of this name is wanted.
    #[must_use]
    pub const fn new(keep: &'a dyn Fn(&[u8]) -> bool) -> Self {
        Self {
            keep,
            state: State::Header,
            block: Vec::new(),
            members: Vec::new(),
            names: 0,
            long_name: None,
            long_link: None,
        }
    }

    /// Takes the next piece of the archive.
    ///
    /// # Errors
    /// What is wrong with it; no further piece makes sense then.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), TarProblem> {
        while !piece.is_empty() {
            match &mut self.state {
                State::End => return Ok(()),
                State::Header => {
                    let wanted = BLOCK.saturating_sub(self.block.len()).min(piece.len());
                    let (head, rest) = piece.split_at_checked(wanted).unwrap_or((piece, &[]));
                    self.block.extend_from_slice(head);
                    piece = rest;
                    if self.block.len() == BLOCK {
                        let block = std::mem::take(&mut self.block);
                        self.header(&block)?;
                    }
                }
                State::Content { left, padding, into } => {
                    let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(piece.len());
                    let (head, rest) = piece.split_at_checked(wanted).unwrap_or((piece, &[]));
                    into.take(head);
                    *left = left.saturating_sub(u64::try_from(wanted).unwrap_or(u64::MAX));
                    let skipped = if *left == 0 { (*padding).min(rest.len()) } else { 0 };
                    *padding = padding.saturating_sub(skipped);
                    piece = rest.get(skipped..).unwrap_or_default();
                    if *left == 0 && *padding == 0 {
                        self.finish_member()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The members, in order.
    ///
    /// # Errors
    /// If the archive was cut.
    pub fn finish(self) -> Result<Vec<Member>, TarProblem> {
        match self.state {
            State::End => Ok(self.members),
            // Some writers leave the empty blocks at the end out.
            State::Header if self.block.is_empty() && !self.members.is_empty() => Ok(self.members),
            _ => Err(TarProblem("it was cut")),
        }
    }

    fn header(&mut self, block: &[u8]) -> Result<(), TarProblem> {
        const DAMAGED: TarProblem = TarProblem("a header in it is damaged");
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::End;
            return Ok(());
        }
        let field = |at: usize, length: usize| block.get(at..at.saturating_add(length)).unwrap_or_default();
        // The sum of all bytes, those of the sum itself taken as blanks.
        let sum: u64 = block.iter().enumerate().fold(0, |sum, (at, byte)| {
            sum.wrapping_add(u64::from(if (148..156).contains(&at) { b' ' } else { *byte }))
        });
        if number(field(148, 8)) != Some(sum) {
            return Err(DAMAGED);
        }
        let size = number(field(124, 12)).ok_or(DAMAGED)?;
        let padding = usize::try_from(size % 512).ok().map_or(0, |over| BLOCK.saturating_sub(over) % BLOCK);
        let kind = block.get(156).copied().unwrap_or_default();
        let into = match kind {
            b'L' | b'K' | b'x' if size > MAX_NAME => return Err(TarProblem("a name in it is too long")),
            b'L' => Sink::LongName(Vec::new()),
            b'K' => Sink::LongLink(Vec::new()),
            b'x' => Sink::Pax(Vec::new()),
            b'g' => Sink::Nothing,
            _ => {
                let member = self.member(block, kind)?;
                let size_here = if matches!(kind, 0 | b'0' | b'7') { size } else { 0 };
                Sink::Member { member: Box::new(member), hasher: Box::default(), size: size_here }
            }
        };
        // Of links and directories the size means nothing (POSIX, pax, "ustar Interchange Format").
        let has_content = !matches!(kind, b'1'..=b'6');
        self.state = State::Content {
            left: if has_content { size } else { 0 },
            padding: if has_content { padding } else { 0 },
            into,
        };
        match &self.state {
            State::Content { left: 0, padding: 0, .. } => self.finish_member(),
            _ => Ok(()),
        }
    }

    fn member(&mut self, block: &[u8], kind: u8) -> Result<Member, TarProblem> {
        let text = |at: usize, length: usize| {
            let field = block.get(at..at.saturating_add(length)).unwrap_or_default();
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            field.get(..end).unwrap_or_default().to_vec()
        };
        let short = || {
            // GNU's own form (`ustar  `) uses the place of the prefix for times.
            let prefix = if text(257, 8) == b"ustar" { text(345, 155) } else { Vec::new() };
            if prefix.is_empty() { text(0, 100) } else { [prefix, b"/".to_vec(), text(0, 100)].concat() }
        };
        let name = self.long_name.take().unwrap_or_else(short);
        let link = self.long_link.take().unwrap_or_else(|| text(157, 100));
        let owner = |named: Vec<u8>, id: usize| {
            let id = number(block.get(id..id.saturating_add(8)).unwrap_or_default()).unwrap_or_default();
            if named.is_empty() { if id == 0 { b"root".to_vec() } else { id.to_string().into_bytes() } } else { named }
        };
        self.names = self.names.saturating_add(name.len()).saturating_add(link.len());
        if self.members.len() >= MAX_MEMBERS || self.names > MAX_NAMES {
            return Err(TarProblem("it has more members than any package"));
        }
        let kind = match kind {
            // The digest is that of no content until the content was read.
            0 | b'0' | b'7' => Kind::Regular(Digest::of(Algorithm::Sha256, b""), 0),
            b'1' => Kind::HardLink(link),
            b'2' => Kind::Symlink(link),
            b'5' => Kind::Directory,
            _ => Kind::Other,
        };
        let content = (matches!(kind, Kind::Regular(..)) && (self.keep)(&name)).then(Vec::new);
        let mode = number(block.get(100..108).unwrap_or_default()).unwrap_or_default();
        Ok(Member {
            name,
            kind,
            mode: u32::try_from(mode & 0o7777).unwrap_or_default(),
            user: owner(text(265, 32), 108),
            group: owner(text(297, 32), 116),
            content,
        })
    }

    fn finish_member(&mut self) -> Result<(), TarProblem> {
        let State::Content { into, .. } = std::mem::replace(&mut self.state, State::Header) else { return Ok(()) };
        let text = |mut name: Vec<u8>| {
            while name.last() == Some(&0) {
                name.pop();
            }
            name
        };
        match into {
            Sink::Member { mut member, hasher, size } => {
                if let Kind::Regular(digest, length) = &mut member.kind {
                    *digest = Digest::Sha256(hasher.finalize().into());
                    *length = size;
                }
                self.members.push(*member);
            }
            Sink::LongName(name) => self.long_name = Some(text(name)),
            Sink::LongLink(name) => self.long_link = Some(text(name)),
            Sink::Pax(records) => {
                for (key, value) in pax(&records) {
                    match key {
                        b"path" => self.long_name = Some(value.to_vec()),
                        b"linkpath" => self.long_link = Some(value.to_vec()),
                        b"size" => return Err(TarProblem("a member in it is larger than any package's")),
                        _ => {}
                    }
                }
            }
            Sink::Nothing => {}
        }
        Ok(())
    }
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) {
        match self {
            Self::Member { member, hasher, size } => {
                hasher.update(bytes);
                if let Some(content) = &mut member.content {
                    if *size <= MAX_KEPT {
                        content.extend_from_slice(bytes);
                    } else {
                        member.content = None;
                    }
                }
            }
            Self::LongName(text) | Self::LongLink(text) | Self::Pax(text) => text.extend_from_slice(bytes),
            Self::Nothing => {}
        }
    }
}

/// A number in octal, with blanks and NULs around it; or, with the first bit set, in base 256 as GNU writes large ones.
fn number(field: &[u8]) -> Option<u64> {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        let (first, rest) = field.split_first()?;
        return rest
            .iter()
            .try_fold(u64::from(first & 0x7f), |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
    }
    let digits = field.iter().filter(|byte| !matches!(byte, b' ' | 0));
    digits.copied().try_fold(0_u64, |sum, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        sum.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

/// Records of a pax header: length, blank, `key=value`, line feed; the length counts all of it.
fn pax(records: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let blank = memchr::memchr(b' ', rest)?;
        let length: usize = std::str::from_utf8(rest.get(..blank)?).ok()?.parse().ok()?;
        let record = rest.get(blank.checked_add(1)?..length.checked_sub(1)?)?;
        rest = rest.get(length..)?;
        let at = memchr::memchr(b'=', record)?;
        Some((record.get(..at)?, record.get(at.checked_add(1)?..)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of the form `ustar`, its sum set.
    fn header(name: &str, kind: u8, size: usize, mode: &str) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        let mut put = |at: usize, text: &str| block[at..][..text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, mode);
        put(124, &format!("{size:011o}"));
        put(148, "        ");
        put(257, "ustar\x0000");
        put(265, "root");
        put(297, "shadow");
        block[156] = kind;
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn padded(content: &[u8]) -> Vec<u8> {
        let mut content = content.to_vec();
        content.resize(content.len().next_multiple_of(BLOCK), 0);
        content
    }

    fn members(archive: &[u8], piece: usize) -> Result<Vec<Member>, TarProblem> {
        let keep = |name: &[u8]| name.ends_with(b"kept");
        let mut reader = Reader::new(&keep);
        for piece in archive.chunks(piece) {
            reader.push(piece)?;
        }
        reader.finish()
    }

    fn archive() -> Vec<u8> {
        let long = format!("./{}kept", "a/".repeat(80));
        let pax = b"30 path=./usr/bin/name-in-pax\n";
        assert_eq!(pax.len(), 30);
        [
            header("./", b'5', 0, "0000755"),
            header("./bin/su", b'0', 5, "0004755"),
            padded(b"hello"),
            header("././@LongLink", b'L', long.len().saturating_add(1), "0"),
            padded(format!("{long}\0").as_bytes()),
            header("cut", b'0', 600, "0000644"),
            padded(&[7; 600]),
            header("x", b'x', pax.len(), "0"),
            padded(pax),
            header("cut", b'0', 0, "0000600"),
            vec![0; 1024],
        ]
        .concat()
    }

    #[test]
    fn members_come_with_digest_mode_and_owner_whatever_the_pieces() {
        for piece in [1, 7, 511, 512, 100_000] {
            let found = members(&archive(), piece).unwrap();
            let names: Vec<_> = found.iter().map(|member| String::from_utf8_lossy(&member.name).into_owned()).collect();
            assert_eq!(names.len(), 4);
            assert_eq!((names[1].as_str(), names[3].as_str()), ("./bin/su", "./usr/bin/name-in-pax"));
            assert_eq!(found[1].kind, Kind::Regular(Digest::of(Algorithm::Sha256, b"hello"), 5));
            assert_eq!((found[1].mode, found[1].group.as_slice()), (0o4755, b"shadow".as_slice()));
            assert_eq!(found[1].content, None);
            assert!(names[2].len() > 100 && found[2].content.as_deref() == Some([7; 600].as_slice()));
        }
    }

    #[test]
    fn what_was_cut_or_altered_is_refused() {
        let whole = archive();
        for end in [100, 600, 1100, 2500] {
            assert!(members(&whole[..end], 512).is_err(), "{end}");
        }
        let mut altered = whole;
        altered[512] = b'x';
        assert_eq!(members(&altered, 512), Err(TarProblem("a header in it is damaged")));
    }
}
