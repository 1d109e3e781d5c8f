//! A path beneath the examined root.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text;

/// An absolute path beneath the examined root: begins with `/`, holds no empty, `.` or `..` component, no NUL and no
/// trailing slash. Bytes, not UTF-8. It says nothing about symbolic links: `host` resolves them inside the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootedPath(Vec<u8>);

impl RootedPath {
    /// The examined root itself.
    #[must_use]
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// `bytes` as a path: repeated slashes and `.` collapse, `..` removes the component before it *textually* and stays
    /// at the root there (as `chroot` does). `None` without a leading slash or with a NUL.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Option<Self> {
        let bytes = bytes.as_ref();
        if bytes.first() != Some(&b'/') || bytes.contains(&0) {
            return None;
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in bytes.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        let mut path = Vec::with_capacity(bytes.len());
        for part in parts {
            path.push(b'/');
            path.extend_from_slice(part);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Some(Self(path))
    }

    /// `path` as written; what `..` and `.` mean is settled textually. A relative one is taken from `self`.
    #[must_use]
    pub fn join(&self, path: impl AsRef<[u8]>) -> Option<Self> {
        let path = path.as_ref();
        if path.first() == Some(&b'/') {
            return Self::new(path);
        }
        let mut whole = self.0.clone();
        whole.push(b'/');
        whole.extend_from_slice(path);
        Self::new(whole)
    }

    /// The bytes, with the leading slash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes without the leading slash, as `openat2` wants them; `.` for the root.
    #[must_use]
    pub fn relative(&self) -> &[u8] {
        match self.0.get(1..) {
            Some([]) | None => b".",
            Some(rest) => rest,
        }
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or_default()
    }

    /// The directory that holds it; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.0 == b"/" {
            return None;
        }
        let at = self.0.iter().rposition(|b| *b == b'/')?;
        Some(if at == 0 { Self::root() } else { Self(self.0.get(..at)?.to_vec()) })
    }

    /// Whether it is `dir` or lies beneath it.
    #[must_use]
    pub fn is_beneath(&self, dir: &Self) -> bool {
        dir.0 == b"/"
            || self.0.strip_prefix(dir.0.as_slice()).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
    }

    /// The components, root first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|part| !part.is_empty())
    }
}

impl fmt::Display for RootedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&text::escape(&self.0))
    }
}

impl fmt::Debug for RootedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RootedPath {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RootedPath {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text::unescape(&text)
            .and_then(Self::new)
            .ok_or_else(|| serde::de::Error::custom(format!("not an absolute path: `{text}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &str) {
        assert_eq!(RootedPath::new(input).unwrap().to_string(), expected);
    }

    #[test]
    fn paths_are_normal_and_stay_inside() {
        check(b"/", "/");
        check(b"//usr/./lib//", "/usr/lib");
        check(b"/usr/../../etc", "/etc");
        check(b"/../..", "/");
        assert_eq!(RootedPath::new("usr"), None);
        assert_eq!(RootedPath::new("/a\0b"), None);
    }

    #[test]
    fn parents_and_joins() {
        let path = RootedPath::new("/usr/lib/x").unwrap();
        assert_eq!(path.parent().unwrap().to_string(), "/usr/lib");
        assert_eq!(path.file_name(), b"x");
        assert_eq!(path.join("../y").unwrap().to_string(), "/usr/lib/y");
        assert_eq!(path.join("/z").unwrap().to_string(), "/z");
        assert!(path.is_beneath(&RootedPath::new("/usr/lib").unwrap()));
        assert!(!path.is_beneath(&RootedPath::new("/usr/li").unwrap()));
        assert_eq!(RootedPath::root().relative(), b".");
        assert_eq!(RootedPath::new("/usr").unwrap().parent(), Some(RootedPath::root()));
    }

    #[test]
    fn serde_keeps_bytes_that_are_no_utf8() {
        let path = RootedPath::new(b"/a\n\xff\\").unwrap();
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<RootedPath>(&json).unwrap(), path);
    }
}
