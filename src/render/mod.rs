//! Turns a `Report` into bytes, one file per format. Judges nothing, reads no file, does not decide the exit code.

pub mod accounts;
pub mod chain;
pub mod continuity;
pub mod event;
pub mod explain;
pub mod html;
pub mod human;
pub mod inspect;
pub mod json;
pub mod login;
pub mod login_svg;
pub mod manifest;
pub mod metrics;
pub mod ndjson;
pub mod page;
pub mod sarif;
pub mod signatures;

use crate::model::report::Report;

pub use page::Style;

/// The forms a report can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prose for an operator.
    Human,
    /// One JSON document, `docs/report.schema.json`.
    Json,
    /// One JSON object a line: a summary, then each finding, then each gap.
    Ndjson,
    /// One self-contained page for a browser.
    Html,
    /// SARIF 2.1.0 (OASIS), for code-scanning dashboards.
    Sarif,
}

/// `report` in `format`, ending with a newline. `style` matters to [`Format::Human`] only.
///
/// # Errors
/// None that a report can cause; what the serialiser says is passed on.
pub fn render(report: &Report, format: Format, style: Style) -> serde_json::Result<Vec<u8>> {
    match format {
        Format::Human => Ok(human::render(report, style).into_bytes()),
        Format::Json => json::pretty(report),
        Format::Ndjson => ndjson::render(report),
        Format::Html => Ok(html::render(report).into_bytes()),
        Format::Sarif => json::pretty(&sarif::log(report)),
    }
}
