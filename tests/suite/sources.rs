//! Where a provider's records come from: each kind of database, end to end; and what is said when one cannot answer.

mod service;

use std::fs;

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
async fn residents_come_from_mariadb() {
    let (world, server) = (World::new().await, Server::mariadb());
    server.run::<MySql>(MARIADB).await;
    world.read_residents_from(&server.url);
    all_modes_answer(&world).await;
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
