//! What records look like, and how they are read.

use std::time::Duration;
use std::time::Instant;

use prost_reflect::DynamicMessage;
use sqlx::Row as _;

use super::fixture::Fixture;
use super::fixture::Value;
use super::fixture::everything;
use super::fixture::paths;
use crate::registry::value::Literal;
use crate::source::SourceError;

fn full() -> Vec<Value> {
    use Value::*;
    let text = |text: &str| Text(text.to_owned());
    vec![
        text("1"),
        text("Zoë O'Neil 王"),
        text("ZON"),
        Integer(-7),
        Integer(9_007_199_254_740_993),
        Integer(4_000),
        Integer(-3),
        Boolean(true),
        Boolean(false),
        Number(0.5),
        Number(1.25),
        Data(vec![0, 255]),
        text("KIND_B"),
        Integer(2),
        text("1990-02-28"),
        text("12345678901234.5600"),
        At("2026-01-31 09:30:00.25Z"),
        text(r#"{"city": "Guiyang", "postCode": "550000", "floor": 3}"#),
        List(vec!["a".to_owned(), "b,\"c".to_owned()]),
        text(r#"{"grid": "7"}"#),
        text("Anshun"),
        Null,
        Integer(0),
        text("KIND_A"),
    ]
}

fn in_sqlite(mut row: Vec<Value>) -> Vec<Value> {
    row[16] = Value::At("2026-01-31T09:30:00.25Z");
    row
}

const FULL: &str = r#"{"id":"1","name":"Zoë O'Neil 王","nickname":"ZON","small":-7,"big":"9007199254740993","count":4000,"delta":"-3","active":true,"checked":false,"ratio":0.5,"weight":1.25,"data":"AP8=","kind":"KIND_B","kindNumber":"KIND_B","born":"1990-02-28","amount":"12345678901234.5600","at":"2026-01-31T09:30:00.250Z","place":{"city":"Guiyang","postCode":"550000","floor":3},"tags":["a","b,\"c"],"notes":{"grid":"7"},"other":{"city":"Anshun"},"maybeKind":"KIND_A"}"#;

async fn reads_every_type(fixture: &Fixture, row: Vec<Value>) {
    let mut nothing = vec![Value::Null; row.len()];
    nothing[0] = Value::Text("2".to_owned());
    fixture.fill(&[row, nothing]).await;
    assert_eq!(fixture.bindings.check().await.unwrap(), []);
    let mut records = json(fixture, fixture.all().await.unwrap());
    records.sort();
    assert_eq!(records, [FULL.to_owned(), r#"{"id":"2"}"#.to_owned()]);
    let one = fixture.get(&Literal::Text("1".into())).await.unwrap();
    assert_eq!(json(fixture, one), [FULL]);
    let none = fixture.get(&Literal::Text("3".into())).await.unwrap();
    assert!(none.is_empty());
}

fn json(fixture: &Fixture, records: Vec<bytes::Bytes>) -> Vec<String> {
    let descriptor = fixture.schema().descriptor().clone();
    records
        .into_iter()
        .map(|record| {
            let message = DynamicMessage::decode(descriptor.clone(), record).unwrap();
            serde_json::to_string(&message).unwrap()
        })
        .collect()
}

/// A quotation in a value, a NUL, or half a statement.
async fn sql_in_a_value_stays_a_value(fixture: &Fixture) {
    for key in [
        "' OR '1'='1",
        "1'; DROP TABLE item; --",
        "1\0",
        "\\",
        "$1",
        "?",
    ] {
        let none = fixture.get(&Literal::Text(key.into())).await.unwrap();
        assert!(none.is_empty());
        if !key.contains('\0') {
            let text = key.replace('\\', "\\\\");
            let filter =
                fixture.filter(&format!("name == \"{text}\" || id.startsWith(\"{text}\")"));
            assert!(fixture.narrowed(&filter).await.unwrap().is_empty());
        }
    }
    assert_eq!(fixture.all().await.unwrap().len(), 2);
}

#[tokio::test]
async fn postgres_fills_a_field_of_every_type() {
    let fixture = Fixture::postgres().await;
    reads_every_type(&fixture, full()).await;
    sql_in_a_value_stays_a_value(&fixture).await;
    refuses_what_postgres_alone_can_hold(&fixture).await;
}

#[tokio::test]
async fn mysql_fills_a_field_of_every_type() {
    let fixture = Fixture::mysql().await;
    let mut row = full();
    row[1] = Value::Text("Zoë O'Neil 王".to_owned());
    reads_every_type(&fixture, row).await;
    sql_in_a_value_stays_a_value(&fixture).await;
    let filter = fixture.filter(r#"nickname == "王""#);
    assert!(fixture.narrowed(&filter).await.unwrap().is_empty());
}

#[tokio::test]
async fn sqlite_fills_a_field_of_every_type() {
    let fixture = Fixture::sqlite().await;
    reads_every_type(&fixture, in_sqlite(full())).await;
    sql_in_a_value_stays_a_value(&fixture).await;
    for (column, value, fault) in [
        (
            "small",
            "'many'",
            "test.v1.Item: the field `small` is not an integer",
        ),
        (
            "small",
            "3000000000",
            "test.v1.Item: the field `small` is out of the field's range",
        ),
        (
            "count",
            "-1",
            "test.v1.Item: the field `count` is out of the field's range",
        ),
        (
            "active",
            "2",
            "test.v1.Item: the field `active` is neither 0 nor 1",
        ),
        (
            "name",
            "x'00'",
            "test.v1.Item: the field `name` is not text",
        ),
        (
            "kind",
            "'B'",
            "test.v1.Item: the field `kind` is not the name of a value of its enum",
        ),
        (
            "place",
            "'{\"citty\": 1}'",
            "test.v1.Item: the field `place` is not the JSON of its type",
        ),
        (
            "at",
            "'2026-01-31T09:30:00+08:00'",
            "test.v1.Item: the field `at` is not a time in UTC such as `2026-01-31T09:30:00Z`",
        ),
        (
            "ratio",
            "0.1",
            "test.v1.Item: the field `ratio` has more digits than a float holds",
        ),
    ] {
        fixture.fill(&[in_sqlite(full())]).await;
        fixture
            .run(format!("UPDATE item SET \"{column}\" = {value}"))
            .await;
        match fixture.all().await {
            Err(SourceError::Misfit(message)) => assert_eq!(message, fault),
            other => panic!("{column}: {:?}", other.map(|records| records.len())),
        }
    }
}

async fn refuses_what_postgres_alone_can_hold(fixture: &Fixture) {
    for (column, value, fault) in [
        (
            "born",
            "'infinity'",
            "the field `born` is an infinite date, or one out of the years 1 to 9999",
        ),
        (
            "born",
            "'0044-03-15 BC'",
            "the field `born` is a date out of the years 1 to 9999",
        ),
        ("at", "'infinity'", "the field `at` is an infinite time"),
        (
            "tags",
            "ARRAY['a', NULL]",
            "the field `tags` has a NULL within its list",
        ),
        (
            "tags",
            "ARRAY[ARRAY['a']]",
            "the field `tags` is a list of lists",
        ),
        (
            "count",
            "-1",
            "the field `count` is out of the field's range",
        ),
    ] {
        fixture.fill(&[full()]).await;
        fixture
            .run(format!("UPDATE item SET {column} = {value}"))
            .await;
        match fixture.all().await {
            Err(SourceError::Misfit(message)) => {
                assert_eq!(message, format!("test.v1.Item: {fault}"))
            }
            other => panic!("{column}: {:?}", other.map(|records| records.len())),
        }
    }
}

#[tokio::test]
async fn a_million_rows_are_read_by_cursor_and_a_reader_who_stops_frees_postgres_at_once() {
    let fixture = Fixture::postgres().await;
    fixture
        .run("INSERT INTO item (id, name, small) SELECT 'R' || n, 'name ' || n, n % 100 FROM generate_series(1, 1000000) n")
        .await;
    let (schema, fields) = (fixture.schema(), fixture.schema().leaves());
    let paths = paths(&fields);
    let mut reading = fixture
        .bindings
        .read(schema.name(), &everything(&paths))
        .await
        .unwrap();
    assert_eq!(reading.next().await.unwrap().unwrap().len(), 64);
    assert_eq!(working(&fixture).await, ["idle in transaction"]);
    drop(reading);
    settles(&fixture).await;

    let mut reading = fixture
        .bindings
        .read(schema.name(), &everything(&paths))
        .await
        .unwrap();
    let (mut records, mut largest) = (0, 0);
    while let Some(batch) = reading.next().await.unwrap() {
        records += batch.len();
        largest = largest.max(batch.iter().map(bytes::Bytes::len).sum::<usize>());
    }
    assert_eq!(records, 1_000_000);
    assert!(largest <= 128 * 1024, "{largest}");

    // In the middle of a fetch that takes long.
    let slow = fixture.filter("name == 'none'");
    fixture
        .run("CREATE FUNCTION slow(t text) RETURNS text AS 'SELECT pg_sleep(10)::text' LANGUAGE sql; ALTER TABLE item RENAME TO items; CREATE VIEW item AS SELECT id, slow(name) AS name, nickname, small, big, count, delta, active, checked, ratio, weight, data, kind, kind_number, born, amount, at, place, tags, notes, other_city, other_post_code, other_floor, maybe_kind FROM items")
        .await;
    let mut ask = everything(&paths);
    ask.gate = Some(slow.expr());
    let mut reading = fixture.bindings.read(schema.name(), &ask).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(300), reading.next()).await;
    assert!(waited.is_err());
    assert_eq!(working(&fixture).await, ["active"]);
    drop(reading);
    settles(&fixture).await;
}

/// What the gateway's connections do, those that idle in the pool aside.
async fn working(fixture: &Fixture) -> Vec<String> {
    let pool = sqlx::PgPool::connect(&fixture.server.url).await.unwrap();
    let rows = sqlx::query(
        "SELECT state FROM pg_stat_activity WHERE application_name = 'landbridge' AND state <> 'idle'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn settles(fixture: &Fixture) {
    let until = Instant::now() + Duration::from_secs(3);
    while !working(fixture).await.is_empty() {
        assert!(Instant::now() < until, "the database is not freed");
    }
}

#[tokio::test]
async fn a_reader_who_stops_frees_mysql() {
    let fixture = Fixture::mysql().await;
    fixture
        .run("INSERT INTO item (id, name) SELECT CONCAT('R', seq), REPEAT('x', 100) FROM seq_1_to_300000")
        .await;
    let (schema, fields) = (fixture.schema(), fixture.schema().leaves());
    let paths = paths(&fields);
    let mut reading = fixture
        .bindings
        .read(schema.name(), &everything(&paths))
        .await
        .unwrap();
    assert!(reading.next().await.unwrap().is_some());
    drop(reading);
    let pool = sqlx::MySqlPool::connect(&fixture.server.url).await.unwrap();
    let until = Instant::now() + Duration::from_secs(3);
    loop {
        let busy: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute') AND ID <> CONNECTION_ID()",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        if busy == 0 {
            break;
        }
        assert!(Instant::now() < until, "the database is not freed");
    }
    assert_eq!(fixture.all().await.unwrap().len(), 300_000);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_a_timeout() {
    let toml = "name = 'test'\npool = 1\nstatement_timeout = '300ms'\n[[record]]\ntype = 'test.v1.Item'\nunique = 'declared'\n";
    let fixture = Fixture::sqlite().await;
    fixture
        .run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO item (id) SELECT i FROM n; ALTER TABLE item RENAME TO items; CREATE VIEW item AS SELECT i.* FROM items i WHERE i.id = (SELECT max(a.id || b.id || i.id) FROM items a, items b)")
        .await;
    let fixture = fixture.mapped(toml);
    for _ in 0..2 {
        match fixture.all().await {
            Err(SourceError::Timeout(after)) => assert_eq!(after, Duration::from_millis(300)),
            other => panic!("{:?}", other.map(|records| records.len())),
        }
    }
}

#[tokio::test]
async fn a_source_writes_nothing() {
    let fixture = Fixture::sqlite().await;
    let delete = "DELETE FROM item".to_owned();
    let Err(SourceError::Failed(refused)) = fixture.source.0.probe(delete).await else {
        panic!()
    };
    // SQLITE_READONLY.
    assert!(refused.to_string().ends_with("sqlite 8"), "{refused}");

    let fixture = Fixture::postgres().await;
    let crate::source::sql::database::Pool::Postgres(pool) = &fixture.source.0.pool else {
        panic!()
    };
    let refused = sqlx::query("DELETE FROM item")
        .execute(pool)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");

    let fixture = Fixture::mysql().await;
    let crate::source::sql::database::Pool::MySql(pool) = &fixture.source.0.pool else {
        panic!()
    };
    let refused = sqlx::query("DELETE FROM item")
        .execute(pool)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("READ ONLY"), "{refused}");
}

#[tokio::test]
async fn a_server_that_was_restarted_is_asked_on_new_connections() {
    let mut fixture = Fixture::postgres().await;
    fixture.fill(&[full()]).await;
    assert_eq!(fixture.all().await.unwrap().len(), 1);
    fixture.server.restart();
    let found = loop {
        match fixture.all().await {
            Ok(found) => break found,
            Err(SourceError::Unavailable(_) | SourceError::Failed(_)) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(found.len(), 1);
}
