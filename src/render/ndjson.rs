//! One JSON object a line: first the summary, then every finding, then every gap, each complete in itself, so that a
//! collector may cut the stream anywhere. The members are those of `docs/report.schema.json`, with `type` and `host`
//! before them.

use serde::Serialize;

use super::json;
use crate::model::report::{Host, Report, Tool, Trust, Usage};
use crate::model::{Check, Class, Finding, Gap, Timestamp, Verdict};

/// The members that every line begins with.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'a str,
    r#type: &'static str,
    host: &'a Host,
    started: Timestamp,
}

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    tool: &'a Tool,
    duration_ms: u64,
    verdict: Verdict,
    classes: &'a std::collections::BTreeMap<Class, Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_floor: Option<Trust>,
    checks: std::collections::BTreeMap<Check, Verdict>,
    findings: usize,
    gaps: usize,
    usage: Usage,
}

#[derive(Serialize)]
struct Item<'a, T> {
    #[serde(flatten)]
    head: Head<'a>,
    check: Check,
    #[serde(flatten)]
    item: &'a T,
}

/// `report` as lines.
///
/// # Errors
/// What the serialiser says.
pub fn render(report: &Report) -> serde_json::Result<Vec<u8>> {
    let head = |kind| Head { schema: &report.schema, r#type: kind, host: &report.host, started: report.started };
    let mut out = json::line(&Summary {
        head: head("summary"),
        tool: &report.tool,
        duration_ms: report.duration_ms,
        verdict: report.verdict,
        classes: &report.classes,
        trust_floor: report.trust_floor,
        checks: report.results.iter().map(|result| (result.check, result.verdict())).collect(),
        findings: report.results.iter().map(|result| result.findings.len()).sum(),
        gaps: report.results.iter().map(|result| result.gaps.len()).sum(),
        usage: report.usage,
    })?;
    for result in &report.results {
        for item in &result.findings {
            out.extend(json::line(&Item::<Finding> { head: head("finding"), check: result.check, item })?);
        }
    }
    for result in &report.results {
        for item in &result.gaps {
            out.extend(json::line(&Item::<Gap> { head: head("gap"), check: result.check, item })?);
        }
    }
    Ok(out)
}
