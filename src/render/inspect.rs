//! What `inspect` shows of single files: as text, and as JSON.

use serde::Serialize;

use super::human::evidence;
use super::json;
use super::page::{Page, Style, Tone};
use crate::checks::inspect::Inspected;
use crate::facts::FileState;
use crate::formats::elf::ElfRecord;
use crate::model::Severity;

/// The name and version of the JSON form.
pub const SCHEMA: &str = "sshproof.inspect/1";

/// `files` as one JSON document.
///
/// # Errors
/// What the serialiser says.
pub fn document(files: &[Inspected]) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        files: &'a [Inspected],
    }
    json::pretty(&Document { schema: SCHEMA, files })
}

/// `files` as text.
#[must_use]
pub fn human(files: &[Inspected], style: Style) -> String {
    let mut page = Page::new(style);
    for file in files {
        one(&mut page, file);
    }
    page.finish()
}

fn one(page: &mut Page, file: &Inspected) {
    page.heading(&file.path.to_string());
    match &file.facts.state {
        FileState::Missing => return page.toned_field("missing", Tone::Alarm, "there is no such file"),
        FileState::Unknown(why) => return page.toned_field("unread", Tone::Doubt, why),
        FileState::Present(meta) => {
            page.field(
                "inode",
                &format!("{} bytes, mode {:04o}, owner {}:{}", meta.size, meta.mode, meta.uid, meta.gid),
            );
        }
    }
    for digest in &file.facts.digests {
        page.field(&digest.algorithm().to_string(), &digest.hex());
    }
    if let Some(problem) = &file.facts.problem {
        page.toned_field("problem", Tone::Doubt, problem);
    }
    match file.facts.elf.as_deref() {
        Some(record) => structure(page, record),
        None if !file.facts.digests.is_empty() => page.field("structure", "not an ELF file that could be read"),
        None => {}
    }
    for gap in &file.gaps {
        page.toned_field("not seen", Tone::Doubt, &gap.reason);
    }
    for finding in &file.findings {
        let tone = if finding.severity > Severity::Informational { Tone::Alarm } else { Tone::Faint };
        page.toned_field("FINDING", tone, &format!("{} ({}, {})", finding.message, finding.code, finding.severity));
        for (label, text) in finding.evidence.iter().flat_map(evidence::lines) {
            page.field(&format!("  {label}"), &text);
        }
    }
    if file.findings.is_empty() && !file.facts.digests.is_empty() {
        page.toned_field("findings", Tone::Calm, "no indicator of a known family, no structure that no linker makes");
    }
}

fn structure(page: &mut Page, record: &ElfRecord) {
    let order = if record.big_endian { "big-endian" } else { "little-endian" };
    let kind = match (record.kind, &record.interpreter) {
        (1, _) => "relocatable object",
        (2, _) => "executable at a fixed address",
        (3, Some(_)) => "position-independent executable",
        (3, None) => "shared object",
        (4, _) => "core dump",
        _ => "ELF of another kind",
    };
    page.field("structure", &format!("{kind}, {} bit, {order}, machine {}", record.bits, machine(record.machine)));
    let mut optional = |label: &str, value: &Option<String>| {
        if let Some(value) = value {
            page.field(label, value);
        }
    };
    optional("loader", &record.interpreter);
    optional("soname", &record.soname);
    optional("rpath", &record.rpath);
    optional("runpath", &record.runpath);
    optional("build-id", &record.build_id);
    optional("package", &record.package_note);
    optional("strict", &record.strict_problem);
    let mut list = |label: &str, values: &[String]| {
        if !values.is_empty() {
            page.field(label, &values.join(", "));
        }
    };
    list("needs", &record.needed);
    list("also loads", &record.also_loads);
    list("built by", &record.comments);
    list("unreadable", &record.problems);
    page.field(
        "tables",
        &format!(
            "{} segments, {} sections, {} symbols imported, {} exported, entry {:#x}",
            record.segments.len(),
            record.sections.len(),
            record.imports,
            record.exports,
            record.entry
        ),
    );
}

/// The usual name of an `e_machine` (System V gABI, "Machine Information").
fn machine(number: u16) -> String {
    match number {
        3 => "x86".to_owned(),
        8 => "MIPS".to_owned(),
        20 => "PowerPC".to_owned(),
        21 => "PowerPC64".to_owned(),
        22 => "S/390".to_owned(),
        40 => "ARM".to_owned(),
        62 => "x86-64".to_owned(),
        183 => "AArch64".to_owned(),
        243 => "RISC-V".to_owned(),
        258 => "LoongArch".to_owned(),
        other => other.to_string(),
    }
}
