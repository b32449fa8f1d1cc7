//! How a column's values are read for a field, chosen once from the column's type.

use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;

use super::Dialect;
use super::live::LiveColumn;

/// How the values of one column are read and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Codec {
    /// Text as it stands.
    Text,
    /// Text as the database renders another type: exact numerics, times of day, enum types, padded text.
    Rendered,
    /// An exact number as its text.
    Decimal,
    /// A UUID as its text.
    Uuid,
    /// A date as its ISO 8601 text.
    Date,
    Integer,
    Unsigned,
    Boolean,
    Float,
    Double,
    Data,
    /// A point in time of a type that knows its zone.
    Instant,
    /// Seconds since 1970.
    UnixSeconds,
    /// RFC 3339 text in UTC.
    InstantText,
    /// The names of an enum's values; rendered as text by the database where `true`.
    EnumName(bool),
    EnumNumber,
    /// An enum's names or numbers, told value by value.
    EnumEither,
    /// JSON in a column of a JSON type, or, where `false`, of a text type.
    Json(bool),
    /// A PostgreSQL array.
    List(Box<Self>),
}

/// What a field wants of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Text,
    Integer,
    Boolean,
    Float,
    Double,
    Data,
    Enum,
    Instant,
    /// A message, a map, or a list of messages.
    Json,
}

impl ValueKind {
    /// Of the field's single value, or of an element of a list.
    pub(super) fn of(field: &FieldDescriptor) -> Self {
        if field.is_map() {
            return Self::Json;
        }
        match field.kind() {
            Kind::String => Self::Text,
            Kind::Bool => Self::Boolean,
            Kind::Float => Self::Float,
            Kind::Double => Self::Double,
            Kind::Bytes => Self::Data,
            Kind::Enum(_) => Self::Enum,
            Kind::Message(m) if m.full_name() == "google.protobuf.Timestamp" => Self::Instant,
            Kind::Message(_) => Self::Json,
            _ => Self::Integer,
        }
    }
}

/// Chooses, or says what the column would have to be.
pub(super) fn choose(
    dialect: Dialect,
    column: &LiveColumn,
    field: &FieldDescriptor,
) -> Result<Codec, &'static str> {
    let want = ValueKind::of(field);
    if field.is_list() || field.is_map() {
        return match (dialect, &column.element) {
            (Dialect::Postgres, Some(element)) if !field.is_map() => {
                postgres(element, want).map(|codec| Codec::List(Box::new(codec)))
            }
            _ => of_type(dialect, column, ValueKind::Json),
        };
    }
    of_type(dialect, column, want)
}

fn of_type(dialect: Dialect, column: &LiveColumn, want: ValueKind) -> Result<Codec, &'static str> {
    match dialect {
        Dialect::Postgres => postgres(&column.kind, want),
        Dialect::MySql => mysql(column, want),
        Dialect::Sqlite => sqlite(&column.kind, want),
    }
}

const CAST: &str = "map another column under `columns`, or cast it in a view";
const EXACT: &str = "a float would lose digits: make the field a string, or cast it in a view";
const ZONE: &str = "it does not say in which zone: make the column one with a time zone, or give it its zone in a view";
const NARROW: &str =
    "the field would lose digits: make it a double, or cast the column to a `real` in a view";

fn postgres(kind: &str, want: ValueKind) -> Result<Codec, &'static str> {
    Ok(match (want, kind) {
        (ValueKind::Text, "text" | "varchar") => Codec::Text,
        (ValueKind::Text, "bpchar" | "name" | "citext" | "time" | "enum") => Codec::Rendered,
        (ValueKind::Text, "numeric") => Codec::Decimal,
        (ValueKind::Text, "uuid") => Codec::Uuid,
        (ValueKind::Text, "date") => Codec::Date,
        (ValueKind::Integer, "int2" | "int4" | "int8") => Codec::Integer,
        (ValueKind::Boolean, "bool") => Codec::Boolean,
        (ValueKind::Float | ValueKind::Double, "float4") => Codec::Float,
        (ValueKind::Double, "float8") => Codec::Double,
        (ValueKind::Data, "bytea") => Codec::Data,
        (ValueKind::Enum, "text" | "varchar") => Codec::EnumName(false),
        (ValueKind::Enum, "bpchar" | "name" | "citext" | "enum") => Codec::EnumName(true),
        (ValueKind::Enum, "int2" | "int4" | "int8") => Codec::EnumNumber,
        (ValueKind::Instant, "timestamptz") => Codec::Instant,
        (ValueKind::Json, "json" | "jsonb") => Codec::Json(true),
        (ValueKind::Json, "text" | "varchar") => Codec::Json(false),
        (ValueKind::Float | ValueKind::Double, "numeric") => return Err(EXACT),
        (ValueKind::Float, "float8") => return Err(NARROW),
        (ValueKind::Instant, "timestamp") => return Err(ZONE),
        _ => return Err(CAST),
    })
}

fn mysql(column: &LiveColumn, want: ValueKind) -> Result<Codec, &'static str> {
    let integer = matches!(
        column.kind.as_str(),
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year"
    );
    Ok(match (want, column.kind.as_str()) {
        (ValueKind::Boolean, "tinyint") if column.shown.starts_with("tinyint(1)") => Codec::Boolean,
        (ValueKind::Boolean, "bit") if column.shown == "bit(1)" => Codec::Boolean,
        (ValueKind::Integer, _) if integer && column.shown.contains("unsigned") => Codec::Unsigned,
        (ValueKind::Integer, _) if integer => Codec::Integer,
        (ValueKind::Enum, _) if integer => Codec::EnumNumber,
        (ValueKind::Text, "varchar" | "char" | "text" | "tinytext" | "mediumtext" | "longtext") => {
            Codec::Text
        }
        (ValueKind::Text, "time" | "enum" | "set" | "uuid") => Codec::Rendered,
        (ValueKind::Text, "decimal") => Codec::Decimal,
        (ValueKind::Text, "date") => Codec::Date,
        (ValueKind::Enum, "varchar" | "char" | "text" | "tinytext") => Codec::EnumName(false),
        (ValueKind::Enum, "enum") => Codec::EnumName(true),
        (ValueKind::Float | ValueKind::Double, "float") => Codec::Float,
        (ValueKind::Double, "double") => Codec::Double,
        (
            ValueKind::Data,
            "binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob",
        ) => Codec::Data,
        (ValueKind::Instant, "timestamp") => Codec::Instant,
        (ValueKind::Json, "json" | "longtext" | "mediumtext" | "text" | "varchar") => {
            Codec::Json(true)
        }
        (ValueKind::Float | ValueKind::Double, "decimal") => return Err(EXACT),
        (ValueKind::Float, "double") => return Err(NARROW),
        (ValueKind::Instant, "datetime") => return Err(ZONE),
        _ => return Err(CAST),
    })
}

/// SQLite types each value, so the declared type only says what cannot be meant.
fn sqlite(affinity: &str, want: ValueKind) -> Result<Codec, &'static str> {
    Ok(match (want, affinity) {
        (ValueKind::Text, "text" | "none" | "numeric") => Codec::Text,
        (ValueKind::Integer, "integer" | "numeric" | "none") => Codec::Integer,
        (ValueKind::Boolean, "integer" | "numeric" | "none") => Codec::Boolean,
        (ValueKind::Float, "real" | "integer" | "numeric" | "none") => Codec::Float,
        (ValueKind::Double, "real" | "integer" | "numeric" | "none") => Codec::Double,
        (ValueKind::Data, "none") => Codec::Data,
        (ValueKind::Enum, "text") => Codec::EnumName(false),
        (ValueKind::Enum, "integer") => Codec::EnumNumber,
        (ValueKind::Enum, "numeric" | "none") => Codec::EnumEither,
        (ValueKind::Instant, "integer") => Codec::UnixSeconds,
        (ValueKind::Instant, "text" | "numeric" | "none") => Codec::InstantText,
        (ValueKind::Json, "text" | "none") => Codec::Json(true),
        _ => return Err(CAST),
    })
}
