//! The long parts of the page: what could not be seen, and every file of the surface.

use super::{prose, text};
use crate::model::Check;
use crate::model::report::{File, Report};
use crate::render::chain::holds;
use crate::render::human::gaps::by_reason;

/// What could not be seen, each thing once.
pub fn gaps(out: &mut String, report: &Report) {
    for (mandatory, heading) in
        [(true, "Could not look, and the answer depends on it"), (false, "Could not look, worth knowing")]
    {
        let reasons = by_reason(report, mandatory);
        if reasons.is_empty() {
            continue;
        }
        out.push_str(&format!(
            "<section>\n<h2>{heading}</h2>\n<table>\n<thead><tr><th>what</th><th>why</th><th>check</th></tr></thead>\n<tbody>\n"
        ));
        for ((reason, checks), subjects) in reasons {
            let names: Vec<String> = subjects.iter().map(|subject| text(&subject.to_string())).collect();
            let checks: Vec<&str> = checks.into_iter().map(Check::name).collect();
            out.push_str(&format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                names.join("<br>"),
                prose(reason),
                checks.join(", ")
            ));
        }
        out.push_str("</tbody>\n</table>\n</section>\n");
    }
}

/// Every file whose bytes can decide a login, broken chains first, folded away.
pub fn files(out: &mut String, report: &Report) {
    if report.files.is_empty() {
        return;
    }
    let mut files: Vec<&File> = report.files.iter().collect();
    files.sort_by_key(|file| (holds(file), std::cmp::Reverse(file.trust), &file.path));
    out.push_str(&format!(
        "<details class=\"files\">\n<summary>All {} files whose bytes can decide a login</summary>\n<table>\n\
         <thead><tr><th></th><th>file</th><th>package</th><th>trust</th><th>sha256</th></tr></thead>\n<tbody>\n",
        report.files.len()
    ));
    for file in files {
        let (sign, tone) = if holds(file) { ("✓", "calm") } else { ("✗", "alarm") };
        let sha256 = file.sha256.map(|digest| digest.hex()).unwrap_or_default();
        out.push_str(&format!(
            "<tr class=\"{tone}\"><td>{sign}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"digest\">{sha256}</td></tr>\n",
            text(&file.path.to_string()),
            text(file.package.as_deref().unwrap_or("none")),
            file.trust.name()
        ));
    }
    out.push_str("</tbody>\n</table>\n</details>\n");
}
