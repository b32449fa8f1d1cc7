//! Answers that come through a pooler: of the question, in the state that the gateway reads in, or none.

use std::sync::Arc;

use prost_reflect::DynamicMessage;
use sqlx::Postgres;
use tokio::task::JoinSet;

use super::fixture::Fixture;
use super::fixture::SETTINGS;
use super::fixture::everything;
use super::fixture::paths;
use super::fixture::registry;
use super::fixture::settings;
use super::relay::Manner;
use super::relay::Relay;
use crate::fault::chain;
use crate::name::FieldPath;
use crate::registry::value::Literal;
use crate::source::SourceError;
use crate::source::sql::SqlBindings;
use crate::source::sql::SqlSource;
use crate::source::sql::plan::Ask;

/// A source that reads the fixture's table at another place.
fn source_at(url: &str, settings_text: &str) -> SqlBindings {
    let source = SqlSource::open(settings(settings_text), url).unwrap();
    source.bind(&registry()).unwrap()
}

const ROWS: u32 = 40;

async fn filled() -> Fixture {
    let fixture = Fixture::postgres().await;
    fixture
        .run(format!(
            "INSERT INTO item (id, name, nickname, small, big, born, amount, at, tags, other_city)
             SELECT 'k' || n, 'name ' || n, 'nick ' || n, n, 1000 + n, date '2000-01-01' + n, n + 0.5,
                    timestamptz '2026-01-01 00:00:00Z' + n * interval '1 hour', ARRAY['tag ' || n], 'city ' || n
               FROM generate_series(1, {ROWS}) n"
        ))
        .await;
    fixture
}

/// Fields by which each answer can be told from every other, with what row `n` has in them.
const FIELDS: [&str; 8] = [
    "name", "nickname", "small", "big", "born", "amount", "tags", "at",
];

fn expected(n: u32, field: &str) -> String {
    match field {
        "name" => format!("\"name {n}\""),
        "nickname" => format!("\"nick {n}\""),
        "small" => n.to_string(),
        "big" => format!("\"{}\"", 1000 + n),
        "born" => {
            let day = time::macros::date!(2000 - 01 - 01) + time::Duration::days(n.into());
            format!("\"{day}\"")
        }
        "amount" => format!("\"{n}.5000\""),
        "tags" => format!("[\"tag {n}\"]"),
        "at" => {
            let at = time::macros::utc_datetime!(2026-01-01 0:00) + time::Duration::hours(n.into());
            let (date, hour) = (at.date(), at.hour());
            format!("\"{date}T{hour:02}:00:00Z\"")
        }
        field => panic!("{field}"),
    }
}

/// Asks for the record by its key, or as the only one of a query, with the fields that the bits of `mask` choose.
async fn ask_for(bindings: &SqlBindings, n: u32, mask: usize, by_key: bool) -> String {
    let schema = Arc::clone(&bindings.records.values().next().unwrap().schema);
    let chosen = FIELDS
        .iter()
        .enumerate()
        .filter(|(bit, _)| mask & (1 << bit) != 0);
    let chosen: Vec<&str> = chosen.map(|(_, field)| *field).collect();
    let wanted: Vec<FieldPath> = chosen
        .iter()
        .map(|field| schema.field(field).unwrap().path().clone())
        .collect();
    let key = Literal::Text(format!("k{n}").as_str().into());
    let filter = format!("id == \"k{n}\"");
    let filter = crate::registry::filter::Filter::parse(&filter, &schema).unwrap();
    let ask = Ask {
        wanted: wanted.iter().collect(),
        key: by_key.then_some(&key),
        gate: (!by_key).then(|| filter.expr()),
        order: Vec::new(),
        after: None,
        limit: u32::MAX,
    };
    let mut reading = bindings.read(schema.name(), &ask).await.unwrap();
    let mut records = Vec::new();
    while let Some(batch) = reading.next().await.unwrap() {
        records.extend(batch);
    }
    let [record]: [bytes::Bytes; 1] = records.try_into().unwrap();
    let message = DynamicMessage::decode(schema.descriptor().clone(), record).unwrap();
    let found = serde_json::to_value(&message).unwrap();
    let wanted: Vec<String> = chosen
        .iter()
        .map(|field| format!("\"{field}\":{}", expected(n, field)))
        .collect();
    let wanted: serde_json::Value =
        serde_json::from_str(&format!("{{{}}}", wanted.join(","))).unwrap();
    assert_eq!(found, wanted, "k{n}, {chosen:?}");
    found.to_string()
}

async fn eight_hundred_questions(bindings: Arc<SqlBindings>) {
    let mut askers = JoinSet::new();
    for asker in 0..16_u32 {
        let bindings = Arc::clone(&bindings);
        askers.spawn(async move {
            for turn in 0..50_u32 {
                let mask = 1 + (asker * 37 + turn * 11) as usize % 255;
                ask_for(
                    &bindings,
                    1 + (asker * 7 + turn) % ROWS,
                    mask,
                    turn % 5 != 0,
                )
                .await;
            }
        });
    }
    askers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_pooler_gives_every_question_its_own_answer() {
    let fixture = filled().await;
    let pooler = fixture.server.behind_pgbouncer("transaction");
    let pool = SETTINGS.replace("pool = 4", "pool = 16\nacquire_timeout = \"20s\"");
    let bindings = Arc::new(source_at(&pooler.url, &pool));
    assert_eq!(bindings.check().await.unwrap(), []);
    eight_hundred_questions(Arc::clone(&bindings)).await;

    // What the pooler's other clients leave in the sessions that all share.
    fixture
        .run("CREATE SCHEMA old; CREATE TABLE old.item AS TABLE item; UPDATE old.item SET name = 'old'; CREATE ROLE nobody")
        .await;
    let left = "SET default_transaction_read_only = off; SET statement_timeout = 100; SET TimeZone = 'Asia/Shanghai';
                SET DateStyle = 'German'; SET client_encoding = 'GBK'; SET search_path = old; SET ROLE nobody";
    for _ in 0..20 {
        pooler.run::<Postgres>(left).await;
    }
    eight_hundred_questions(bindings).await;
}

#[tokio::test]
async fn a_pooler_that_keeps_no_transaction_is_told_by_the_check() {
    let fixture = filled().await;
    let pooler = fixture.server.behind_pgbouncer("statement");
    let faults = source_at(&pooler.url, SETTINGS).check().await.unwrap();
    let [fault] = faults.as_slice() else {
        panic!("{faults:?}");
    };
    assert_eq!(
        fault.message,
        "table `item` cannot be read: the database answers with error 08P01 (statement pooling): a pooler between the gateway and the database must keep a transaction on one connection (PgBouncer: `pool_mode = transaction` or `session`)"
    );
}

#[tokio::test]
async fn a_mysql_session_that_is_not_as_the_gateway_has_set_it_gives_no_answer() {
    let fixture = Fixture::mysql().await;
    fixture
        .run("INSERT INTO item (id, at) VALUES ('1', '2026-01-31 09:30:00'); SET GLOBAL time_zone = '+08:00'")
        .await;
    let one = fixture.get(&Literal::Text("1".into())).await.unwrap();
    assert_eq!(one.len(), 1);

    let socket = fixture.server.folder().join("relay");
    let server = fixture.server.folder().join("socket");
    let _relay = Relay::between(&socket, &server, Manner::ResetBeforeStatements);
    let url = format!(
        "mysql://root@localhost/registry?socket={}",
        socket.display()
    );
    let bindings = source_at(&url, SETTINGS);
    let (schema, fields) = (fixture.schema(), fixture.schema().leaves());
    let paths = paths(&fields);
    let key = Literal::Text("2".into());
    let mut of_nobody = everything(&paths);
    of_nobody.key = Some(&key);
    for ask in [everything(&paths), of_nobody] {
        let outcome = match bindings.read(schema.name(), &ask).await {
            Ok(mut reading) => reading.next().await.map(|_| ()),
            Err(error) => Err(error),
        };
        let Err(error @ SourceError::Unavailable(_)) = outcome else {
            panic!("{outcome:?}");
        };
        let text = chain(&error);
        assert!(
            text.contains("the session is not as the gateway has set it"),
            "{text}"
        );
    }
}
