use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Parser;

use super::*;
use crate::audit::Entry;
use crate::audit::Journal;
use crate::audit::JournalKeys;
use crate::audit::JournalSettings;
use crate::audit::Receipt;
use crate::cli::Cli;
use crate::cli::exit::Exit;
use crate::clock::Clock;

/// A journal of three entries, closed; gives its public key.
fn journal(dir: &Path) -> (String, Vec<Receipt>) {
    let key = dir.join("journal.key");
    let (keys, _) = JournalKeys::load_or_create(&key, &dir.join("journal-pq.key")).unwrap();
    let [vkey, _] = keys.verifiers("gov.example/civil/1").unwrap();
    let settings = JournalSettings {
        dir: dir.join("journal"),
        origin: "gov.example/civil/1".to_owned(),
        linger: Duration::ZERO,
        segment_bytes: 1 << 20,
    };
    let (journal, _) = Journal::open(settings, keys, Clock::System).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let receipts = ["started", "stopped", "started"].map(|event| {
        runtime
            .block_on(journal.append(Entry::lifecycle(event, "0.1.0")))
            .unwrap()
    });
    journal.close();
    (vkey.to_string(), receipts.to_vec())
}

fn run(dir: &Path, words: &[&str]) -> Exit {
    let journal = dir.join("journal").display().to_string();
    let line = ["landbridge", "audit"].iter().chain(words).copied();
    let line = line.chain(["--journal", &journal]);
    Cli::try_parse_from(line).unwrap().run()
}

#[test]
fn a_whole_journal_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let (vkey, _) = journal(dir.path());
    assert_eq!(run(dir.path(), &["verify", "--vkey", &vkey]), Exit::Done);
    assert_eq!(
        run(dir.path(), &["verify", "--vkey", &vkey, "--json"]),
        Exit::Done
    );
    assert_eq!(run(dir.path(), &["show", "1", "--vkey", &vkey]), Exit::Done);
    assert_eq!(run(dir.path(), &["tail"]), Exit::Done);
    assert_eq!(
        run(dir.path(), &["search", "--kind", "lifecycle", "-o", "csv"]),
        Exit::Done
    );
}

#[test]
fn a_journal_is_not_verified_without_a_key_nor_with_anothers() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    journal(dir.path());
    let (vkey, _) = journal(other.path());
    assert_eq!(run(dir.path(), &["verify"]), Exit::Usage);
    assert_eq!(
        run(dir.path(), &["verify", "--vkey", &vkey]),
        Exit::Unverified
    );
    assert_eq!(
        run(dir.path(), &["show", "1", "--vkey", &vkey]),
        Exit::Unverified
    );
}

#[test]
fn a_changed_byte_of_a_record_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (vkey, _) = journal(dir.path());
    let segments = fs::read_dir(dir.path().join("journal/seg")).unwrap();
    for segment in segments.map(|segment| segment.unwrap().path()) {
        let mut bytes = fs::read(&segment).unwrap();
        let place = bytes.windows(7).position(|window| window == b"stopped");
        if let Some(place) = place {
            bytes[place] = b'S';
        }
        fs::write(&segment, bytes).unwrap();
    }
    assert_eq!(
        run(dir.path(), &["verify", "--vkey", &vkey]),
        Exit::Unverified
    );
}

#[test]
fn what_is_not_there_has_failed_and_is_not_unverified() {
    let dir = tempfile::tempdir().unwrap();
    let (vkey, _) = journal(dir.path());
    assert_eq!(run(dir.path(), &["show", "99"]), Exit::Failed);
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    assert_eq!(run(dir.path(), &["verify", "--vkey", &vkey]), Exit::Failed);
    assert_eq!(run(dir.path(), &["tail"]), Exit::Failed);
}

#[test]
fn an_entry_is_one_line_that_names_what_matters() {
    let dir = tempfile::tempdir().unwrap();
    let (_, receipts) = journal(dir.path());
    let stored = Reader::open(&dir.path().join("journal"))
        .entry(receipts[1].index())
        .unwrap()
        .unwrap();
    let record = stored.record().unwrap();
    let row = entry::Row::new(stored.index, &stored.leaf, &record, None, UtcOffset::UTC);
    let cells = row.cells();
    assert_eq!(cells[2..5], ["lifecycle", "", "stopped"]);
    assert_eq!(cells[7], "0.1.0");
    assert_eq!(cells.len(), entry::HEADER.len());
}

#[test]
fn long_lists_are_counted_for_people() {
    let tags: Vec<_> = (0..9).map(|n| serde_json::json!({ "tag": n })).collect();
    let json =
        serde_json::json!({ "a": { "subjects": tags, "few": [{ "b": 1 }], "words": ["x", "y"] } });
    let pairs = plain::pairs(&json);
    assert_eq!(
        pairs,
        [
            ("a.subjects", "9 of them; `--json` shows all"),
            ("a.few[0].b", "1"),
            ("a.words", "x, y"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}
