//! ELF files: [`Elf`], a view borrowed from the bytes, and [`ElfRecord`], what is kept of it.
//!
//! Matchers that have the bytes at hand use the view (imports, exports, section ranges); facts hold the record.

pub mod anomaly;
pub mod binding;
pub mod dynamic;
pub mod notes;
pub mod placement;
pub mod raw;
pub mod record;
pub mod symbols;
pub mod view;

pub use anomaly::{Anomaly, Rule};
pub use record::{ElfRecord, SectionRecord};
pub use symbols::Symbol;
pub use view::{Elf, Section, Segment};

/// Why bytes have no ELF record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElfProblem {
    /// They do not begin with the magic number: some other kind of file. A clean answer.
    NotElf,
    /// They do, and the kernel would refuse them: what is wrong, as the end of a sentence that begins with "an ELF file, but".
    Broken(String),
}

impl std::fmt::Display for ElfProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotElf => f.write_str("not an ELF file"),
            Self::Broken(what) => write!(f, "an ELF file, but {what}"),
        }
    }
}

impl std::error::Error for ElfProblem {}

/// The record of `bytes`: one whole file.
///
/// # Errors
/// As [`Elf::parse`] says.
pub fn parse(bytes: &[u8]) -> Result<ElfRecord, ElfProblem> {
    Ok(Elf::parse(bytes)?.record())
}
