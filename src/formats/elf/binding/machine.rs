//! What a relocation type asks of the loader, for each machine whose rules are known.

use goblin::elf::header::{EM_AARCH64, EM_X86_64};

/// What is written at the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing.
    None,
    /// Address of the symbol and addend (`R_*_64`, `R_*_ABS64`).
    Symbol,
    /// The same in the global offset table.
    GlobalData,
    /// The same in its part for calls, which may be filled at the first call.
    JumpSlot,
    /// Address of the file and addend.
    Relative,
    /// What the function at that address returns.
    Indirect,
    /// Number of the file whose thread-local storage it is.
    TlsModule,
    /// Distance within that storage, or from the thread pointer.
    TlsOffset,
    /// Two words: a function of the loader and its argument.
    TlsDescriptor,
    /// Size of the symbol and addend.
    Size,
    /// The content of the symbol, into the program's own data.
    Copy,
}

/// The meaning of relocation type `kind` on `machine` (`e_machine`); `None` if it is not known.
/// x86-64: System V ABI, AMD64 Architecture Processor Supplement, table 4.9; 64-bit Arm: ELF for the Arm 64-bit Architecture,
/// "Dynamic relocations".
#[must_use]
pub const fn kind(machine: u16, kind: u32) -> Option<Kind> {
    Some(match (machine, kind) {
        (EM_X86_64 | EM_AARCH64, 0) => Kind::None,
        (EM_X86_64, 1) | (EM_AARCH64, 257) => Kind::Symbol,
        (EM_X86_64, 5) | (EM_AARCH64, 1024) => Kind::Copy,
        (EM_X86_64, 6) | (EM_AARCH64, 1025) => Kind::GlobalData,
        (EM_X86_64, 7) | (EM_AARCH64, 1026) => Kind::JumpSlot,
        (EM_X86_64, 8) | (EM_AARCH64, 1027) => Kind::Relative,
        (EM_X86_64, 16) | (EM_AARCH64, 1028) => Kind::TlsModule,
        (EM_X86_64, 17 | 18) | (EM_AARCH64, 1029 | 1030) => Kind::TlsOffset,
        (EM_X86_64, 33) => Kind::Size,
        (EM_X86_64, 36) | (EM_AARCH64, 1031) => Kind::TlsDescriptor,
        (EM_X86_64, 37) | (EM_AARCH64, 1032) => Kind::Indirect,
        _ => return None,
    })
}

/// What is added to the address of a symbol. On x86-64 nothing is in the global offset table, whatever the field says
/// (`elf_machine_rela` of glibc's sysdeps/x86_64/dl-machine.h): binutils since 2.41 may keep the address of the calling stub
/// there (ld(1), `-z mark-plt`).
#[must_use]
pub const fn addend(machine: u16, kind: Kind, field: u64) -> u64 {
    match (machine, kind) {
        (EM_X86_64, Kind::GlobalData | Kind::JumpSlot) => 0,
        _ => field,
    }
}

/// Whether the rules are known at all.
#[must_use]
pub const fn is_known(machine: u16) -> bool {
    matches!(machine, EM_X86_64 | EM_AARCH64)
}

impl Kind {
    /// `ELF_RTYPE_CLASS_PLT` of glibc (sysdeps/*/dl-machine.h): an undefined symbol with a value, which stands for a function
    /// of another file in a program without position-independent code, is no definition for these.
    #[must_use]
    pub const fn skips_undefined(self) -> bool {
        matches!(self, Self::JumpSlot | Self::TlsModule | Self::TlsOffset | Self::TlsDescriptor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_a_slot_says_something_on_arm_only() {
        assert_eq!(addend(EM_X86_64, Kind::JumpSlot, 0x28020), 0);
        assert_eq!(addend(EM_X86_64, Kind::GlobalData, 8), 0);
        assert_eq!(addend(EM_X86_64, Kind::Symbol, 8), 8);
        assert_eq!(addend(EM_AARCH64, Kind::JumpSlot, 8), 8);
    }
}
