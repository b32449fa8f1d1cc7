use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::digest::record_commitment;
use crate::journal::frame::FRAME_OVERHEAD;
use crate::journal::frame::FrameBuilder;
use crate::journal::frame::HEADER_BYTES;
use crate::journal::frame::Header;
use crate::journal::frame::NewCommit;
use crate::journal::leaf::LEAF_BYTES;
use crate::journal::leaf::Outcome;
use crate::journal::testing::Flaky;
use crate::journal::testing::Publish;
use crate::journal::testing::copy;
use crate::journal::testing::end_of;
use crate::journal::testing::exchange;
use crate::journal::testing::open;
use crate::journal::testing::temporary;
use crate::journal::testing::vkey;

/// A closed journal: entries 0 and 1, the intent 2, its end 3, and entry 4, each in a commit of its own.
async fn journal() -> TempDir {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    journal.append(exchange(0)).await.unwrap();
    journal.append(exchange(1)).await.unwrap();
    let stream = journal.begin(exchange(2)).await.unwrap();
    let end = pb::StreamEndRecord {
        reason: "answered".to_owned(),
        ..pb::StreamEndRecord::default()
    };
    let end = end_of(&exchange(2), Outcome::Answered, end);
    stream.close(end).await.unwrap();
    journal.append(exchange(4)).await.unwrap();
    journal.close();
    dir
}

fn segment(dir: &TempDir) -> PathBuf {
    dir.path().join("seg/00000000000000000000.seg")
}

/// The bytes of the segment, and where each commit begins.
fn commits(dir: &TempDir) -> (Vec<u8>, Vec<usize>) {
    let bytes = fs::read(segment(dir)).unwrap();
    let mut starts = vec![0];
    while let Ok(header) = Header::parse(bytes[*starts.last().unwrap()..].first_chunk().unwrap()) {
        starts.push(starts.last().unwrap() + header.length);
    }
    (bytes, starts)
}

fn fault(dir: &TempDir) -> String {
    let report = verify(dir.path(), &[vkey()]);
    crate::fault::chain(&report.fault.expect("a fault"))
}

/// Writes the commit that begins at `at` anew after a change to its entry, with a checksum that fits.
fn forge(
    dir: &TempDir,
    at: usize,
    change: impl Fn(&mut [u8; LEAF_BYTES], &mut [u8; 32], &mut Vec<u8>),
) {
    let mut bytes = fs::read(segment(dir)).unwrap();
    let header = Header::parse(bytes[at..].first_chunk().unwrap()).unwrap();
    let frame = Frame::parse(
        header,
        Bytes::copy_from_slice(&bytes[at..at + header.length]),
    )
    .unwrap();
    let entry = &frame.entries()[0];
    let sealed = entry.sealed.clone().unwrap();
    let (mut leaf, mut salt, mut record) = (entry.leaf, sealed.salt, sealed.record.to_vec());
    change(&mut leaf, &mut salt, &mut record);
    let mut builder = FrameBuilder::default();
    builder.clear();
    builder.push(&leaf, &salt, &record);
    let signature = bytes[at + HEADER_BYTES..at + FRAME_OVERHEAD].try_into();
    let forged = builder.finish(&NewCommit {
        first: header.first,
        count: 1,
        root: &header.root,
        oldest_open: header.oldest_open,
        signature: &signature.unwrap(),
    });
    bytes[at..at + forged.len()].copy_from_slice(forged);
    fs::write(segment(dir), bytes).unwrap();
}

#[tokio::test]
async fn a_whole_journal_is_proven_and_counted() {
    let dir = journal().await;
    let report = verify(dir.path(), &[vkey()]);
    assert!(report.fault.is_none());
    assert_eq!(
        (report.entries, report.commits, report.torn_bytes),
        (5, 5, 0)
    );
    assert_eq!(report.checkpoint.unwrap().size(), 5);
    let kinds: Vec<_> = report.kinds.into_iter().collect();
    assert_eq!(kinds, [("exchange", 3), ("intent", 1), ("stream-end", 1)]);
    assert!(report.open_streams.is_empty());
    let (first, last) = report.times.unwrap();
    assert!(first <= last);
}

#[tokio::test]
async fn every_changed_byte_is_found_and_named() {
    let dir = journal().await;
    let (bytes, starts) = commits(&dir);
    let cases: [(usize, &str); 13] = [
        (
            0,
            "the commit of entry 1, at byte {at} of `{path}`, is damaged: no commit begins there",
        ),
        (
            4,
            "the commit of entry 1, at byte {at} of `{path}`, is damaged: its lengths do not add up",
        ),
        (
            15,
            "the commit of entry 1, at byte {at} of `{path}`, is damaged: it is not the commit that should follow",
        ),
        (
            19,
            "the commit of entry 1, at byte {at} of `{path}`, is damaged: its lengths do not add up",
        ),
        (
            20,
            "the commit of entry 1, at byte {at} of `{path}`, is damaged: its checksum does not match",
        ),
        (
            24,
            "the commit of entry 1, at byte {at} of `{path}`, is damaged: its checksum does not match",
        ),
        (
            56,
            "the commit of entry 1, at byte {at} of `{path}`, is damaged: its checksum does not match",
        ),
        (
            FRAME_OVERHEAD,
            "entry 1: not a journal leaf: it does not begin with `LBJ1`",
        ),
        (
            FRAME_OVERHEAD + 8,
            "entry 1: not a journal leaf: its time is out of range",
        ),
        (
            FRAME_OVERHEAD + 40,
            "entry 1: leaf is not the one that the tree has",
        ),
        (
            FRAME_OVERHEAD + 70,
            "entry 1: record does not match its commitment",
        ),
        (
            FRAME_OVERHEAD + LEAF_BYTES,
            "entry 1: record does not match its commitment",
        ),
        (
            FRAME_OVERHEAD + LEAF_BYTES + 36,
            "entry 1: record does not match its commitment",
        ),
    ];
    for (at, expected) in cases {
        let tampered = temporary();
        copy(dir.path(), tampered.path());
        let mut bytes = bytes.clone();
        bytes[starts[1] + at] ^= 0x80;
        fs::write(segment(&tampered), bytes).unwrap();
        let expected = expected
            .replace("{at}", &starts[1].to_string())
            .replace("{path}", &segment(&tampered).display().to_string());
        assert_eq!(fault(&tampered), expected, "byte {at}");
        assert_eq!(verify(tampered.path(), &[vkey()]).entries, 1);
    }
}

#[tokio::test]
async fn no_changed_byte_of_a_published_commit_goes_unnoticed() {
    let dir = journal().await;
    let (bytes, starts) = commits(&dir);
    for at in 0..*starts.last().unwrap() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(segment(&dir), changed).unwrap();
        let report = verify(dir.path(), &[vkey()]);
        assert!(report.fault.is_some(), "byte {at}");
        assert!(report.entries < 5, "byte {at}");
    }
}

#[tokio::test]
async fn what_was_forged_with_a_fitting_checksum_is_found() {
    type Change = fn(&mut [u8; LEAF_BYTES], &mut [u8; 32], &mut Vec<u8>);
    let cases: [(Change, &str); 5] = [
        (
            |leaf, _, _| leaf[5] = 0,
            "entry 1: leaf is not the one that the tree has",
        ),
        (
            |leaf, _, _| leaf[6] = 2,
            "entry 1: leaf is not the one that the tree has",
        ),
        (
            |_, salt, _| salt[0] ^= 1,
            "entry 1: record does not match its commitment",
        ),
        (
            |_, _, record| *record.last_mut().unwrap() ^= 1,
            "entry 1: record does not match its commitment",
        ),
        (
            |leaf, _, _| leaf[8..16].copy_from_slice(&1u64.to_be_bytes()),
            "entry 1: its time is before that of the entry before it",
        ),
    ];
    for (change, expected) in cases {
        let dir = journal().await;
        forge(&dir, commits(&dir).1[1], change);
        assert_eq!(fault(&dir), expected);
    }
}

#[tokio::test]
async fn a_stream_end_must_belong_to_an_open_stream() {
    let recommit = |leaf: &mut [u8; LEAF_BYTES], salt: &[u8; 32], record: &[u8]| {
        leaf[64..96].copy_from_slice(&record_commitment(salt, record));
    };
    let end = |opened_at| {
        let end = pb::StreamEndRecord {
            opened_at,
            ..pb::StreamEndRecord::default()
        };
        pb::JournalRecord {
            kind: Some(journal_record::Kind::StreamEnd(end)),
        }
        .encode_to_vec()
    };
    let padded = |mut record: Vec<u8>, length: usize| {
        // An unknown field of the length that is missing.
        let missing = length - record.len();
        record.extend([0x7a, (missing - 2) as u8]);
        record.resize(length, b'x');
        record
    };
    let cases = [
        (
            end(1),
            "entry 3: it ends the stream of entry 1, which is not open",
        ),
        (
            exchange(3).record.encode_to_vec(),
            "entry 3: its record is not that of a stream's end",
        ),
    ];
    for (forged, expected) in cases {
        let dir = journal().await;
        let at = commits(&dir).1[3];
        forge(&dir, at, |leaf, salt, record| {
            // The forged commit must not be longer than the one that it replaces.
            let fits = if forged.len() < record.len() {
                padded(forged.clone(), record.len())
            } else {
                forged.clone()
            };
            *record = fits;
            recommit(leaf, salt, record);
        });
        assert_eq!(fault(&dir), expected);
    }
    let dir = journal().await;
    forge(&dir, commits(&dir).1[3], |leaf, _, _| leaf[31] ^= 1);
    assert_eq!(
        fault(&dir),
        "entry 3: it ends the stream of entry 2, which is of another exchange"
    );
}

#[tokio::test]
async fn the_trees_files_are_compared() {
    for (file, at) in [("leaves.dat", 144 * 4), ("hash/0.dat", 32 * 4)] {
        let dir = journal().await;
        let path = dir.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let expected = format!(
            "the tree's files differ from the entries: cannot compare `{}`: it differs at byte {at}",
            path.display()
        );
        assert_eq!(fault(&dir), expected);
        fs::remove_file(&path).unwrap();
        assert!(
            fault(&dir).starts_with("the tree's files differ from the entries"),
            "{}",
            fault(&dir)
        );
    }
}

#[tokio::test]
async fn a_journal_that_ends_before_its_checkpoint_is_cut_back() {
    let dir = journal().await;
    let (mut bytes, starts) = commits(&dir);
    bytes[starts[4]..].fill(0);
    fs::write(segment(&dir), bytes).unwrap();
    assert_eq!(
        fault(&dir),
        "the published checkpoint covers 5 entries, the journal has 4"
    );
    fs::remove_file(segment(&dir)).unwrap();
    assert_eq!(
        fault(&dir),
        "the published checkpoint covers 5 entries, the journal has 0"
    );
}

#[tokio::test]
async fn another_history_has_another_root() {
    let (dir, other) = (journal().await, journal().await);
    fs::copy(
        dir.path().join("state/signed"),
        other.path().join("state/signed"),
    )
    .unwrap();
    assert_eq!(
        fault(&other),
        "the first 5 entries do not have the root that was signed"
    );
}

#[tokio::test]
async fn a_checkpoint_must_be_there_and_signed_by_a_trusted_key() {
    let dir = journal().await;
    let stranger = VerifierKey::new(crate::journal::testing::ORIGIN, [1; 32]).unwrap();
    assert!(matches!(
        verify(dir.path(), &[stranger]).fault,
        Some(Fault::Checkpoint(_))
    ));
    assert!(matches!(
        verify(dir.path(), &[]).fault,
        Some(Fault::Checkpoint(_))
    ));
    fs::remove_file(dir.path().join("state/signed")).unwrap();
    assert!(matches!(
        verify(dir.path(), &[vkey()]).fault,
        Some(Fault::NoCheckpoint)
    ));
}

#[tokio::test]
async fn a_journal_is_verified_while_it_is_written() {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Always).unwrap();
    let stream = journal.begin(exchange(0)).await.unwrap();
    for n in 0..60 {
        journal.append(exchange(n)).await.unwrap();
        let report = verify(dir.path(), &[vkey()]);
        assert!(report.fault.is_none(), "{:?}", report.fault);
        assert_eq!((report.entries, report.open_streams), (n + 2, vec![0]));
    }
    drop(stream);
    journal.close();
}
