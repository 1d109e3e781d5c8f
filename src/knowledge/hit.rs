//! What a content rule found in a file.

use serde::{Deserialize, Serialize};

use super::family::Specificity;

/// A content indicator that matched a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Id of the family.
    pub family: String,
    /// Id of the indicator in the family.
    pub indicator: String,
    /// Its weight.
    pub specificity: Specificity,
    /// Where its byte parts stand; the first place of each, at most [`MAX_PLACES`](super::engine::MAX_PLACES).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
    /// What its ELF parts saw: imports, dynamic entries, section sizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traits: Vec<Trait>,
}

/// Matched bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// From the start of the file, in bytes.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    /// The bytes, at most 64, in hexadecimal; empty where they belong to a file of stolen credentials.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hex: String,
}

/// A matched property of the ELF structure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trait {
    /// A symbol, a dynamic tag or a section; escaped.
    pub name: String,
    /// What is remarkable about it.
    pub detail: String,
}
