//! A field's value as an expression of SQL, in the form in which it compares as the gate compares it.

use prost_reflect::FieldDescriptor;
use time::Date;
use time::UtcDateTime;
use time::macros::format_description;
use uuid::Uuid;

use super::Dialect;
use super::binding::Column;
use super::binding::Place;
use super::codec::Codec;
use super::codec::ValueKind;
use super::encode::iso;
use super::statement::Arg;
use super::statement::Wrap;
use super::statement::quoted;
use crate::registry::field::Field;
use crate::registry::value::Literal;

/// Expressions are NULL where the record does not state the field.
pub(super) enum Operand {
    /// Strings, compared byte by byte in `bytes`. `plain` is the column as an index knows it: by its own collation it
    /// finds at least all that equal the value.
    Text {
        plain: Option<Plain>,
        bytes: String,
        wrap: Wrap,
    },
    /// Compares as the values do. `plain` is the column as an index knows it, in which what the record does not state is
    /// less than every value.
    Value {
        sql: String,
        plain: Option<String>,
        wrap: Wrap,
    },
    /// A float: NaN compares in each database in its own way.
    Float { sql: String },
    /// The names of an enum's values.
    Names(Box<Self>),
}

/// A column as an index knows it.
#[derive(Clone)]
pub(super) struct Plain {
    pub(super) sql: String,
    pub(super) form: Form,
    pub(super) wrap: Wrap,
}

/// What an indexed column holds that compares as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Uuid,
    Date,
}

impl Form {
    /// Whether the database reads the text as the column's type, and writes that value as the very same text.
    pub(super) fn takes(self, text: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Uuid => Uuid::try_parse(text).is_ok_and(|id| id.to_string() == text),
            Self::Date => Date::parse(text, format_description!("[year]-[month]-[day]"))
                .is_ok_and(|date| iso(date).is_ok_and(|same| same == text.as_bytes())),
        }
    }
}

impl Operand {
    /// `None` where the dialect cannot compare such a column as the gate does.
    pub(super) fn of(dialect: Dialect, place: Place<'_>, field: &Field) -> Option<Self> {
        if field.is_repeated() {
            return None;
        }
        match place {
            Place::Column(column) => column_operand(dialect, column),
            Place::Within(column) => json_operand(dialect, column, field),
        }
    }

    /// An expression that is NULL where the record does not state the field.
    pub(super) fn sql(&self) -> &str {
        match self {
            Self::Text { bytes: sql, .. } | Self::Value { sql, .. } | Self::Float { sql } => sql,
            Self::Names(names) => names.sql(),
        }
    }

    /// The bound form of a literal; `None` where it cannot be bound without changing it.
    pub(super) fn arg(dialect: Dialect, literal: &Literal) -> Option<Arg> {
        Some(match literal {
            // PostgreSQL's text holds no NUL, and SQLite's functions stop at one.
            Literal::Text(text) if text.contains('\0') => return None,
            Literal::Text(text) => Arg::Text(text.clone()),
            Literal::Decimal(decimal) => {
                let (whole, fraction) = decimal.digits();
                if dialect == Dialect::MySql && (whole > 35 || fraction > 30) {
                    return None;
                }
                Arg::Text(decimal.as_str().into())
            }
            Literal::Integer(value) => Arg::Integer(*value),
            Literal::Unsigned(value) if dialect == Dialect::MySql => Arg::Unsigned(*value),
            Literal::Unsigned(value) => Arg::Integer(i64::try_from(*value).ok()?),
            Literal::Number(value) if value.is_nan() => return None,
            Literal::Number(value) => Arg::Number(*value),
            Literal::Boolean(value) if dialect == Dialect::Postgres => Arg::Boolean(*value),
            Literal::Boolean(value) => Arg::Integer((*value).into()),
            Literal::Data(bytes) => Arg::Data(bytes.clone()),
            Literal::Enum { number, .. } => Arg::Integer((*number).into()),
            Literal::Time { seconds, nanos } => return instant_arg(dialect, *seconds, *nanos),
        })
    }
}

/// Databases keep microseconds at most and would round the rest; SQLite's column counts seconds.
fn instant_arg(dialect: Dialect, seconds: i64, nanos: i32) -> Option<Arg> {
    if dialect == Dialect::Sqlite {
        return (nanos == 0).then_some(Arg::Integer(seconds));
    }
    let at = UtcDateTime::from_unix_timestamp(seconds).ok()?;
    let first_year = if dialect == Dialect::MySql { 1000 } else { 1 };
    if nanos % 1000 != 0 || !(first_year..=9999).contains(&at.year()) {
        return None;
    }
    Some(Arg::Text(
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}{}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            nanos / 1000,
            if dialect == Dialect::Postgres {
                "+00"
            } else {
                ""
            },
        )
        .into(),
    ))
}

/// The text under which the instant of an `InstantText` column sorts: RFC 3339 without `Z` and the zeros that end a
/// fraction.
pub(super) fn instant_sort_text(seconds: i64, nanos: i32) -> Option<String> {
    let at = UtcDateTime::from_unix_timestamp(seconds).ok()?;
    let text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    let fraction = format!("{nanos:09}");
    Some(match fraction.trim_end_matches('0') {
        "" => text,
        fraction => format!("{text}.{fraction}"),
    })
}

fn column_operand(dialect: Dialect, column: &Column) -> Option<Operand> {
    let sql = quoted(dialect, &column.name);
    if column.field.is_decimal() {
        return decimal_operand(dialect, column);
    }
    let text = |dialect, sql: &str, plain| text(dialect, sql, plain, column.in_utf8);
    let value = |sql, wrap| Operand::Value {
        sql,
        plain: None,
        wrap,
    };
    Some(match &column.codec {
        Codec::Text | Codec::EnumName(false) => {
            let wrap = match &column.collation {
                Some((charset, collation)) => Wrap::collated(charset, collation),
                None => Wrap::NONE,
            };
            let plain = Plain {
                sql: sql.clone(),
                form: Form::Text,
                wrap,
            };
            let text = text(dialect, &sql, Some(plain));
            match column.target.want {
                ValueKind::Enum => Operand::Names(Box::new(text)),
                _ => text,
            }
        }
        Codec::Rendered | Codec::Decimal => text(dialect, &rendered(dialect, &sql), None),
        Codec::EnumName(true) => {
            Operand::Names(Box::new(text(dialect, &rendered(dialect, &sql), None)))
        }
        Codec::Uuid => {
            let shown = rendered(dialect, &sql);
            let plain = Plain {
                sql,
                form: Form::Uuid,
                wrap: Wrap::new("CAST(", " AS uuid)"),
            };
            text(dialect, &shown, Some(plain))
        }
        Codec::Date => {
            let shown = date_text(dialect, &sql);
            let plain = Plain {
                sql,
                form: Form::Date,
                wrap: Wrap::new("CAST(", " AS date)"),
            };
            text(dialect, &shown, Some(plain))
        }
        // As a number it is compared as one.
        _ if column.is_year => value(format!("CAST({sql} AS SIGNED)"), Wrap::NONE),
        Codec::Integer
        | Codec::Unsigned
        | Codec::Boolean
        | Codec::EnumNumber
        | Codec::UnixSeconds => value(sql, Wrap::NONE),
        Codec::Data => value(data(dialect, sql), Wrap::NONE),
        Codec::Instant if dialect == Dialect::Postgres => {
            value(sql, Wrap::new("CAST(", " AS timestamptz)"))
        }
        // The time of zeros is read as NULL. It alone is no seconds after 1970.
        Codec::Instant => Operand::Value {
            sql: format!("IF(UNIX_TIMESTAMP({sql}) = 0, NULL, {sql})"),
            plain: Some(sql),
            wrap: Wrap::new("CAST(", " AS DATETIME(6))"),
        },
        Codec::Float | Codec::Double => Operand::Float { sql },
        Codec::InstantText | Codec::EnumEither | Codec::Json(_) | Codec::List(_) => return None,
    })
}

/// The collation that a SQLite connection is given for decimal numbers.
pub(super) const DECIMALS: &str = "landbridge_decimals";
/// And that for texts of a database that is not kept in UTF-8.
pub(super) const TEXTS: &str = "landbridge_texts";

/// A decimal number by its value; NULL where it is an empty text.
fn decimal_operand(dialect: Dialect, column: &Column) -> Option<Operand> {
    let name = quoted(dialect, &column.name);
    let (sql, wrap) = match (dialect, &column.codec) {
        (Dialect::Postgres, Codec::Decimal) => (name, Wrap::new("CAST(", " AS numeric)")),
        (Dialect::Postgres, Codec::Text) => (
            format!(
                "(CASE WHEN {name} COLLATE \"C\" ~ '^-?[0-9]+([.][0-9]+)?$' THEN CAST({name} AS numeric) END)"
            ),
            Wrap::new("CAST(", " AS numeric)"),
        ),
        (Dialect::MySql, Codec::Decimal) => (name, Wrap::new("CAST(", " AS DECIMAL(65, 30))")),
        (Dialect::Sqlite, Codec::Text) => (
            format!("NULLIF(+{name}, '') COLLATE {DECIMALS}"),
            Wrap::NONE,
        ),
        // Of a text, the server makes a number of fewer digits.
        _ => return None,
    };
    Some(Operand::Value {
        sql,
        plain: None,
        wrap,
    })
}

fn text(dialect: Dialect, sql: &str, plain: Option<Plain>, in_utf8: bool) -> Operand {
    match dialect {
        Dialect::Postgres if !in_utf8 => Operand::Text {
            plain,
            bytes: format!("convert_to({sql}, 'UTF8')"),
            wrap: Wrap::new("convert_to(", ", 'UTF8')"),
        },
        Dialect::Sqlite if !in_utf8 => Operand::Text {
            plain,
            bytes: format!("(+{sql}) COLLATE {TEXTS}"),
            wrap: Wrap::NONE,
        },
        Dialect::Postgres => Operand::Text {
            plain,
            bytes: format!("{sql} COLLATE \"C\""),
            wrap: Wrap::NONE,
        },
        Dialect::MySql => Operand::Text {
            plain,
            bytes: format!("CAST(CONVERT({sql} USING utf8mb4) AS BINARY)"),
            wrap: Wrap::new("CAST(", " AS BINARY)"),
        },
        // `+` takes the column's affinity away, by which `'5x' < '7'` would become a comparison with a number.
        Dialect::Sqlite => Operand::Text {
            plain,
            bytes: format!("(+{sql}) COLLATE BINARY"),
            wrap: Wrap::NONE,
        },
    }
}

/// Text of another type as the select list renders it.
pub(super) fn rendered(dialect: Dialect, sql: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("CAST({sql} AS text)"),
        Dialect::MySql => format!("CAST({sql} AS CHAR)"),
        Dialect::Sqlite => sql.to_owned(),
    }
}

/// A date as its text: of MySQL as the select list renders it, where that of zeros alone is none.
pub(super) fn date_text(dialect: Dialect, sql: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("to_char({sql}, 'YYYY-MM-DD')"),
        Dialect::MySql => format!("NULLIF({}, '0000-00-00')", rendered(dialect, sql)),
        Dialect::Sqlite => rendered(dialect, sql),
    }
}

fn data(dialect: Dialect, sql: String) -> String {
    match dialect {
        Dialect::Postgres => sql,
        Dialect::MySql => format!("CAST({sql} AS BINARY)"),
        Dialect::Sqlite => format!("(+{sql})"),
    }
}

/// Strings within JSON; numbers have too many spellings there.
fn json_operand(dialect: Dialect, column: &Column, field: &Field) -> Option<Operand> {
    let path = field.steps().get(column.field.steps().len()..)?;
    let comparable = column.codec == Codec::Json(true)
        && !field.is_decimal()
        && ValueKind::of(field.descriptor()) == ValueKind::Text
        && !field.is_repeated();
    if !comparable {
        return None;
    }
    let json_path: Vec<&str> = path.iter().map(FieldDescriptor::json_name).collect();
    let proto_path: Vec<&str> = path.iter().map(FieldDescriptor::name).collect();
    let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // The JSON mapping reads either name of each step: with two steps of two names there are too many ways to ask.
    let two_named = path.iter().filter(|step| step.json_name() != step.name());
    let sql = match two_named.count() {
        _ if !json_path.iter().all(plain) => return None,
        0 => extract(dialect, column, &json_path),
        1 => format!(
            "COALESCE({}, {})",
            extract(dialect, column, &json_path),
            extract(dialect, column, &proto_path)
        ),
        _ => return None,
    };
    Some(text(dialect, &sql, None, column.in_utf8))
}

fn extract(dialect: Dialect, column: &Column, names: &[&str]) -> String {
    let sql = quoted(dialect, &column.name);
    match dialect {
        Dialect::Postgres => format!("({sql} #>> '{{{}}}')", names.join(",")),
        Dialect::MySql => {
            let value = format!("JSON_EXTRACT({sql}, '$.{}')", names.join("."));
            // Here a JSON null is not an SQL NULL.
            format!("IF(JSON_TYPE({value}) = 'NULL', NULL, JSON_UNQUOTE({value}))")
        }
        Dialect::Sqlite => format!("json_extract({sql}, '$.{}')", names.join(".")),
    }
}
