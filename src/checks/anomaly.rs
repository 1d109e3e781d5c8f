//! Does a file that provenance does not prove look tampered with?
//!
//! `formats::elf::anomaly` says which structural rules a file breaks; here that is judged: for code of the surface only, and
//! not where a signed chain proves the bytes. A match with an unsigned local record proves nothing against root, so on
//! dpkg systems every file is examined.

use super::standing::Standings;
use super::trust::is_proven;
use crate::facts::{Facts, FileFacts, FileState, Look, Role, RootFacts};
use crate::formats::elf::anomaly::is_measured;
use crate::formats::elf::{Anomaly, ElfRecord, Rule};
use crate::knowledge::Knowledge;
use crate::model::code::{
    APPENDED_DATA, CODE_IN_GAP, CUT_OFF, DYNAMIC_TABLE, ENTRY_POINT, EXECUTABLE_STACK, EXTRA_CODE_SEGMENT,
    HEADER_PADDING, HIDDEN_FROM_TOOLS, INITIALISER, LIBRARY_PATH, MIXED_COMPILERS, NO_BUILD_ID, NO_SECTION_HEADERS,
    PACKED, REWRITTEN_NAMES, SEARCH_PATH, SECTION_TABLE, SEGMENT_TABLE, STAND_IN, SYMBOL_HASH, TEXT_RELOCATIONS,
    UNREADABLE_STRUCTURE, WRITABLE_CODE,
};
use crate::model::{Check, CheckResult, Code, Confidence, Evidence, FileKind, Finding, Gap, RootedPath, Subject};

/// Answers the question for every root in `facts`. Files that a signature proves are counted, not examined.
#[must_use]
pub fn check(facts: &Facts, knowledge: &Knowledge) -> CheckResult {
    let mut result = CheckResult::new(Check::Anomaly);
    for root in &facts.roots {
        let standings = Standings::of(root, knowledge, facts.observed_at);
        let stamped = build_ids_are_usual(root);
        for (path, file) in code(root) {
            result.examined += 1;
            if !is_proven(root, &standings, path) {
                examine(path, file, stamped, &mut result);
            }
        }
    }
    result
}

/// The same question about one file by itself; a missing build-id says nothing without its neighbours.
#[must_use]
pub fn of_file(path: &RootedPath, file: &FileFacts) -> CheckResult {
    let mut result = CheckResult { examined: 1, ..CheckResult::new(Check::Anomaly) };
    examine(path, file, false, &mut result);
    result
}

/// The code files of the surface that are there, without those that belong to user servers only.
fn code(root: &RootFacts) -> impl Iterator<Item = (&RootedPath, &FileFacts)> {
    root.files.files.iter().filter(|(path, file)| {
        file.roles.iter().any(|role| role.is_code())
            && matches!(&file.state, FileState::Present(meta) if meta.kind == FileKind::Regular)
            && !belongs_to_users(root, path, file)
    })
}

/// Whether the file is the program of user servers and nothing else: it can log nobody else in, and is outside the verdict.
fn belongs_to_users(root: &RootFacts, path: &RootedPath, file: &FileFacts) -> bool {
    let mut servers =
        root.servers.iter().filter(|server| root.files.canonical(&server.binary) == Some(path)).peekable();
    let only_server = file.roles.iter().all(|role| !role.is_code() || *role == Role::Server);
    only_server && servers.peek().is_some() && servers.all(|server| server.user_server)
}

/// Whether a build-id is the rule on this system: at least nine in ten code files have one. Not every distribution stamps.
fn build_ids_are_usual(root: &RootFacts) -> bool {
    let records = || code(root).filter_map(|(_, file)| file.elf.as_deref());
    let with = records().filter(|record| record.build_id.is_some()).count();
    with > 0 && with.saturating_mul(10) >= records().count().saturating_mul(9)
}

fn examine(path: &RootedPath, file: &FileFacts, stamped: bool, result: &mut CheckResult) {
    let subject = || Subject::file(path);
    let Some(record) = file.elf.as_deref() else {
        match &file.problem {
            _ if !file.looks.contains(&Look::Binary) => {
                result.gap(Gap::mandatory(subject(), "its structure was not looked at"));
            }
            // It was read, and what was read cannot be understood.
            Some(problem) if !file.digests.is_empty() => {
                let evidence = Evidence::Fact { about: "structure".into(), value: problem.clone() };
                let message = format!("`{path}` cannot be understood: {problem}");
                result.findings.push(Finding::new(UNREADABLE_STRUCTURE, subject(), message, evidence));
            }
            Some(problem) => {
                result.gap(Gap::mandatory(subject(), format!("its structure could not be looked at: {problem}")));
            }
            // A script that configuration names has no structure to examine.
            None => {}
        }
        return;
    };
    if !is_measured(record.machine) {
        let reason = format!("no rule was measured on machines of type {}", record.machine);
        result.gap(Gap::mandatory(subject(), reason));
        return;
    }
    for problem in &record.problems {
        result.gap(Gap::mandatory(subject(), format!("its structure could not be read whole: {problem}")));
    }
    judge(path, record, stamped, result);
}

/// One finding for each rule broken.
fn judge(path: &RootedPath, record: &ElfRecord, stamped: bool, result: &mut CheckResult) {
    for of_rule in record.anomalies.chunk_by(|a, b| a.rule == b.rule) {
        let Some(first) = of_rule.first() else { continue };
        if first.rule == Rule::NoBuildId && !stamped {
            continue;
        }
        let evidence = |anomaly: &Anomaly| Evidence::Symbol {
            path: path.clone(),
            name: code_of(anomaly.rule).id().to_owned(),
            detail: anomaly.detail.clone(),
        };
        let message = format!("`{path}` {}", first.detail);
        let mut finding = Finding::new(code_of(first.rule), Subject::file(path), message, evidence(first));
        finding.evidence.extend(of_rule.iter().skip(1).map(evidence));
        // Structure alone shows that a file was changed, or built in an unusual way, not by whom.
        result.findings.push(finding.with_confidence(Confidence::Medium));
    }
}

/// The code of each rule: the same name.
const fn code_of(rule: Rule) -> Code {
    match rule {
        Rule::EntryPoint => ENTRY_POINT,
        Rule::ExtraCodeSegment => EXTRA_CODE_SEGMENT,
        Rule::WritableCode => WRITABLE_CODE,
        Rule::CodeInGap => CODE_IN_GAP,
        Rule::NoSectionHeaders => NO_SECTION_HEADERS,
        Rule::CutOff => CUT_OFF,
        Rule::AppendedData => APPENDED_DATA,
        Rule::RewrittenNames => REWRITTEN_NAMES,
        Rule::SegmentTable => SEGMENT_TABLE,
        Rule::SectionTable => SECTION_TABLE,
        Rule::DynamicTable => DYNAMIC_TABLE,
        Rule::Initialiser => INITIALISER,
        Rule::LibraryPath => LIBRARY_PATH,
        Rule::StandIn => STAND_IN,
        Rule::SearchPath => SEARCH_PATH,
        Rule::NoBuildId => NO_BUILD_ID,
        Rule::MixedCompilers => MIXED_COMPILERS,
        Rule::Packed => PACKED,
        Rule::ExecutableStack => EXECUTABLE_STACK,
        Rule::HeaderPadding => HEADER_PADDING,
        Rule::TextRelocations => TEXT_RELOCATIONS,
        Rule::SymbolHash => SYMBOL_HASH,
        Rule::HiddenFromTools => HIDDEN_FROM_TOOLS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Algorithm, Digest, Meta, Verdict};

    const ALL: [Rule; 23] = [
        Rule::EntryPoint,
        Rule::ExtraCodeSegment,
        Rule::WritableCode,
        Rule::CodeInGap,
        Rule::NoSectionHeaders,
        Rule::CutOff,
        Rule::AppendedData,
        Rule::RewrittenNames,
        Rule::SegmentTable,
        Rule::SectionTable,
        Rule::DynamicTable,
        Rule::Initialiser,
        Rule::LibraryPath,
        Rule::StandIn,
        Rule::SearchPath,
        Rule::NoBuildId,
        Rule::MixedCompilers,
        Rule::Packed,
        Rule::ExecutableStack,
        Rule::HeaderPadding,
        Rule::TextRelocations,
        Rule::SymbolHash,
        Rule::HiddenFromTools,
    ];

    #[test]
    fn a_rule_and_its_code_bear_one_name() {
        for rule in ALL {
            let name = serde_json::to_value(rule).unwrap();
            assert_eq!(code_of(rule).id(), format!("anomaly/{}", name.as_str().unwrap()));
        }
    }

    fn file(role: Role, alter: impl FnOnce(&mut FileFacts)) -> FileFacts {
        let meta = Meta {
            kind: FileKind::Regular,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size: 1,
            nlink: 1,
            mtime: 0,
            ctime: 0,
            dev: 1,
            ino: 1,
        };
        let mut file = FileFacts::new(FileState::Present(meta));
        file.roles.insert(role);
        file.looks.insert(Look::Binary);
        file.digests.push(Digest::of(Algorithm::Sha256, b"x"));
        let record = ElfRecord { machine: 62, build_id: Some("00".into()), ..ElfRecord::default() };
        file.elf = Some(Box::new(record));
        alter(&mut file);
        file
    }

    fn check_files(files: Vec<FileFacts>) -> CheckResult {
        let mut root = RootFacts::default();
        for (index, file) in files.into_iter().enumerate() {
            root.files.files.insert(RootedPath::new(format!("/bin/{index}")).unwrap(), file);
        }
        let facts: Facts = serde_json::from_value(serde_json::json!({
            "schema": "", "observer": "", "knowledge": "", "byte_rules": "",
            "observed_at": "2026-01-01T00:00:00Z", "duration_ms": 0,
            "usage": serde_json::to_value(crate::model::report::Usage::default()).unwrap(),
            "kernel": null, "roots": [serde_json::to_value(root).unwrap()],
        }))
        .unwrap();
        check(&facts, &Knowledge::new("2026-01-01", Vec::new()))
    }

    fn with(rules: &[Rule]) -> impl FnOnce(&mut FileFacts) {
        let rules = rules.to_vec();
        move |file| {
            let record = file.elf.as_mut().unwrap();
            record.anomalies = rules.iter().map(|rule| Anomaly { rule: *rule, detail: "is odd".into() }).collect();
            if rules.contains(&Rule::NoBuildId) {
                record.build_id = None;
            }
        }
    }

    #[test]
    fn code_of_the_surface_is_judged_and_nothing_else() {
        let result = check_files(vec![
            file(Role::Server, with(&[Rule::EntryPoint, Rule::EntryPoint, Rule::AppendedData])),
            file(Role::Library, |_| {}),
            file(Role::SshdConfig, with(&[Rule::EntryPoint])),
            file(Role::Extra, with(&[Rule::EntryPoint])),
        ]);
        let found: Vec<(&str, usize)> = result.findings.iter().map(|f| (f.code.id(), f.evidence.len())).collect();
        assert_eq!(found, [("anomaly/entry-point", 2), ("anomaly/appended-data", 1)]);
        assert_eq!(result.findings[0].subject.to_string(), "/bin/0");
        assert_eq!((result.examined, result.gaps.len()), (2, 0));
        assert_eq!(check_files(vec![file(Role::Library, |_| {})]).verdict(), Verdict::Pass);
        assert_eq!(check_files(Vec::new()).verdict(), Verdict::NotApplicable);
    }

    #[test]
    fn build_ids_matter_where_they_are_usual() {
        let clean = || file(Role::Library, |_| {});
        let bare = || file(Role::Library, with(&[Rule::NoBuildId]));
        let mut files: Vec<FileFacts> = (0..9).map(|_| clean()).collect();
        files.push(bare());
        assert_eq!(check_files(files).findings.len(), 1);
        assert_eq!(check_files(vec![clean(), bare(), bare()]).verdict(), Verdict::Pass);
        assert_eq!(check_files(vec![bare()]).verdict(), Verdict::Pass);
    }

    #[test]
    fn what_was_not_seen_is_said() {
        let check = |alter: fn(&mut FileFacts), verdict| {
            let result = check_files(vec![file(Role::PamModule, alter)]);
            assert_eq!(result.verdict(), verdict, "{result:?}");
        };
        // Read, begins like ELF, makes no sense.
        check(
            |file| {
                file.elf = None;
                file.problem = Some("an ELF file, but its header is cut off".into());
            },
            Verdict::Fail,
        );
        // Not read.
        check(
            |file| {
                file.elf = None;
                file.digests.clear();
                file.problem = Some("permission denied".into());
            },
            Verdict::Inconclusive,
        );
        check(
            |file| {
                file.elf = None;
                file.looks.clear();
            },
            Verdict::Inconclusive,
        );
        // A script.
        check(|file| file.elf = None, Verdict::Pass);
        // A machine that nobody measured.
        check(|file| file.elf.as_mut().unwrap().machine = 8, Verdict::Inconclusive);
        check(|file| file.elf.as_mut().unwrap().problems.push("x".into()), Verdict::Inconclusive);
    }
}
