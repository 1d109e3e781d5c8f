//! The door between `observe` and everything that understands bytes: one function, bytes in, serialisable records out.
//!
//! A sandboxed parser child can take this function over without any change on either side of it: nothing but the content
//! goes in, nothing but a [`Parsed`] comes out, and a panic in a parser costs that one file.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use crate::formats::accounts;
use crate::formats::authorized_keys;
use crate::formats::duo;
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
    /// Why something of it could not be understood, one sentence.
    pub problem: Option<String>,
}

/// Understands the content of an executable, a library, or any other file whose bytes matter rather than its text.
#[must_use]
pub fn binary(bytes: &[u8], knowledge: &Knowledge) -> Parsed {
    catch_unwind(AssertUnwindSafe(|| understand(bytes, knowledge))).unwrap_or_else(|_| Parsed {
        problem: Some("its structure makes our parser fail: treat it as hostile and look at it by hand".to_owned()),
        ..Parsed::default()
    })
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

fn understand(bytes: &[u8], knowledge: &Knowledge) -> Parsed {
    let (elf, problem) = match Elf::parse(bytes) {
        Ok(elf) => (Some(elf), None),
        Err(ElfProblem::NotElf) => (None, None),
        Err(problem) => (None, Some(problem.to_string())),
    };
    let hits = knowledge.match_bytes(bytes, elf.as_ref());
    Parsed { elf: elf.map(|elf| Box::new(elf.record())), hits: Some(hits), problem }
}
