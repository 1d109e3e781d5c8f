//! Arguments → a call → an exit code. Holds no logic.

/// Runs the program.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(2)
}
