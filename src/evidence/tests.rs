//! What those see who read a journal from which records were erased.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value as Json;
use tempfile::TempDir;
use time::UtcOffset;

use super::criteria::Criteria;
use super::export;
use super::export::Export;
use super::export::ExportError;
use super::export::Format;
use super::export::Selection;
use super::search::Page;
use super::search::find;
use crate::journal::Kind;
use crate::journal::expiry::tests::DAY;
use crate::journal::expiry::tests::Live;
use crate::journal::expiry::tests::TYPES;
use crate::journal::expiry::tests::crashes;
use crate::journal::expiry::tests::entry;
use crate::journal::reader::Reader;
use crate::journal::testing::vkey;

/// A closed journal of four exchanges, the first two of which are erased.
fn journal() -> TempDir {
    let live = Live::new();
    for n in 0..4 {
        live.append(entry(n, TYPES[usize::from(n > 1)]));
    }
    live.advance(11 * DAY);
    live.pass().unwrap();
    live.journal.close();
    live.dir
}

fn found(dir: &TempDir, criteria: &Criteria) -> Vec<(u64, bool)> {
    let found = find(&Reader::open(dir.path()), None, criteria, Page::newest(50)).unwrap();
    let hits = found.hits.iter();
    hits.map(|hit| (hit.index, hit.record.is_some())).collect()
}

#[test]
fn what_was_erased_is_found_by_its_leaf_and_by_nothing_else() {
    let dir = journal();
    let exchanges = Criteria {
        kind: Some(Kind::Exchange),
        ..Criteria::default()
    };
    let all = [(3, true), (2, true), (1, false), (0, false)];
    assert_eq!(found(&dir, &exchanges), all);
    let purpose = Criteria {
        purpose: Some("arrears".parse().unwrap()),
        ..Criteria::default()
    };
    assert_eq!(found(&dir, &purpose), all[..2]);
}

fn exported(dir: &TempDir, format: Format) -> Result<std::path::PathBuf, ExportError> {
    let to = dir.path().join(format!("{format:?}"));
    let export = Export {
        journal: dir.path(),
        trusted: &[vkey()],
        selection: &Selection::default(),
        format,
        offset: UtcOffset::UTC,
        policy: None,
    };
    export::write(&export, &to, &mut |_| ControlFlow::Continue(()))?;
    Ok(to)
}

#[test]
fn an_export_has_the_leaf_of_what_was_erased() {
    let dir = journal();
    for format in Format::ALL {
        let to = exported(&dir, *format).unwrap();
        if *format == Format::Bundle {
            let records = fs::read_to_string(to.join("records.jsonl")).unwrap();
            let records: Vec<Json> = records
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let erased: Vec<_> = records
                .iter()
                .map(|line| line["record"].is_null())
                .collect();
            assert_eq!(erased, [true, true, false, false, false]);
            assert_eq!(
                verified(&to),
                "2 records are not here, erased as later entries say"
            );
        }
    }
}

/// The end of what the bundle's own verifier says.
fn verified(bundle: &Path) -> String {
    let told = std::process::Command::new("python3")
        .arg(bundle.join("verify.py"))
        .arg("--vkeys")
        .arg(bundle.join("vkeys.txt"))
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    told.trim().rsplit("; ").next().unwrap().to_owned()
}

#[test]
fn an_export_stops_at_a_record_that_is_withheld() {
    let dir = journal();
    crashes::blank(dir.path(), |index| index == 3);
    for format in Format::ALL {
        let told = crate::fault::chain(&exported(&dir, *format).unwrap_err());
        assert!(
            told.contains("entry 3") && told.contains("withheld"),
            "{format:?}: {told}"
        );
    }
}
