//! The door between `observe` and everything that understands bytes: one function, bytes in, serialisable records out.
//!
//! A sandboxed parser child can take this function over without any change on either side of it: nothing but the content
//! goes in, nothing but a [`Parsed`] comes out, and a panic in a parser costs that one file.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use crate::formats::accounts;
use crate::formats::authorized_keys;
use crate::formats::duo;
use crate::formats::elf::binding::Tables;
use crate::formats::elf::{Elf, ElfProblem, ElfRecord};
use crate::knowledge::{Hit, Knowledge};
use crate::model::RootedPath;

/// All that was understood of one file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parsed {
    /// Its ELF structure, if it is ELF.
    pub elf: Option<Box<ElfRecord>>,
    /// What the byte rules found; `None` if they could not be applied.
    pub hits: Option<Vec<Hit>>,
    /// What the dynamic loader works with, if that was wanted and there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Box<Tables>>,
    /// Why something of it could not be understood, one sentence.
    pub problem: Option<String>,
}

/// Whether the tables that the dynamic loader works with are kept: they are large, and needed only of files that processes
/// of servers map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They are.
    Tables,
    /// They are not.
    Record,
}

/// Understands the content of an executable, a library, or any other file whose bytes matter rather than its text.
#[must_use]
pub fn binary(bytes: &[u8], knowledge: &Knowledge, keep: Keep) -> Parsed {
    catch_unwind(AssertUnwindSafe(|| understand(bytes, knowledge, keep))).unwrap_or_else(|_| Parsed {
        problem: Some("its structure makes our parser fail: treat it as hostile and look at it by hand".to_owned()),
        ..Parsed::default()
    })
}

/// What the dynamic loader works with, of content whose record is known already.
#[must_use]
pub fn tables(bytes: &[u8]) -> Option<Tables> {
    catch_unwind(AssertUnwindSafe(|| Tables::read(&Elf::parse(bytes).ok()?))).unwrap_or_default()
}

/// The text of a configuration file without the secrets in it.
#[must_use]
pub fn redacted(path: &RootedPath, bytes: &[u8]) -> Vec<u8> {
    match path.file_name() {
        b"passwd" | b"group" => accounts::redact(bytes),
        b"pam_duo.conf" => duo::redact(bytes),
        _ if path.components().any(|part| part == b".ssh") => authorized_keys::redact(bytes),
        _ => duo::redact(bytes),
    }
}

/// The public keys of a file, and nothing else that stands there.
#[must_use]
pub fn public_keys(bytes: &[u8]) -> Vec<u8> {
    authorized_keys::public_keys(bytes)
}

fn understand(bytes: &[u8], knowledge: &Knowledge, keep: Keep) -> Parsed {
    let (elf, problem) = match Elf::parse(bytes) {
        Ok(elf) => (Some(elf), None),
        Err(ElfProblem::NotElf) => (None, None),
        Err(problem) => (None, Some(problem.to_string())),
    };
    let hits = knowledge.match_bytes(bytes, elf.as_ref());
    let tables = elf.as_ref().filter(|_| keep == Keep::Tables).and_then(Tables::read).map(Box::new);
    Parsed { elf: elf.map(|elf| Box::new(elf.record())), hits: Some(hits), tables, problem }
}
