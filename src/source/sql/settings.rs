//! The settings of a database that records come from.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;

use crate::clock::parse_span;
use crate::name::RecordType;
use crate::text;

/// `[[source]]`: one database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlSettings {
    /// How faults and logs call it.
    pub name: String,
    /// Its address, unless that stands in a file of its own.
    pub url: Option<DatabaseUrl>,
    /// The file that holds the address, so that no password stands in the settings.
    pub url_file: Option<PathBuf>,
    /// The most connections to the database; 1 to 1000.
    #[serde(default = "pool_default", deserialize_with = "pool")]
    pub pool: u32,
    /// How long the database may work on one batch of records, as `5s`, `200ms`, `2m` or a number of seconds.
    #[serde(default = "statement_default", deserialize_with = "span")]
    pub statement_timeout: Duration,
    /// How long one answer may hold its connection in all, its reader's pauses included.
    #[serde(default = "answer_default", deserialize_with = "span")]
    pub answer_timeout: Duration,
    /// How long a request waits for a free connection.
    #[serde(default = "acquire_default", deserialize_with = "span")]
    pub acquire_timeout: Duration,
    #[serde(default)]
    pub record: Vec<RecordSettings>,
}

/// The address of a database, e.g. `postgres://reader@host/name`. It may hold a password: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub fn new(url: String) -> Self {
        Self(url)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The file that holds the address of a database.
#[derive(Debug, Clone)]
pub struct UrlFile(pub PathBuf);

impl UrlFile {
    pub async fn read(&self) -> io::Result<DatabaseUrl> {
        tokio::fs::read_to_string(&self.0)
            .await
            .map(|text| Self::url(&text::unmarked(text)))
    }

    pub fn read_now(&self) -> io::Result<DatabaseUrl> {
        text::read(&self.0).map(|text| Self::url(&text))
    }

    /// Editors put a line end after it.
    fn url(text: &str) -> DatabaseUrl {
        DatabaseUrl(text.trim().to_owned())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split(':').next().unwrap_or_default();
        write!(f, "{scheme}:…")
    }
}

/// `[[source.record]]`: where the records of one type stand.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSettings {
    #[serde(rename = "type")]
    pub record: RecordType,
    /// The table or view, with its schema where needed; by default the message's name in lower case.
    pub table: Option<Table>,
    /// Columns, by the path of the field that each fills, where they are not called as the field is.
    #[serde(default)]
    pub columns: BTreeMap<String, Identifier>,
    /// Paths of fields that this source does not have.
    #[serde(default)]
    pub absent: Vec<String>,
    /// What makes sure that each key is there once.
    #[serde(default)]
    pub unique: UniqueBy,
    /// The path of a field whose latest value tells up to when the records are: a time, or a text with an ISO 8601 date.
    pub freshness: Option<String>,
}

/// What makes sure that no two rows of a table have the same key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UniqueBy {
    /// A primary key or a unique index on the key's column alone.
    #[default]
    Index,
    /// The word of whoever keeps the table, which has no such index, a view for one: `source check` counts.
    Declared,
}

/// The name of a table or column: letters of any script, digits and `_`, at most 63 bytes, as many as PostgreSQL has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Identifier(Arc<str>);

/// A table, as `name` or `schema.name`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Table {
    pub schema: Option<Identifier>,
    pub name: Identifier,
}

/// A name that the gateway does not put into a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a table or column is named by letters of any script, digits and `_`, not beginning with a digit, in at most 63 bytes"
)]
pub struct BadIdentifier;

impl Identifier {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identifier {
    type Err = BadIdentifier;

    fn from_str(s: &str) -> Result<Self, BadIdentifier> {
        let starts_well = s.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let goes_on_well = s.chars().all(|c| c.is_alphanumeric() || c == '_');
        if starts_well && goes_on_well && s.len() <= 63 {
            Ok(Self(s.into()))
        } else {
            Err(BadIdentifier)
        }
    }
}

impl TryFrom<String> for Identifier {
    type Error = BadIdentifier;

    fn try_from(s: String) -> Result<Self, BadIdentifier> {
        s.parse()
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for Table {
    type Err = BadIdentifier;

    fn from_str(s: &str) -> Result<Self, BadIdentifier> {
        let (schema, name) = match s.split_once('.') {
            Some((schema, name)) => (Some(schema.parse()?), name),
            None => (None, s),
        };
        Ok(Self {
            schema,
            name: name.parse()?,
        })
    }
}

impl Table {
    /// Stands for a table that no settings name: no database has it.
    pub(super) fn unnamed() -> Self {
        Self {
            schema: None,
            name: Identifier("_".into()),
        }
    }
}

impl TryFrom<String> for Table {
    type Error = BadIdentifier;

    fn try_from(s: String) -> Result<Self, BadIdentifier> {
        s.parse()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => self.name.fmt(f),
        }
    }
}

fn pool_default() -> u32 {
    8
}

pub(in crate::source) fn statement_default() -> Duration {
    Duration::from_secs(30)
}

pub(in crate::source) fn answer_default() -> Duration {
    Duration::from_secs(900)
}

fn acquire_default() -> Duration {
    Duration::from_secs(2)
}

fn pool<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let size = u32::deserialize(from)?;
    if (1..=1000).contains(&size) {
        Ok(size)
    } else {
        Err(D::Error::custom("a pool has 1 to 1000 connections"))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Span {
    Seconds(u32),
    Text(String),
}

pub(in crate::source) fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let span = match Span::deserialize(from)? {
        Span::Seconds(seconds) => Some(Duration::from_secs(seconds.into())),
        Span::Text(text) => parse_span(&text),
    };
    span.filter(|span| (Duration::from_millis(1)..=Duration::from_secs(86_400)).contains(span))
        .ok_or_else(|| {
            D::Error::custom("a time is given as `200ms`, `5s`, `2m` or `1h`, up to a day")
        })
}
