//! What a code means, which codes there are, and what no scan can prove.

use super::page::{Page, Style, Tone};
use crate::knowledge::{Family, Knowledge};
use crate::model::Code;
use crate::model::code::CodeInfo;
use crate::model::limits::LIMITS;

/// What the code of a family begins with.
const FAMILY: &str = "backdoor/";

/// The page about the code `id`, or about a code of that name in any check; `None` if there is no such code.
#[must_use]
pub fn code(id: &str, knowledge: &Knowledge, style: Style) -> Option<String> {
    let named = |info: &&CodeInfo| info.id == id || info.id.split_once('/').is_some_and(|(_, name)| name == id);
    if let Some(info) = Code::all().find(named) {
        return Some(of_code(info, style));
    }
    knowledge.family(id.strip_prefix(FAMILY).unwrap_or(id)).map(|family| of_family(family, style))
}

fn of_code(info: &CodeInfo, style: Style) -> String {
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
    page.finish()
}

fn of_family(family: &Family, style: Style) -> String {
    let code = Code::family(&family.id);
    let mut page = Page::new(style);
    page.hang(&[(code.id(), Tone::Strong)], 0, &format!("  {}, {}", code.class(), code.severity()));
    page.text(0, &format!("{}, first reported in {}", family.title, family.year));
    page.gap();
    page.field("what to do", &family.remediation);
    page.field("evaded by", &family.evades);
    page.gap();
    for indicator in &family.indicators {
        page.field(indicator.specificity.name(), &format!("{} ({})", indicator.title, indicator.kind.name()));
    }
    page.gap();
    if !family.attack.is_empty() {
        page.field("ATT&CK", &family.attack.join(", "));
    }
    for source in &family.sources {
        page.field("source", &source.reference);
    }
    page.finish()
}

/// Every code with its class, severity and summary.
#[must_use]
pub fn list(knowledge: &Knowledge, style: Style) -> String {
    let mut page = Page::new(style);
    for info in Code::all() {
        page.hang(&[(info.id, Tone::Strong)], 4, &format!("  {}, {}", info.class, info.severity));
        page.text(4, info.summary);
    }
    for family in knowledge.families() {
        let code = Code::family(&family.id);
        page.hang(&[(code.id(), Tone::Strong)], 4, &format!("  {}, {}", code.class(), code.severity()));
        page.text(4, &format!("an indicator of {} matches", family.title));
    }
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
