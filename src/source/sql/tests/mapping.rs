//! What is told of a mapping that does not fit.

use super::fixture::Fixture;
use super::fixture::registry;
use super::fixture::settings;
use crate::fault::Fault;
use crate::source::SourceError;
use crate::source::sql::SqlSource;

#[tokio::test]
async fn every_fault_of_a_mapping_is_told_with_its_hint() {
    let fixture = Fixture::postgres().await;
    fixture
        .run("CREATE TABLE odd (id int4, nane text, nickname text, small text, big int8, count int4, delta int8, active bool, checked bool, ratio float8, weight numeric, data bytea, kind text, kind_number int4, born text, amount text, at timestamp, place text, tags text[], notes json, maybe_kind text)")
        .await;
    let told = fixture
        .faults_of("name = 'test'\n[[record]]\ntype = 'test.v1.Item'\ntable = 'public.odd'\nabsent = ['other']\n")
        .await;
    assert_eq!(
        told,
        [
            "column `id` of table `public.odd` is integer, which cannot fill the string field `id`: map another column under `columns`, or cast it in a view",
            "table `public.odd` has no column `name` for the field `name`; did you mean `nane`? Name its column under `columns`, or list the field under `absent`",
            "column `small` of table `public.odd` is text, which cannot fill the int32 field `small`: map another column under `columns`, or cast it in a view",
            "column `ratio` of table `public.odd` is double precision, which cannot fill the float field `ratio`: the field would lose digits: make it a double, or cast the column to a `real` in a view",
            "column `weight` of table `public.odd` is numeric, which cannot fill the double field `weight`: a float would lose digits: make the field a string, or cast it in a view",
            "column `at` of table `public.odd` is timestamp without time zone, which cannot fill the google.protobuf.Timestamp field `at`: it does not say in which zone: make the column one with a time zone, or give it its zone in a view",
        ]
    );
    let told = fixture
        .faults_of("name = 'test'\n[[record]]\ntype = 'test.v1.Item'\ntable = 'items'\n")
        .await;
    assert_eq!(
        told,
        [
            "there is no table `items`, or the gateway's role may read none of its columns; name it under `table`, or grant SELECT on it"
        ]
    );
}

#[tokio::test]
async fn names_that_are_no_fields_are_told_without_asking_the_database() {
    let toml = "name = 'test'\n[[record]]\ntype = 'test.v1.Item'\ncolumns = { nme = 'x', 'place.city' = 'town' }\nabsent = ['placee']\n[[record]]\ntype = 'test.v1.Itm'\n";
    let source = SqlSource::open(settings(toml), "sqlite:/nowhere/at/all.sqlite").unwrap();
    let faults = source.bind(&registry()).unwrap_err();
    let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        told,
        [
            ": source[test].record[0].columns: unknown field `nme` in test.v1.Item; did you mean `name`?",
            ": source[test].record[0].absent: unknown field `placee` in test.v1.Item; did you mean `place`?",
            ": source[test].record[1].type: unknown record type `test.v1.Itm`; did you mean `test.v1.Item`?",
        ]
    );
}

#[tokio::test]
async fn a_database_that_is_down_is_no_fault_and_is_asked_again() {
    let fixture = Fixture::sqlite().await;
    let path = fixture
        .server
        .url
        .strip_prefix("sqlite:")
        .unwrap()
        .to_owned();
    let away = format!("{path}.away");
    std::fs::rename(&path, &away).unwrap();
    let unreachable = fixture.bindings.check().await;
    let Err(SourceError::Unavailable(cause)) = unreachable else {
        panic!("{unreachable:?}");
    };
    let told = cause.to_string();
    // SQLite says the same of a file in WAL mode beside which nothing can be written.
    assert!(
        told.contains("beside one in WAL mode the gateway must be able to write"),
        "{told}"
    );
    std::fs::rename(&away, &path).unwrap();
    assert_eq!(fixture.bindings.check().await.unwrap(), []);
}

#[tokio::test]
async fn identifiers_hold_no_sql() {
    let refused = toml::from_str::<crate::source::sql::settings::SqlSettings>(
        "name = 'test'\n[[record]]\ntype = 'test.v1.Item'\ntable = 'item; DROP TABLE item'\n",
    )
    .unwrap_err();
    assert_eq!(
        refused.message(),
        "a table or column is named by letters of any script, digits and `_`, not beginning with a digit, in at most 63 bytes"
    );
    let refused =
        SqlSource::open(settings("name = 'test'"), "postgres://user:secret@:x/").unwrap_err();
    assert!(!refused.to_string().contains("secret"));
}

#[tokio::test]
async fn labels_that_the_schema_lacks_are_told() {
    for (fixture, change, labels) in [
        (
            Fixture::postgres().await,
            "ALTER TYPE item_kind ADD VALUE 'KIND_C'; ALTER TYPE item_kind ADD VALUE '其他'",
            "`KIND_C`, `其他`",
        ),
        (
            Fixture::mysql().await,
            "ALTER TABLE item MODIFY maybe_kind enum('KIND_B','its','it''s','a'',''b','其他')",
            "`its`, `it's`, `a','b`, `其他`",
        ),
    ] {
        fixture.run(change).await;
        assert_eq!(fixture.bindings.check().await.unwrap(), []);
        let warnings = fixture.bindings.warnings();
        let told: Vec<_> = warnings.into_iter().map(|fault| fault.message).collect();
        assert_eq!(
            told,
            [format!(
                "column `maybe_kind` of table `item` may hold {labels}, which test.v1.Kind does not have: a record with it cannot be read"
            )]
        );
    }
}

#[tokio::test]
async fn tables_and_columns_may_have_chinese_names() {
    for fixture in [
        Fixture::postgres().await,
        Fixture::mysql().await,
        Fixture::sqlite().await,
    ] {
        fixture
            .run("ALTER TABLE item RENAME TO 居民; ALTER TABLE 居民 RENAME COLUMN name TO 姓名")
            .await;
        fixture
            .run("INSERT INTO 居民 (id, 姓名) VALUES ('1', '王')")
            .await;
        let absent: Vec<_> = (fixture.schema().fields(None).iter())
            .map(|field| field.path().to_string())
            .filter(|path| !["id", "name"].contains(&path.as_str()))
            .collect();
        let toml = format!(
            "name = 'test'\n[[record]]\ntype = 'test.v1.Item'\ntable = '居民'\ncolumns = {{ name = '姓名' }}\nabsent = {absent:?}\n"
        );
        let source = SqlSource::open(settings(&toml), &fixture.server.url).unwrap();
        let bindings = source.bind(&registry()).unwrap();
        assert_eq!(bindings.check().await.unwrap(), []);
        let fixture = Fixture {
            bindings,
            source,
            ..fixture
        };
        let filter = fixture.filter("name == '王'");
        assert_eq!(fixture.narrowed(&filter).await.unwrap().len(), 1);
    }
}
