//! JSON as lines that people read.

use serde_json::Value as Json;

/// More parts than these, as subject tags may be, are counted rather than shown to people.
const MOST_SHOWN: usize = 4;

/// Lines of names and values, nested ones joined by dots.
pub(super) fn pairs(json: &Json) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    flatten("", json, &mut pairs);
    pairs
}

fn flatten(path: &str, json: &Json, pairs: &mut Vec<(String, String)>) {
    match json {
        Json::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(&path, value, pairs);
            }
        }
        Json::Array(values) if values.len() > MOST_SHOWN && values.iter().any(Json::is_object) => {
            pairs.push((
                path.to_owned(),
                format!("{} of them; `--json` shows all", values.len()),
            ));
        }
        Json::Array(values) if values.iter().any(Json::is_object) => {
            for (number, value) in values.iter().enumerate() {
                flatten(&format!("{path}[{number}]"), value, pairs);
            }
        }
        Json::Array(values) => {
            let words: Vec<_> = values.iter().map(word).collect();
            pairs.push((path.to_owned(), words.join(", ")));
        }
        plain => pairs.push((path.to_owned(), word(plain))),
    }
}

fn word(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
