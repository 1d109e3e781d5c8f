//! How the loader has bound a process, as far as that is not what its rules demand.
//!
//! What is kept is a comparison, not the words: a login's process has some 70,000 of them, two hundred processes fourteen
//! million, and each could only be judged with the tables of all its files at hand. So the rule (`formats::elf::binding`, pure)
//! is applied where the memory is read, and facts hold how many words were compared and every one that holds something else.

use serde::{Deserialize, Serialize};

/// What was seen of the loader's work in one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingFacts {
    /// Files in the loader's list.
    pub modules: u32,
    /// Words compared: all that is read-only after relocation, and global offset tables.
    pub words: u64,
    /// How many of them are bound to symbols.
    pub symbols: u64,
    /// Words that hold something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirected: Vec<Redirected>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// Files whose code is mapped and that the loader's list does not name, escaped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted: Vec<String>,
    /// Addresses of dynamic tables in the loader's list that belong to no mapped file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmapped: Vec<u64>,
    /// Files whose words can be written to though they should be read-only by now, escaped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unprotected: Vec<String>,
    /// What could not be looked at, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// A word that does not hold what the loader had to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirected {
    /// Path of the file it belongs to as the kernel shows it, escaped.
    pub path: String,
    /// Its address.
    pub address: u64,
    /// The symbol that is bound there, escaped, with `@` and its version if it has one; empty for none.
    pub symbol: String,
    /// What it holds.
    pub actual: u64,
    /// Where that lies: a file with the distance from its beginning, a mapping, or nowhere.
    pub leads_to: String,
    /// Where it should lead, likeliest first; empty where the rule is a kind of place: a function of the loader, the result of
    /// a resolver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
    /// Whether there is a rule for it: for a symbol that nobody in scope defines there is none.
    pub known: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}
