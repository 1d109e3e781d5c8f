//! Exit codes.

use std::process::ExitCode;

use crate::model::report::Report;
use crate::model::{Finding, Gap, Severity, Verdict};

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
    let findings = report.results.iter().flat_map(|result| &result.findings);
    let gaps = report.results.iter().flat_map(|result| &result.gaps);
    match (from(findings, gaps, fail_on), report.verdict) {
        // Nothing was there to be examined.
        (code, Verdict::Inconclusive) if code == ExitCode::from(PASS) => ExitCode::from(INCONCLUSIVE),
        (code, _) => code,
    }
}

/// The same from findings and gaps alone.
pub fn from<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    gaps: impl IntoIterator<Item = &'a Gap>,
    fail_on: Severity,
) -> ExitCode {
    ExitCode::from(if findings.into_iter().any(|finding| finding.severity >= fail_on) {
        FAIL
    } else if gaps.into_iter().any(|gap| gap.mandatory) {
        INCONCLUSIVE
    } else {
        PASS
    })
}
