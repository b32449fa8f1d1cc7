//! Where a provider's records come from: each kind of database, end to end; and what is said when one cannot answer.

mod service;

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;

use sqlx::MySql;
use sqlx::Postgres;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::asked::RESIDENT;
use crate::harness::client::broken;
use crate::harness::client::header;
use crate::harness::records;
use crate::harness::records::Resident;
use crate::harness::server::Server;

const POSTGRES: &str = "
CREATE TABLE residents (
    resident_id text PRIMARY KEY, full_name varchar(100) NOT NULL, national_id char(18) NOT NULL, gender text NOT NULL,
    birth_date date NOT NULL, ethnic_group text NOT NULL, status text NOT NULL, address jsonb NOT NULL,
    household_id text NOT NULL, former_names text[] NOT NULL, phone text, height_cm int, registered_at timestamptz NOT NULL,
    attributes jsonb NOT NULL
);
INSERT INTO residents SELECT
    'R' || lpad(n::text, 10, '0'), '王' || n, '990101' || lpad(n::text, 11, '0') || 'X', 'GENDER_MALE',
    make_date(1950 + n % 50, 3, 1 + n % 28), 'HA', CASE WHEN n % 5 = 0 THEN 'STATUS_MOVED' ELSE 'STATUS_ACTIVE' END,
    jsonb_build_object('district', CASE WHEN n % 2 = 1 THEN 'Nanming' ELSE 'Yunyan' END, 'postalCode', '550002'),
    '', '{}', NULL, 150 + n % 40, '2020-01-01T00:00:00Z', '{}'
FROM generate_series(1, 100) n;";

const MARIADB: &str = "
CREATE TABLE residents (
    resident_id varchar(20) PRIMARY KEY, full_name varchar(100) NOT NULL, national_id char(18) NOT NULL,
    gender varchar(20) NOT NULL, birth_date date NOT NULL, ethnic_group varchar(4) NOT NULL,
    status enum('STATUS_ACTIVE', 'STATUS_MOVED') NOT NULL, address json NOT NULL, household_id varchar(20) NOT NULL,
    former_names json NOT NULL, phone varchar(20), height_cm smallint unsigned, registered_at timestamp NOT NULL,
    attributes json NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT INTO residents SELECT
    concat('R', lpad(seq, 10, '0')), concat('王', seq), concat('990101', lpad(seq, 11, '0'), 'X'), 'GENDER_MALE',
    concat(1950 + seq % 50, '-03-', lpad(1 + seq % 28, 2, '0')), 'HA', if(seq % 5, 'STATUS_ACTIVE', 'STATUS_MOVED'),
    json_object('district', if(seq % 2, 'Nanming', 'Yunyan'), 'postalCode', '550002'),
    '', '[]', NULL, 150 + seq % 40, '2020-01-01 00:00:00', '{}'
FROM seq_1_to_100;";

impl World {
    /// Lets civil read its residents, and nothing else, from a database.
    fn read_residents_from(&self, url: &str) {
        self.replace_sources(&format!(
            "[[source]]\nname = \"population\"\nurl = \"{url}\"\n\n\
             [[source.record]]\ntype = \"civil.v1.Resident\"\ntable = \"residents\"\n"
        ));
    }

    /// Lets civil fetch its residents, and nothing else, from a service.
    fn fetch_residents_from(&self, url: &str) {
        self.replace_sources(&format!(
            "[[service]]\nname = \"population\"\nurl = \"{url}\"\nrecords = [\"civil.v1.Resident\"]\n"
        ));
    }

    fn replace_sources(&self, sources: &str) {
        let settings = self.federation.settings("civil");
        let text = fs::read_to_string(&settings).unwrap();
        let (kept, _) = text.split_once("[[source]]").unwrap();
        fs::write(&settings, format!("{kept}{sources}")).unwrap();
    }
}

/// Asks in every mode, and expects what the records' rule says.
async fn all_modes_answer(world: &World) {
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let get = system.ask(&Asked::get(&Resident(7).key())).await.unwrap();
    assert_eq!(
        world.decode(RESIDENT, &get.records[0]),
        Resident(7).released()
    );

    let expected: Vec<_> = Resident::shared(100)
        .map(|resident| resident.released())
        .collect();
    let (mut got, mut cursor) = (Vec::new(), bytes::Bytes::new());
    loop {
        let page = system
            .ask(&Asked::query("").limit(15).after(&cursor))
            .await
            .unwrap();
        got.extend(
            page.records
                .iter()
                .map(|record| world.decode(RESIDENT, record)),
        );
        cursor = page.trailer.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(got, expected);

    let filter = "full_name.startsWith(\"王1\") && resident_id < \"R0000000050\"";
    let some = Resident::shared(49).filter(|resident| resident.name().starts_with("王1"));
    assert_eq!(
        system
            .ask(&Asked::query(filter))
            .await
            .unwrap()
            .records
            .len(),
        some.count()
    );
    let injected = Asked::query("full_name == \"'; DROP TABLE residents; -- \\\\\"");
    assert!(system.ask(&injected).await.unwrap().records.is_empty());

    let claims = [
        ("national_id", Resident(7).national_id()),
        ("full_name", "王8".to_owned()),
    ];
    let claims: Vec<_> = claims
        .iter()
        .map(|(field, text)| (*field, text.as_str()))
        .collect();
    let verdicts = system
        .ask(&Asked::verify(&Resident(7).key(), &claims))
        .await
        .unwrap()
        .verdicts;
    assert_eq!(
        verdicts
            .iter()
            .map(|verdict| verdict.outcome)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let count = system.ask(&Asked::count("")).await.unwrap().count;
    assert_eq!(count.count, expected.len() as u64);
    world.journal("tax").verified();
    world.journal("civil").verified();
}

#[tokio::test]
async fn residents_come_from_postgresql() {
    let (world, server) = (World::new().await, Server::postgres());
    server.run::<Postgres>(POSTGRES).await;
    world.read_residents_from(&server.url);
    all_modes_answer(&world).await;
}

#[tokio::test]
async fn residents_come_through_a_transaction_pooler() {
    let (world, server) = (World::new().await, Server::postgres());
    server.run::<Postgres>(POSTGRES).await;
    let pooler = server.behind_pgbouncer("transaction");
    world.read_residents_from(&pooler.url);
    all_modes_answer(&world).await;
}

#[tokio::test]
async fn residents_come_from_mariadb() {
    let (world, server) = (World::new().await, Server::mariadb());
    server.run::<MySql>(MARIADB).await;
    world.read_residents_from(&server.url);
    all_modes_answer(&world).await;
}

/// What `landbridge check` says of civil's settings, once everything has been asked.
fn told_by_check(world: &World) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args(["check", "--config"])
        .arg(world.federation.settings("civil"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn options_of_a_url_that_change_what_is_read_are_told_by_the_check() {
    let world = World::new().await;
    for (url, option) in [
        ("mysql://a:secret@db/x?timezone=%2B08:00", "timezone"),
        (
            "postgres://a:secret@db/x?options=-c%20search_path%3Dold",
            "options",
        ),
        ("sqlite:../var/civil/civil.sqlite?immutable=1", "immutable"),
    ] {
        world.read_residents_from(url);
        let told = told_by_check(&world);
        let expected = format!(
            "error: {}: source[population].url: the URL's option `{option}` may change what is read",
            world.federation.settings("civil").display()
        );
        assert!(told.starts_with(&expected), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn a_pooler_that_keeps_no_transaction_is_told_by_the_check() {
    let (world, server) = (World::new().await, Server::postgres());
    server.run::<Postgres>(POSTGRES).await;
    let pooler = server.behind_pgbouncer("statement");
    world.read_residents_from(&pooler.url);
    let told = told_by_check(&world);
    assert!(
        told.contains("must keep a transaction on one connection"),
        "{told}"
    );
}

#[tokio::test]
async fn a_database_that_is_away_is_told_as_such_and_nothing_more() {
    let (world, server) = (World::new().await, Server::postgres());
    server.run::<Postgres>(POSTGRES).await;
    world.read_residents_from(&server.url);
    let _gateways = world.pair().await;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    system.ask(&asked).await.unwrap();

    drop(server);
    let refused = system.ask(&asked.case("AWAY")).await.err().unwrap();
    assert!(
        refused.is(Code::Unavailable, "SOURCE_UNAVAILABLE"),
        "{refused:?}"
    );
    assert_eq!(
        refused.message,
        "the provider's records cannot be reached now"
    );
    for department in ["tax", "civil"] {
        let entries = world.journal(department).of_case("AWAY");
        assert_eq!(
            entries
                .iter()
                .map(|entry| entry.reason())
                .collect::<Vec<_>>(),
            ["SOURCE_UNAVAILABLE"]
        );
    }
}

#[tokio::test]
async fn a_database_that_is_restarted_in_the_midst_of_a_stream_ends_it_and_is_found_again() {
    let (world, mut server) = (World::new().await, Server::postgres());
    server.run::<Postgres>(POSTGRES).await;
    // More than all the buffers between.
    let large = "UPDATE residents SET former_names = ARRAY[repeat('x', 200000)]";
    server.run::<Postgres>(large).await;
    world.read_residents_from(&server.url);
    let _civil = world.start("civil").await;
    let counter = world.system("civil", "counter");
    let asked = Asked::query("").purpose("counter-service").case("CUT");
    let mut stream = counter.open(&asked).await.unwrap();
    header(&mut stream).await.unwrap();
    server.restart();
    let refused = broken(stream).await;
    assert!(
        ["SOURCE_UNAVAILABLE", "SOURCE_FAILED"].contains(&refused.reason.as_str()),
        "{refused:?}"
    );
    let entries = world.journal("civil").of_case("CUT");
    let exchange = entries[0].leaf.exchange.unwrap();
    let end = world.journal("civil").end_of(exchange).await;
    assert_eq!(end.reason, refused.reason);
    assert!(end.records < 100, "{} records", end.records);
    // The next question finds it again, on connections that are new.
    let asked = Asked::get(&Resident(7).key()).purpose("counter-service");
    let begun = std::time::Instant::now();
    while let Err(refused) = counter.ask(&asked).await {
        assert!(refused.reason.starts_with("SOURCE_"), "{refused:?}");
        assert!(begun.elapsed() < crate::harness::PATIENCE, "{refused:?}");
    }
    world.journal("civil").verified();
}

#[tokio::test]
async fn a_row_that_does_not_fit_its_schema_is_the_providers_error_and_is_not_passed_on() {
    let world = World::new().await;
    let broken = "UPDATE residents SET full_name = x'ff' WHERE resident_id = 'R0000000007'";
    records::run(&world.path("var/civil/civil.sqlite"), broken).await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    for asked in [Asked::get(&Resident(7).key()), Asked::query("")] {
        let refused = system.ask(&asked).await.err().unwrap();
        assert!(refused.is(Code::Internal, "SOURCE_MISFIT"), "{refused:?}");
        assert_eq!(
            refused.message,
            "a record of the provider does not fit its schema"
        );
    }
    system.ask(&Asked::get(&Resident(9).key())).await.unwrap();
}

/// A `landbridge` verb with civil's settings: how it ends, and what it prints to either end.
fn landbridge(world: &World, verb: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args(verb)
        .arg("--config")
        .arg(world.federation.settings("civil"))
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

/// Residents in a table without a primary key, R0000000007 three times.
async fn residents_without_a_key(world: &World) -> Server {
    let server = Server::postgres();
    let table = POSTGRES.replace("resident_id text PRIMARY KEY", "resident_id text");
    server.run::<Postgres>(table).await;
    let again = "INSERT INTO residents SELECT r.* FROM residents r, generate_series(1, 2) WHERE resident_id = 'R0000000007'";
    server.run::<Postgres>(again).await;
    world.read_residents_from(&server.url);
    server
}

#[tokio::test]
async fn a_table_whose_key_nothing_keeps_unique_is_refused_until_its_owner_declares_it() {
    let world = World::new().await;
    let _server = residents_without_a_key(&world).await;
    let (exit, told) = landbridge(&world, &["check"]);
    assert_eq!(exit, Some(64), "{told}");
    assert!(
        told.contains("nothing keeps the key `resident_id` unique in table `residents`"),
        "{told}"
    );

    let settings = world.federation.settings("civil");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}unique = \"declared\"\n")).unwrap();
    let (exit, told) = landbridge(&world, &["check"]);
    assert_eq!(exit, Some(0), "{told}");
    let (exit, told) = landbridge(&world, &["source", "check"]);
    assert_eq!(exit, Some(1), "{told}");
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "civil.v1.Resident: 2 of 102 rows do not fit: `resident_id` is the key of several rows",
            "    R0000000007, R0000000007",
            "civil.v1.Resident: 102 rows of `population`; 2 are not as the registry demands",
        ]
    );

    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let asked = Asked::get(&Resident(7).key());
    let refused = system.ask(&asked).await.err().unwrap();
    assert!(refused.is(Code::Internal, "SOURCE_MISFIT"), "{refused:?}");
    for limit in [1, 2, 3, 4, 100] {
        let (mut cursor, mut records) = (bytes::Bytes::new(), 0);
        let refused = loop {
            let page = Asked::query("").limit(limit).after(&cursor);
            match system.ask(&page).await {
                Ok(page) => {
                    records += page.records.len();
                    cursor = page.trailer.next_cursor;
                    assert!(!cursor.is_empty(), "{limit}: an end after {records}");
                }
                Err(refused) => break refused,
            }
        };
        assert!(refused.is(Code::Internal, "SOURCE_MISFIT"), "{refused:?}");
        // 1 and 3 come before 7; 5 has moved.
        assert!(records <= 3, "{limit}: {records}");
    }
}

/// Residents of whom the database keeps as a number what the schema calls a text.
async fn residents_with_a_number_for_a_name(world: &World) -> Server {
    let server = Server::postgres();
    let table = POSTGRES
        .replace(
            "full_name varchar(100) NOT NULL",
            "full_name numeric NOT NULL",
        )
        .replace("'王' || n", "n");
    server.run::<Postgres>(table).await;
    world.read_residents_from(&server.url);
    server
}

#[tokio::test]
async fn a_number_that_is_shared_as_a_text_has_no_order_unless_its_schema_says_so() {
    let world = World::new().await;
    let _server = residents_with_a_number_for_a_name(&world).await;
    let (exit, told) = landbridge(&world, &["check"]);
    assert_eq!(exit, Some(0), "{told}");
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    for asked in [
        Asked::query("full_name > \"5\""),
        Asked::query("!(full_name <= \"5\")"),
        Asked::query("").order("full_name"),
    ] {
        let refused = system.ask(&asked).await.err().unwrap();
        assert!(
            refused.is(Code::InvalidArgument, "FIELD_UNORDERED"),
            "{refused:?}"
        );
        assert_eq!(
            refused.message,
            "`full_name` has no order in the provider's database as its values have: ask for `==` or `in`; where it is a text that holds a decimal number, its schema may say so (`format: TEXT_FORMAT_DECIMAL`)"
        );
    }
    let same = system
        .ask(&Asked::query("full_name == \"7\""))
        .await
        .unwrap();
    assert_eq!(same.records.len(), 1);

    // A row rule that asks for it is refused before it is in force.
    let agreement = world.path("config/agreements/CIV-TAX-2026-01.toml");
    let text = fs::read_to_string(&agreement).unwrap();
    let (before, rows) = text.split_once("rows").unwrap();
    let (_, after) = rows.split_once('\n').unwrap();
    let text = format!("{before}rows = 'full_name > \"5\"'\n{after}");
    fs::write(&agreement, text).unwrap();
    let (exit, told) = landbridge(&world, &["check"]);
    assert_eq!(exit, Some(64), "{told}");
    assert!(
        told.contains("CIV-TAX-2026-01.toml") && told.contains("`full_name` has no order"),
        "{told}"
    );
}

#[tokio::test]
async fn a_source_check_goes_on_behind_rows_that_do_not_fit_and_names_their_keys() {
    let world = World::with_residents(5000).await;
    let database = world.path("var/civil/civil.sqlite");
    for broken in [
        "UPDATE residents SET full_name = x'ff' WHERE CAST(substr(resident_id, 2) AS INTEGER) % 100 = 7",
        "UPDATE residents SET status = 'STATUS_UNHEARD_OF' WHERE resident_id = 'R0000000001'",
        "UPDATE residents SET resident_id = NULL WHERE resident_id = 'R0000000002'",
        "UPDATE residents SET resident_id = '' WHERE resident_id = 'R0000000003'",
    ] {
        records::run(&database, broken).await;
    }
    let arguments = ["source", "check", "--record", "civil.v1.Resident"];
    let (exit, told) = landbridge(&world, &arguments);
    assert_eq!(exit, Some(1), "{told}");
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "civil.v1.Resident: 50 of 5,000 rows do not fit: `full_name` is not text",
            "    R0000000007, R0000000107, R0000000207, R0000000307, R0000000407, R0000000507, R0000000607, R0000000707, R0000000807, R0000000907, and 40 more",
            "civil.v1.Resident: 1 of 5,000 rows do not fit: `resident_id` is NULL, and it is the key",
            "civil.v1.Resident: 1 of 5,000 rows do not fit: `resident_id` is empty, and it is the key",
            "civil.v1.Resident: 1 of 5,000 rows do not fit: `status` is not the name of a value of its enum",
            "    R0000000001",
            "civil.v1.Resident: 5,000 rows of `population`; 53 are not as the registry demands",
        ]
    );
    let (exit, told) = landbridge(&world, &[&arguments[..], &["--json"]].concat());
    assert_eq!(exit, Some(1));
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&report["rows"], &report["failing"]),
        (&5000.into(), &53.into())
    );
    assert_eq!(report["misfits"][0]["rows"], 50);
    assert_eq!(report["misfits"][0]["keys"][1], "R0000000107");
    assert_eq!(report["misfits"][3]["field"], "status");
    assert_eq!(report.get("ended"), None);

    // What cannot be read at all is no success either.
    records::run(&database, "ALTER TABLE households RENAME TO homes").await;
    let (exit, told) = landbridge(
        &world,
        &["source", "check", "--record", "civil.v1.Household"],
    );
    assert_eq!(exit, Some(1), "{told}");
    assert!(
        told.starts_with("civil.v1.Household: not all rows of `population` were read: ")
            && !told.contains("as the registry demands"),
        "{told}"
    );
}

#[tokio::test]
async fn a_source_check_that_is_stopped_says_how_far_it_came() {
    let (world, server) = (World::new().await, Server::postgres());
    server.run::<Postgres>(POSTGRES).await;
    // Two batches, each of which takes longer than a second.
    let slow = "CREATE FUNCTION slow() RETURNS bool AS 'BEGIN PERFORM pg_sleep(0.05); RETURN true; END' LANGUAGE plpgsql; CREATE ROLE reader LOGIN; GRANT SELECT ON residents TO reader; ALTER TABLE residents ENABLE ROW LEVEL SECURITY; CREATE POLICY slow ON residents USING (slow())";
    server.run::<Postgres>(slow).await;
    world.read_residents_from(&server.url.replacen("postgres@", "reader@", 1));
    let settings = world.federation.settings("civil");
    let mut check = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args(["source", "check", "--config"])
        .arg(&settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Progress is told when two seconds have gone.
    let mut told = BufReader::new(check.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("civil.v1.Resident: ") && line.ends_with(" rows so far\n"),
        "{line}"
    );
    let pid = check.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let output = check.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.starts_with(
            "civil.v1.Resident: not all rows of `population` were read: stopped by Ctrl-C; of "
        ) && told.ends_with(" that were, none was found amiss\n"),
        "{told}"
    );
}

#[tokio::test]
async fn a_record_type_without_a_source_is_told_as_such() {
    let world = World::new().await;
    world.read_residents_from("sqlite:../var/civil/civil.sqlite");
    let _civil = world.start("civil").await;
    let asked = Asked::get("H1")
        .record_type("civil.v1.Household")
        .purpose("counter-service");
    let refused = world
        .system("civil", "counter")
        .ask(&asked)
        .await
        .err()
        .unwrap();
    assert!(refused.is(Code::Unavailable, "NO_SOURCE"), "{refused:?}");
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_as_such_and_found_again_when_it_is_back() {
    let world = World::new().await;
    let _tax = world.start("tax").await;
    let (system, asked) = (
        world.system("tax", "assessment"),
        Asked::get(&Resident(7).key()),
    );
    let refused = system.ask(&asked.clone().case("AWAY")).await.err().unwrap();
    assert!(
        refused.is(Code::Unavailable, "PEER_UNREACHABLE"),
        "{refused:?}"
    );
    assert_eq!(world.journal("tax").of_case("AWAY").len(), 1);

    let civil = world.start("civil").await;
    system.ask(&asked).await.unwrap();
    civil.kill();
    system.ask(&asked).await.err().unwrap();
    let _civil = world.start("civil").await;
    system.ask(&asked).await.unwrap();
}
