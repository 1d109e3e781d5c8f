//! What is known: the families, and what one of them looks for, with the values that the files keep encoded.

use super::page::{Page, Style, Tone};
use crate::knowledge::catalogue::describe;
use crate::knowledge::family::{Content, Part};
use crate::knowledge::{Family, Kind, Knowledge};
use crate::model::text::escape;

/// Most values shown of one indicator.
const MOST: usize = 512;

/// Every family with its title and the number of its indicators.
#[must_use]
pub fn list(knowledge: &Knowledge, style: Style) -> String {
    let mut page = Page::new(style);
    page.text(0, &format!("{} families, knowledge of {}", knowledge.families().len(), knowledge.date()));
    page.gap();
    for family in knowledge.families() {
        let observed = family.indicators.iter().filter(|i| !matches!(i.kind, Kind::Unobserved(_))).count();
        let all = family.indicators.len();
        let count = if observed == all {
            format!("{all} indicators")
        } else {
            format!("{all} indicators, {} of them not looked for", all.saturating_sub(observed))
        };
        page.hang(&[(&family.id, Tone::Strong)], 0, &format!("  {} ({}), {count}", family.title, family.year));
    }
    page.finish()
}

/// Every indicator of a family with its values, escaped.
#[must_use]
pub fn family(family: &Family, style: Style) -> String {
    let mut page = Page::new(style);
    page.hang(&[(&family.id, Tone::Strong)], 0, &format!("  {} ({})", family.title, family.year));
    for indicator in &family.indicators {
        page.gap();
        page.hang(
            &[(&indicator.id, Tone::Strong)],
            0,
            &format!("  {}, {}: {}", indicator.kind.name(), indicator.specificity, indicator.title),
        );
        page.text(2, &format!("{}; source {}", describe(&indicator.kind), indicator.source));
        let values = values(&indicator.kind);
        for value in values.iter().take(MOST) {
            page.text(4, value);
        }
        if values.len() > MOST {
            page.text(4, &format!("and {} more", values.len().saturating_sub(MOST)));
        }
    }
    page.finish()
}

fn values(kind: &Kind) -> Vec<String> {
    let quoted = |bytes: &Vec<u8>| format!("`{}`", escape(bytes));
    match kind {
        Kind::Digest(digests) => digests.iter().map(ToString::to_string).collect(),
        Kind::Content(content) => {
            content.groups.iter().flat_map(|group| &group.parts).flat_map(|p| part(p, content)).collect()
        }
        Kind::Path(rule) => {
            let path = |dir: &[u8], name: &[u8]| quoted(&[dir, b"/", name].concat());
            rule.places.iter().map(|place| path(place.dir.as_bytes(), &place.name)).collect()
        }
        Kind::Socket(names) | Kind::Mapping(names) => names.iter().map(quoted).collect(),
        Kind::Package(rule) => rule.names.iter().map(|name| format!("`{}`", escape(name.as_bytes()))).collect(),
        Kind::Unobserved(rule) => rule.values.iter().map(quoted).collect(),
    }
}

fn part(part: &Part, content: &Content) -> Vec<String> {
    let list = |what: &str, names: &[String]| vec![format!("{what} {}", names.join(", "))];
    match part {
        // The rule holds what stands in the file; shown is what it means.
        Part::Bytes(spellings) => {
            spellings.iter().map(|s| s.clone().map(|byte| byte.wrapping_sub(content.subtract)).shown()).collect()
        }
        Part::Import(name) => vec![format!("import `{}`", escape(name.as_bytes()))],
        Part::Export(name) => vec![format!("export `{}`", escape(name.as_bytes()))],
        Part::Soname(names) => list("DT_SONAME is one of", names),
        Part::NeededOutside(names) => list("DT_NEEDED beyond", names),
        Part::InitArrayAbove(count) => vec![format!("DT_INIT_ARRAYSZ above {count} pointers")],
        Part::CtorsAbove(count) => vec![format!(".ctors above {count} pointers")],
    }
}
