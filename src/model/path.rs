//! A path beneath the examined root.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text;

/// An absolute path beneath the examined root: begins with `/`, holds no empty, `.` or `..` component, no NUL and no
/// trailing slash. Bytes, not UTF-8. It says nothing about symbolic links: `host` resolves them inside the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootedPath(Vec<u8>);

/// Whether no component is empty, `.` or `..`.
fn is_plain(parts: &[u8]) -> bool {
    parts.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

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
        let parts = bytes.get(1..).unwrap_or_default();
        if is_plain(parts) {
            return Some(Self(bytes.to_vec()));
        }
        let mut path = Self::root();
        path.push(parts);
        Some(path)
    }

    /// `path` as written; what `..` and `.` mean is settled textually. A relative one is taken from `self`.
    #[must_use]
    pub fn join(&self, path: impl AsRef<[u8]>) -> Option<Self> {
        let path = path.as_ref();
        if path.first() == Some(&b'/') {
            return Self::new(path);
        }
        if path.contains(&0) {
            return None;
        }
        let mut whole = Vec::with_capacity(self.0.len().saturating_add(path.len()).saturating_add(1));
        whole.extend_from_slice(&self.0);
        let mut whole = Self(whole);
        whole.push(path);
        Some(whole)
    }

    /// Goes on by these components, which hold no NUL.
    fn push(&mut self, parts: &[u8]) {
        for part in parts.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    let slash = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    self.0.truncate(slash.max(1));
                }
                part => {
                    if self.0 != b"/" {
                        self.0.push(b'/');
                    }
                    self.0.extend_from_slice(part);
                }
            }
        }
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

    proptest::proptest! {
        /// Taken apart and put together again, the way the documentation says it.
        #[test]
        fn any_spelling_is_normal(text in "[a./\\\\]{0,12}", more in "[a./]{0,8}") {
            fn normal(text: &str) -> Option<Vec<u8>> {
                let mut parts: Vec<&str> = Vec::new();
                for part in text.strip_prefix('/')?.split('/') {
                    match part {
                        "" | "." => {}
                        ".." => drop(parts.pop()),
                        part => parts.push(part),
                    }
                }
                Some(format!("/{}", parts.join("/")).into_bytes())
            }
            let bytes = |path: Option<RootedPath>| path.map(|path| path.as_bytes().to_vec());
            proptest::prop_assert_eq!(bytes(RootedPath::new(&text)), normal(&text));
            let joined = |path: RootedPath| path.join(&more);
            let expected = if more.starts_with('/') { normal(&more) } else { normal(&format!("{text}/{more}")) };
            if let Some(path) = RootedPath::new(&text) {
                proptest::prop_assert_eq!(bytes(joined(path)), expected);
            }
        }
    }

    #[test]
    fn serde_keeps_bytes_that_are_no_utf8() {
        let path = RootedPath::new(b"/a\n\xff\\").unwrap();
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<RootedPath>(&json).unwrap(), path);
    }
}
