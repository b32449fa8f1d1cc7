//! What the database selects and in which order is what the gate and a position see, for columns of every type.

use std::cmp::Ordering;
use std::fs;

use bytes::Bytes;
use proptest::strategy::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;

use super::fixture::everything;
use super::fixture::paths;
use super::fixture::settings;
use super::server::Server;
use crate::fault::Fault;
use crate::registry::Registry;
use crate::registry::extract::value_of;
use crate::registry::filter::Filter;
use crate::registry::query::Order;
use crate::registry::scalar::Datum;
use crate::registry::schema::RecordSchema;
use crate::source::SourceError;
use crate::source::sql::SqlBindings;
use crate::source::sql::SqlSource;
use crate::source::sql::narrow::default_of;
use crate::source::sql::position::Position;
use sqlx::MySql;
use sqlx::Postgres;
use sqlx::Sqlite;

const PROTO: &str = r#"syntax = "proto3";
package test.v1;
import "landbridge/v1/annotations.proto";
import "google/protobuf/timestamp.proto";
// Fields for columns of every type.
message Wide {
  option (landbridge.v1.record) = {
    owner: "test" key: "id" title: "Wide" sharing: SHARING_CLASS_CONDITIONAL
  };
  string id = 1;
  string amount = 2 [(landbridge.v1.field) = { format: TEXT_FORMAT_DECIMAL }];
  optional string fee = 3 [(landbridge.v1.field) = { format: TEXT_FORMAT_DECIMAL }];
  string price = 4;
  string chars = 5;
  string cased = 6;
  string latin = 7;
  string chinese = 8;
  optional string loose = 9;
  string uid = 10;
  bool flag = 11;
  optional bool bits = 12;
  int32 tiny = 13;
  optional int64 big = 14;
  uint64 vast = 15;
  int32 year = 16;
  float f4 = 17;
  optional float f4_opt = 18;
  double f8 = 19;
  bytes data = 20;
  string day = 21;
  optional string day_opt = 22;
  string tod = 23;
  google.protobuf.Timestamp at = 24;
  string label = 25;
  Grade grade = 26;
  optional Grade grade_opt = 27;
  Spot spot = 28;
  Grade grade_number = 29;
}
message Spot {
  string name = 1;
  optional string note = 2;
  string post_code = 3;
}
enum Grade {
  GRADE_UNSPECIFIED = 0;
  Z_FIRST = 1;
  A_SECOND = 2;
  M_THIRD = 5;
}
"#;

/// A column's name and type, and what its values are chosen from.
type Column = (&'static str, &'static str, &'static str);

/// The tables below have a line for each column: name, type and values as SQL writes them.
fn columns(table: &'static str) -> Vec<Column> {
    let lines = table.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, rest) = line.split_once(" | ").unwrap();
            let (of, values) = rest.split_once(" | ").unwrap();
            let values = match values {
                "TEXTS" => TEXTS,
                "SPOTS" => SPOTS,
                values => values,
            };
            (name, of, values)
        })
        .collect()
}

const TEXTS: &str = "NULL | '' | 'a' | 'A' | 'a ' | 'ab' | 'á' | 'ä' | 'ß' | 'ss' | '%' | '_' | '王' | '阿' | '张' | '李' | '🦀' | '\u{ff21}' | '\u{e000}' | '\u{fffd}' | '10' | '9'";

const POSTGRES: &str = r#"
amount | numeric | NULL | 0 | -0.0 | 100 | 20 | -5.5 | -5.50 | 5.50 | 99999999999999999999999999999999999999999.123456789012345678901234567890123456789 | 0.00000000000000000000000000000000000000001
fee | text | NULL | '0' | '-0' | '100' | '20' | '1.5' | '1.50' | '007' | '-3'
price | numeric(10,2) | NULL | 0 | 1.5 | 100 | 20
chars | char(6) | NULL | '' | 'a' | 'a  ' | 'A' | '王' | 'ab'
cased | text COLLATE caseless | TEXTS
chinese | varchar(20) COLLATE "zh-x-icu" | TEXTS
loose | text COLLATE "und-x-icu" | TEXTS
uid | uuid | NULL | '00000000-0000-0000-0000-000000000000' | 'ABCDEFAB-0000-4000-8000-000000000001' | '12345678-0000-4000-8000-000000000001'
flag | bool | NULL | true | false
bits | bool | NULL | true | false
tiny | int2 | NULL | -32768 | -1 | 0 | 1 | 32767
big | int8 | NULL | -9223372036854775808 | -1 | 0 | 9223372036854775807
vast | int8 | NULL | 0 | 1 | 9223372036854775807
f4 | float4 | NULL | 'NaN' | 'Infinity' | '-Infinity' | '-0' | 0 | 0.1 | 1e-45 | 3.4e38 | 16777217
f4_opt | float4 | NULL | 'NaN' | '-0' | 0 | 0.1
f8 | float8 | NULL | 'NaN' | 'Infinity' | '-Infinity' | '-0' | 0 | 0.1 | 5e-324 | 1.7e308 | 9007199254740993
data | bytea | NULL | '' | '\x00' | '\x61' | '\x6100' | '\xff'
day | date | NULL | '0001-01-01' | '1990-02-28' | '1990-03-01' | '9999-12-31'
day_opt | date | NULL | '0999-12-31' | '1990-02-28' | '2000-01-01'
tod | time | NULL | '00:00' | '10:00' | '10:00:00.5' | '23:59:59.999999' | '24:00'
at | timestamptz | NULL | '0001-01-01 00:00:00Z' | '1969-12-31 23:59:59.999999Z' | '1970-01-01 00:00:00Z' | '2026-01-31 09:30:00.25Z' | '2026-01-31 09:30:00.250001Z' | '9999-12-31 23:59:59.999999Z'
label | grade | NULL | 'Z_FIRST' | 'A_SECOND' | 'M_THIRD'
grade | grade | NULL | 'Z_FIRST' | 'A_SECOND' | 'M_THIRD'
grade_opt | text | NULL | 'GRADE_UNSPECIFIED' | 'Z_FIRST' | 'A_SECOND'
grade_number | int4 | NULL | 0 | 1 | 2 | 5 | 7 | -3
spot | jsonb | SPOTS
"#;

const EUC_CN: &str = r#"
cased | text | NULL | '' | 'a' | 'A' | 'a ' | '王' | '阿' | '张' | '李' | '啊' | '￡'
chinese | varchar(20) | NULL | '' | '王' | '阿' | '张' | '李' | 'Ａ'
flag | bool | NULL | true | false
"#;

const SPOTS: &str = "NULL | '{}' | 'null' | '{\"name\": \"王\", \"note\": null}' | '{\"name\": \"\", \"note\": \"\"}' | '{\"name\": \"a\", \"postCode\": \"9\"}' | '{\"name\": \"A\", \"post_code\": \"10\", \"note\": \"x\"}' | '{\"name\": \"🦀\"}' | '{\"name\": \"\u{ff21}\", \"note\": \"\\\"\"}'";

const MARIADB: &str = r#"
amount | decimal(40,10) | NULL | 0 | -0.0 | 100 | 20 | -5.5 | 5.50 | 123456789012345678901234567890.0123456789
price | decimal(10,2) | NULL | 0 | 1.5 | 100 | 20
chars | char(6) | NULL | '' | 'a' | 'a  ' | 'A' | '王' | 'ab'
cased | varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci | TEXTS
latin | varchar(40) CHARACTER SET latin1 | NULL | '' | 'a' | 'A' | 'a ' | 'á' | 'ß' | 'ss' | '?'
chinese | varchar(40) CHARACTER SET gbk | NULL | '' | 'a' | 'A ' | '王' | '阿' | '张' | '李' | '啊'
loose | text CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin | TEXTS
uid | uuid | NULL | '00000000-0000-0000-0000-000000000000' | 'ABCDEFAB-0000-4000-8000-000000000001' | '12345678-0000-4000-8000-000000000001'
flag | tinyint(1) | NULL | 0 | 1
bits | bit(1) | NULL | 0 | 1
tiny | tinyint | NULL | -128 | -1 | 0 | 1 | 127
big | bigint | NULL | -9223372036854775808 | -1 | 0 | 9223372036854775807
vast | bigint unsigned | NULL | 0 | 1 | 9223372036854775808 | 18446744073709551615
year | year | NULL | 0 | 1901 | 1999 | 2155
f4 | float | NULL | -0.0 | 0 | 0.1 | 1e-38 | 3.4e38 | 16777217
f4_opt | float(7,2) | NULL | -0.0 | 0 | 0.1
f8 | double | NULL | -0.0 | 0 | 0.1 | 1e-308 | 1.7e308 | 9007199254740993
data | varbinary(40) | NULL | '' | x'00' | x'61' | x'6100' | x'6120' | x'ff'
day | date | NULL | '0000-00-00' | '1000-01-01' | '1990-02-28' | '1990-03-01' | '9999-12-31'
day_opt | date | NULL | '0000-00-00' | '1990-02-28' | '2000-01-01'
tod | time(6) | NULL | '00:00' | '10:00' | '10:00:00.5' | '-10:00:00' | '100:00:00'
at | timestamp(6) NULL | NULL | '0000-00-00 00:00:00' | '1970-01-01 00:00:01' | '2026-01-31 09:30:00.25' | '2026-01-31 09:30:00.250001' | '2038-01-19 03:14:07.999999'
label | set('b','a','c') | NULL | '' | 'a' | 'b,a' | 'c'
grade | enum('Z_FIRST','A_SECOND','M_THIRD') | NULL | 'Z_FIRST' | 'A_SECOND' | 'M_THIRD'
grade_opt | varchar(40) | NULL | 'GRADE_UNSPECIFIED' | 'Z_FIRST' | 'A_SECOND'
grade_number | smallint | NULL | 0 | 1 | 2 | 5 | 7 | -3
spot | json | SPOTS
"#;

const SQLITE: &str = r#"
amount | TEXT | NULL | '' | '0' | '-0.0' | '100' | '20' | '-5.5' | '-5.50' | '5.50' | '99999999999999999999999999999999999999999.123456789'
fee | TEXT | NULL | '0' | '-0' | '100' | '20' | '1.5' | '1.50' | '007' | '-3'
chars | TEXT COLLATE RTRIM | NULL | '' | 'a' | 'a  ' | 'A' | '王' | 'ab'
cased | TEXT COLLATE NOCASE | TEXTS
chinese | VARCHAR(40) | TEXTS
loose |  | TEXTS
flag | BOOLEAN | NULL | 0 | 1
bits | INTEGER | NULL | 0 | 1
tiny | NUMERIC | NULL | -1 | 0 | 1 | '5' | 32767
big | INTEGER | NULL | -9223372036854775808 | -1 | 0 | 9223372036854775807 | '7'
vast |  | NULL | 0 | 1 | 9223372036854775807
f4 | REAL | NULL | 9e999 | -9e999 | -0.0 | 0 | 0.5 | 16777216
f4_opt |  | NULL | -0.0 | 0 | 0.5 | 2
f8 | NUMERIC | NULL | 9e999 | -9e999 | -0.0 | 0 | 0.1 | 5e-324 | 9007199254740992 | -3
data | BLOB | NULL | x'' | x'00' | x'61' | x'6100' | x'ff'
day | DATE | NULL | '' | '1990-02-28' | '1990-03-01'
at | TEXT | NULL | '0001-01-01T00:00:00Z' | '1970-01-01T00:00:00Z' | '1970-01-01T00:00:10Z' | '1970-01-01T00:00:11Z' | '1970-01-01T00:00:00.000Z' | '1970-01-01T00:00:11.0Z' | '2026-01-31T09:30:00.25Z' | '2026-01-31T09:30:00.250000000Z' | '2026-01-31T09:30:00.250000001Z'
grade | TEXT | NULL | 'Z_FIRST' | 'A_SECOND' | 'M_THIRD'
grade_opt | ANY | NULL | 0 | 1 | 'A_SECOND' | 5
grade_number | INTEGER | NULL | 0 | 1 | 2 | 5 | 7 | -3
spot | TEXT | SPOTS
"#;

/// What a filter may compare a field with, and by which operators.
fn asked(field: &str) -> (&'static str, &'static str) {
    const ALL: &str = "== | != | < | <= | > | >=";
    const SAME: &str = "== | !=";
    match field {
        "amount" | "fee" => (
            ALL,
            "\"100\" | \"20\" | 0 | -5 | \"-5.5\" | \"1.50\" | \"0.00000000000000000000000000000000000000001\" | \"99999999999999999999999999999999999999999.5\"",
        ),
        "price" => (SAME, "\"100\" | \"100.00\" | \"\" | \"1.50\""),
        "flag" | "bits" => (SAME, "true | false"),
        "tiny" | "big" | "year" => (ALL, "-1 | 0 | 1 | 1999 | 32767"),
        "vast" => (ALL, "0 | 1 | 9223372036854775807 | 18446744073709551615u"),
        "f4" | "f4_opt" | "f8" => (
            ALL,
            "0.0 | -0.0 | 0.1 | -1.0 | 1e-45 | 9007199254740992.0 | 16777216.0",
        ),
        "data" => (SAME, "b\"\" | b\"a\" | b\"A\""),
        "day" | "day_opt" => (
            ALL,
            "\"\" | \"1990-02-28\" | \"1990\" | \"0000-00-00\" | \"9999-12-31\"",
        ),
        "tod" => (ALL, "\"\" | \"10:00:00\" | \"10:00:00.000000\" | \"2\""),
        "at" => (
            ALL,
            "timestamp(\"1970-01-01T00:00:00Z\") | timestamp(\"0001-01-01T00:00:00Z\") | timestamp(\"2026-01-31T09:30:00.25Z\") | timestamp(\"2026-01-31T09:30:00.2500001Z\") | timestamp(\"2038-01-01T00:00:00Z\")",
        ),
        "label" => (ALL, "\"\" | \"A_SECOND\" | \"M\" | \"a\" | \"b,a\""),
        "grade" | "grade_opt" | "grade_number" => {
            (SAME, "GRADE_UNSPECIFIED | Z_FIRST | A_SECOND | M_THIRD")
        }
        _ => (
            ALL,
            "\"\" | \"a\" | \"A\" | \"a \" | \"ab\" | \"ß\" | \"王\" | \"阿\" | \"🦀\" | \"\u{ff21}\" | \"10\" | \"?\" | \"abcdefab-0000-4000-8000-000000000001\" | \"ABCDEFAB-0000-4000-8000-000000000001\"",
        ),
    }
}

struct Draw {
    runner: TestRunner,
    /// What no filter may name.
    unheld: &'static [&'static str],
}

impl Draw {
    fn new(unheld: &'static [&'static str]) -> Self {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
        Self {
            runner: TestRunner::new_with_rng(Config::default(), rng),
            unheld,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        (0..limit).new_tree(&mut self.runner).unwrap().current()
    }

    /// One of what stands between ` | `.
    fn one<'a>(&mut self, of: &'a str) -> &'a str {
        let among: Vec<_> = of.split(" | ").collect();
        among[self.below(among.len())]
    }

    fn leaf(&mut self, fields: &[&str]) -> String {
        loop {
            let leaf = self.any_leaf(fields);
            if !self.unheld.iter().any(|unheld| leaf.contains(unheld)) {
                return leaf;
            }
        }
    }

    fn any_leaf(&mut self, fields: &[&str]) -> String {
        let field = fields[self.below(fields.len())];
        let (ops, literals) = asked(field);
        match self.below(8) {
            0 => format!("has({field})"),
            1 => format!(
                "{field} in [{}, {}]",
                self.one(literals),
                self.one(literals)
            ),
            2 if literals.starts_with('"') && !["amount", "fee"].contains(&field) => {
                format!("{field}.startsWith({})", self.one(literals))
            }
            _ => format!("{field} {} {}", self.one(ops), self.one(literals)),
        }
    }

    fn filter(&mut self, fields: &[&str]) -> String {
        match self.below(8) {
            0 => format!("!({})", self.filter(fields)),
            1 => format!("({} && {})", self.filter(fields), self.filter(fields)),
            2 => format!("({} || {})", self.filter(fields), self.filter(fields)),
            _ => self.leaf(fields),
        }
    }
}

struct Wide {
    _server: Server,
    bindings: SqlBindings,
    fields: Vec<&'static str>,
    unheld: &'static [&'static str],
}

const ROWS: usize = 120;

impl Wide {
    async fn new(server: Server, table: &'static str, before: &str) -> Self {
        let columns = columns(table);
        let mut draw = Draw::new(&[]);
        let quote = |name: &str| match server.url.starts_with("mysql") {
            true => format!("`{name}`"),
            false => format!("\"{name}\""),
        };
        let declared: Vec<String> = columns
            .iter()
            .map(|(name, of, _)| format!("{} {of}", quote(name)))
            .collect();
        let rows: Vec<String> = (0..ROWS)
            .map(|n| {
                let values = columns.iter().map(|(.., values)| draw.one(values));
                let values: Vec<_> = values.collect();
                format!("('k{n:04}', {})", values.join(", "))
            })
            .collect();
        let names: Vec<String> = columns.iter().map(|(name, ..)| quote(name)).collect();
        let sql = format!(
            "{before}CREATE TABLE wide (id varchar(20) PRIMARY KEY, {});\nINSERT INTO wide (id, {}) VALUES {};",
            declared.join(", "),
            names.join(", "),
            rows.join(",\n")
        );
        if server.url.starts_with("mysql") {
            let sql = format!(
                "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', time_zone = '+00:00'; {sql}"
            );
            server.run::<MySql>(sql).await;
        } else if server.url.starts_with("sqlite") {
            server.run::<Sqlite>(sql).await;
        } else {
            server.run::<Postgres>(sql).await;
        }
        let registry = registry();
        let schema = registry.record("test.v1.Wide").unwrap();
        let absent: Vec<String> = schema
            .fields(None)
            .iter()
            .map(|field| field.path().to_string())
            .filter(|path| path != "id" && !columns.iter().any(|(name, ..)| name == path))
            .map(|path| format!("'{path}'"))
            .collect();
        let toml = format!(
            "name = 'test'\npool = 2\n[[record]]\ntype = 'test.v1.Wide'\nabsent = [{}]\n",
            absent.join(", ")
        );
        let source = SqlSource::open(settings(&toml), &server.url).unwrap();
        let bindings = source.bind(&registry).unwrap();
        assert_eq!(bindings.check().await.unwrap(), []);
        let mut fields: Vec<_> = columns.iter().map(|(name, ..)| *name).collect();
        fields.retain(|field| *field != "spot");
        fields.extend(["spot.name", "spot.note", "spot.post_code"]);
        Self {
            _server: server,
            bindings,
            fields,
            unheld: &[],
        }
    }

    fn schema(&self) -> &RecordSchema {
        &self.bindings.records.values().next().unwrap().schema
    }

    async fn read(
        &self,
        filter: Option<&Filter>,
        order: &[Order],
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Bytes>, SourceError> {
        let leaves = self.schema().leaves();
        let paths = paths(&leaves);
        let mut ask = everything(&paths);
        ask.gate = filter.map(Filter::expr);
        ask.order = order.to_vec();
        ask.after = after;
        ask.limit = limit;
        let mut reading = self.bindings.read(self.schema().name(), &ask).await?;
        let mut records = Vec::new();
        while let Some(batch) = reading.next().await? {
            records.extend(batch);
        }
        Ok(records)
    }

    /// Page by page, as an exchange reads them.
    async fn pages(&self, filter: &Filter, order: &[Order], limit: usize) -> Vec<Bytes> {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let read = self.read(Some(filter), order, after.take(), limit as u32);
            let read = match read.await {
                Ok(read) => read,
                Err(error) => panic!("{order:?} {}: {error}", filter.text()),
            };
            let passing = read.into_iter().filter(|r| filter.matches(r).unwrap());
            let page: Vec<Bytes> = passing.take(limit).collect();
            let whole = page.len() == limit;
            if let Some(last) = page.last() {
                let position = Position::following(self.schema(), order, last);
                after = Some(position.expect("every record has a place"));
            }
            seen.extend(page);
            assert!(seen.len() <= ROWS, "{order:?} {}: repeats", filter.text());
            if !whole {
                return seen;
            }
        }
    }

    /// The order of two records by the values that they show.
    fn compare(&self, order: &[Order], one: &Bytes, other: &Bytes) -> Ordering {
        let value = |record: &Bytes, by: &Order| {
            let value = value_of(record, &by.field).unwrap();
            value.or_else(|| default_of(&by.field)).unwrap()
        };
        let mut orderings = order.iter().map(|by| {
            let (one, other) = (value(one, by), value(other, by));
            let ordering = Datum::of(&one).place(&Datum::of(&other)).unwrap();
            if by.descending {
                ordering.reverse()
            } else {
                ordering
            }
        });
        orderings
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    async fn agrees(&self) {
        let mut draw = Draw::new(self.unheld);
        let all = self.read(None, &[], None, u32::MAX).await.unwrap();
        assert_eq!(all.len(), ROWS);
        let (mut narrowed, mut exact) = (0, 0);
        for _ in 0..500 {
            let text = draw.filter(&self.fields);
            let filter =
                Filter::parse(&text, self.schema()).unwrap_or_else(|e| panic!("{text}: {e}"));
            let through = match self.read(Some(&filter), &[], None, u32::MAX).await {
                Ok(through) => through,
                Err(error) => panic!("{text}: {error:?}"),
            };
            let passing = |records: &[Bytes]| {
                let mut passing: Vec<Bytes> = records
                    .iter()
                    .filter(|record| filter.matches(record).unwrap())
                    .cloned()
                    .collect();
                passing.sort();
                passing
            };
            assert_eq!(passing(&through), passing(&all), "{text}");
            narrowed += usize::from(through.len() < all.len());
            let binding = self.bindings.records.values().next().unwrap();
            let binding = binding.settled.get().unwrap().as_ref().unwrap();
            if binding.narrow(filter.expr()).exact {
                exact += 1;
                assert_eq!(through.len(), passing(&all).len(), "not exact: {text}");
            }
        }
        assert!(narrowed > 200 && exact > 150, "{narrowed} {exact}");
    }

    /// `but` are fields that have no order in this database.
    async fn orders(&self, but: &[&str]) {
        let mut draw = Draw::new(self.unheld);
        let all = self.read(None, &[], None, u32::MAX).await.unwrap();
        let by = |path: &str, descending| Order {
            field: self.schema().field(path).unwrap(),
            descending,
        };
        let mut orders: Vec<Vec<Order>> = Vec::new();
        for field in &self.fields {
            for descending in [false, true] {
                let order = vec![by(field, descending), by("id", false)];
                if but.contains(field) {
                    match self.read(None, &order, None, 10).await {
                        Err(SourceError::Unordered(path)) => assert_eq!(path.as_str(), *field),
                        other => panic!("{field}: {:?}", other.map(|records| records.len())),
                    }
                } else {
                    orders.push(order);
                }
            }
        }
        let ordered: Vec<_> = self
            .fields
            .iter()
            .copied()
            .filter(|f| !but.contains(f))
            .collect();
        for _ in 0..40 {
            let first = draw.below(ordered.len());
            let second = (first + 1 + draw.below(ordered.len() - 1)) % ordered.len();
            orders.push(vec![
                by(ordered[first], draw.below(2) == 0),
                by(ordered[second], draw.below(2) == 0),
                by("id", draw.below(2) == 0),
            ]);
        }
        for order in orders {
            let text = match draw.below(2) {
                0 => "true".to_owned(),
                _ => draw.filter(&self.fields),
            };
            let filter = Filter::parse(&text, self.schema()).unwrap();
            let mut expected: Vec<Bytes> = all
                .iter()
                .filter(|record| filter.matches(record).unwrap())
                .cloned()
                .collect();
            expected.sort_by(|one, other| self.compare(&order, one, other));
            let limit = 1 + draw.below(40);
            let got = self.pages(&filter, &order, limit).await;
            assert!(got == expected, "{order:?} {text} by {limit}");
        }
    }

    /// A number that is kept as one and shared as a text has no order that its schema does not give it.
    async fn refuses_the_order_of_what_is_no_text(&self) {
        for filter in ["price > \"100\"", "!(price <= \"5\") || flag"] {
            let filter = Filter::parse(filter, self.schema()).unwrap();
            match self.read(Some(&filter), &[], None, u32::MAX).await {
                Err(SourceError::Unordered(path)) => assert_eq!(path.as_str(), "price"),
                other => panic!("{:?}", other.map(|records| records.len())),
            }
            let told = self.bindings.unordered(self.schema().name(), filter.expr());
            assert_eq!(told.unwrap().as_str(), "price");
        }
    }
}

fn registry() -> Registry {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("test/v1");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("wide.proto"), PROTO).unwrap();
    Registry::compile(root.path())
        .map_err(|faults| faults.iter().map(Fault::to_string).collect::<Vec<_>>())
        .unwrap()
}

const CASELESS: &str = "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TYPE grade AS ENUM ('Z_FIRST', 'M_THIRD', 'A_SECOND'); ";

#[tokio::test]
async fn postgres_and_the_gate_see_the_same() {
    let wide = Wide::new(Server::postgres(), POSTGRES, CASELESS).await;
    wide.agrees().await;
    wide.orders(&["price"]).await;
    wide.refuses_the_order_of_what_is_no_text().await;
}

#[tokio::test]
async fn postgres_in_another_encoding_and_the_gate_see_the_same() {
    let mut server = Server::postgres();
    server
        .run::<Postgres>("CREATE DATABASE eucs TEMPLATE template0 ENCODING 'EUC_CN' LOCALE 'C' LOCALE_PROVIDER libc")
        .await;
    server.url = server.url.replace("/postgres?", "/eucs?");
    let mut wide = Wide::new(server, EUC_CN, "").await;
    wide.fields.retain(|field| !field.starts_with("spot"));
    wide.unheld = &["🦀", "ß"];
    wide.agrees().await;
    wide.orders(&[]).await;
}

#[tokio::test]
async fn mysql_and_the_gate_see_the_same() {
    let wide = Wide::new(Server::mariadb(), MARIADB, "").await;
    wide.agrees().await;
    wide.orders(&["price"]).await;
    wide.refuses_the_order_of_what_is_no_text().await;
}

#[tokio::test]
async fn sqlite_and_the_gate_see_the_same() {
    let wide = Wide::new(Server::sqlite(), SQLITE, "").await;
    wide.agrees().await;
    wide.orders(&[]).await;
}

#[tokio::test]
async fn sqlite_in_utf16_and_the_gate_see_the_same() {
    let server = Server::sqlite();
    let wide = Wide::new(server, SQLITE, "PRAGMA encoding = 'UTF-16le'; ").await;
    wide.agrees().await;
    wide.orders(&[]).await;
}
