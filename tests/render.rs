//! Every report of `tests/golden/` through every renderer: the texts are golden files, the JSON obeys the published
//! schema, and nothing that a hostile host chose reaches a terminal or a browser raw.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use sshproof::model::report::{self, Report};
use sshproof::model::{Check, Subject};
use sshproof::render::{Format, Style, render};

fn cases() -> Vec<(String, Value)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let cases: Vec<_> = paths
        .iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".report.json")?.to_owned();
            Some((name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()))
        })
        .collect();
    assert!(cases.len() >= 7, "only {} cases", cases.len());
    cases
}

fn report(value: &Value) -> Report {
    serde_json::from_value(value.clone()).unwrap()
}

fn text(report: &Report, format: Format, style: Style) -> String {
    String::from_utf8(render(report, format, style).unwrap()).unwrap()
}

fn schema() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn human_text_is_golden() {
    for (name, value) in cases() {
        let text = text(&report(&value), Format::Human, Style::PLAIN);
        insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("{name}.human"), text);
        });
    }
}

/// A server that runs and the unit that would start it again read one configuration.
#[test]
fn servers_with_the_same_way_in_are_told_together() {
    let (_, value) = cases().into_iter().find(|(name, _)| name == "refuted-login").unwrap();
    let mut report = report(&value);
    let label = "sshd (ssh.service)";
    let mut twin = report.login[0].clone();
    twin.server = label.to_owned();
    report.login.push(twin);
    let login = report.results.iter_mut().find(|result| result.check == Check::Login).unwrap();
    let mut other = login.findings[0].clone();
    other.subject = Subject::Login { server: label.to_owned() };
    login.findings.push(other);
    let message = report.login[0].counterexamples[0].replay.clone();
    let shown = |report: &Report, format| text(report, format, Style::PLAIN).matches(message.as_str()).count();
    assert_eq!((shown(&report, Format::Human), shown(&report, Format::Html)), (1, 1));
    assert!(text(&report, Format::Human, Style::PLAIN).contains("server sshd [::]:22, server sshd (ssh.service)"));
    // Another fix is another story.
    report.login[1].counterexamples[0].fix.push('!');
    assert_eq!((shown(&report, Format::Human), shown(&report, Format::Html)), (2, 2));
}

#[test]
fn the_cases_say_what_their_results_say() {
    for (name, value) in cases() {
        let report = report(&value);
        assert_eq!(report::verdicts(&report.results), (report.verdict, report.classes), "{name}");
    }
}

#[test]
fn json_obeys_the_published_schema_and_loses_nothing() {
    let schema = schema();
    for (name, value) in cases() {
        let report = report(&value);
        let out: Value = serde_json::from_str(&text(&report, Format::Json, Style::PLAIN)).unwrap();
        assert_eq!(serde_json::from_value::<Report>(out.clone()).unwrap(), report, "{name}");
        if name != "hostile-names" {
            let problems: Vec<String> =
                schema.iter_errors(&out).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(problems.is_empty(), "{name}: {problems:#?}");
        }
    }
}

/// A validator that accepts everything would make the test above worthless.
#[test]
fn the_schema_refuses_what_is_not_in_the_contract() {
    let schema = schema();
    let (_, good) = cases().into_iter().find(|(name, _)| name == "backdoor").unwrap();
    assert!(schema.is_valid(&good));
    let breakages: &[(&str, Value)] = &[
        ("/schema", "sshproof.report/2".into()),
        ("/verdict", "clean".into()),
        ("/verdict", "not-applicable".into()),
        ("/classes/compromise", Value::Null),
        ("/started", "yesterday".into()),
        ("/trust_floor", "vendor".into()),
        ("/results/2/examined", (-1).into()),
        ("/results/2/findings/0/code", "Kobalos".into()),
        ("/results/2/findings/0/severity", "severe".into()),
        ("/results/2/findings/0/evidence", Value::Array(Vec::new())),
        ("/results/2/findings/0/evidence/0/kind", "byte".into()),
        ("/results/2/findings/0/subject/path", "usr/sbin/sshd".into()),
        ("/results/2/findings/0/message", "a\nb".into()),
        ("/files/0/sha256", "sha256:00".into()),
        ("/files/0/chain/0/link", "hope".into()),
        ("/login/0/proof", "maybe".into()),
        ("/usage/cpu_ms", "12".into()),
    ];
    for (pointer, value) in breakages {
        let mut broken = good.clone();
        *broken.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
        assert!(!schema.is_valid(&broken), "{pointer} = {value} was accepted");
    }
    // No object takes a member that the contract does not name.
    for pointer in ["", "/tool", "/host", "/results/2", "/results/2/findings/0", "/files/0", "/servers/0", "/usage"] {
        let mut broken = good.clone();
        broken.pointer_mut(pointer).unwrap()["extra"] = 1.into();
        assert!(!schema.is_valid(&broken), "{pointer} took an unknown member");
    }
}

#[test]
fn ndjson_has_a_line_for_each_finding_and_gap() {
    for (name, value) in cases() {
        let report = report(&value);
        let lines: Vec<Value> = text(&report, Format::Ndjson, Style::PLAIN)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let count = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
        let sum = |of: fn(&sshproof::model::CheckResult) -> usize| report.results.iter().map(of).sum::<usize>();
        assert_eq!((count("summary"), lines[0]["type"].as_str()), (1, Some("summary")), "{name}");
        assert_eq!(count("finding"), sum(|result| result.findings.len()), "{name}");
        assert_eq!(count("gap"), sum(|result| result.gaps.len()), "{name}");
    }
}

#[test]
fn nothing_hostile_is_printed_raw() {
    let (_, value) = cases().into_iter().find(|(name, _)| name == "hostile-names").unwrap();
    let report = report(&value);
    for format in [Format::Human, Format::Json, Format::Ndjson, Format::Html, Format::Sarif] {
        let text = text(&report, format, Style { unicode: false, ..Style::PLAIN });
        let raw = text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
        assert_eq!(raw, None, "{format:?}");
        assert!(text.contains("gpj.so"), "{format:?} does not show the name at all");
    }
    let html = text(&report, Format::Html, Style::PLAIN);
    for injected in ["<script>alert", "<img src=x", "<b>&amp;\"'"] {
        assert!(!html.contains(injected), "{injected}");
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    for (name, value) in cases() {
        let report = report(&value);
        let coloured = text(&report, Format::Human, Style { colour: true, ..Style::PLAIN });
        assert!(coloured.contains('\u{1b}'), "{name}");
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        assert_eq!(plain, text(&report, Format::Human, Style::PLAIN), "{name}");
    }
}

#[test]
fn lines_fit_the_terminal_unless_one_word_is_longer() {
    for (name, value) in cases() {
        let report = report(&value);
        for width in [60, 80, 132] {
            for line in text(&report, Format::Human, Style { width, ..Style::PLAIN }).lines() {
                let longest = line.split_whitespace().map(str::len).max().unwrap_or(0);
                assert!(
                    line.chars().count() <= width || longest > width.saturating_sub(34),
                    "{name} at {width}: {line}"
                );
            }
        }
    }
}
