mod faults;
mod foreign;
mod hostile;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;

use super::reader::Reader;
use super::reader::StoredEntry;
use super::testing::Flaky;
use super::testing::NOON;
use super::testing::ORIGIN;
use super::testing::Publish;
use super::testing::copy;
use super::testing::exchange;
use super::testing::exchange_record;
use super::testing::keys;
use super::testing::open;
use super::testing::open_at;
use super::testing::record_of;
use super::testing::settings;
use super::testing::temporary;
use super::testing::vkey;
use super::verify::verify;
use super::*;
use crate::pb;
use crate::pb::journal_record;

fn stored(dir: &Path) -> Vec<StoredEntry> {
    Reader::open(dir)
        .forward(0)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn end_of(stored: &StoredEntry) -> pb::StreamEndRecord {
    match stored.record().unwrap().unwrap().kind {
        Some(journal_record::Kind::StreamEnd(end)) => end,
        other => panic!("not a stream's end: {}", other.is_some()),
    }
}

/// Of the stream that `exchange(n)` opens.
fn stream_end(n: u64, records: u64) -> StreamEnd {
    let record = pb::StreamEndRecord {
        records,
        reason: "answered".to_owned(),
        ..Default::default()
    };
    testing::end_of(&exchange(n), Outcome::Answered, record)
}

async fn append_all(journal: &Journal, from: u64, to: u64) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for n in from..to {
        receipts.push(journal.append(exchange(n)).await.unwrap());
    }
    receipts
}

fn assert_whole(dir: &Path, entries: u64) {
    let report = verify(dir, &[vkey()]);
    assert!(report.fault.is_none(), "{:?}", report.fault);
    assert_eq!(report.entries, entries);
}

#[tokio::test]
async fn a_receipt_names_what_is_on_disk() {
    let dir = temporary();
    let (journal, recovery) =
        Journal::open(settings(dir.path(), 1 << 20), keys(), Clock::fixed(NOON)).unwrap();
    assert_eq!((recovery.entries, recovery.cut_bytes), (0, 0));
    let receipts = append_all(&journal, 0, 3).await;
    let stored = stored(dir.path());
    for (n, (receipt, stored)) in receipts.iter().zip(&stored).enumerate() {
        assert_eq!((receipt.index(), receipt.origin()), (n as u64, ORIGIN));
        assert_eq!(receipt.leaf(), stored.leaf_bytes());
        assert_eq!(stored.leaf.time, NOON);
        assert!(stored.record().unwrap() == Some(exchange(n as u64).record));
    }
    assert_eq!(journal.checkpoint().size(), 3);
    journal.close();
    assert_whole(dir.path(), 3);
}

#[tokio::test]
async fn a_thousand_concurrent_appends_get_indexes_of_their_own_and_share_commits() {
    let dir = temporary();
    let disk = Flaky::default();
    let (journal, _) = Journal::open_on(
        Arc::new(disk.clone()),
        Duration::from_millis(1),
        settings(dir.path(), 1 << 20),
        keys(),
        Clock::fixed(NOON),
    )
    .unwrap();
    disk.hold_flushes(true);
    let mut appends: Vec<_> = (0..1_000)
        .map(|n| Box::pin(journal.append(exchange(n))))
        .collect();
    for append in &mut appends {
        assert!(append.as_mut().now_or_never().is_none());
    }
    disk.hold_flushes(false);
    let mut indexes: Vec<_> = join_all(appends)
        .await
        .into_iter()
        .map(|receipt| receipt.unwrap().index())
        .collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (0..1_000).collect::<Vec<_>>());
    journal.close();
    assert_whole(dir.path(), 1_000);
    assert!(
        verify(dir.path(), &[vkey()]).commits <= 2,
        "one that was held, and one of all that came meanwhile"
    );
}

#[tokio::test]
async fn a_journal_goes_on_where_it_was_closed() {
    let dir = temporary();
    let disk = Flaky::default();
    for run in 0..4 {
        let (journal, recovery) = open(&disk, dir.path(), Publish::Always).unwrap();
        assert_eq!((recovery.entries, recovery.cut_bytes), (run * 25, 0));
        assert!(!recovery.tree_rebuilt);
        let receipts = append_all(&journal, run * 25, (run + 1) * 25).await;
        assert_eq!(receipts[0].index(), run * 25);
        journal.close();
    }
    assert_whole(dir.path(), 100);
    assert!(
        fs::read_dir(dir.path().join("seg")).unwrap().count() > 5,
        "several segments"
    );
}

#[tokio::test]
async fn times_never_decrease_though_the_clock_does() {
    let dir = temporary();
    let earlier = Moment::from_micros(NOON.micros() - 1);
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Always).unwrap();
    journal.append(exchange(0)).await.unwrap();
    journal.close();
    let (journal, recovery) = open_at(
        &Flaky::default(),
        dir.path(),
        Publish::Always,
        Clock::fixed(earlier),
    )
    .unwrap();
    assert_eq!(recovery.last_time, Some(NOON));
    let receipt = journal.append(exchange(1)).await.unwrap();
    assert_eq!(Leaf::parse(receipt.leaf()).unwrap().time, NOON);
    journal.close();
}

#[tokio::test]
async fn only_one_process_has_a_journal_open() {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Always).unwrap();
    let second = open(&Flaky::default(), dir.path(), Publish::Always);
    assert!(matches!(second, Err(JournalError::Locked { .. })));
    journal.close();
    open(&Flaky::default(), dir.path(), Publish::Always)
        .unwrap()
        .0
        .close();
}

#[tokio::test]
async fn a_stream_is_closed_by_an_entry_of_its_own() {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Always).unwrap();
    let open = journal.begin(exchange(1)).await.unwrap();
    assert_eq!(open.index(), 0);
    let end = open.close(stream_end(1, 5)).await.unwrap();
    assert_eq!(end.index(), 1);
    journal.close();
    let stored = stored(dir.path());
    assert_eq!(
        [stored[0].leaf.kind, stored[1].leaf.kind],
        [Kind::Intent, Kind::StreamEnd]
    );
    assert_eq!(stored[1].leaf.exchange, stored[0].leaf.exchange);
    let end = end_of(&stored[1]);
    assert_eq!(
        (end.opened_at, end.records, end.reason.as_str()),
        (0, 5, "answered")
    );
    assert_eq!((end.agreement.as_str(), end.grant), ("CIV-TAX-2026-01", 2));
    assert_whole(dir.path(), 2);
}

#[tokio::test]
async fn a_dropped_stream_is_closed_as_abandoned() {
    let dir = temporary();
    let disk = Flaky::default();
    let (journal, _) = open(&disk, dir.path(), Publish::Always).unwrap();
    let mut open = journal.begin(exchange(1)).await.unwrap();
    open.note_released(64, 4_096);
    open.note_released(1, 4);
    drop(open);
    // Nobody waits for this one's opening entry.
    disk.hold_flushes(true);
    assert!(journal.begin(exchange(2)).now_or_never().is_none());
    disk.hold_flushes(false);
    // This one's end is too long to be written.
    let open = journal.begin(exchange(3)).await.unwrap();
    let mut long = stream_end(3, 1);
    long.record.detail = "x".repeat(100_000);
    assert!(matches!(
        open.close(long).await,
        Err(AppendError::TooLarge { .. })
    ));
    journal.close();

    let stored = stored(dir.path());
    let ends: Vec<_> = stored
        .iter()
        .filter(|s| s.leaf.kind == Kind::StreamEnd)
        .collect();
    let reasons: Vec<_> = ends.iter().map(|s| end_of(s).reason).collect();
    assert_eq!(reasons, ["ABANDONED", "ABANDONED", "ABANDONED"]);
    assert!(ends.iter().all(|s| s.leaf.outcome == Outcome::CutShort));
    let first = end_of(ends[0]);
    assert_eq!(
        (first.records, first.bytes, first.consumer.as_str()),
        (65, 4_100, "tax")
    );
    assert_whole(dir.path(), 6);
    assert!(verify(dir.path(), &[vkey()]).open_streams.is_empty());
}

#[tokio::test]
async fn a_stream_that_a_crash_left_open_is_closed_at_the_next_start() {
    let dir = temporary();
    let crashed = temporary();
    let disk = Flaky::default();
    let (journal, _) = open(&disk, dir.path(), Publish::Never).unwrap();
    journal.append(exchange(0)).await.unwrap();
    let first = journal.begin(exchange(1)).await.unwrap();
    let second = journal.begin(exchange(2)).await.unwrap();
    second.close(stream_end(2, 1)).await.unwrap();
    copy(dir.path(), crashed.path());
    drop(first);
    journal.close();

    let (journal, recovery) = open(&disk, crashed.path(), Publish::Never).unwrap();
    assert_eq!(recovery.interrupted, [1]);
    journal.close();
    let stored = stored(crashed.path());
    let end = end_of(&stored[4]);
    assert_eq!(
        (end.opened_at, end.reason.as_str(), end.record_type.as_str()),
        (1, "INTERRUPTED", "civil.v1.Resident")
    );
    assert_whole(crashed.path(), 5);
    let (journal, recovery) = open(&disk, crashed.path(), Publish::Never).unwrap();
    assert_eq!((recovery.entries, recovery.interrupted.len()), (5, 0));
    journal.close();
}

#[tokio::test]
async fn a_closed_journal_takes_no_entries() {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Always).unwrap();
    journal.append(exchange(0)).await.unwrap();
    journal.close();
    journal.close();
    assert!(matches!(
        journal.append(exchange(1)).await,
        Err(AppendError::Closed)
    ));
    assert_whole(dir.path(), 1);
}

#[tokio::test]
async fn a_record_that_is_too_long_is_refused_alone() {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Always).unwrap();
    let with_detail = |bytes: usize| {
        let mut record = exchange_record(1);
        record.detail = "x".repeat(bytes);
        Entry {
            record: record_of(record),
            ..exchange(1)
        }
    };
    // Longer than a record may be, and longer than the test's small segments.
    for bytes in [70_000, 5_000] {
        let refused = journal.append(with_detail(bytes)).await;
        assert!(
            matches!(refused, Err(AppendError::TooLarge { .. })),
            "{bytes}"
        );
    }
    journal.append(with_detail(3_000)).await.unwrap();
    journal.close();
    assert_whole(dir.path(), 1);
}

#[tokio::test]
async fn a_full_queue_refuses_entries_but_never_ends_of_streams() {
    let dir = temporary();
    let disk = Flaky::default();
    let every = Duration::from_secs(3_600);
    let (journal, _) = Journal::open_on(
        Arc::new(disk.clone()),
        every,
        settings(dir.path(), 64 << 20),
        keys(),
        Clock::fixed(NOON),
    )
    .unwrap();
    let open = journal.begin(exchange(0)).await.unwrap();
    disk.hold_flushes(true);
    // The commit thread may take some before it is held: so more than twice what the queue takes.
    let mut appends: Vec<_> = (0..3 * INTAKE as u64)
        .map(|n| Box::pin(journal.append(exchange(n))))
        .collect();
    let refused = appends
        .iter_mut()
        .filter_map(|append| append.as_mut().now_or_never())
        .map(|answer| assert!(matches!(answer, Err(AppendError::Busy))))
        .count();
    assert!(refused >= INTAKE, "{refused} were refused");
    let mut closing = Box::pin(open.close(stream_end(0, 1)));
    assert!(closing.as_mut().now_or_never().is_none());
    disk.hold_flushes(false);
    closing.await.unwrap();
    drop(appends);
    journal.close();
    assert_whole(dir.path(), 3 * INTAKE as u64 - refused as u64 + 2);
}

#[test]
fn a_journal_that_cannot_be_made_is_not_opened() {
    let dir = temporary();
    fs::write(dir.path().join("file"), "").unwrap();
    let opened = Journal::open(
        settings(&dir.path().join("file"), 4_096),
        keys(),
        Clock::System,
    );
    assert!(matches!(opened, Err(JournalError::Disk(_))));
    let bad = JournalSettings {
        origin: "no good".to_owned(),
        ..settings(dir.path(), 4_096)
    };
    assert!(matches!(
        Journal::open(bad, keys(), Clock::System),
        Err(JournalError::Origin(_))
    ));
}
