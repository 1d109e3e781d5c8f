//! ECS: every document against the list of fields that Elastic publishes (elastic/ecs, `generated/csv/fields.csv`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sshproof::render::event::ecs;

use super::common::mimic::corpora;
use super::{breaking, world};

/// Type of each field and whether it is an array.
type Fields = BTreeMap<String, (String, bool)>;

fn fields() -> Fields {
    let path = corpora().unwrap().join("schemas/ecs-fields.csv");
    let rows = rows(&std::fs::read_to_string(path).unwrap());
    let column = |name: &str| rows[0].iter().position(|cell| cell == name).unwrap();
    let (field, kind, normal) = (column("Field"), column("Type"), column("Normalization"));
    let fields: Fields =
        rows[1..].iter().map(|row| (row[field].clone(), (row[kind].clone(), row[normal] == "array"))).collect();
    assert!(fields.len() > 2000, "only {} fields", fields.len());
    fields
}

/// Comma-separated values as RFC 4180 has them: cells in quotes may hold newlines and doubled quotes.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    rows
}

/// What is wrong with the document.
fn problems(document: &Value, fields: &Fields) -> Vec<String> {
    let mut problems = Vec::new();
    walk(document, "", fields, &mut problems);
    for required in ["@timestamp", "ecs"] {
        if document.get(required).is_none() {
            problems.push(format!("{required} is missing"));
        }
    }
    problems.extend(allowed_values(document));
    problems
}

fn walk(value: &Value, name: &str, fields: &Fields, problems: &mut Vec<String>) {
    // The guidelines give a program one object of its own, named after it.
    if name == "sshproof" {
        return;
    }
    match (fields.get(name), value) {
        (None, Value::Object(members)) => {
            let prefix = format!("{name}.");
            if !name.is_empty() && !fields.keys().any(|field| field.starts_with(&prefix)) {
                problems.push(format!("{name} is no object of the schema"));
            }
            for (member, value) in members {
                let inner = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                walk(value, &inner, fields, problems);
            }
        }
        (None, _) => problems.push(format!("{name} is no field")),
        (Some((kind, true)), Value::Array(items)) => {
            if items.iter().any(|item| !fits(item, kind)) {
                problems.push(format!("{name} holds something that is no {kind}"));
            }
        }
        (Some((_, true)), _) => problems.push(format!("{name} is no array")),
        (Some((kind, false)), value) => {
            if !fits(value, kind) {
                problems.push(format!("{name} is no {kind}"));
            }
        }
    }
}

fn fits(value: &Value, kind: &str) -> bool {
    match kind {
        "keyword" | "constant_keyword" | "wildcard" | "match_only_text" | "ip" => value.is_string(),
        "date" => value.as_str().is_some_and(|text| humantime::parse_rfc3339(text).is_ok()),
        "long" | "integer" => value.is_i64() || value.is_u64(),
        "float" | "double" | "scaled_float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" | "flattened" | "nested" => value.is_object(),
        _ => false,
    }
}

/// Values and pairs that the schema's documentation allows (elastic/ecs, `schemas/event.yml`, `allowed_values` and
/// `expected_event_types`): the list of fields does not hold them.
fn allowed_values(document: &Value) -> Vec<String> {
    let event = &document["event"];
    let mut problems = Vec::new();
    let kinds = ["alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error"];
    if !event["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
        problems.push(format!("event.kind is {}", event["kind"]));
    }
    if event.get("outcome").is_some_and(|outcome| !["success", "failure", "unknown"].iter().any(|o| outcome == o)) {
        problems.push(format!("event.outcome is {}", event["outcome"]));
    }
    let types: BTreeMap<&str, &[&str]> = [
        ("file", &["access", "change", "creation", "deletion", "info"][..]),
        ("malware", &["info"]),
        ("package", &["access", "change", "deletion", "info", "installation", "start"]),
        ("configuration", &["access", "change", "creation", "deletion", "info"]),
        ("process", &["access", "change", "end", "info", "start"]),
    ]
    .into();
    for category in event["category"].as_array().into_iter().flatten() {
        match types.get(category.as_str().unwrap_or_default()) {
            None => problems.push(format!("event.category {category}")),
            Some(allowed) => {
                for kind in event["type"].as_array().into_iter().flatten() {
                    if !allowed.iter().any(|allowed| kind == allowed) {
                        problems.push(format!("event.type {kind} of category {category}"));
                    }
                }
            }
        }
    }
    if event["category"].as_array().is_none_or(Vec::is_empty) || event["type"].as_array().is_none_or(Vec::is_empty) {
        problems.push("event.category or event.type is missing".to_owned());
    }
    problems
}

fn documents() -> Vec<Value> {
    world::events().iter().map(|event| ecs::document(event).unwrap()).collect()
}

pub fn accepts_every_code() {
    let fields = fields();
    for document in documents() {
        let problems = problems(&document, &fields);
        assert!(problems.is_empty(), "{problems:#?}\n{document:#}");
    }
}

pub fn refuses_each_broken_field() {
    let fields = fields();
    let mut tried = BTreeSet::new();
    for document in documents() {
        let kind = (document["event"]["dataset"].to_string(), document["event"]["action"].to_string());
        if !tried.insert(kind) {
            continue;
        }
        for (place, broken) in breaking::each(&document, &["sshproof"]) {
            assert!(!problems(&broken, &fields).is_empty(), "{place} was accepted");
        }
        for (place, value) in [
            ("/event/kind", "signal"),
            ("/event/category/0", "sorcery"),
            ("/event/type/0", "denied"),
            ("/@timestamp", "yesterday"),
        ] {
            let mut broken = document.clone();
            *broken.pointer_mut(place).unwrap() = value.into();
            assert!(!problems(&broken, &fields).is_empty(), "{place} = {value} was accepted");
        }
    }
    assert_eq!(tried.len(), 5, "{tried:?}");
}
