//! Structure that no linker makes: what is left when somebody has put code into a finished file.
//!
//! Each rule was measured before it was taken: no hit on 2,288 programs and libraries of Debian 12 and on 983 files of
//! OpenSSH, Dropbear, TinySSH, PAM and liblzma packages for eight architectures. They say what a file looks like; what
//! that means is for `checks::anomaly` to judge.

mod build;
mod code;
mod dynamic;
mod layout;

use goblin::elf::header::{
    EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64, ET_DYN, ET_EXEC,
};
use serde::{Deserialize, Serialize};

use super::view::Elf;

/// Places told for one rule; a file that breaks a rule in a thousand places is not more suspicious.
const PLACES: usize = 4;

/// One rule that a file breaks, at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Which rule.
    pub rule: Rule,
    /// Where and what, the end of a sentence that begins with the file; names escaped.
    pub detail: String,
}

/// The rules. Serialised names are those of the codes `anomaly/…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Execution begins outside `.text` or outside executable memory.
    EntryPoint,
    /// More than one executable segment, an executable one at the highest address, or one that no code section explains.
    ExtraCodeSegment,
    /// A segment is writable and executable.
    WritableCode,
    /// Bytes between the code sections, or after them on their last page, that are no padding.
    CodeInGap,
    /// No section table.
    NoSectionHeaders,
    /// Bytes that are loaded lie beyond the end of the file.
    CutOff,
    /// Bytes after the end of everything that the tables describe.
    AppendedData,
    /// Marks that a tool such as patchelf leaves when it makes room for names.
    RewrittenNames,
    /// Segments out of order, overlapping, duplicate, or with an address that belongs to another file offset.
    SegmentTable,
    /// Sections that overlap, lie outside all segments or contradict them.
    SectionTable,
    /// The dynamic table names other tables than the sections do, or versions that do not exist.
    DynamicTable,
    /// Initialisers outside `.init_array`, or pointing outside `.text`.
    Initialiser,
    /// A needed library is named by a path.
    LibraryPath,
    /// Libraries that watch or stand in for others (`DT_AUDIT`, `DT_DEPAUDIT`, `DT_AUXILIARY`, `DT_FILTER`).
    StandIn,
    /// A library search path that leads outside the system's directories.
    SearchPath,
    /// No build-id.
    NoBuildId,
    /// Parts compiled by different compilers.
    MixedCompilers,
    /// Packed with UPX.
    Packed,
    /// The stack is executable.
    ExecutableStack,
    /// The unused bytes of the header are used.
    HeaderPadding,
    /// Relocations in code.
    TextRelocations,
    /// A symbol is hashed under another name.
    SymbolHash,
    /// Tables damaged so that tools fail while the loader does not.
    HiddenFromTools,
}

/// Whether the rules were measured for `e_machine`; of other machines nothing is said.
#[must_use]
pub const fn is_measured(machine: u16) -> bool {
    matches!(machine, EM_X86_64 | EM_386 | EM_AARCH64 | EM_ARM | EM_PPC64 | EM_S390 | EM_RISCV | EM_LOONGARCH)
}

/// The rules that `elf` breaks, in their order. Empty for object files, core dumps and machines not measured.
pub(super) fn anomalies(elf: &Elf<'_>) -> Vec<Anomaly> {
    let mut hits = Hits::default();
    if !is_measured(elf.machine()) || !matches!(elf.kind(), ET_EXEC | ET_DYN) || elf.segments().is_empty() {
        return hits.0;
    }
    code::check(elf, &mut hits);
    layout::check(elf, &mut hits);
    dynamic::check(elf, &mut hits);
    build::check(elf, &mut hits);
    hits.0.sort_by_key(|anomaly| anomaly.rule);
    hits.0
}

/// Collects what the rules find.
#[derive(Default)]
struct Hits(Vec<Anomaly>);

impl Hits {
    fn add(&mut self, rule: Rule, detail: impl Into<String>) {
        if self.0.iter().filter(|hit| hit.rule == rule).count() < PLACES {
            self.0.push(Anomaly { rule, detail: detail.into() });
        }
    }

    fn add_if(&mut self, broken: bool, rule: Rule, detail: impl FnOnce() -> String) {
        if broken {
            self.add(rule, detail());
        }
    }
}

/// A section's name for a message.
fn named(name: &[u8]) -> String {
    format!("`{}`", crate::model::text::escape(name))
}
