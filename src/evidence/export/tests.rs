use crate::digest::sha256;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ::parquet::file::reader::FileReader;
use ::parquet::file::reader::SerializedFileReader;
use ::parquet::record::Field;
use ::parquet::record::Row as Record;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use tempfile::TempDir;

use super::*;
use crate::digest::hex;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::LEAF_BYTES;
use crate::journal::Outcome;
use crate::journal::PeerLeaf;
use crate::journal::StreamEnd;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::ORIGIN;
use crate::journal::testing::Publish;
use crate::journal::testing::exchange;
use crate::journal::testing::exchange_id;
use crate::journal::testing::exchange_of;
use crate::journal::testing::exchange_record;
use crate::journal::testing::open;
use crate::journal::testing::record_of;
use crate::journal::testing::restated;
use crate::journal::testing::temporary;
use crate::journal::testing::vkey;
use crate::journal::tiles::TilePath;
use crate::pb;
use crate::tlog::merkle;

fn tag(byte: u8) -> pb::SubjectTag {
    pb::SubjectTag {
        epoch: 682,
        tag: vec![byte; 16].into(),
    }
}

/// At the consumer, with all that an exchange can have; its officer has an evil name.
fn full(n: u64) -> Entry {
    let record = pb::ExchangeRecord {
        officer: "=HYPERLINK(\"http://evil\")".to_owned(),
        case_reference: "案件 7, \"B\"".to_owned(),
        schema_digest: vec![5; 32].into(),
        policy_revision: vec![6; 32].into(),
        fields: vec!["name".to_owned(), "address.city".to_owned()],
        masked: vec!["name".to_owned()],
        subjects: vec![tag(1), tag(2)],
        question_digest: vec![7; 32].into(),
        response_digest: vec![8; 32].into(),
        records: 1,
        bytes: 120,
        latency_us: 4_200,
        mismatches: 3,
        detail: "-1 + 1".to_owned(),
        peer_origin: "gov.example/tax/1".to_owned(),
        ..exchange_record(n)
    };
    Entry {
        peer: Some(PeerLeaf {
            origin: "gov.example/tax/1".to_owned(),
            index: 77,
            leaf_hash: [9; 32],
        }),
        ..exchange_of(n, record)
    }
}

/// 0 started, 1 an exchange with all, 2 the opening of a stream, 3 denied, 4 the stream's end, then `more` plain ones.
async fn journal(more: u64) -> TempDir {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    let denied = restated(Entry {
        outcome: Outcome::Denied,
        record: record_of(pb::ExchangeRecord {
            reason: "FIELD_NOT_GRANTED".to_owned(),
            ..exchange_record(3)
        }),
        ..exchange(3)
    });
    append(&journal, Entry::lifecycle("started", "0.1.0")).await;
    append(&journal, full(1)).await;
    let opening = restated(Entry {
        outcome: Outcome::None,
        ..exchange(2)
    });
    let exchange_digest = opening.exchange_digest;
    let opened = journal.begin(opening).await.unwrap();
    append(&journal, denied).await;
    opened
        .close(StreamEnd {
            outcome: Outcome::CutShort,
            exchange_digest,
            peer: None,
            record: pb::StreamEndRecord {
                records: 12,
                reason: "CLIENT_GONE".to_owned(),
                ..pb::StreamEndRecord::default()
            },
        })
        .await
        .unwrap();
    for n in 5..5 + more {
        append(&journal, exchange(n)).await;
    }
    journal.close();
    dir
}

async fn append(journal: &Journal, entry: Entry) {
    journal.append(entry).await.unwrap();
}

fn cut_short() -> Selection {
    Selection {
        criteria: Criteria {
            reason: Some("CLIENT_GONE".to_owned()),
            ..Criteria::default()
        },
        ..Selection::default()
    }
}

fn try_export(
    dir: &Path,
    format: Format,
    selection: &Selection,
) -> Result<WrittenExport, ExportError> {
    let export = Export {
        journal: dir,
        trusted: &[vkey()],
        selection,
        format,
        offset: UtcOffset::UTC,
        policy: None,
    };
    write(
        &export,
        &dir.join("out"),
        &mut |_| ControlFlow::Continue(()),
    )
}

fn export(dir: &Path, format: Format, selection: &Selection) -> WrittenExport {
    try_export(dir, format, selection).unwrap()
}

fn text(dir: &Path) -> String {
    fs::read_to_string(dir.join("out")).unwrap()
}

fn lines(dir: &Path) -> Vec<Json> {
    let text = text(dir);
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn parquet_rows(dir: &Path) -> Vec<BTreeMap<String, Field>> {
    let file = fs::File::open(dir.join("out")).unwrap();
    let rows = SerializedFileReader::new(file).unwrap();
    let rows = rows.get_row_iter(None).unwrap();
    let columns = |row: Record| row.into_columns().into_iter().collect();
    rows.map(|row| columns(row.unwrap())).collect()
}

fn str(text: &str) -> Field {
    Field::Str(text.to_owned())
}

fn blob(byte: u8, length: usize) -> Field {
    Field::Bytes(vec![byte; length].into())
}

fn elements(field: &Field) -> &[Field] {
    match field {
        Field::ListInternal(list) => list.elements(),
        other => panic!("{other} is no list"),
    }
}

#[tokio::test]
async fn parquet_has_a_typed_row_for_each_entry() {
    let dir = journal(0).await;
    let written = export(dir.path(), Format::Parquet, &Selection::default());
    let rows = parquet_rows(dir.path());
    assert_eq!((written.entries, rows.len()), (5, 5));

    let stored = Reader::open(dir.path()).entry(1).unwrap().unwrap();
    let hash = Field::Bytes(stored.leaf_hash().to_vec().into());
    let digest = Field::Bytes(full(1).exchange_digest.to_vec().into());
    let id = Field::Bytes(exchange_id(1).bytes().to_vec().into());
    for (name, value) in [
        ("log_index", Field::ULong(1)),
        ("leaf_hash", hash),
        ("time", Field::TimestampMicros(NOON.micros())),
        ("kind", str("exchange")),
        ("role", str("provider")),
        ("outcome", str("answered")),
        ("exchange_id", id),
        ("consumer", str("tax")),
        ("provider", str("civil")),
        ("officer", str("=HYPERLINK(\"http://evil\")")),
        ("case_reference", str("案件 7, \"B\"")),
        ("grant_number", Field::ULong(2)),
        ("policy_revision", blob(6, 32)),
        ("schema_digest", blob(5, 32)),
        ("records", Field::ULong(1)),
        ("latency_us", Field::ULong(4_200)),
        ("mismatches", Field::ULong(3)),
        ("question_digest", blob(7, 32)),
        ("exchange_digest", digest),
        ("peer_origin", str("gov.example/tax/1")),
        ("peer_index", Field::ULong(77)),
        ("peer_leaf_hash", blob(9, 32)),
        ("opened_at", Field::Null),
        ("other", Field::Null),
    ] {
        assert_eq!(rows[1][name], value, "{name}");
    }
    assert_eq!(
        elements(&rows[1]["fields"]),
        [str("name"), str("address.city")]
    );
    assert_eq!(elements(&rows[1]["masked"]), [str("name")]);
    assert_eq!(elements(&rows[1]["subjects"]), [blob(1, 16), blob(2, 16)]);
    assert_eq!(rows[0]["consumer"], Field::Null);
    assert_eq!(
        rows[0]["other"],
        str(r#"{"lifecycle":{"event":"started","version":"0.1.0"}}"#)
    );
    assert_eq!(rows[4]["opened_at"], Field::ULong(2));
    assert_eq!(rows[4]["records"], Field::ULong(12));
    assert_eq!(rows[4]["agreement"], str("CIV-TAX-2026-01"));
}

#[tokio::test]
async fn every_column_of_a_parquet_file_keeps_its_values_over_many_batches() {
    let dir = journal(2_500).await;
    export(dir.path(), Format::Parquet, &Selection::default());
    let rows = parquet_rows(dir.path());
    assert_eq!(rows.len(), 2_505);
    for (index, row) in (0..).zip(&rows).skip(5) {
        assert_eq!(row["log_index"], Field::ULong(index));
        assert_eq!(row["officer"], str(&format!("officer {index}")));
        assert_eq!(row["fields"], Field::Null);
    }
}

#[tokio::test]
async fn a_cell_that_a_spreadsheet_would_run_is_defused() {
    let dir = journal(0).await;
    export(dir.path(), Format::Csv, &Selection::default());
    let mut csv = ::csv::Reader::from_path(dir.path().join("out")).unwrap();
    let names = csv.headers().unwrap().clone();
    let rows: Vec<_> = csv.records().map(|row| row.unwrap()).collect();
    let cell = |row: usize, name: &str| {
        let column = names.iter().position(|found| found == name).unwrap();
        rows[row][column].to_owned()
    };
    assert_eq!(rows.len(), 5);
    assert_eq!(cell(1, "officer"), "'=HYPERLINK(\"http://evil\")");
    assert_eq!(cell(1, "detail"), "'-1 + 1");
    assert_eq!(cell(1, "case_reference"), "案件 7, \"B\"");
    assert_eq!(cell(1, "fields"), "name address.city");
    assert_eq!(cell(1, "time"), "2026-11-23T00:00:00.000000Z");
    assert_eq!(cell(1, "exchange_id"), exchange_id(1).to_string());
    assert_eq!(
        cell(1, "subjects"),
        format!("{} {}", hex(&[1; 16]), hex(&[2; 16]))
    );
    assert_eq!(cell(4, "opened_at"), "2");
}

#[tokio::test]
async fn json_lines_are_those_of_a_search() {
    let dir = journal(0).await;
    export(dir.path(), Format::Jsonl, &Selection::default());
    let lines = lines(dir.path());
    let stored = Reader::open(dir.path()).entry(3).unwrap().unwrap();
    let told = crate::evidence::json::entry(
        3,
        &stored.leaf,
        stored.record().unwrap().as_ref(),
        UtcOffset::UTC,
    );
    assert_eq!(lines[3], told.unwrap());
    assert_eq!(
        lines[3]["record"]["exchange"]["reason"],
        "FIELD_NOT_GRANTED"
    );
}

#[tokio::test]
async fn a_refusal_is_a_failed_api_call_to_a_siem() {
    let dir = journal(0).await;
    export(dir.path(), Format::Ocsf, &Selection::default());
    let events = lines(dir.path());
    let facts = |event: &Json| {
        ["class_uid", "type_uid", "status_id", "severity_id"].map(|name| event[name].as_u64())
    };
    assert_eq!(facts(&events[0]), [6002, 600_203, 1, 1].map(Some));
    assert_eq!(facts(&events[1]), [6003, 600_302, 1, 1].map(Some));
    assert_eq!(facts(&events[2]), [6003, 600_302, 99, 1].map(Some));
    assert_eq!(facts(&events[3]), [6003, 600_302, 2, 2].map(Some));

    let denied = &events[3];
    assert_eq!(denied["time"], NOON.millis());
    assert_eq!(denied["metadata"]["version"], "1.3.0");
    assert_eq!(denied["metadata"]["product"]["name"], "Landbridge");
    assert_eq!(denied["metadata"]["uid"], format!("{ORIGIN}#3"));
    assert_eq!(denied["actor"]["app_name"], "tax/assessment");
    assert_eq!(denied["actor"]["user"]["name"], "officer 3");
    assert_eq!(denied["api"]["operation"], "get");
    assert_eq!(denied["api"]["service"]["name"], "civil.v1.Resident");
    assert_eq!(denied["api"]["response"]["error"], "FIELD_NOT_GRANTED");
    assert_eq!(denied["src_endpoint"]["name"], "tax");
    assert_eq!(denied["dst_endpoint"]["name"], "civil");
    assert_eq!(denied["unmapped"]["index"], 3);
    assert!(!events[1].to_string().contains("\"error\""));
}

#[tokio::test]
async fn a_selection_has_a_stream_with_its_end_and_nothing_else() {
    let dir = journal(3).await;
    let written = export(dir.path(), Format::Jsonl, &cut_short());
    let indexes: Vec<_> = lines(dir.path())
        .iter()
        .map(|line| line["index"].clone())
        .collect();
    assert_eq!(indexes, [2, 4]);
    assert_eq!(written.entries, 2);
    assert_eq!(written.checkpoint.size(), 8);
}

#[tokio::test]
async fn a_range_takes_its_first_entry_and_not_its_last() {
    let dir = journal(3).await;
    let range = |from, to| Selection {
        from,
        to,
        ..Selection::default()
    };
    assert_eq!(
        export(dir.path(), Format::Jsonl, &range(3, Some(6))).entries,
        3
    );
    assert_eq!(lines(dir.path())[0]["index"], 3);
    fs::remove_file(dir.path().join("out")).unwrap();
    let refused = try_export(dir.path(), Format::Jsonl, &range(8, None)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`8` is not before `8`, or is beyond the 8 entries that the checkpoint covers"
    );
}

#[tokio::test]
async fn the_hash_told_is_that_of_the_file() {
    let dir = journal(0).await;
    for format in [Format::Parquet, Format::Csv, Format::Jsonl, Format::Ocsf] {
        let written = export(dir.path(), format, &Selection::default());
        let bytes = fs::read(dir.path().join("out")).unwrap();
        assert_eq!(written.sha256, sha256(&[&bytes]), "{format:?}");
        fs::remove_file(dir.path().join("out")).unwrap();
    }
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_half_written_stays() {
    let dir = journal(0).await;
    fs::write(dir.path().join("out"), "mine").unwrap();
    let refused = try_export(dir.path(), Format::Csv, &Selection::default());
    assert!(
        matches!(refused, Err(ExportError::Exists(_))),
        "{refused:?}"
    );
    assert_eq!(text(dir.path()), "mine");
    fs::remove_file(dir.path().join("out")).unwrap();

    for format in Format::ALL {
        let selection = Selection::default();
        let export = Export {
            journal: dir.path(),
            trusted: &[vkey()],
            selection: &selection,
            format: *format,
            offset: UtcOffset::UTC,
            policy: None,
        };
        let stopped = write(&export, &dir.path().join("out"), &mut |_| {
            ControlFlow::Break(())
        });
        assert!(
            matches!(stopped, Err(ExportError::Interrupted)),
            "{stopped:?}"
        );
    }
    let left = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().starts_with("out"))
        .collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new());
}

/// Changes the bytes of the journal's segments where they stand.
fn tamper(dir: &Path, from: &[u8], to: &[u8]) {
    let segments = fs::read_dir(dir.join("seg")).unwrap();
    for segment in segments.map(|segment| segment.unwrap().path()) {
        let mut bytes = fs::read(&segment).unwrap();
        let place = bytes.windows(from.len()).position(|window| window == from);
        if let Some(place) = place {
            bytes[place..place + from.len()].copy_from_slice(to);
        }
        fs::write(&segment, bytes).unwrap();
    }
}

#[tokio::test]
async fn a_changed_record_stops_the_export_and_names_its_entry() {
    let dir = journal(3).await;
    tamper(dir.path(), b"officer 6", b"officer X");
    for format in Format::ALL {
        let error = try_export(dir.path(), *format, &Selection::default()).unwrap_err();
        let told = crate::fault::chain(&error);
        assert!(told.contains("entry 6"), "{format:?}: {told}");
        assert!(!dir.path().join("out").exists());
    }
    let before = Selection {
        to: Some(6),
        ..Selection::default()
    };
    assert_eq!(export(dir.path(), Format::Jsonl, &before).entries, 6);
}

#[tokio::test]
async fn a_journal_that_another_key_signed_is_not_exported() {
    let dir = journal(0).await;
    let selection = Selection::default();
    let stranger = crate::journal::JournalKey::from_seed([8; 32]);
    let export = Export {
        journal: dir.path(),
        trusted: &[stranger.verifier(ORIGIN).unwrap()],
        selection: &selection,
        format: Format::Jsonl,
        offset: UtcOffset::UTC,
        policy: None,
    };
    let refused = write(&export, &dir.path().join("out"), &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(
        matches!(refused, Err(ExportError::Fault(Fault::Checkpoint(_)))),
        "{refused:?}"
    );
}

/// The root that the tiles of a folder give for the first `size` entries.
fn root_of_bundles(folder: &Path, size: u64) -> Hash {
    let mut frontier = merkle::Frontier::default();
    for n in 0..size.div_ceil(256) {
        let width = (size - n * 256).min(256) as u16;
        let path = TilePath::Entries { n, width };
        let bytes = fs::read(folder.join(path.to_string())).unwrap();
        for entry in bytes.chunks(2 + LEAF_BYTES) {
            assert_eq!(entry[..2], [0, 144]);
            frontier.push(merkle::leaf_hash(&entry[2..]));
        }
    }
    frontier.root()
}

#[tokio::test]
async fn a_tiles_folder_has_every_tile_of_the_signed_tree() {
    let dir = journal(600).await;
    let written = export(dir.path(), Format::Tiles, &Selection::default());
    let folder = dir.path().join("out");
    let note = fs::read_to_string(folder.join("checkpoint")).unwrap();
    assert_eq!(note, written.checkpoint.note());
    assert_eq!(root_of_bundles(&folder, 605), *written.checkpoint.root());

    let own = crate::journal::tiles::Tiles::open(dir.path());
    for path in [
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/93",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/002.p/93",
    ] {
        let tile = own.read(path.parse().unwrap()).unwrap();
        assert_eq!(fs::read(folder.join(path)).unwrap(), tile, "{path}");
    }
    let sums = fs::read(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(written.sha256, sha256(&[&sums]));
    assert_eq!(String::from_utf8(sums).unwrap().lines().count(), 8);

    fs::remove_dir_all(&folder).unwrap();
    let refused = try_export(dir.path(), Format::Tiles, &cut_short());
    assert!(
        matches!(refused, Err(ExportError::WholeOnly)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_bundle_of_a_selection_has_a_proof_of_each_entry() {
    let dir = journal(600).await;
    let written = export(dir.path(), Format::Bundle, &cut_short());
    let folder = dir.path().join("out");
    let records = fs::read_to_string(folder.join("records.jsonl")).unwrap();
    let records: Vec<Json> = records
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let leaves = fs::read(folder.join("leaves.bin")).unwrap();
    assert_eq!((records.len(), leaves.len()), (2, 2 * LEAF_BYTES));

    for (record, leaf) in records.iter().zip(leaves.chunks(LEAF_BYTES)) {
        let index = record["index"].as_u64().unwrap();
        let stored = Reader::open(dir.path()).entry(index).unwrap().unwrap();
        let (salt, bytes) = stored.sealed().unwrap();
        assert_eq!(leaf, stored.leaf_bytes());
        assert_eq!(record["salt"], hex(salt));
        assert_eq!(
            STANDARD.decode(record["record"].as_str().unwrap()).unwrap(),
            bytes.as_ref()
        );
        assert_eq!(
            record["readable"],
            crate::evidence::json::record(&stored.record().unwrap().unwrap()).unwrap()
        );

        let proof = folder.join(format!("proofs/{index}.tlog-proof"));
        let proof = fs::read_to_string(proof).unwrap();
        let (head, note) = proof.split_once("\n\n").unwrap();
        let mut head = head.lines();
        assert_eq!(head.next(), Some("c2sp.org/tlog-proof@v1"));
        assert_eq!(head.next(), Some(format!("index {index}").as_str()));
        let path: Vec<Hash> = head
            .map(|hash| STANDARD.decode(hash).unwrap().try_into().unwrap())
            .collect();
        let checkpoint = SignedCheckpoint::open(note, &[vkey()]).unwrap();
        let (size, root) = (checkpoint.size(), checkpoint.root());
        assert_eq!(size, written.checkpoint.size());
        merkle::verify_inclusion(&merkle::leaf_hash(leaf), index, size, &path, root).unwrap();
    }
    let vkeys = fs::read_to_string(folder.join("vkeys.txt")).unwrap();
    assert_eq!(vkeys, format!("{}\n", vkey()));
}

#[tokio::test]
async fn a_bundle_of_nothing_is_not_written() {
    let dir = journal(0).await;
    let selection = Selection {
        criteria: Criteria {
            reason: Some("NO_SUCH_REASON".to_owned()),
            ..Criteria::default()
        },
        ..Selection::default()
    };
    let refused = try_export(dir.path(), Format::Bundle, &selection);
    assert!(matches!(refused, Err(ExportError::Nothing)), "{refused:?}");
    assert_eq!(export(dir.path(), Format::Csv, &selection).entries, 0);
}
