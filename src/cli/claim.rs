//! `field=value` as a claim, typed by the field's kind.

use prost_reflect::Cardinality;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::schema;
use crate::pb;
use crate::pb::value::Kind as Value;

/// A claim as it was typed: all before the first `=` is the field.
///
/// Its value is somebody's data: it has no `Debug` that shows it.
#[derive(Clone)]
pub(super) struct Claim {
    field: String,
    value: String,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

/// A value that its field's type cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value for `{field}` is not {expected}")]
pub(super) struct UnfitValue {
    field: String,
    expected: &'static str,
}

/// Reads `field=value`.
pub(super) fn parse(text: &str) -> Result<Claim, String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() => Ok(Claim {
            field: field.trim().to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("expected `field=value`, such as `full_name=王芳`".to_owned()),
    }
}

impl Claim {
    /// Typed as the schema says. A field that it does not have goes as text: the gateway says which is meant.
    pub(super) fn typed(
        &self,
        message: Option<&MessageDescriptor>,
    ) -> Result<pb::Claim, UnfitValue> {
        let field = message.and_then(|message| schema::field(message, &self.field));
        let kind = match field {
            Some(field) => value(&field, &self.value).map_err(|expected| UnfitValue {
                field: self.field.clone(),
                expected,
            })?,
            None => Value::Text(self.value.clone()),
        };
        Ok(pb::Claim {
            field: self.field.clone(),
            value: Some(pb::Value { kind: Some(kind) }),
        })
    }
}

fn value(field: &FieldDescriptor, text: &str) -> Result<Value, &'static str> {
    if field.cardinality() == Cardinality::Repeated {
        return Ok(Value::Text(text.to_owned()));
    }
    match field.kind() {
        Kind::String | Kind::Enum(_) => Ok(Value::Text(text.to_owned())),
        Kind::Bool => text
            .parse()
            .map(Value::Boolean)
            .map_err(|_| "`true` or `false`"),
        Kind::Double | Kind::Float => text.parse().map(Value::Number).map_err(|_| "a number"),
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Fixed32
        | Kind::Sfixed32
        | Kind::Sfixed64 => text
            .parse()
            .map(Value::Integer)
            .map_err(|_| "a whole number"),
        // The greatest of them do not fit the message's integer.
        Kind::Uint64 | Kind::Fixed64 => match text.parse::<u64>().map(i64::try_from) {
            Ok(Ok(number)) => Ok(Value::Integer(number)),
            Ok(Err(_)) => Ok(Value::Text(text.to_owned())),
            Err(_) => Err("a whole number, 0 or greater"),
        },
        Kind::Bytes => {
            let data = STANDARD.decode(text).map_err(|_| "base64")?;
            Ok(Value::Data(data.into()))
        }
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            timestamp(text)
                .map(Value::Time)
                .ok_or("a time such as `2026-05-01T10:00:00Z`")
        }
        Kind::Message(_) => Ok(Value::Text(text.to_owned())),
    }
}

fn timestamp(text: &str) -> Option<prost_types::Timestamp> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(prost_types::Timestamp {
        seconds: at.unix_timestamp(),
        nanos: i32::try_from(at.nanosecond()).ok()?,
    })
}

#[cfg(test)]
mod tests;
