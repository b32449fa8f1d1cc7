//! From the cells of a row to a record.

use csv::ByteRecord;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use prost_reflect::Kind;
use prost_reflect::Value;

use super::BadRow;
use super::PutError;
use crate::registry::field::Field;
use crate::registry::rules::FieldSet;
use crate::registry::rules::Requirement;
use crate::registry::rules::Violation;
use crate::registry::schema::RecordSchema;
use crate::registry::value::Literal;

/// The columns of a file.
pub(super) struct Header<'s> {
    schema: &'s RecordSchema,
    columns: Vec<(String, Field)>,
}

impl<'s> Header<'s> {
    /// Every fault of the first row.
    pub(super) fn of(names: &ByteRecord, schema: &'s RecordSchema) -> Result<Self, Vec<BadRow>> {
        let (mut columns, mut faults) = (Vec::<(String, Field)>::new(), Vec::new());
        for (i, name) in names.iter().enumerate() {
            let name = match std::str::from_utf8(name) {
                Ok(name) => name.trim(),
                Err(_) => {
                    let column = format!("column {}", i + 1);
                    faults.push(bad(1, &column, "a header in UTF-8"));
                    continue;
                }
            };
            match schema.field(name) {
                Err(unknown) => faults.push(bad(1, name, &unknown.to_string())),
                Ok(field) => match columns.iter().find(|(_, other)| overlap(&field, other)) {
                    Some((other, _)) => {
                        faults.push(bad(1, name, &format!("no column beside `{other}`")));
                    }
                    None if passes_through_list(&field) => {
                        let whole = "the list or map as a whole, as JSON";
                        faults.push(bad(1, name, whole));
                    }
                    None => columns.push((name.to_owned(), field)),
                },
            }
        }
        let key = schema.key().path();
        if faults.is_empty() && !columns.iter().any(|(_, field)| field.path() == key) {
            faults.push(bad(1, key.as_str(), "a column for the key"));
        }
        if faults.is_empty() {
            Ok(Self { schema, columns })
        } else {
            Err(faults)
        }
    }

    pub(super) fn record(
        &self,
        row: &ByteRecord,
        line: u64,
    ) -> Result<DynamicMessage, Vec<BadRow>> {
        if row.len() != self.columns.len() {
            let expected = format!("{} cells, as the header has", self.columns.len());
            return Err(vec![bad(line, "", &expected)]);
        }
        let mut record = DynamicMessage::new(self.schema.descriptor().clone());
        let mut faults = Vec::new();
        for ((name, field), cell) in self.columns.iter().zip(row) {
            let value = match std::str::from_utf8(cell) {
                Ok("") => continue,
                Ok(text) => value(field, text),
                Err(_) => Err("text in UTF-8".to_owned()),
            };
            match value {
                Ok(value) => {
                    set(&mut record, field, value);
                }
                Err(expected) => faults.push(bad(line, name, &expected)),
            }
        }
        if faults.is_empty() {
            Ok(record)
        } else {
            Err(faults)
        }
    }

    /// Every rule of the registry that the row breaks.
    pub(super) fn violations(&self, record: &DynamicMessage, line: u64) -> Vec<BadRow> {
        let mut found = Vec::new();
        let Some(rules) = self.schema.rules() else {
            return found;
        };
        let mut told = |violation: Violation| {
            let Requirement { rule, demands } = &violation.requirement;
            found.push(bad(line, &violation.path, &format!("{demands} ({rule})")));
        };
        let judged = rules.each_violation(&record.encode_to_vec(), &FieldSet::All, &mut told);
        if judged.is_err() {
            found.push(bad(line, "", "a record"));
        }
        found
    }

    /// A row that the table does not take.
    pub(super) fn misfit(&self, error: &PutError, line: u64) -> BadRow {
        match error {
            PutError::Duplicate => {
                let key = self.schema.key().path();
                bad(line, key.as_str(), "a key that no other record has")
            }
            PutError::Misfit { field, fault } => {
                bad(line, field, &format!("another value: it {fault}"))
            }
            PutError::Violation(violation) => {
                bad(line, &violation.path, &violation.requirement.demands)
            }
            PutError::Malformed(_) | PutError::Unreadable(_) | PutError::Database(_) => {
                bad(line, "", "a record")
            }
        }
    }
}

fn bad(line: u64, column: &str, expected: &str) -> BadRow {
    // A header may be anything at all.
    let column: String = column
        .chars()
        .take(64)
        .flat_map(char::escape_debug)
        .collect();
    BadRow {
        line,
        column,
        expected: expected.to_owned(),
    }
}

fn overlap(one: &Field, other: &Field) -> bool {
    one.path().within(other.path()) || other.path().within(one.path())
}

fn passes_through_list(field: &Field) -> bool {
    let outer = field
        .steps()
        .split_last()
        .map_or(&[][..], |(_, outer)| outer);
    outer.iter().any(|step| step.is_list() || step.is_map())
}

/// The cell's value, or what was expected.
fn value(field: &Field, text: &str) -> Result<Value, String> {
    let descriptor = field.descriptor();
    let whole = descriptor.is_list() || descriptor.is_map();
    if whole || field.message().is_some() {
        return json(field, text).ok_or_else(|| format!("the JSON of a {}", field.type_name()));
    }
    let literal = Literal::from_text(field, text).map_err(|error| error.expected)?;
    if let Literal::Decimal(_) = literal {
        // As it was written: the gateway changes no record.
        return Ok(Value::String(text.to_owned()));
    }
    scalar(field, literal).ok_or_else(|| format!("a {}", field.type_name()))
}

fn scalar(field: &Field, literal: Literal) -> Option<Value> {
    Some(match (field.descriptor().kind(), literal) {
        (_, Literal::Text(text)) => Value::String(text.as_ref().to_owned()),
        (_, Literal::Boolean(value)) => Value::Bool(value),
        (_, Literal::Data(bytes)) => Value::Bytes(bytes),
        (_, Literal::Enum { number, .. }) => Value::EnumNumber(number),
        (Kind::Float, Literal::Number(number)) => Value::F32(number as f32),
        (_, Literal::Number(number)) => Value::F64(number),
        (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, Literal::Integer(n)) => Value::I64(n),
        (_, Literal::Integer(n)) => Value::I32(i32::try_from(n).ok()?),
        (Kind::Uint64 | Kind::Fixed64, Literal::Unsigned(n)) => Value::U64(n),
        (_, Literal::Unsigned(n)) => Value::U32(u32::try_from(n).ok()?),
        (Kind::Message(time), Literal::Time { seconds, nanos }) => {
            let mut message = DynamicMessage::new(time);
            message.set_field_by_name("seconds", Value::I64(seconds));
            message.set_field_by_name("nanos", Value::I32(nanos));
            Value::Message(message)
        }
        (_, Literal::Time { .. } | Literal::Decimal(_)) => return None,
    })
}

/// By protobuf's JSON mapping; members that the schema does not know are refused.
fn json(field: &Field, text: &str) -> Option<Value> {
    let descriptor = field.descriptor();
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let whole = serde_json::Value::Object(
        [(descriptor.name().to_owned(), value)]
            .into_iter()
            .collect(),
    );
    let message = DynamicMessage::deserialize(descriptor.parent_message().clone(), whole).ok()?;
    Some(message.get_field(descriptor).into_owned())
}

/// Sets the field, and the messages around it.
fn set(record: &mut DynamicMessage, field: &Field, value: Value) -> Option<()> {
    let (last, outer) = field.steps().split_last()?;
    let mut within = record;
    for step in outer {
        if !within.has_field(step) {
            let Kind::Message(message) = step.kind() else {
                return None;
            };
            within.set_field(step, Value::Message(DynamicMessage::new(message)));
        }
        within = within.get_field_mut(step).as_message_mut()?;
    }
    within.set_field(last, value);
    Some(())
}
