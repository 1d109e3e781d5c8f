//! Exit codes.

use std::process::ExitCode;

use crate::model::report::Report;
use crate::model::{Severity, Verdict};

/// The command line makes no sense (sysexits.h, `EX_USAGE`).
pub const USAGE: u8 = 64;
/// We could not tell, or could not do what was asked.
pub const INCONCLUSIVE: u8 = 2;
/// Something is wrong.
pub const FAIL: u8 = 1;
/// All is well.
pub const PASS: u8 = 0;

/// The exit code of `report`: 1 if a finding is at least `fail_on`, else 2 if something that the answer depends on could
/// not be seen or there was nothing to examine, else 0. With [`Severity::Low`] that is the report's verdict.
#[must_use]
pub fn of(report: &Report, fail_on: Severity) -> ExitCode {
    let findings = || report.results.iter().flat_map(|result| &result.findings);
    let gap = report.results.iter().any(|result| result.gaps.iter().any(|gap| gap.mandatory));
    ExitCode::from(if findings().any(|finding| finding.severity >= fail_on) {
        FAIL
    } else if gap || report.verdict == Verdict::Inconclusive {
        INCONCLUSIVE
    } else {
        PASS
    })
}
