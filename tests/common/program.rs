//! The program under test.

use std::path::Path;
use std::sync::OnceLock;

/// What cargo built for this test, or what `SSHPROOF_PROGRAM` names: the release that is to be shown, say.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        std::env::var_os("SSHPROOF_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_sshproof").into(), Into::into)
    })
}
