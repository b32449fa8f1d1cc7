use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Parser;

use super::*;
use crate::cli::Cli;
use crate::cli::exit::Exit;
use crate::clock::Clock;
use crate::evidence::row::Row;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::JournalKeys;
use crate::journal::JournalSettings;
use crate::journal::Receipt;
use crate::reading::reader::Token;

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
        max_unpublished_age: Duration::from_secs(60),
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
fn a_token_comes_with_the_stanza_that_knows_it() {
    let line = [
        "landbridge",
        "audit",
        "token",
        "lin.auditor",
        "--rights",
        "search,tiles",
    ];
    let Ok(Cli {
        verb: crate::cli::Verb::Audit(args),
        ..
    }) = Cli::try_parse_from(line)
    else {
        panic!("not taken");
    };
    let AuditCommand::Token(args) = args.what else {
        panic!("another verb");
    };
    let token = Token::fresh().unwrap();
    let text = args.text(&token);
    assert_eq!(text.matches(token.reveal()).count(), 1);
    let (_, stanza) = text.split_once("\n\n[[").unwrap();
    let settings: toml::Table = toml::from_str(&format!("[[{stanza}")).unwrap();
    let reader = &settings["operators"]["reader"][0];
    assert_eq!(reader["name"].as_str(), Some("lin.auditor"));
    assert_eq!(
        reader["token_sha256"].as_str().unwrap().parse(),
        Ok(token.digest())
    );
    let rights: Vec<_> = reader["rights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|right| right.as_str().unwrap())
        .collect();
    assert_eq!(rights, ["tiles", "search"]);

    for words in [
        &["lin"][..],
        &["lin", "--rights", "all"],
        &["Lin Wei", "--rights", "search"],
    ] {
        let line = ["landbridge", "audit", "token"].iter().chain(words);
        assert!(Cli::try_parse_from(line).is_err(), "{words:?}");
    }
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

/// Changes a byte of a record.
fn spoil(dir: &Path) {
    let segments = fs::read_dir(dir.join("journal/seg")).unwrap();
    for segment in segments.map(|segment| segment.unwrap().path()) {
        let mut bytes = fs::read(&segment).unwrap();
        let place = bytes.windows(7).position(|window| window == b"stopped");
        if let Some(place) = place {
            bytes[place] = b'S';
        }
        fs::write(&segment, bytes).unwrap();
    }
}

#[test]
fn a_changed_byte_of_a_record_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (vkey, _) = journal(dir.path());
    spoil(dir.path());
    assert_eq!(
        run(dir.path(), &["verify", "--vkey", &vkey]),
        Exit::Unverified
    );
}

#[test]
fn an_export_is_written_once_and_only_of_a_journal_that_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let (vkey, _) = journal(dir.path());
    let out = dir.path().join("out.csv");
    let to = out.display().to_string();
    let export = |more: &[&str]| {
        let words = ["export", "--format", "csv", "--out", &to];
        run(dir.path(), &[words.as_slice(), more].concat())
    };
    assert_eq!(export(&[]), Exit::Usage, "there is no key to verify with");
    assert_eq!(export(&["--vkey", &vkey, "--json"]), Exit::Done);
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 4);
    assert_eq!(export(&["--vkey", &vkey]), Exit::Usage, "it is there");
    fs::remove_file(&out).unwrap();

    spoil(dir.path());
    assert_eq!(export(&["--vkey", &vkey]), Exit::Unverified);
    assert!(!out.exists());
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    assert_eq!(export(&["--vkey", &vkey]), Exit::Failed);
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
    let record = stored.record().unwrap().unwrap();
    let row = Row::new(stored.index, &stored.leaf, Some(&record), None);
    let cells = entry::cells(row, UtcOffset::UTC);
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

#[test]
fn keys_are_made_before_the_first_start_and_never_again() {
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("config/civil.toml");
    fs::create_dir_all(settings.parent().unwrap()).unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/civil.toml");
    fs::copy(sample, &settings).unwrap();
    let config = Config::load(&settings).unwrap();
    assert!(own_keys(&config).unwrap().is_empty());
    let settings = settings.display().to_string();
    let line = ["landbridge", "audit", "key", "--config", &settings];
    assert_eq!(Cli::try_parse_from(line).unwrap().run(), Exit::Done);
    let made = own_keys(&config).unwrap();
    let names: Vec<&str> = made.iter().map(VerifierKey::name).collect();
    let origin = config.origin().to_string();
    assert_eq!(names, [origin.as_str(), origin.as_str()]);
    assert!(
        config
            .journal
            .post_quantum_key
            .ends_with("var/civil/journal-pq.key")
    );
    assert_eq!(Cli::try_parse_from(line).unwrap().run(), Exit::Done);
    assert_eq!(own_keys(&config).unwrap(), made);
}

#[test]
fn several_keys_can_be_given_at_once_as_they_are_printed() {
    let dir = tempfile::tempdir().unwrap();
    let (vkey, _) = journal(dir.path());
    let stranger = VerifierKey::new("stranger", [1; 32]).unwrap();
    let both = format!("{vkey}\n{stranger}");
    assert_eq!(run(dir.path(), &["verify", "--vkey", &both]), Exit::Done);
}
