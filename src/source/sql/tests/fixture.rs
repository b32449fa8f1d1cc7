//! A record type with a field of every type, and a table for it in each database.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::MySql;
use sqlx::Postgres;
use sqlx::Sqlite;

use super::server::Server;
use crate::fault::Fault;
use crate::name::FieldPath;
use crate::registry::Registry;
use crate::registry::filter::Filter;
use crate::registry::query::Order;
use crate::registry::schema::RecordSchema;
use crate::registry::value::Literal;
use crate::source::SourceError;
use crate::source::sql::Dialect;
use crate::source::sql::SqlBindings;
use crate::source::sql::SqlSource;
use crate::source::sql::plan::Ask;
use crate::source::sql::settings::SqlSettings;

const PROTO: &str = r#"syntax = "proto3";
package test.v1;
import "landbridge/v1/annotations.proto";
import "google/protobuf/timestamp.proto";
// One field of every type.
message Item {
  option (landbridge.v1.record) = {
    owner: "test" key: "id" title: "Item" sharing: SHARING_CLASS_CONDITIONAL
  };
  string id = 1;
  string name = 2;
  optional string nickname = 3;
  int32 small = 4;
  optional int64 big = 5;
  uint32 count = 6;
  sint64 delta = 7;
  bool active = 8;
  optional bool checked = 9;
  float ratio = 10;
  double weight = 11;
  bytes data = 12;
  Kind kind = 13;
  Kind kind_number = 14;
  string born = 15;
  string amount = 16;
  google.protobuf.Timestamp at = 17;
  Place place = 18;
  repeated string tags = 19;
  map<string, string> notes = 20;
  Place other = 21;
  optional Kind maybe_kind = 22;
}
message Place {
  string city = 1;
  string post_code = 2;
  int32 floor = 3;
}
enum Kind {
  KIND_UNSPECIFIED = 0;
  KIND_A = 1;
  KIND_B = 2;
}
"#;

pub(super) const COLUMNS: [&str; 24] = [
    "id",
    "name",
    "nickname",
    "small",
    "big",
    "count",
    "delta",
    "active",
    "checked",
    "ratio",
    "weight",
    "data",
    "kind",
    "kind_number",
    "born",
    "amount",
    "at",
    "place",
    "tags",
    "notes",
    "other_city",
    "other_post_code",
    "other_floor",
    "maybe_kind",
];

const POSTGRES: [&str; 24] = [
    "varchar(40) PRIMARY KEY",
    "text",
    "varchar(40)",
    "int2",
    "int8",
    "int4",
    "int8",
    "bool",
    "bool",
    "float4",
    "float8",
    "bytea",
    "text",
    "int4",
    "date",
    "numeric(20,4)",
    "timestamptz",
    "jsonb",
    "text[]",
    "json",
    "bpchar(12)",
    "text",
    "int4",
    "item_kind",
];

const MYSQL: [&str; 24] = [
    "varchar(40) PRIMARY KEY",
    "text",
    "varchar(40) CHARACTER SET latin1",
    "smallint",
    "bigint",
    "int unsigned",
    "bigint",
    "boolean",
    "bit(1)",
    "float",
    "double",
    "varbinary(40)",
    "varchar(40)",
    "tinyint",
    "date",
    "decimal(20,4)",
    "timestamp(6) NULL",
    "json",
    "json",
    "longtext",
    "char(12)",
    "varchar(40) COLLATE utf8mb4_bin",
    "int",
    "enum('KIND_UNSPECIFIED','KIND_A','KIND_B')",
];

const SQLITE: [&str; 24] = [
    "TEXT PRIMARY KEY",
    "TEXT COLLATE NOCASE",
    "VARCHAR(40)",
    "INTEGER",
    "BIGINT",
    "INTEGER",
    "INTEGER",
    "BOOLEAN",
    "INTEGER",
    "REAL",
    "DOUBLE",
    "BLOB",
    "TEXT",
    "INTEGER",
    "DATE",
    "TEXT",
    "TEXT",
    "TEXT",
    "TEXT",
    "TEXT",
    "TEXT",
    "",
    "INTEGER",
    "ANY",
];

#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Data(Vec<u8>),
    At(&'static str),
    List(Vec<String>),
}

/// One server with the table `item`, and a source that reads it.
pub(super) struct Fixture {
    pub(super) server: Server,
    pub(super) dialect: Dialect,
    pub(super) source: SqlSource,
    pub(super) bindings: SqlBindings,
}

pub(super) fn registry() -> Registry {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("test/v1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("item.proto"), PROTO).unwrap();
    Registry::compile(root.path())
        .map_err(|faults| faults.iter().map(Fault::to_string).collect::<Vec<_>>())
        .unwrap()
}

pub(super) fn settings(toml: &str) -> SqlSettings {
    toml::from_str(toml).unwrap()
}

const SETTINGS: &str = r#"
name = "test"
pool = 4
statement_timeout = "5s"
[[record]]
type = "test.v1.Item"
"#;

impl Fixture {
    pub(super) async fn postgres() -> Self {
        let fixture = Self::new(Server::postgres(), Dialect::Postgres, SETTINGS);
        fixture
            .run("CREATE TYPE item_kind AS ENUM ('KIND_UNSPECIFIED','KIND_A','KIND_B')")
            .await;
        fixture.create().await;
        fixture
    }

    pub(super) async fn mysql() -> Self {
        let fixture = Self::new(Server::mariadb(), Dialect::MySql, SETTINGS);
        fixture.create().await;
        fixture
    }

    pub(super) async fn sqlite() -> Self {
        let fixture = Self::new(Server::sqlite(), Dialect::Sqlite, SETTINGS);
        fixture.create().await;
        fixture
    }

    pub(super) fn new(server: Server, dialect: Dialect, toml: &str) -> Self {
        let source = SqlSource::open(settings(toml), &server.url).unwrap();
        let bindings = source.bind(&registry()).unwrap();
        Self {
            server,
            dialect,
            source,
            bindings,
        }
    }

    /// The same server, read by another mapping.
    pub(super) fn mapped(self, toml: &str) -> Self {
        let source = SqlSource::open(settings(toml), &self.server.url).unwrap();
        Self {
            bindings: source.bind(&registry()).unwrap(),
            source,
            ..self
        }
    }

    /// What is told of a mapping when it is held against the tables.
    pub(super) async fn faults_of(&self, toml: &str) -> Vec<String> {
        let source = SqlSource::open(settings(toml), &self.server.url).unwrap();
        let bindings = source.bind(&registry()).unwrap();
        let faults = bindings.check().await.unwrap();
        faults.into_iter().map(|fault| fault.message).collect()
    }

    async fn create(&self) {
        let types = match self.dialect {
            Dialect::Postgres => POSTGRES,
            Dialect::MySql => MYSQL,
            Dialect::Sqlite => SQLITE,
        };
        let columns: Vec<String> = COLUMNS
            .iter()
            .zip(types)
            .map(|(name, of)| format!("{} {of}", self.quoted(name)))
            .collect();
        self.run(format!("CREATE TABLE item ({})", columns.join(", ")))
            .await;
    }

    fn quoted(&self, name: &str) -> String {
        match self.dialect {
            Dialect::MySql => format!("`{name}`"),
            _ => format!("\"{name}\""),
        }
    }

    pub(super) async fn run(&self, sql: impl Into<String>) {
        let sql = sql.into();
        match self.dialect {
            Dialect::Postgres => self.server.run::<Postgres>(sql).await,
            Dialect::MySql => {
                let sql = format!("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'; {sql}");
                self.server.run::<MySql>(sql).await;
            }
            Dialect::Sqlite => self.server.run::<Sqlite>(sql).await,
        }
    }

    pub(super) async fn fill(&self, rows: &[Vec<Value>]) {
        self.run("DELETE FROM item").await;
        let rows: Vec<String> = rows
            .iter()
            .map(|row| {
                let values: Vec<String> = row.iter().map(|value| self.literal(value)).collect();
                format!("({})", values.join(", "))
            })
            .collect();
        self.run(format!("INSERT INTO item VALUES {}", rows.join(", ")))
            .await;
    }

    fn literal(&self, value: &Value) -> String {
        let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
        match (value, self.dialect) {
            (Value::Null, _) => "NULL".to_owned(),
            (Value::Text(text), _) => quote(text),
            (Value::Integer(number), _) => number.to_string(),
            (Value::Number(number), Dialect::Postgres) => format!("'{number}'"),
            (Value::Number(number), _) => format!("{number:?}"),
            (Value::Boolean(value), Dialect::Postgres) => value.to_string(),
            (Value::Boolean(value), _) => u8::from(*value).to_string(),
            (Value::Data(bytes), dialect) => {
                let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap();
                    hex
                });
                match dialect {
                    Dialect::Postgres => format!("'\\x{hex}'"),
                    _ => format!("x'{hex}'"),
                }
            }
            (Value::At(text), Dialect::Postgres) => quote(text),
            (Value::At(text), Dialect::MySql) => quote(text.trim_end_matches('Z')),
            (Value::At(text), Dialect::Sqlite) => quote(text),
            (Value::List(items), Dialect::Postgres) => {
                let items: Vec<String> = items.iter().map(|item| quote(item)).collect();
                format!("ARRAY[{}]::text[]", items.join(", "))
            }
            (Value::List(items), _) => quote(&serde_json::to_string(items).unwrap()),
        }
    }

    pub(super) fn schema(&self) -> Arc<RecordSchema> {
        Arc::clone(&self.bindings.records.values().next().unwrap().schema)
    }

    pub(super) async fn records(&self, ask: &Ask<'_>) -> Result<Vec<Bytes>, SourceError> {
        let name = self.schema().name().clone();
        let mut reading = self.bindings.read(&name, ask).await?;
        let mut records = Vec::new();
        while let Some(batch) = reading.next().await? {
            records.extend(batch);
        }
        Ok(records)
    }

    pub(super) async fn all(&self) -> Result<Vec<Bytes>, SourceError> {
        let fields = self.schema().leaves();
        self.records(&everything(&paths(&fields))).await
    }

    /// The records that the database lets through for a filter.
    pub(super) async fn narrowed(&self, filter: &Filter) -> Result<Vec<Bytes>, SourceError> {
        let fields = self.schema().leaves();
        let paths = paths(&fields);
        let mut ask = everything(&paths);
        ask.gate = Some(filter.expr());
        self.records(&ask).await
    }

    pub(super) async fn get(&self, key: &Literal) -> Result<Vec<Bytes>, SourceError> {
        let fields = self.schema().leaves();
        let paths = paths(&fields);
        let mut ask = everything(&paths);
        ask.key = Some(key);
        self.records(&ask).await
    }

    pub(super) fn by(&self, path: &str, descending: bool) -> Order {
        Order {
            field: self.schema().field(path).unwrap(),
            descending,
        }
    }

    pub(super) fn filter(&self, text: &str) -> Filter {
        Filter::parse(text, &self.schema()).unwrap()
    }
}

pub(super) fn paths(fields: &[crate::registry::field::Field]) -> Vec<FieldPath> {
    fields.iter().map(|field| field.path().clone()).collect()
}

pub(super) fn everything(paths: &[FieldPath]) -> Ask<'_> {
    Ask {
        wanted: paths.iter().collect(),
        key: None,
        gate: None,
        order: Vec::new(),
        after: None,
        limit: u32::MAX,
    }
}
