//! A message digest: which algorithm, and exactly as many bytes as that algorithm has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text;

/// The hash functions that package databases and published indicators use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// RFC 1321, 16 bytes.
    Md5,
    /// FIPS 180-4, 20 bytes.
    Sha1,
    /// FIPS 180-4, 32 bytes.
    Sha256,
    /// FIPS 180-4, 64 bytes.
    Sha512,
}

impl Algorithm {
    /// Length of a digest in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "an algorithm is never empty")]
    pub const fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Whether a second input with a given digest is beyond anyone's reach *and* collisions are too: MD5 and SHA-1
    /// have practical collisions (RFC 6151; Stevens et al. 2017), so a record made of them is weak evidence.
    #[must_use]
    pub const fn is_strong(self) -> bool {
        matches!(self, Self::Sha256 | Self::Sha512)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A digest of a whole file. Text form: `sha256:` and lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// An MD5 digest.
    Md5([u8; 16]),
    /// A SHA-1 digest.
    Sha1([u8; 20]),
    /// A SHA-256 digest.
    Sha256([u8; 32]),
    /// A SHA-512 digest.
    Sha512([u8; 64]),
}

impl Digest {
    /// The digest whose value is `bytes`; `None` if their number is not [`Algorithm::len`].
    #[must_use]
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Md5 => Self::Md5(bytes.try_into().ok()?),
            Algorithm::Sha1 => Self::Sha1(bytes.try_into().ok()?),
            Algorithm::Sha256 => Self::Sha256(bytes.try_into().ok()?),
            Algorithm::Sha512 => Self::Sha512(bytes.try_into().ok()?),
        })
    }

    /// The digest of `content`.
    #[must_use]
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        use sha2::Digest as _;
        match algorithm {
            Algorithm::Md5 => Self::Md5(md5::Md5::digest(content).into()),
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::digest(content).into()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::digest(content).into()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::digest(content).into()),
        }
    }

    /// The MD5 digest of each of `contents`: cheaper together than one by one. Not in builds without optimisation, where
    /// vectors are made of function calls; that both say the same is tested.
    #[must_use]
    pub fn md5_of_each(contents: &[&[u8]]) -> Vec<Self> {
        if cfg!(debug_assertions) {
            return contents.iter().map(|content| Self::of(Algorithm::Md5, content)).collect();
        }
        super::md5::all(contents).into_iter().map(Self::Md5).collect()
    }

    /// The digest that `hex` (either case) names.
    #[must_use]
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Option<Self> {
        Self::new(algorithm, &text::unhex(hex)?)
    }

    /// Its algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Md5(_) => Algorithm::Md5,
            Self::Sha1(_) => Algorithm::Sha1,
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Its value, [`Algorithm::len`] bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Md5(b) => b,
            Self::Sha1(b) => b,
            Self::Sha256(b) => b,
            Self::Sha512(b) => b,
        }
    }

    /// Lower-case hexadecimal of its value.
    #[must_use]
    pub fn hex(&self) -> String {
        text::hex(self.bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not `algorithm:hex` with as many digits as the algorithm needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadDigest(pub String);

impl fmt::Display for BadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a digest: `{}`", text::escape(self.0.as_bytes()))
    }
}

impl std::error::Error for BadDigest {}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(s: &str) -> Result<Self, BadDigest> {
        let bad = || BadDigest(s.to_owned());
        let (name, hex) = s.split_once(':').ok_or_else(bad)?;
        let algorithm = match name {
            "md5" => Algorithm::Md5,
            "sha1" => Algorithm::Sha1,
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(bad()),
        };
        Self::from_hex(algorithm, hex).ok_or_else(bad)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        // The test vector `abc` of RFC 1321 appendix A.5 and FIPS 180-4.
        let check = |algorithm, hex| assert_eq!(Digest::of(algorithm, b"abc").hex(), hex);
        check(Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72");
        check(Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        check(Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check(
            Algorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        );
    }

    #[test]
    fn a_digest_has_exactly_its_algorithms_length() {
        for algorithm in [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
            let bytes = vec![0xa5; algorithm.len()];
            let digest = Digest::new(algorithm, &bytes).unwrap();
            assert_eq!(digest.bytes(), bytes);
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(Digest::new(algorithm, &bytes[1..]), None);
        }
        assert!("sha256:00".parse::<Digest>().is_err());
        assert!("crc32:00000000".parse::<Digest>().is_err());
    }
}
