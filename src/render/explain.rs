//! What a code means, which codes there are, and what no scan can prove.

use super::page::{Page, Style, Tone};
use crate::model::Code;
use crate::model::limits::LIMITS;

/// The page about the code `id`; `None` if there is no such code.
#[must_use]
pub fn code(id: &str, style: Style) -> Option<String> {
    let info = Code::all().find(|info| info.id == id)?;
    let mut page = Page::new(style);
    page.hang(&[(info.id, Tone::Strong)], 0, &format!("  {}, {}", info.class, info.severity));
    page.text(0, info.summary);
    page.gap();
    page.text(2, info.explanation);
    page.gap();
    page.field("what to do", info.remediation);
    for reference in info.references {
        page.field("reference", reference);
    }
    Some(page.finish())
}

/// Every code with its class, severity and summary.
#[must_use]
pub fn list(style: Style) -> String {
    let mut page = Page::new(style);
    for info in Code::all() {
        page.hang(&[(info.id, Tone::Strong)], 4, &format!("  {}, {}", info.class, info.severity));
        page.text(4, info.summary);
    }
    page.gap();
    page.text(0, "Codes of backdoor families are `backdoor/` and the family's name.");
    page.finish()
}

/// What no scan from user space can prove, and what would.
#[must_use]
pub fn limits(style: Style) -> String {
    let mut page = Page::new(style);
    page.text(0, "What no part of a report covers. A pass says nothing about these:");
    for limit in LIMITS {
        page.heading(limit.what);
        page.text(2, limit.why);
    }
    page.finish()
}
