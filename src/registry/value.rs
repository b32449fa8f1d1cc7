//! Values of a record's fields, as questions state them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::EnumDescriptor;
use prost_reflect::Kind;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::decimal::Decimal;
use super::field::Field;
use crate::name::FieldPath;
use crate::pb;
use crate::pb::value::Kind as Given;

mod base64;

/// A value of the type that its field has. Holds personal data: it has no `Debug` that shows it.
#[derive(Clone, PartialEq)]
pub enum Literal {
    Text(Arc<str>),
    /// A string whose format is that of a decimal number.
    Decimal(Decimal),
    /// int32, int64, sint32, sint64, sfixed32, sfixed64.
    Integer(i64),
    /// uint32, uint64, fixed32, fixed64.
    Unsigned(u64),
    /// float, double. Finite; of a float field, a number that a float can hold.
    Number(f64),
    Boolean(bool),
    Data(Bytes),
    Enum {
        name: Arc<str>,
        number: i32,
    },
    /// google.protobuf.Timestamp.
    Time {
        seconds: i64,
        nanos: i32,
    },
}

/// A value that its field cannot have. Tells what is expected, never what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` takes {expected}")]
pub struct ValueError {
    pub field: FieldPath,
    pub expected: String,
}

/// The seconds of a `google.protobuf.Timestamp`: from the year 1 to the end of the year 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

impl Literal {
    /// Reads a key, a command-line argument or a cell: numbers in decimal, `true` or `false`, an enum value's name or
    /// number, an RFC 3339 time, bytes in base64. Of a list: one of its values.
    pub fn from_text(field: &Field, text: &str) -> Result<Self, ValueError> {
        let value = match field.descriptor().kind() {
            _ if field.descriptor().is_map() => None,
            Kind::String => self::text(field, text),
            Kind::Bool => boolean(text).map(Self::Boolean),
            Kind::Bytes => base64::decode(text).map(|data| Self::Data(data.into())),
            Kind::Float | Kind::Double => text.parse().ok().and_then(|n| number(field, n)),
            Kind::Enum(e) => member(&e, text).or_else(|| member_by_number(&e, text)),
            Kind::Message(_) => OffsetDateTime::parse(text, &Rfc3339).ok().and_then(|t| {
                let nanos = i32::try_from(t.nanosecond()).ok()?;
                moment(field, t.unix_timestamp(), nanos)
            }),
            _ => text.parse().ok().and_then(|n| integer(field, n)),
        };
        value.ok_or_else(|| misfit(field))
    }

    /// Reads a value of a request. An enum value comes by its name; a number beyond an sint64 as text.
    /// Of a list: one of its values.
    pub fn from_pb(field: &Field, value: &pb::Value) -> Result<Self, ValueError> {
        let kind = field.descriptor().kind();
        let read = match (&value.kind, &kind) {
            _ if field.descriptor().is_map() => None,
            (Some(Given::Text(given)), Kind::String) => text(field, given),
            (Some(Given::Text(text)), Kind::Enum(e)) => member(e, text),
            (Some(Given::Text(text)), Kind::Uint64 | Kind::Fixed64) => {
                text.parse().ok().and_then(|n| integer(field, n))
            }
            (Some(Given::Integer(n)), _) => {
                integer(field, i128::from(*n)).or_else(|| number(field, exact(*n)?))
            }
            (Some(Given::Number(n)), _) => number(field, *n),
            (Some(Given::Boolean(b)), Kind::Bool) => Some(Self::Boolean(*b)),
            (Some(Given::Data(data)), Kind::Bytes) => Some(Self::Data(data.clone())),
            (Some(Given::Time(t)), _) => moment(field, t.seconds, t.nanos),
            _ => None,
        };
        read.ok_or_else(|| misfit(field))
    }

    /// The value's canonical bytes, for keyed hashes: equal for equal values of one field.
    pub fn tag_bytes(&self) -> Cow<'_, [u8]> {
        let text = match self {
            Self::Text(text) => return Cow::Borrowed(text.as_bytes()),
            Self::Decimal(decimal) => return Cow::Borrowed(decimal.as_str().as_bytes()),
            Self::Data(data) => return Cow::Borrowed(data),
            Self::Integer(n) => n.to_string(),
            Self::Unsigned(n) => n.to_string(),
            Self::Number(n) => n.to_string(),
            Self::Boolean(b) => b.to_string(),
            Self::Enum { number, .. } => number.to_string(),
            Self::Time { seconds, nanos } => format!("{seconds}.{nanos:09}"),
        };
        Cow::Owned(text.into_bytes())
    }
}

/// Shows the kind, not the value.
impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Decimal(_) => "Decimal",
            Self::Integer(_) => "Integer",
            Self::Unsigned(_) => "Unsigned",
            Self::Number(_) => "Number",
            Self::Boolean(_) => "Boolean",
            Self::Data(_) => "Data",
            Self::Enum { .. } => "Enum",
            Self::Time { .. } => "Time",
        })
    }
}

/// A text of the field's format.
pub(super) fn text(field: &Field, text: &str) -> Option<Literal> {
    if field.is_decimal() {
        return Decimal::parse(text).map(Literal::Decimal);
    }
    Some(Literal::Text(text.into()))
}

/// A whole number that the field's kind can hold.
pub(super) fn integer(field: &Field, n: i128) -> Option<Literal> {
    match field.descriptor().kind() {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            let n = i32::try_from(n).ok()?;
            Some(Literal::Integer(n.into()))
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            let n = i64::try_from(n).ok()?;
            Some(Literal::Integer(n))
        }
        Kind::Uint32 | Kind::Fixed32 => {
            let n = u32::try_from(n).ok()?;
            Some(Literal::Unsigned(n.into()))
        }
        Kind::Uint64 | Kind::Fixed64 => {
            let n = u64::try_from(n).ok()?;
            Some(Literal::Unsigned(n))
        }
        _ => None,
    }
}

/// A finite number. For a float field it is rounded to a float, as the records' own values are.
pub(super) fn number(field: &Field, n: f64) -> Option<Literal> {
    let n = match field.descriptor().kind() {
        Kind::Double => n,
        Kind::Float => f64::from(n as f32),
        _ => return None,
    };
    // Adding zero leaves one zero: the negative one would have other tag bytes.
    n.is_finite().then_some(Literal::Number(n + 0.0))
}

/// The number as an f64, where that loses nothing.
fn exact(n: i64) -> Option<f64> {
    let float = n as f64;
    (float as i128 == i128::from(n)).then_some(float)
}

/// Spreadsheets write `TRUE` and `FALSE`.
fn boolean(text: &str) -> Option<bool> {
    bool::from_str(&text.to_ascii_lowercase()).ok()
}

pub(super) fn member(e: &EnumDescriptor, name: &str) -> Option<Literal> {
    let value = e.get_value_by_name(name)?;
    Some(Literal::Enum {
        name: value.name().into(),
        number: value.number(),
    })
}

fn member_by_number(e: &EnumDescriptor, text: &str) -> Option<Literal> {
    let value = e.get_value(text.parse().ok()?)?;
    member(e, value.name())
}

pub(super) fn moment(field: &Field, seconds: i64, nanos: i32) -> Option<Literal> {
    let fits =
        field.is_timestamp() && SECONDS.contains(&seconds) && (0..1_000_000_000).contains(&nanos);
    fits.then_some(Literal::Time { seconds, nanos })
}

pub(super) fn misfit(field: &Field) -> ValueError {
    ValueError {
        field: field.path().clone(),
        expected: expected(field),
    }
}

/// What values the field takes, as a text that follows "takes".
fn expected(field: &Field) -> String {
    let whole = "a whole number from";
    match field.descriptor().kind() {
        Kind::String if field.is_decimal() => {
            "a decimal number in quotes, such as `\"-12.50\"`".to_owned()
        }
        Kind::String => "text".to_owned(),
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Bytes => "bytes, base64 where they are written as text".to_owned(),
        Kind::Float | Kind::Double => "a finite number".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            format!("{whole} {} to {}", i32::MIN, i32::MAX)
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            format!("{whole} {} to {}", i64::MIN, i64::MAX)
        }
        Kind::Uint32 | Kind::Fixed32 => format!("{whole} 0 to {}", u32::MAX),
        Kind::Uint64 | Kind::Fixed64 => format!("{whole} 0 to {}", u64::MAX),
        Kind::Enum(e) => one_of(&e),
        Kind::Message(_) if field.is_timestamp() => {
            "a time, such as `2026-01-31T08:00:00+08:00` where it is written as text".to_owned()
        }
        Kind::Message(_) => format!("no single value: it is a {}", field.type_name()),
    }
}

/// The first names of an enum: some have hundreds.
fn one_of(e: &EnumDescriptor) -> String {
    const SHOWN: usize = 12;
    let names: Vec<_> = e
        .values()
        .take(SHOWN)
        .map(|value| format!("`{}`", value.name()))
        .collect();
    let more = if e.values().len() > SHOWN {
        ", …"
    } else {
        ""
    };
    format!("one of {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests;
