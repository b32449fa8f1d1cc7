//! Connections that die while they wait, are refused, or go to another place than before.

use std::fs;
use std::time::Duration;
use std::time::Instant;

use futures::future::join_all;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::Postgres;

use super::fixture::COLUMNS;
use super::fixture::Fixture;
use super::fixture::SETTINGS;
use super::fixture::everything;
use super::fixture::paths;
use super::fixture::postgres_type;
use super::fixture::registry;
use super::fixture::settings;
use super::relay::Manner;
use super::relay::Relay;
use super::server::Server;
use crate::fault::chain;
use crate::registry::value::Literal;
use crate::source::SourceError;
use crate::source::sql::Dialect;
use crate::source::sql::SqlSource;

const POOL_OF_EIGHT: &str =
    "name = 'test'\npool = 8\nacquire_timeout = '20s'\n[[record]]\ntype = 'test.v1.Item'\n";

impl Fixture {
    /// The same table, read at another place.
    fn at(self, url: &str, toml: &str) -> Self {
        let source = SqlSource::open(settings(toml), url).unwrap();
        Self {
            bindings: source.bind(&registry()).unwrap(),
            source,
            ..self
        }
    }

    /// Opens as many connections as the pool has places, and leaves all of them idle.
    async fn warm(&self) {
        let (schema, fields) = (self.schema(), self.schema().leaves());
        let paths = paths(&fields);
        let ask = everything(&paths);
        let reading = async || {
            let mut reading = self.bindings.read(schema.name(), &ask).await.unwrap();
            assert!(reading.next().await.unwrap().is_some());
            reading
        };
        let mut all = join_all((0..8).map(|_| reading())).await;
        assert_eq!(all.len(), 8);
        // MySQL's connections stay only where their answers were read to the end.
        if self.dialect == Dialect::MySql {
            for reading in &mut all {
                while reading.next().await.unwrap().is_some() {}
            }
        }
    }

    async fn one(&self) -> Result<usize, SourceError> {
        let one = self.get(&Literal::Text("R7".into())).await;
        one.map(|records| records.len())
    }

    /// Asks twelve look-ups and eight queries at once, and expects every one to be answered.
    async fn all_are_answered(&self) {
        let keys = join_all((0..12).map(|_| self.one()));
        let queries = join_all((0..8).map(|_| self.all()));
        let (keys, queries) = tokio::join!(keys, queries);
        for found in keys {
            assert_eq!(found.unwrap(), 1);
        }
        for found in queries {
            assert_eq!(found.unwrap().len(), 3000);
        }
    }
}

async fn postgres() -> Fixture {
    let fixture = Fixture::postgres().await;
    fixture
        .run("INSERT INTO item (id, name) SELECT 'R' || n, repeat('x', 200) FROM generate_series(1, 3000) n")
        .await;
    let url = fixture.server.url.clone();
    fixture.at(&url, POOL_OF_EIGHT)
}

async fn mysql() -> Fixture {
    let fixture = Fixture::mysql().await;
    fixture
        .run("INSERT INTO item (id, name) SELECT CONCAT('R', seq), REPEAT('x', 200) FROM seq_1_to_3000")
        .await;
    let url = fixture.server.url.clone();
    fixture.at(&url, POOL_OF_EIGHT)
}

#[tokio::test]
async fn no_question_fails_for_connections_that_postgresql_has_closed() {
    let mut fixture = postgres().await;
    fixture.warm().await;
    fixture.server.restart();
    fixture.all_are_answered().await;
}

#[tokio::test]
async fn no_question_fails_for_connections_that_mysql_has_closed() {
    let fixture = mysql().await;
    fixture.warm().await;
    fixture.server.kill_mysql_clients();
    fixture.all_are_answered().await;
}

/// Eight connections fall silent; eight look-ups, one after the other, take how long?
async fn eight_after_silence(fixture: &Fixture, relay: &Relay) -> Duration {
    relay.fall_silent();
    let began = Instant::now();
    for _ in 0..8 {
        assert_eq!(fixture.one().await.unwrap(), 1);
    }
    began.elapsed()
}

#[tokio::test]
async fn connections_that_fell_silent_cost_postgresql_readers_one_short_wait() {
    let fixture = postgres().await;
    let folder = fixture.server.folder().to_owned();
    let (from, to) = (folder.join(".s.PGSQL.77"), folder.join(".s.PGSQL.5432"));
    let relay = Relay::between(&from, &to, Manner::Plain);
    let url = format!(
        "postgres://postgres@h:77/postgres?host={}",
        folder.display()
    );
    let fixture = fixture.at(&url, POOL_OF_EIGHT);
    fixture.warm().await;
    let took = eight_after_silence(&fixture, &relay).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn connections_that_fell_silent_cost_mysql_readers_one_short_wait() {
    let fixture = mysql().await;
    let folder = fixture.server.folder().to_owned();
    let relay = Relay::between(&folder.join("relay"), &folder.join("socket"), Manner::Plain);
    let url = format!("mysql://root@h/registry?socket={}/relay", folder.display());
    let fixture = fixture.at(&url, POOL_OF_EIGHT);
    fixture.warm().await;
    // One that was used within the last second is not asked whether it is still there.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let took = eight_after_silence(&fixture, &relay).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn a_column_of_another_type_than_when_its_statement_was_prepared_is_read_anew() {
    let fixture = postgres().await;
    for _ in 0..2 {
        assert_eq!(fixture.one().await.unwrap(), 1);
    }
    fixture
        .run("ALTER TABLE item ALTER COLUMN small TYPE int8")
        .await;
    for _ in 0..3 {
        assert_eq!(fixture.one().await.unwrap(), 1);
    }
    // Of a type that the field is not read by: no data, and nothing taken for it.
    fixture
        .run("ALTER TABLE item ALTER COLUMN small TYPE float8")
        .await;
    for _ in 0..2 {
        let error = fixture.one().await.unwrap_err();
        let text = chain(&error);
        assert!(
            text.contains("with other columns than were asked for"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_address_file_that_changes_is_followed_without_a_restart() {
    let fixture = postgres().await;
    let folder = fixture.server.folder().to_owned();
    fixture
        .run("CREATE ROLE reader LOGIN PASSWORD 'first'; GRANT SELECT ON item TO reader")
        .await;
    let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
    fs::write(folder.join("data/pg_hba.conf"), rules).unwrap();
    fixture.run("SELECT pg_reload_conf()").await;
    let url = |password: &str| {
        format!(
            "\u{feff}postgres://reader:{password}@h/postgres?host={}\n",
            folder.display()
        )
    };
    let file = folder.join("address");
    let toml = format!("url_file = '{}'\n{POOL_OF_EIGHT}", file.display());
    fs::write(&file, url("first")).unwrap();
    let fixture = fixture.at(url("first").trim_matches(['\u{feff}', '\n']), &toml);
    let refused = |error: &SourceError| chain(error).contains("28P01");
    // The server takes up its rules when it likes.
    let wrong = url("wrong");
    while PgConnection::connect(wrong.trim_matches(['\u{feff}', '\n']))
        .await
        .is_ok()
    {}
    assert_eq!(fixture.one().await.unwrap(), 1);

    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'";
    fixture.run("ALTER ROLE reader PASSWORD 'second'").await;
    fixture.run(cut).await;
    let error = fixture.one().await.unwrap_err();
    assert!(refused(&error), "{}", chain(&error));
    fs::write(&file, url("second")).unwrap();
    assert_eq!(fixture.one().await.unwrap(), 1);
}

#[tokio::test]
async fn a_port_that_is_shut_is_named_at_once() {
    for (url, place) in [
        ("postgres://a@127.0.0.1:1/x", "127.0.0.1:1"),
        ("mysql://a@127.0.0.1:1/x", "127.0.0.1:1"),
        ("postgres://a@[::1]:1/x", "[::1]:1"),
        ("mysql://a@[::1]:1/x", "[::1]:1"),
    ] {
        let began = Instant::now();
        let source = SqlSource::open(settings(SETTINGS), url).unwrap();
        let error = source.bind(&registry()).unwrap().check().await.unwrap_err();
        let text = chain(&error);
        let told = format!("no connection to {place}: Connection refused");
        assert!(text.contains(&told), "{text}");
        assert!(began.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_server_is_reached_at_an_ipv6_address() {
    let fixture = postgres().await;
    let socket = fixture.server.folder().join(".s.PGSQL.5432");
    let (_relay, port) = Relay::from_ipv6(&socket).await;
    let url = format!("postgres://postgres@[::1]:{port}/postgres?sslmode=disable");
    let fixture = fixture.at(&url, POOL_OF_EIGHT);
    assert_eq!(fixture.one().await.unwrap(), 1);
    fixture.server.run::<Postgres>("SELECT 1").await;
}

/// Whether the table can be read at the place, or why not.
async fn reached(url: &str) -> Result<(), String> {
    let source = SqlSource::open(settings(SETTINGS), url).unwrap();
    let checked = source.bind(&registry()).unwrap().check().await;
    checked
        .map(|faults| assert_eq!(faults, []))
        .map_err(|error| chain(&error))
}

#[tokio::test]
async fn a_postgresql_server_is_known_by_its_certificate_as_far_as_the_url_demands() {
    let mut fixture = postgres().await;
    let port = fixture.server.serve_over_tls(3);
    let ca = fixture.server.folder().join("ca.pem");
    let at = |host: &str, options: &str| {
        let options = options.replace("CA", &ca.display().to_string());
        format!("postgres://postgres@{host}:{port}/postgres?{options}")
    };
    for (host, options) in [
        ("localhost", "sslmode=verify-full&sslrootcert=CA"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=CA"),
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", "sslmode=disable"),
        ("127.0.0.1", ""),
    ] {
        assert_eq!(
            reached(&at(host, options)).await,
            Ok(()),
            "{host} {options}"
        );
    }
    for (host, options) in [
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=CA"),
        ("localhost", "sslmode=verify-full"),
        ("localhost", "sslmode=verify-ca"),
    ] {
        let told = reached(&at(host, options)).await.unwrap_err();
        let expected = format!("no TLS with {host}:{port}");
        assert!(told.contains(&expected), "{told}");
    }
}

#[tokio::test]
async fn a_server_certificate_of_version_1_is_told_with_the_way_out() {
    let mut fixture = postgres().await;
    let port = fixture.server.serve_over_tls(1);
    let ca = fixture.server.folder().join("ca.pem");
    for options in ["sslmode=require", "sslmode=verify-full&sslrootcert="] {
        let options = options.replace("sslrootcert=", &format!("sslrootcert={}", ca.display()));
        let url = format!("postgres://postgres@localhost:{port}/postgres?{options}");
        let told = reached(&url).await.unwrap_err();
        assert!(told.contains("X.509 version 1"), "{told}");
        assert!(told.contains("subjectAltName"), "{told}");
    }
}

#[tokio::test]
async fn a_character_that_the_database_cannot_hold_matches_nothing() {
    let fixture = Fixture::postgres().await;
    fixture
        .run("CREATE DATABASE gb ENCODING 'EUC_CN' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        .await;
    let folder = fixture.server.folder().to_owned();
    let url = format!("postgres://postgres@localhost/gb?host={}", folder.display());
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|name| format!("\"{name}\" {}", postgres_type(name)))
        .collect();
    let create = format!("CREATE TABLE item ({})", columns.join(", "));
    let create = create.replace("item_kind", "text");
    Server::run_at::<Postgres>(&url, create).await;
    let insert = "INSERT INTO item (id, name) VALUES ('1', '王'), ('2', '李')";
    Server::run_at::<Postgres>(&url, insert).await;
    let fixture = fixture.at(&url, SETTINGS);
    // Of a later standard than GB 2312.
    let none = fixture.get(&Literal::Text("𠮷".into())).await.unwrap();
    assert!(none.is_empty());
    let one = fixture
        .narrowed(&fixture.filter("name == '王'"))
        .await
        .unwrap();
    assert_eq!(one.len(), 1);
    for (filter, passing) in [("name == '𠮷'", 0), ("name == '𠮷' || name == '王'", 1)] {
        let filter = fixture.filter(filter);
        let found = fixture.narrowed(&filter).await.unwrap();
        let passes = |record: &&bytes::Bytes| filter.matches(record).unwrap();
        assert_eq!(found.iter().filter(passes).count(), passing);
    }
}
