//! Imports into real files, read back as the gateway reads them.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use prost_reflect::DynamicMessage;
use tempfile::TempDir;

use super::BadRow;
use super::ImportError;
use super::ImportReport;
use super::Importer;
use super::Progress;
use super::PutError;
use super::import;
use crate::registry::Registry;
use crate::registry::schema::RecordSchema;
use crate::source::sql::SqlSource;
use crate::source::sql::settings::Identifier;

struct Office {
    folder: TempDir,
    registry: Registry,
}

impl Office {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            registry: Registry::compile(Path::new("proto/registry")).unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("civil.sqlite")
    }

    fn schema(&self) -> &Arc<RecordSchema> {
        self.registry.record("civil.v1.Resident").unwrap()
    }

    async fn import(
        &self,
        csv: impl AsRef<[u8]>,
        replace: bool,
    ) -> Result<ImportReport, ImportError> {
        import(
            csv.as_ref(),
            self.schema(),
            &self.path(),
            &table(),
            replace,
            |_| {},
        )
        .await
    }

    async fn bad_rows(&self, csv: impl AsRef<[u8]>) -> Vec<(u64, String, String)> {
        match self.import(csv, false).await {
            Err(ImportError::BadRows(rows)) => rows
                .into_iter()
                .map(
                    |BadRow {
                         line,
                         column,
                         expected,
                     }| (line, column, expected),
                )
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    /// What a gateway finds there, as JSON.
    async fn residents(&self) -> Vec<String> {
        let settings = "name = 'office'\n[[record]]\ntype = 'civil.v1.Resident'\n";
        let url = format!("sqlite:{}", self.path().display());
        let source = SqlSource::open(toml::from_str(settings).unwrap(), &url).unwrap();
        let bindings = source.bind(&self.registry).unwrap();
        assert_eq!(bindings.check().await.unwrap(), []);
        let mut scan = bindings.scan(self.schema()).await.unwrap();
        let mut records = Vec::new();
        while let Some(batch) = scan.next().await.unwrap() {
            records.extend(batch);
        }
        records
            .into_iter()
            .map(|record| {
                let of = self.schema().descriptor().clone();
                serde_json::to_string(&DynamicMessage::decode(of, record).unwrap()).unwrap()
            })
            .collect()
    }
}

fn table() -> Identifier {
    "resident".parse().unwrap()
}

const CSV: &str = "\u{feff}resident_id,full_name,gender,birth_date,address.district,address.house,former_names,height_cm,registered_at,attributes\r
R1,\"王, \"\"小\"\"明\",GENDER_MALE,1990-02-28,Nanming,,\"[\"\"王大\"\"]\",172,2026-01-31T08:00:00+08:00,\"{\"\"grid\"\": \"\"7\"\"}\"\r
R2,Zoë,,,,3-1,,,,\r
";

#[tokio::test]
async fn a_file_is_imported_and_read_back() {
    let office = Office::new();
    let mut seen = Vec::new();
    let imported = import(
        CSV.as_bytes(),
        office.schema(),
        &office.path(),
        &table(),
        false,
        |p| seen.push(p),
    )
    .await
    .unwrap();
    assert_eq!(
        imported,
        ImportReport {
            rows: 2,
            removed: 0
        }
    );
    assert_eq!(
        seen,
        [Progress {
            rows: 2,
            bytes: CSV.len() as u64
        }]
    );
    assert_eq!(
        office.residents().await,
        [
            r#"{"residentId":"R1","fullName":"王, \"小\"明","gender":"GENDER_MALE","birthDate":"1990-02-28","address":{"district":"Nanming"},"formerNames":["王大"],"heightCm":172,"registeredAt":"2026-01-31T00:00:00Z","attributes":{"grid":"7"}}"#,
            r#"{"residentId":"R2","fullName":"Zoë","address":{"house":"3-1"}}"#,
        ]
    );
}

#[tokio::test]
async fn every_bad_row_is_told_and_nothing_is_imported() {
    let office = Office::new();
    office
        .import("resident_id,full_name\nR0,old\n", false)
        .await
        .unwrap();
    let csv = b"resident_id,gender,height_cm,registered_at,former_names,attributes\n\
        R1,MALE,tall,today,Anna,\"{\"\"a\"\": 1}\"\n\
        R2,,,,,\n\
        R2,,,,,\n\
        ,,,,,\n\
        R3,,\n\
        R0,,,,,\n\
        R4\xff,,,,,\n";
    let told = office.bad_rows(csv).await;
    let told: Vec<_> = told
        .iter()
        .map(|(l, c, e)| (*l, c.as_str(), e.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                2,
                "gender",
                "one of `GENDER_UNSPECIFIED`, `GENDER_MALE`, `GENDER_FEMALE`"
            ),
            (2, "height_cm", "a whole number from 0 to 4294967295"),
            (
                2,
                "registered_at",
                "a time, such as `2026-01-31T08:00:00+08:00` where it is written as text"
            ),
            (2, "former_names", "the JSON of a repeated string"),
            (2, "attributes", "the JSON of a map<string, string>"),
            (4, "resident_id", "a key that no other record has"),
            (
                5,
                "resident_id",
                "another value: it is empty, and it is the key"
            ),
            (6, "", "6 cells, as the header has"),
            (7, "resident_id", "a key that no other record has"),
            (8, "resident_id", "text in UTF-8"),
        ]
    );
    assert_eq!(
        office.residents().await,
        [r#"{"residentId":"R0","fullName":"old"}"#]
    );
}

#[tokio::test]
async fn a_report_ends_after_a_thousand_bad_rows() {
    let office = Office::new();
    let rows = "R1,tall\n".repeat(5_000);
    let told = office
        .bad_rows(format!("resident_id,height_cm\n{rows}"))
        .await;
    assert_eq!(told.len(), 1_000);
    assert_eq!(told.last().unwrap().0, 1_001);
}

#[tokio::test]
async fn a_bad_header_is_told_whole() {
    let office = Office::new();
    let told = office
        .bad_rows("full_nme,address,address.city,full_name,full_name\n")
        .await;
    let told: Vec<_> = told
        .iter()
        .map(|(l, c, e)| (*l, c.as_str(), e.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                1,
                "full_nme",
                "unknown field `full_nme` in civil.v1.Resident; did you mean `full_name`?"
            ),
            (1, "address.city", "no column beside `address`"),
            (1, "full_name", "no column beside `full_name`"),
        ]
    );
    let told = office.bad_rows("full_name\nZoë\n").await;
    assert_eq!(
        told,
        [(
            1,
            "resident_id".to_owned(),
            "a column for the key".to_owned()
        )]
    );
}

#[tokio::test]
async fn replacing_removes_what_was_there_only_if_all_goes_well() {
    let office = Office::new();
    office.import("resident_id\nR1\nR2\n", false).await.unwrap();
    office.bad_rows("resident_id,height_cm\nR3,tall\n").await;
    let failed = office
        .import("resident_id,height_cm\nR3,tall\n", true)
        .await;
    assert!(matches!(failed, Err(ImportError::BadRows(_))));
    assert_eq!(office.residents().await.len(), 2);
    let imported = office.import("resident_id\nR3\n", true).await.unwrap();
    assert_eq!(
        imported,
        ImportReport {
            rows: 1,
            removed: 2
        }
    );
    assert_eq!(office.residents().await, [r#"{"residentId":"R3"}"#]);
}

#[tokio::test]
async fn a_quotation_mark_without_its_end_does_not_fill_the_memory() {
    let office = Office::new();
    let file = format!("resident_id\n\"{}", "x".repeat(20 << 20));
    match office.import(file, false).await {
        Err(ImportError::Unreadable(error)) => assert_eq!(
            error.to_string(),
            "a row has more than 16 MiB: is a quotation mark not closed?"
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn encoded_records_are_put_and_an_importer_that_is_dropped_leaves_nothing() {
    let office = Office::new();
    let mut importer = Importer::open(&office.path(), office.schema(), &table(), false)
        .await
        .unwrap();
    // resident_id = "R1", phone = "", stated
    importer.put(b"\x0a\x02R1\x5a\x00").await.unwrap();
    // height_cm = 1
    let small = importer.put(b"\x0a\x02R3\x60\x01").await.unwrap_err();
    assert_eq!(
        small.to_string(),
        "`height_cm` is not at least 20 and at most 280 (uint32.gte_lte)"
    );
    let twice = importer.put(b"\x0a\x02R1").await;
    assert!(matches!(twice, Err(PutError::Duplicate)));
    let torn = importer.put(b"\x0a\x09R1").await;
    assert!(matches!(torn, Err(PutError::Malformed(_))));
    assert_eq!(importer.finish().await.unwrap().rows, 1);

    let mut importer = Importer::open(&office.path(), office.schema(), &table(), true)
        .await
        .unwrap();
    importer.put(b"\x0a\x02R2").await.unwrap();
    drop(importer);
    assert_eq!(
        office.residents().await,
        [r#"{"residentId":"R1","phone":""}"#]
    );
}
