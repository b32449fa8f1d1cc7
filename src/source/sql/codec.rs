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
pub(super) enum Want {
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

impl Want {
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
    let want = Want::of(field);
    if field.is_list() || field.is_map() {
        return match (dialect, &column.element) {
            (Dialect::Postgres, Some(element)) if !field.is_map() => {
                postgres(element, want).map(|codec| Codec::List(Box::new(codec)))
            }
            _ => of_type(dialect, column, Want::Json),
        };
    }
    of_type(dialect, column, want)
}

fn of_type(dialect: Dialect, column: &LiveColumn, want: Want) -> Result<Codec, &'static str> {
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

fn postgres(kind: &str, want: Want) -> Result<Codec, &'static str> {
    Ok(match (want, kind) {
        (Want::Text, "text" | "varchar") => Codec::Text,
        (Want::Text, "bpchar" | "name" | "citext" | "time" | "enum") => Codec::Rendered,
        (Want::Text, "numeric") => Codec::Decimal,
        (Want::Text, "uuid") => Codec::Uuid,
        (Want::Text, "date") => Codec::Date,
        (Want::Integer, "int2" | "int4" | "int8") => Codec::Integer,
        (Want::Boolean, "bool") => Codec::Boolean,
        (Want::Float | Want::Double, "float4") => Codec::Float,
        (Want::Double, "float8") => Codec::Double,
        (Want::Data, "bytea") => Codec::Data,
        (Want::Enum, "text" | "varchar") => Codec::EnumName(false),
        (Want::Enum, "bpchar" | "name" | "citext" | "enum") => Codec::EnumName(true),
        (Want::Enum, "int2" | "int4" | "int8") => Codec::EnumNumber,
        (Want::Instant, "timestamptz") => Codec::Instant,
        (Want::Json, "json" | "jsonb") => Codec::Json(true),
        (Want::Json, "text" | "varchar") => Codec::Json(false),
        (Want::Float | Want::Double, "numeric") => return Err(EXACT),
        (Want::Float, "float8") => return Err(NARROW),
        (Want::Instant, "timestamp") => return Err(ZONE),
        _ => return Err(CAST),
    })
}

fn mysql(column: &LiveColumn, want: Want) -> Result<Codec, &'static str> {
    let integer = matches!(
        column.kind.as_str(),
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year"
    );
    Ok(match (want, column.kind.as_str()) {
        (Want::Boolean, "tinyint") if column.shown.starts_with("tinyint(1)") => Codec::Boolean,
        (Want::Boolean, "bit") if column.shown == "bit(1)" => Codec::Boolean,
        (Want::Integer, _) if integer && column.shown.contains("unsigned") => Codec::Unsigned,
        (Want::Integer, _) if integer => Codec::Integer,
        (Want::Enum, _) if integer => Codec::EnumNumber,
        (Want::Text, "varchar" | "char" | "text" | "tinytext" | "mediumtext" | "longtext") => {
            Codec::Text
        }
        (Want::Text, "time" | "enum" | "set" | "uuid") => Codec::Rendered,
        (Want::Text, "decimal") => Codec::Decimal,
        (Want::Text, "date") => Codec::Date,
        (Want::Enum, "varchar" | "char" | "text" | "tinytext") => Codec::EnumName(false),
        (Want::Enum, "enum") => Codec::EnumName(true),
        (Want::Float | Want::Double, "float") => Codec::Float,
        (Want::Double, "double") => Codec::Double,
        (Want::Data, "binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob") => {
            Codec::Data
        }
        (Want::Instant, "timestamp") => Codec::Instant,
        (Want::Json, "json" | "longtext" | "mediumtext" | "text" | "varchar") => Codec::Json(true),
        (Want::Float | Want::Double, "decimal") => return Err(EXACT),
        (Want::Float, "double") => return Err(NARROW),
        (Want::Instant, "datetime") => return Err(ZONE),
        _ => return Err(CAST),
    })
}

/// SQLite types each value, so the declared type only says what cannot be meant.
fn sqlite(affinity: &str, want: Want) -> Result<Codec, &'static str> {
    Ok(match (want, affinity) {
        (Want::Text, "text" | "none" | "numeric") => Codec::Text,
        (Want::Integer, "integer" | "numeric" | "none") => Codec::Integer,
        (Want::Boolean, "integer" | "numeric" | "none") => Codec::Boolean,
        (Want::Float, "real" | "integer" | "numeric" | "none") => Codec::Float,
        (Want::Double, "real" | "integer" | "numeric" | "none") => Codec::Double,
        (Want::Data, "none") => Codec::Data,
        (Want::Enum, "text") => Codec::EnumName(false),
        (Want::Enum, "integer") => Codec::EnumNumber,
        (Want::Enum, "numeric" | "none") => Codec::EnumEither,
        (Want::Instant, "integer") => Codec::UnixSeconds,
        (Want::Instant, "text" | "numeric" | "none") => Codec::InstantText,
        (Want::Json, "text" | "none") => Codec::Json(true),
        _ => return Err(CAST),
    })
}
