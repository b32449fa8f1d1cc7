//! A journal record as JSON: all that stands in it, bytes in hexadecimal.

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::DynamicMessage;
use prost_reflect::FieldDescriptor;
use prost_reflect::Value;
use serde_json::Value as Json;

use crate::pb;
use crate::registry::hex;

/// The fields that are stated, by their names in the schema.
pub(super) fn record(record: &pb::JournalRecord) -> anyhow::Result<Json> {
    let pool = DescriptorPool::decode(pb::DESCRIPTORS)?;
    let message = pool
        .get_message_by_name("landbridge.v1.JournalRecord")
        .ok_or_else(|| anyhow::anyhow!("the API lacks its journal"))?;
    Ok(fields(&DynamicMessage::decode(
        message,
        record.encode_to_vec().as_slice(),
    )?))
}

fn fields(message: &DynamicMessage) -> Json {
    let stated = message
        .fields()
        .map(|(field, value): (FieldDescriptor, &Value)| (field.name().to_owned(), json(value)));
    Json::Object(stated.collect())
}

/// Journal records have neither maps nor enums.
fn json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I32(value) | Value::EnumNumber(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::U32(value) => (*value).into(),
        Value::U64(value) => (*value).into(),
        Value::F32(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        Value::String(value) => value.as_str().into(),
        Value::Bytes(value) => hex(value).into(),
        Value::Message(message) => fields(message),
        Value::List(values) => values.iter().map(json).collect(),
        Value::Map(_) => Json::Null,
    }
}

/// More parts than these, as subject tags may be, are counted rather than shown to people.
const MOST_SHOWN: usize = 4;

/// The same as lines of names and values, nested ones joined by dots.
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
