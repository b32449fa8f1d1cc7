//! How records lie in the embedded database: one column for each field of the record, as the default mapping reads it.

use std::sync::Arc;

use prost_reflect::DynamicMessage;
use prost_reflect::FieldDescriptor;
use prost_reflect::Kind;
use prost_reflect::MessageDescriptor;
use prost_reflect::ReflectMessage as _;
use prost_reflect::SerializeOptions;
use prost_reflect::Value;
use sqlx::Arguments as _;
use sqlx::Row as _;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteArguments;
use time::UtcDateTime;

use super::ImportError;
use super::PutError;
use crate::registry::rules::Rules;
use crate::registry::schema::RecordSchema;
use crate::source::sql::settings::Identifier;

/// The columns of a record type's table.
#[derive(Debug)]
pub(super) struct Layout {
    table: Identifier,
    descriptor: MessageDescriptor,
    columns: Vec<Column>,
    insert: Arc<str>,
    rules: Option<Rules>,
}

#[derive(Debug)]
struct Column {
    field: FieldDescriptor,
    stored: StorageClass,
    is_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StorageClass {
    Text,
    Integer,
    Real,
    Blob,
    /// The name of an enum's value.
    Name,
    /// RFC 3339 in UTC.
    Instant,
    Json,
}

impl StorageClass {
    fn of(field: &FieldDescriptor) -> Self {
        if field.is_list() || field.is_map() {
            return Self::Json;
        }
        match field.kind() {
            Kind::String => Self::Text,
            Kind::Float | Kind::Double => Self::Real,
            Kind::Bytes => Self::Blob,
            Kind::Enum(_) => Self::Name,
            Kind::Message(m) if m.full_name() == "google.protobuf.Timestamp" => Self::Instant,
            Kind::Message(_) => Self::Json,
            _ => Self::Integer,
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Text | Self::Name | Self::Instant | Self::Json => "TEXT",
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Blob => "BLOB",
        }
    }
}

impl Layout {
    pub(super) fn of(schema: &RecordSchema, table: &Identifier) -> Self {
        let key = schema.key().descriptor().number();
        let columns: Vec<Column> = schema
            .descriptor()
            .fields()
            .map(|field| Column {
                stored: StorageClass::of(&field),
                is_key: field.number() == key,
                field,
            })
            .collect();
        let names: Vec<String> = columns
            .iter()
            .map(|column| format!("\"{}\"", column.field.name()))
            .collect();
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!(
            "INSERT INTO \"{table}\" ({}) VALUES ({places})",
            names.join(", ")
        );
        Self {
            table: table.clone(),
            descriptor: schema.descriptor().clone(),
            columns,
            insert: insert.into(),
            rules: schema.rules().cloned(),
        }
    }

    pub(super) fn descriptor(&self) -> &MessageDescriptor {
        &self.descriptor
    }

    /// What the registry demands of each record.
    pub(super) fn rules(&self) -> Option<&Rules> {
        self.rules.as_ref()
    }

    pub(super) fn insert(&self) -> &Arc<str> {
        &self.insert
    }

    /// Clustered by the key, in whose order answers come.
    pub(super) fn create(&self) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                format!(
                    "\"{}\" {}{}",
                    column.field.name(),
                    column.stored.sql(),
                    if column.is_key {
                        " PRIMARY KEY NOT NULL"
                    } else {
                        ""
                    }
                )
            })
            .collect();
        format!(
            "CREATE TABLE IF NOT EXISTS \"{}\" ({}) STRICT, WITHOUT ROWID",
            self.table,
            columns.join(", ")
        )
    }

    pub(super) fn clear(&self) -> String {
        format!("DELETE FROM \"{}\"", self.table)
    }

    /// A table of the same name may be older than the schema, or somebody else's.
    pub(super) async fn compare(&self, of: &mut SqliteConnection) -> Result<(), ImportError> {
        let rows = sqlx::query("SELECT name, type, pk FROM pragma_table_info(?)")
            .bind(self.table.as_str())
            .fetch_all(of)
            .await
            .map_err(ImportError::Database)?;
        let mut live: Vec<(String, String, i64)> = Vec::new();
        for row in &rows {
            let column = (row.try_get(0), row.try_get(1), row.try_get(2));
            let (Ok(name), Ok(declared), Ok(key)) = column else {
                return Err(self.misfit("its columns cannot be read".to_owned()));
            };
            live.push((name, declared, key));
        }
        for column in &self.columns {
            let name = column.field.name();
            match live.iter().find(|(live, ..)| live == name) {
                None => {
                    return Err(self.misfit(format!(
                        "it has no column `{name}`; add it, or import into a new file"
                    )));
                }
                Some((_, declared, _)) if declared != column.stored.sql() => {
                    return Err(self.misfit(format!(
                        "its column `{name}` is {declared} instead of {}",
                        column.stored.sql()
                    )));
                }
                Some((.., key)) if column.is_key != (*key > 0) => {
                    return Err(self.misfit(format!("`{name}` and its key do not agree")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn misfit(&self, fault: String) -> ImportError {
        ImportError::Table {
            table: self.table.to_string(),
            fault,
        }
    }

    pub(super) fn values(&self, record: &DynamicMessage) -> Result<SqliteArguments, PutError> {
        let mut values = SqliteArguments::default();
        for column in &self.columns {
            let fault = |fault| PutError::Misfit {
                field: column.field.name().to_owned(),
                fault,
            };
            if !record.has_field(&column.field) {
                if column.is_key {
                    return Err(fault("is empty, and it is the key"));
                }
                add(&mut values, Option::<i64>::None)?;
                continue;
            }
            let value = record.get_field(&column.field);
            match (column.stored, &*value) {
                (StorageClass::Text, Value::String(text)) => add(&mut values, text.as_str())?,
                (StorageClass::Blob, Value::Bytes(bytes)) => add(&mut values, &bytes[..])?,
                (StorageClass::Real, Value::F32(number)) => add(&mut values, f64::from(*number))?,
                (StorageClass::Real, Value::F64(number)) if number.is_nan() => {
                    return Err(fault("is not a number, which SQLite cannot hold"));
                }
                (StorageClass::Real, Value::F64(number)) => add(&mut values, *number)?,
                (StorageClass::Name, Value::EnumNumber(number)) => {
                    let name = name_of(&column.field, *number);
                    add(
                        &mut values,
                        name.ok_or_else(|| fault("has a number that its enum does not name"))?,
                    )?;
                }
                (StorageClass::Instant, Value::Message(time)) => {
                    let text =
                        instant(time).ok_or_else(|| fault("is out of the years 1 to 9999"))?;
                    add(&mut values, text)?;
                }
                (StorageClass::Json, _) => {
                    let text = json(record, &column.field);
                    add(
                        &mut values,
                        text.ok_or_else(|| fault("cannot be written as JSON"))?,
                    )?;
                }
                (_, value) => {
                    let number = integer(value);
                    add(
                        &mut values,
                        number.ok_or_else(|| fault("is greater than SQLite can hold"))?,
                    )?;
                }
            }
        }
        Ok(values)
    }
}

fn add<'v, T>(values: &mut SqliteArguments, value: T) -> Result<(), PutError>
where
    T: sqlx::Encode<'v, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    values
        .add(value)
        .map_err(|error| PutError::Database(sqlx::Error::Encode(error)))
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::I32(value) => Some((*value).into()),
        Value::I64(value) => Some(*value),
        Value::U32(value) => Some((*value).into()),
        Value::U64(value) => i64::try_from(*value).ok(),
        _ => None,
    }
}

fn name_of(field: &FieldDescriptor, number: i32) -> Option<String> {
    let Kind::Enum(names) = field.kind() else {
        return None;
    };
    Some(names.get_value(number)?.name().to_owned())
}

/// With as many digits of the second as it has, in threes: RFC 3339 as protobuf's JSON writes it.
fn instant(time: &DynamicMessage) -> Option<String> {
    let seconds = time.get_field_by_name("seconds")?.as_i64()?;
    let nanos = u32::try_from(time.get_field_by_name("nanos")?.as_i32()?).ok()?;
    let at = UtcDateTime::from_unix_timestamp(seconds).ok()?;
    if !(1..=9999).contains(&at.year()) || nanos > 999_999_999 {
        return None;
    }
    let fraction = match nanos {
        0 => String::new(),
        _ if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
        _ => format!(".{nanos:09}"),
    };
    Some(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    ))
}

/// The field's JSON, with the fields' own names.
fn json(record: &DynamicMessage, field: &FieldDescriptor) -> Option<String> {
    let options = SerializeOptions::new().use_proto_field_name(true);
    let mut only = DynamicMessage::new(record.descriptor());
    only.set_field(field, record.get_field(field).into_owned());
    let whole = only
        .serialize_with_options(serde_json::value::Serializer, &options)
        .ok()?;
    Some(whole.get(field.name())?.to_string())
}
