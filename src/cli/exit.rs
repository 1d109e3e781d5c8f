//! Exit codes.

/// The command line makes no sense (sysexits.h, `EX_USAGE`).
pub const USAGE: u8 = 64;
/// We could not tell, or could not do what was asked.
pub const INCONCLUSIVE: u8 = 2;
/// All is well.
pub const PASS: u8 = 0;
