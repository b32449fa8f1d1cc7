//! Records as people and programs read them: JSON by the protobuf mapping, or cells of a row.

use prost_reflect::DynamicMessage;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;
use prost_reflect::SerializeOptions;
use serde_json::Value;

use super::schema;

/// The columns of a record type's released fields, nested ones joined by dots.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    path: String,
    masked: bool,
}

/// The deepest that messages are spread into columns; below it they are JSON.
const MAX_DEPTH: usize = 8;

impl Columns {
    /// What the answer says is released, in that order.
    pub(super) fn new(message: &MessageDescriptor, fields: &[String], masked: &[String]) -> Self {
        let mut columns = Vec::new();
        for path in fields {
            match schema::field(message, path) {
                Some(field) => spread(path, &field, masked, &mut columns),
                None => columns.push(Column::new(path, masked)),
            }
        }
        Self { columns }
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|column| column.path.as_str())
            .collect()
    }

    /// The names, with a `*` after those of masked fields.
    pub(super) fn titles(&self) -> Vec<String> {
        let title =
            |column: &Column| format!("{}{}", column.path, if column.masked { "*" } else { "" });
        self.columns.iter().map(title).collect()
    }

    pub(super) fn has_masked(&self) -> bool {
        self.columns.iter().any(|column| column.masked)
    }

    /// One cell for each column; empty where the record has no value.
    pub(super) fn cells(&self, record: &Value, style: Style) -> Vec<String> {
        let cell = |column: &Column| {
            at(record, &column.path).map_or_else(String::new, |value| style.cell(value))
        };
        self.columns.iter().map(cell).collect()
    }
}

impl Column {
    fn new(path: &str, masked: &[String]) -> Self {
        let is_masked = masked
            .iter()
            .any(|masked| covers(masked, path) || covers(path, masked));
        Self {
            path: path.to_owned(),
            masked: is_masked,
        }
    }
}

/// Whether `inner` is `outer` or lies within it.
fn covers(outer: &str, inner: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn spread(path: &str, field: &FieldDescriptor, masked: &[String], columns: &mut Vec<Column>) {
    let depth = path.split('.').count();
    match field.kind() {
        Kind::Message(message)
            if !field.is_list()
                && !field.is_map()
                && !is_one_value(&message)
                && depth < MAX_DEPTH =>
        {
            for inner in message.fields() {
                spread(&format!("{path}.{}", inner.name()), &inner, masked, columns);
            }
        }
        _ => columns.push(Column::new(path, masked)),
    }
}

/// Well-known types have a form of their own in JSON.
fn is_one_value(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("google.protobuf.")
}

fn at<'a>(record: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(record, |value, name| value.get(name))
}

/// How lists and messages are written into one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Lists of plain values joined by commas.
    People,
    /// Lists as JSON.
    Programs,
}

impl Style {
    fn cell(self, value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(values) if values.is_empty() => String::new(),
            Value::Object(values) if values.is_empty() => String::new(),
            Value::Array(values) if self == Self::People && values.iter().all(is_plain) => {
                let cells: Vec<_> = values.iter().map(|value| self.cell(value)).collect();
                cells.join(", ")
            }
            Value::Object(values) if self == Self::People && values.values().all(is_plain) => {
                let cells: Vec<_> = values
                    .iter()
                    .map(|(name, value)| format!("{name}={}", self.cell(value)))
                    .collect();
                cells.join(", ")
            }
            other => other.to_string(),
        }
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// A record by the JSON mapping of protobuf, with the names that the schema has. What is not there is left out: of an
/// answer nobody can tell whether a plain value is zero or was not stated.
/// <https://protobuf.dev/programming-guides/json/>
pub(super) fn to_json(message: &MessageDescriptor, record: &[u8]) -> anyhow::Result<Value> {
    let record = DynamicMessage::decode(message.clone(), record)?;
    let options = SerializeOptions::new().use_proto_field_name(true);
    Ok(record.serialize_with_options(serde_json::value::Serializer, &options)?)
}

#[cfg(test)]
mod tests;
