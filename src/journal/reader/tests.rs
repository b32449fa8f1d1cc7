use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::journal::Journal;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::Publish;
use crate::journal::testing::exchange;
use crate::journal::testing::open_at;
use crate::journal::testing::temporary;

/// A journal in several segments, whose entry `n` is of `n` seconds past noon.
struct Growing {
    dir: TempDir,
    journal: Journal,
    time: Arc<AtomicI64>,
}

impl Growing {
    fn new() -> Self {
        let dir = temporary();
        let time = Arc::new(AtomicI64::new(0));
        let clock = Clock::Fixed(time.clone());
        let (journal, _) = open_at(&Flaky::default(), dir.path(), Publish::Always, clock).unwrap();
        Self { dir, journal, time }
    }

    async fn grow(&self, from: u64, to: u64) {
        for n in from..to {
            self.time.store(at(n).micros(), Ordering::Relaxed);
            self.journal.append(exchange(n)).await.unwrap();
        }
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path())
    }
}

fn at(n: u64) -> Moment {
    Moment::from_micros(NOON.micros() + 1_000_000 * n as i64)
}

fn indexes(entries: impl Iterator<Item = Result<StoredEntry, ReadError>>) -> Vec<u64> {
    entries.map(|stored| stored.unwrap().index).collect()
}

#[tokio::test]
async fn entries_are_read_from_either_end_and_from_any_index() {
    let growing = Growing::new();
    growing.grow(0, 50).await;
    growing.journal.close();
    let reader = growing.reader();
    assert_eq!(
        indexes(reader.forward(0).unwrap()),
        (0..50).collect::<Vec<_>>()
    );
    assert_eq!(
        indexes(reader.backward().unwrap()),
        (0..50).rev().collect::<Vec<_>>()
    );
    for n in [0, 1, 10, 11, 12, 49] {
        assert_eq!(
            indexes(reader.forward(n).unwrap()),
            (n..50).collect::<Vec<_>>()
        );
        let stored = reader.entry(n).unwrap().unwrap();
        assert_eq!((stored.index, stored.leaf.time), (n, at(n)));
        assert!(stored.record().unwrap() == Some(exchange(n).record));
    }
    assert!(reader.entry(50).unwrap().is_none());
    assert!(indexes(reader.forward(1_000).unwrap()).is_empty());
}

#[tokio::test]
async fn entries_are_read_from_a_time_on() {
    let growing = Growing::new();
    growing.grow(0, 50).await;
    growing.journal.close();
    let reader = growing.reader();
    for n in [0, 1, 10, 11, 12, 49, 50] {
        assert_eq!(
            indexes(reader.since(at(n)).unwrap()),
            (n..50).collect::<Vec<_>>()
        );
    }
    assert_eq!(
        indexes(reader.since(Moment::from_micros(0)).unwrap()).len(),
        50
    );
}

#[tokio::test]
async fn a_reader_sees_what_is_written_after_it_came_to_the_end() {
    let growing = Growing::new();
    let reader = growing.reader();
    let mut entries = reader.forward(0).unwrap();
    assert!(entries.next().is_none());
    let mut seen = 0;
    for lot in [1, 2, 10, 30, 31] {
        growing.grow(seen, lot).await;
        assert_eq!(indexes(entries.by_ref()), (seen..lot).collect::<Vec<_>>());
        assert!(entries.next().is_none());
        seen = lot;
    }
    growing.journal.close();
}

#[tokio::test]
async fn a_commit_that_is_half_written_is_not_read() {
    let growing = Growing::new();
    growing.grow(0, 3).await;
    growing.journal.close();
    let layout = Layout::new(growing.dir.path());
    let mut bytes = std::fs::read(layout.segment(0)).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[used - 20..=used].fill(0);
    std::fs::write(layout.segment(0), bytes).unwrap();
    let reader = growing.reader();
    assert_eq!(indexes(reader.forward(0).unwrap()), [0, 1]);
    assert_eq!(indexes(reader.backward().unwrap()), [1, 0]);
}

#[tokio::test]
async fn damage_before_the_end_is_told_and_not_passed_over() {
    let growing = Growing::new();
    growing.grow(0, 3).await;
    growing.journal.close();
    let layout = Layout::new(growing.dir.path());
    let mut bytes = std::fs::read(layout.segment(0)).unwrap();
    let first = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
    bytes[first + 100] ^= 1;
    std::fs::write(layout.segment(0), bytes).unwrap();
    let reader = growing.reader();
    let forward: Vec<_> = reader.forward(0).unwrap().take(2).collect();
    assert!(
        matches!(&forward[1], Err(ReadError::Damaged { entry: 1, .. })),
        "{forward:?}"
    );
    let backward: Vec<_> = reader.backward().unwrap().take(2).collect();
    assert!(
        matches!(&backward[1], Err(ReadError::Damaged { entry: 1, .. })),
        "{backward:?}"
    );
}

#[test]
fn a_directory_without_a_journal_gives_an_error() {
    let dir = temporary();
    let reader = Reader::open(&dir.path().join("nothing"));
    assert!(matches!(reader.forward(0), Err(ReadError::Disk(_))));
    assert!(matches!(reader.backward(), Err(ReadError::Disk(_))));
}
