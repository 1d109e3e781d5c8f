//! Breaks a document in one place at a time.

use serde_json::Value;

/// Copies of `whole`, each with one leaf of another type, and one for each object with a member that nobody knows, with
/// the place that was broken. Nothing beneath a member named in `free` is touched.
pub fn each(whole: &Value, free: &[&str]) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    walk(whole, String::new(), free, &mut places);
    assert!(places.len() > 20, "only {} places", places.len());
    let mut broken = Vec::new();
    for place in places {
        let mut copy = whole.clone();
        let target = copy.pointer_mut(&place).unwrap();
        match target {
            Value::Object(members) => {
                members.insert("planted_member".to_owned(), 1.into());
            }
            Value::String(_) => *target = serde_json::json!({ "not": "text" }),
            _ => *target = "not a number".into(),
        }
        broken.push((place, copy));
    }
    broken
}

fn walk(value: &Value, place: String, free: &[&str], places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| !free.contains(&name.as_str())) {
                walk(member, format!("{place}/{name}"), free, places);
            }
            places.push(place);
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, format!("{place}/{at}"), free, places);
            }
            places.push(place);
        }
        _ => places.push(place),
    }
}
