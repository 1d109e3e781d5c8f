//! What a finding rests on: facts that a reader can check for himself.

use serde::{Deserialize, Serialize};

use super::{Algorithm, RootedPath};

/// One piece of evidence. Its serialised form is part of the report's contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evidence {
    /// A digest was expected and another was found.
    Digest {
        /// Which hash function.
        algorithm: Algorithm,
        /// Lower-case hexadecimal, as recorded.
        expected: String,
        /// Lower-case hexadecimal, as computed.
        actual: String,
        /// Who expects it: the record's file, or the signed manifest.
        source: String,
    },
    /// A line of a configuration file decided it.
    Line {
        /// The file.
        path: RootedPath,
        /// Counted from 1.
        line: u32,
        /// The line, escaped.
        text: String,
    },
    /// Bytes of a file.
    Bytes {
        /// The file.
        path: RootedPath,
        /// Offset from the start of the file, in bytes.
        offset: u64,
        /// Lower-case hexadecimal; at most 64 bytes.
        hex: String,
        /// The indicator that matched.
        indicator: String,
    },
    /// An ELF symbol, section, segment or dynamic entry.
    Symbol {
        /// The file.
        path: RootedPath,
        /// Its name, escaped.
        name: String,
        /// What is remarkable about it.
        detail: String,
    },
    /// A mapping of a process.
    Mapping {
        /// Process id.
        pid: i32,
        /// `start-end perms` as in proc(5) `maps`.
        range: String,
        /// The mapped path as the kernel shows it, escaped.
        path: String,
        /// What is remarkable about it.
        detail: String,
    },
    /// A property of a file's inode.
    Metadata {
        /// The file.
        path: RootedPath,
        /// Which property: `mode`, `owner`, `type`, `size` …
        property: String,
        /// As policy or the record wants it.
        expected: String,
        /// As it is.
        actual: String,
    },
    /// A login that needs fewer factors than policy demands.
    Counterexample {
        /// An account name that takes this way in.
        user: String,
        /// An address it may come from.
        from: String,
        /// The methods that suffice, in order.
        methods: Vec<String>,
    },
    /// A fact about the system that fits none of the others: a socket, a kernel table, a package version.
    Fact {
        /// What was looked at.
        about: String,
        /// What was found there, escaped.
        value: String,
    },
}
