//! A key that is there twice, or not at all, loses no record in silence.

use bytes::Bytes;

use super::fixture::Fixture;
use super::fixture::everything;
use super::fixture::paths;
use crate::registry::extract::value_of;
use crate::registry::query::Order;
use crate::registry::value::Literal;
use crate::source::SourceError;
use crate::source::sql::inspection::Rows;
use crate::source::sql::position::Position;

/// A mapping of the key, the name and a number alone.
fn mapping(table: &str, more: &str) -> String {
    let absent = "absent = ['nickname', 'big', 'count', 'delta', 'active', 'checked', 'ratio', 'weight', 'data', 'kind', 'kind_number', 'born', 'amount', 'at', 'place', 'tags', 'notes', 'other', 'maybe_kind']";
    format!(
        "name = 'test'\npool = 2\n[[record]]\ntype = 'test.v1.Item'\ntable = '{table}'\n{absent}\n{more}\n"
    )
}

const DECLARED: &str = "unique = 'declared'";

/// Reads page by page, each resumed after the last record of the one before.
async fn pages(
    fixture: &Fixture,
    order: &[Order],
    limit: usize,
) -> Result<Vec<Bytes>, SourceError> {
    let fields = fixture.schema().leaves();
    let paths = paths(&fields);
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let mut ask = everything(&paths);
        ask.order = order.to_vec();
        ask.limit = limit as u32;
        ask.after = after.take();
        let mut page = fixture.records(&ask).await?;
        page.truncate(limit);
        let Some(last) = page.last() else {
            return Ok(seen);
        };
        after = Some(Position::following(&fixture.schema(), order, last).unwrap());
        seen.extend(page);
        assert!(seen.len() < 100, "records are repeated");
    }
}

fn keys(fixture: &Fixture, records: &[Bytes]) -> Vec<String> {
    let schema = fixture.schema();
    let key = |record: &Bytes| value_of(record, schema.key()).unwrap().unwrap();
    let text = |key: Literal| String::from_utf8(key.tag_bytes().into_owned()).unwrap();
    records.iter().map(|record| text(key(record))).collect()
}

fn misfit<T>(outcome: Result<T, SourceError>) -> String {
    match outcome {
        Err(SourceError::Misfit(message)) => message,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("nothing was refused"),
    }
}

const TWICE: &str = "test.v1.Item: the field `id` is the key of several rows";

/// Makes tables in which something keeps the key unique, and some in which nothing does.
async fn only_a_unique_index_on_the_key_alone_will_do(
    fixture: &Fixture,
    good: &[&str],
    bad: &[&str],
) {
    for (number, (sql, is_good)) in good
        .iter()
        .map(|sql| (sql, true))
        .chain(bad.iter().map(|sql| (sql, false)))
        .enumerate()
    {
        let table = format!("t{number}");
        fixture.run(sql.replace("T0", &table)).await;
        let told = fixture.faults_of(&mapping(&table, "")).await;
        if is_good {
            assert_eq!(told, [""; 0], "{sql}");
            continue;
        }
        let expected = format!(
            "nothing keeps the key `id` unique in table `{table}`, so records could be lost or mistaken: make its column `id` the primary key or give it a unique index of its own; for a view or a table that cannot have one, write `unique = \"declared\"` and have `landbridge source check` count"
        );
        assert_eq!(told, [expected], "{sql}");
        let declared = fixture.faults_of(&mapping(&table, DECLARED)).await;
        assert_eq!(declared, [""; 0], "{sql}");
    }
}

/// Rows of which some have the same key, in a table that nothing keeps from it.
async fn doubles_are_refused_and_counted(fixture: Fixture) {
    fixture
        .run("CREATE TABLE loose (id varchar(40), name varchar(40), small int)")
        .await;
    fixture
        .run("INSERT INTO loose VALUES ('A', 'x', 1), ('P1', 'b', 1), ('Z', 'b', 1), ('M', 'x', 2), ('P1', 'b', 3), ('N', 'x', 4), ('P1', 'c', 5)")
        .await;
    let fixture = fixture.mapped(&mapping("loose", DECLARED));
    let by_key = [fixture.by("id", false)];
    let by_key_down = [fixture.by("id", true)];
    let by_number = [fixture.by("small", false), fixture.by("id", false)];
    for limit in 1..9 {
        assert_eq!(misfit(pages(&fixture, &by_key, limit).await), TWICE);
        assert_eq!(misfit(pages(&fixture, &by_key_down, limit).await), TWICE);
        // Apart from one another they lose nothing: each has a place of its own.
        let whole = pages(&fixture, &by_number, limit).await.unwrap();
        assert_eq!(
            keys(&fixture, &whole),
            ["A", "P1", "Z", "M", "P1", "N", "P1"]
        );
    }
    let doubled = fixture.get(&Literal::Text("P1".into())).await;
    assert_eq!(misfit(doubled), TWICE);
    let single = fixture.get(&Literal::Text("A".into())).await.unwrap();
    assert_eq!(keys(&fixture, &single), ["A"]);

    // One that comes after its page has been sent.
    fixture.run("DELETE FROM loose WHERE id = 'P1'").await;
    let fields = fixture.schema().leaves();
    let paths = paths(&fields);
    let mut ask = everything(&paths);
    ask.order = by_key.to_vec();
    ask.limit = 1;
    let first = fixture.records(&ask).await.unwrap();
    assert_eq!(keys(&fixture, &first[..1]), ["A"]);
    fixture.run("INSERT INTO loose VALUES ('A', 'y', 9)").await;
    ask.after = Position::following(&fixture.schema(), &by_key, &first[0]);
    assert_eq!(misfit(fixture.records(&ask).await), TWICE);

    // All of them are counted, with their keys.
    fixture
        .run("INSERT INTO loose VALUES (NULL, 'n', 1), (NULL, 'm', 1), ('', 'e', 1), ('B', 'b', 1), ('B', 'b', 1), ('B', 'b', 1)")
        .await;
    let schema = fixture.schema();
    let mut scan = fixture.bindings.scan(&schema).await.unwrap();
    let mut records = Vec::new();
    while let Some(batch) = scan.next().await.unwrap() {
        records.extend(batch);
    }
    assert_eq!(keys(&fixture, &records), ["A", "B", "M", "N", "Z"]);
    let told: Vec<_> = scan.misfits().into_iter().collect();
    let of = |what: &str, rows, keys: &[&str]| {
        let keys = keys.iter().map(ToString::to_string).collect();
        (("id".to_owned(), what.to_owned()), Rows { rows, keys })
    };
    assert_eq!(
        told,
        [
            of("is NULL, and it is the key", 2, &[]),
            of("is empty, and it is the key", 1, &[]),
            of("is the key of several rows", 3, &["A", "B", "B"]),
        ]
    );
}

#[tokio::test]
async fn postgres_keys_are_unique_or_refused() {
    let fixture = Fixture::postgres().await;
    let good = [
        "CREATE TABLE T0 (id text PRIMARY KEY, name text, small int)",
        "CREATE TABLE T0 (id text, name text, small int); CREATE UNIQUE INDEX ON T0 (id) INCLUDE (name)",
        "CREATE TABLE T0 (id text UNIQUE DEFERRABLE INITIALLY DEFERRED, name text, small int)",
        "CREATE TABLE T0 (id text PRIMARY KEY, name text, small int) PARTITION BY HASH (id)",
        "CREATE MATERIALIZED VIEW T0 AS SELECT id, name, small FROM item; CREATE UNIQUE INDEX ON T0 (id)",
    ];
    let bad = [
        "CREATE TABLE T0 (id text, name text, small int)",
        "CREATE TABLE T0 (id text, name text, small int, PRIMARY KEY (id, small))",
        "CREATE TABLE T0 (id text, name text, small int); CREATE INDEX ON T0 (id)",
        "CREATE TABLE T0 (id text, name text, small int); CREATE UNIQUE INDEX ON T0 (id) WHERE small > 0",
        "CREATE TABLE T0 (id text, name text, small int); CREATE UNIQUE INDEX ON T0 (lower(id))",
        "CREATE TABLE T0 (id text PRIMARY KEY, name text, small int); CREATE TABLE T0_heir () INHERITS (T0)",
        "CREATE VIEW T0 AS SELECT id, name, small FROM item",
    ];
    only_a_unique_index_on_the_key_alone_will_do(&fixture, &good, &bad).await;
    doubles_are_refused_and_counted(fixture).await;
}

#[tokio::test]
async fn mysql_keys_are_unique_or_refused() {
    let fixture = Fixture::mysql().await;
    let good = [
        "CREATE TABLE T0 (id varchar(40) PRIMARY KEY, name text, small int)",
        "CREATE TABLE T0 (id varchar(40) UNIQUE, name text, small int)",
    ];
    let bad = [
        "CREATE TABLE T0 (id varchar(40), name text, small int)",
        "CREATE TABLE T0 (id varchar(40), name text, small int, PRIMARY KEY (id, small))",
        "CREATE TABLE T0 (id varchar(40), name text, small int, KEY (id))",
        "CREATE TABLE T0 (id varchar(40), name text, small int, UNIQUE (id(10)))",
        "CREATE TABLE T0_a (id varchar(40) PRIMARY KEY, name text, small int) ENGINE=MyISAM; CREATE TABLE T0 (id varchar(40) PRIMARY KEY, name text, small int) ENGINE=MERGE UNION=(T0_a)",
        "CREATE VIEW T0 AS SELECT id, name, small FROM item",
    ];
    only_a_unique_index_on_the_key_alone_will_do(&fixture, &good, &bad).await;
    doubles_are_refused_and_counted(fixture).await;
}

#[tokio::test]
async fn sqlite_keys_are_unique_or_refused() {
    let fixture = Fixture::sqlite().await;
    let good = [
        "CREATE TABLE T0 (id TEXT PRIMARY KEY, name TEXT, small INTEGER)",
        "CREATE TABLE T0 (id TEXT UNIQUE, name TEXT, small INTEGER)",
        "CREATE TABLE T0 (id TEXT PRIMARY KEY, name TEXT, small INTEGER) WITHOUT ROWID",
        "CREATE TABLE T0 (id TEXT COLLATE NOCASE, name TEXT, small INTEGER); CREATE UNIQUE INDEX T0_i ON T0 (id COLLATE BINARY)",
    ];
    let bad = [
        "CREATE TABLE T0 (id TEXT, name TEXT, small INTEGER)",
        "CREATE TABLE T0 (id TEXT, name TEXT, small INTEGER, PRIMARY KEY (id, small))",
        "CREATE TABLE T0 (id TEXT, name TEXT, small INTEGER); CREATE UNIQUE INDEX T0_i ON T0 (id) WHERE small > 0",
        "CREATE TABLE T0 (id TEXT, name TEXT, small INTEGER); CREATE UNIQUE INDEX T0_i ON T0 (lower(id))",
        "CREATE VIEW T0 AS SELECT id, name, small FROM item",
    ];
    only_a_unique_index_on_the_key_alone_will_do(&fixture, &good, &bad).await;
    doubles_are_refused_and_counted(fixture).await;
}

/// The index tells `a` from `A`, the column's own order does not.
async fn keys_that_only_the_index_tells_apart_are_all_read(fixture: Fixture) {
    fixture
        .run("INSERT INTO apart VALUES ('a', 'x', 1), ('A', 'x', 2), ('b', 'x', 3), ('B', 'x', 4)")
        .await;
    let fixture = fixture.mapped(&mapping("apart", ""));
    for limit in 1..5 {
        let whole = pages(&fixture, &[fixture.by("id", false)], limit).await;
        assert_eq!(keys(&fixture, &whole.unwrap()), ["A", "B", "a", "b"]);
    }
}

#[tokio::test]
async fn postgres_keys_that_only_the_index_tells_apart_are_all_read() {
    let fixture = Fixture::postgres().await;
    fixture
        .run("CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE apart (id text COLLATE caseless, name text, small int); CREATE UNIQUE INDEX ON apart (id COLLATE \"C\")")
        .await;
    keys_that_only_the_index_tells_apart_are_all_read(fixture).await;
}

#[tokio::test]
async fn sqlite_keys_that_only_the_index_tells_apart_are_all_read() {
    let fixture = Fixture::sqlite().await;
    fixture
        .run("CREATE TABLE apart (id TEXT COLLATE NOCASE, name TEXT, small INTEGER); CREATE UNIQUE INDEX apart_id ON apart (id COLLATE BINARY)")
        .await;
    keys_that_only_the_index_tells_apart_are_all_read(fixture).await;
}
