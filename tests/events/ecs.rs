//! ECS: every document against the list of fields that Elastic publishes (elastic/ecs, `generated/csv/fields.csv`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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

/// The index template that we ship: each field is one that events have, of the type that the list says; and no event has a
/// field that would be mapped by chance.
pub fn the_index_template_fits() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/siem/elasticsearch/index-template.json");
    let template: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut mapped = BTreeMap::new();
    mappings(&template["template"]["mappings"]["properties"], "", &mut mapped);
    assert!(mapped.len() >= 75, "only {} fields", mapped.len());
    let fields = fields();
    for (name, kind) in mapped.iter().filter(|(name, _)| !name.starts_with("sshproof.")) {
        assert_eq!(fields.get(name).map(|(kind, _)| kind), Some(kind), "{name}");
    }
    let mut seen = BTreeSet::new();
    for document in documents() {
        leaves(&document, "", &mapped, &mut seen);
    }
    // Of ECS's own fields some are for algorithms that these events do not have.
    let ours = mapped.keys().filter(|name| name.starts_with("sshproof."));
    let unused: Vec<_> = ours.filter(|name| !seen.contains(*name)).collect();
    assert!(unused.is_empty(), "no event has {unused:?}");
    let text = |name: &&String| !mapped.contains_key(*name);
    let unmapped: Vec<_> = seen.iter().filter(text).collect();
    assert!(unmapped.is_empty(), "not in the template: {unmapped:?}");
}

fn mappings(properties: &Value, name: &str, out: &mut BTreeMap<String, String>) {
    for (member, mapping) in properties.as_object().unwrap() {
        let inner = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
        match mapping.get("properties") {
            Some(properties) => mappings(properties, &inner, out),
            None => drop(out.insert(inner, mapping["type"].as_str().unwrap().to_owned())),
        }
    }
}

fn leaves(value: &Value, name: &str, mapped: &BTreeMap<String, String>, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) if !mapped.contains_key(name) => {
            for (member, value) in members {
                leaves(value, &if name.is_empty() { member.clone() } else { format!("{name}.{member}") }, mapped, out);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) && !mapped.contains_key(name) => {
            items.iter().for_each(|item| leaves(item, name, mapped, out));
        }
        _ => drop(out.insert(name.to_owned())),
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
