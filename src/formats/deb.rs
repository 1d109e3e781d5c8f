//! A Debian package file (deb(5)): an ar archive of three members, two of them compressed tar.

use super::compressed;
use super::tar::{Member, Reader};

/// Bytes of a package's content once it is unpacked; the largest of Debian's have some 3 GB, those that a login depends on
/// less than 200 MB.
pub const MAX_CONTENT: u64 = 4 << 30;

/// The two parts of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deb<'a> {
    /// `control.tar`, compressed.
    pub control: &'a [u8],
    /// `data.tar`, compressed.
    pub data: &'a [u8],
}

/// What is wrong with a package, a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebProblem(pub String);

impl std::fmt::Display for DebProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The parts of the package in `bytes`.
///
/// # Errors
/// If it is no package of format 2, or was cut.
pub fn parse(bytes: &[u8]) -> Result<Deb<'_>, DebProblem> {
    let problem = |what: &str| DebProblem(what.to_owned());
    let mut rest = bytes.strip_prefix(b"!<arch>\n").ok_or_else(|| problem("it is no ar archive"))?;
    let (mut control, mut data, mut version) = (None, None, None);
    while !rest.is_empty() && data.is_none() {
        let (name, content, after) = member(rest).ok_or_else(|| problem("a member of it is damaged, or it was cut"))?;
        match name {
            b"debian-binary" if version.is_none() => version = Some(content),
            _ if version.is_none() => break,
            _ if name.starts_with(b"_") => {}
            _ if name.starts_with(b"control.tar") && control.is_none() => control = Some(content),
            _ if name.starts_with(b"data.tar") && control.is_some() => data = Some(content),
            _ => return Err(problem("its members are not those of a package")),
        }
        rest = after;
    }
    match (version, control, data) {
        (Some(version), Some(control), Some(data)) if version.starts_with(b"2.") => Ok(Deb { control, data }),
        _ => Err(problem("it is no package of format 2")),
    }
}

/// Name, content and what follows of an ar member (ar(5)): 60 bytes of header, content, one byte if its size is odd.
fn member(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(60)?;
    header.get(58..).filter(|end| *end == b"`\n")?;
    let name = header.get(..16)?.trim_ascii_end();
    let size: usize = std::str::from_utf8(header.get(48..58)?).ok()?.trim_end().parse().ok()?;
    let (content, rest) = rest.split_at_checked(size)?;
    let padding = (size & 1).min(rest.len());
    Some((name.strip_suffix(b"/").unwrap_or(name), content, rest.get(padding..)?))
}

/// The members of one part; `keep`: whether the content of the member of this name is wanted.
///
/// # Errors
/// If it is damaged, or compressed in a way that is not read here.
pub fn members(part: &[u8], limit: u64, keep: &dyn Fn(&[u8]) -> bool) -> Result<Vec<Member>, DebProblem> {
    let mut reader = Reader::new(keep);
    let mut problem = None;
    let read = compressed::read(part, limit, &mut |piece| match reader.push(piece) {
        Ok(()) => true,
        Err(found) => {
            problem = Some(found);
            false
        }
    });
    match (problem, read) {
        (Some(problem), _) => Err(DebProblem(problem.to_string())),
        (None, Err(problem)) => Err(DebProblem(problem.to_string())),
        (None, Ok(())) => reader.finish().map_err(|problem| DebProblem(problem.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = b"!<arch>\n".to_vec();
        for (name, content) in members {
            bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).bytes());
            bytes.extend_from_slice(content);
            bytes.extend(vec![b'\n'; content.len() % 2]);
        }
        bytes
    }

    #[test]
    fn the_parts_of_a_package_are_found() {
        let good =
            ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", b"c"), ("_gpg", b"?"), ("data.tar.zst/", b"dd")]);
        assert_eq!(parse(&good), Ok(Deb { control: b"c", data: b"dd" }));
        for bad in [
            ar(&[("debian-binary", b"3.0\n"), ("control.tar", b"c"), ("data.tar", b"d")]),
            ar(&[("control.tar", b"c"), ("debian-binary", b"2.0\n"), ("data.tar", b"d")]),
            ar(&[("debian-binary", b"2.0\n"), ("data.tar", b"d"), ("control.tar", b"c")]),
            ar(&[("debian-binary", b"2.0\n"), ("control.tar", b"c")]),
            good[..good.len() - 2].to_vec(),
            b"!<arch>\n".to_vec(),
            Vec::new(),
        ] {
            assert!(parse(&bad).is_err(), "{}", String::from_utf8_lossy(&bad));
        }
    }
}
