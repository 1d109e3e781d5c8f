//! What the check of one signature gave: facts, no opinion of whether that is enough.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// One OpenPGP signature over some bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Version of its packet: 3, 4, 6; 0 if it could not be read.
    pub version: u8,
    /// The hash function it is made with.
    pub hash: Hash,
    /// When its maker says it was made; absent if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The key that it names as its maker's: fingerprint or, in old signatures, key id; upper-case hexadecimal, empty if it
    /// names none.
    pub issuer: String,
    /// Whether it holds.
    pub outcome: Outcome,
}

/// Whether a signature holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is this key's signature over these bytes.
    Good(Box<Signer>),
    /// Keys of that name were found, and it is none of theirs: signature or bytes were altered.
    Bad,
    /// No key of that name was found.
    NoKey,
    /// We cannot check signatures of this kind, and why.
    Unsupported(String),
    /// It is no signature over a document, and why.
    Malformed(String),
}

/// The key behind a good signature, as its certificate describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// Fingerprint of the certificate's primary key, upper-case hexadecimal: the name that is pinned.
    pub certificate: String,
    /// Fingerprint of the key that signed; the same, or a subkey's.
    pub key: String,
    /// A user id that the certificate signs for itself, escaped; empty if it has none.
    pub user_id: String,
    /// When the key that signed was made.
    pub created: Timestamp,
    /// When it expires, or the primary key before it; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Whether it, or the primary key, was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
    /// What ties the key that signed to the certificate.
    pub binding: Binding,
    /// The file that the certificate was found in.
    pub found_in: String,
}

/// A revocation that the certificate itself carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// From when on.
    pub at: Timestamp,
    /// Whether earlier signatures are void too: the key may be in other hands (RFC 9580, section 5.2.3.31).
    pub hard: bool,
}

/// What ties a signing key to its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// It is the primary key, and certifies itself.
    Primary,
    /// It is a subkey for signing; primary key and subkey say so of each other.
    Subkey,
    /// Nothing valid does, and what is missing.
    None(String),
}

/// A hash function of OpenPGP (RFC 9580, section 9.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hash {
    /// 1.
    Md5,
    /// 2.
    Sha1,
    /// 3.
    Ripemd160,
    /// 8.
    Sha256,
    /// 9.
    Sha384,
    /// 10.
    Sha512,
    /// 11.
    Sha224,
    /// 12.
    Sha3_256,
    /// 14.
    Sha3_512,
    /// Any other, and none.
    Other,
}

impl Hash {
    /// The function with this number.
    #[must_use]
    pub const fn of(number: u8) -> Self {
        match number {
            1 => Self::Md5,
            2 => Self::Sha1,
            3 => Self::Ripemd160,
            8 => Self::Sha256,
            9 => Self::Sha384,
            10 => Self::Sha512,
            11 => Self::Sha224,
            12 => Self::Sha3_256,
            14 => Self::Sha3_512,
            _ => Self::Other,
        }
    }

    /// Its name in sentences.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Ripemd160 => "RIPEMD-160",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha224 => "SHA-224",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_512 => "SHA3-512",
            Self::Other => "an unknown hash function",
        }
    }
}
