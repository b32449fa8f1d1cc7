use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::journal::frame::HEADER_BYTES;
use crate::journal::testing::Flaky;
use crate::journal::testing::Publish;
use crate::journal::testing::copy;
use crate::journal::testing::exchange;
use crate::journal::testing::open;
use crate::journal::testing::sum;
use crate::journal::testing::temporary;
use crate::journal::testing::unsigned;
use crate::journal::testing::vkey;
use crate::journal::verify::Fault;
use crate::journal::verify::verify;

/// A journal of three commits of one entry each, as a crash leaves it before it has published any.
struct CrashedJournal {
    dir: TempDir,
    /// Where each commit begins and the last one ends.
    commits: [usize; 4],
}

impl CrashedJournal {
    async fn new() -> Self {
        let live = temporary();
        let dir = temporary();
        let (journal, _) = open(&Flaky::default(), live.path(), Publish::Never).unwrap();
        for n in 0..3 {
            journal.append(exchange(n)).await.unwrap();
        }
        copy(live.path(), dir.path());
        journal.close();
        let bytes = fs::read(segment(dir.path())).unwrap();
        let mut commits = [0; 4];
        for n in 0..3 {
            let length = bytes[commits[n] + 4..commits[n] + 8].try_into().unwrap();
            commits[n + 1] = commits[n] + u32::from_be_bytes(length) as usize;
        }
        Self { dir, commits }
    }

    /// Its bytes from `at` on replaced, in a copy.
    fn damaged(&self, at: usize, bytes: &[u8]) -> TempDir {
        let dir = temporary();
        copy(self.dir.path(), dir.path());
        overwrite(&segment(dir.path()), at, bytes);
        dir
    }

    fn byte(&self, at: usize) -> u8 {
        fs::read(segment(self.dir.path())).unwrap()[at]
    }
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("seg").join("00000000000000000000.seg")
}

fn overwrite(path: &Path, at: usize, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at as u64).unwrap();
}

/// Recovers, goes on, and is whole.
async fn recover_and_go_on(dir: &Path) -> Recovery {
    let (journal, recovery) = open(&Flaky::default(), dir, Publish::Never).unwrap();
    let receipt = journal.append(exchange(100)).await.unwrap();
    assert_eq!(receipt.index(), recovery.entries);
    journal.close();
    let report = verify(dir, &[vkey()]);
    assert!(report.fault.is_none(), "{:?}", report.fault);
    assert_eq!(
        (report.entries, report.torn_bytes),
        (recovery.entries + 1, 0)
    );
    recovery
}

fn refusal(dir: &Path) -> JournalError {
    match open(&Flaky::default(), dir, Publish::Never) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_crash_without_harm_loses_nothing() {
    let crashed = CrashedJournal::new().await;
    let recovery = recover_and_go_on(crashed.dir.path()).await;
    assert_eq!((recovery.entries, recovery.cut_bytes), (3, 0));
}

#[tokio::test]
async fn a_commit_torn_anywhere_is_cut_off_and_no_other() {
    let crashed = CrashedJournal::new().await;
    let [_, _, start, end] = crashed.commits;
    for at in start..end {
        let dir = crashed.damaged(at, &vec![0; end - at]);
        let recovery = recover_and_go_on(dir.path()).await;
        // The record's last bytes may be zero themselves.
        let torn = (start..at)
            .rev()
            .find(|&at| crashed.byte(at) != 0)
            .map_or(0, |at| at + 1 - start);
        let whole = (at..end).all(|at| crashed.byte(at) == 0);
        let expected = if whole { (3, 0) } else { (2, torn as u64) };
        assert_eq!(
            (recovery.entries, recovery.cut_bytes),
            expected,
            "torn at {at}"
        );
    }
}

#[tokio::test]
async fn a_last_commit_damaged_anywhere_is_cut_off_and_no_other() {
    let crashed = CrashedJournal::new().await;
    let [_, _, start, end] = crashed.commits;
    for at in start..end {
        let dir = crashed.damaged(at, &[crashed.byte(at) ^ 0x20]);
        let recovery = recover_and_go_on(dir.path()).await;
        assert_eq!(
            (recovery.entries, recovery.cut_bytes),
            (2, (end - start) as u64),
            "damaged at {at}"
        );
    }
}

#[tokio::test]
async fn damage_before_the_last_commit_is_never_cut_off() {
    let crashed = CrashedJournal::new().await;
    let [_, start, end, _] = crashed.commits;
    for at in start..end {
        let dir = crashed.damaged(at, &[crashed.byte(at) ^ 0x20]);
        let before = fs::read(segment(dir.path())).unwrap();
        let error = refusal(dir.path());
        assert!(
            matches!(&error, JournalError::Damaged(ReadError::Damaged { entry: 1, offset, .. }) if *offset == start as u64),
            "damaged at {at}: {error:?}"
        );
        assert_eq!(fs::read(segment(dir.path())).unwrap(), before);
    }
}

/// Its last commit as somebody without the key would write it, whole and with a checksum that fits.
fn with_last(crashed: &CrashedJournal, change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let [_, _, start, end] = crashed.commits;
    let mut last = fs::read(segment(crashed.dir.path())).unwrap()[start..end].to_vec();
    change(&mut last);
    last.resize(end - start, 0);
    crashed.damaged(start, &last)
}

#[tokio::test]
async fn a_whole_commit_that_the_key_has_not_signed_is_refused_and_left_as_it_is() {
    let crashed = CrashedJournal::new().await;
    let forged = with_last(&crashed, |commit| {
        commit[HEADER_BYTES] ^= 1;
        sum(commit);
    });
    let earlier = with_last(&crashed, |commit| *commit = unsigned(commit));
    for (dir, cause) in [(forged, BadFrame::Signature), (earlier, BadFrame::Unsigned)] {
        let before = fs::read(segment(dir.path())).unwrap();
        let error = refusal(dir.path());
        assert!(
            matches!(&error, JournalError::Unproven(ReadError::Damaged { entry: 2, cause: found, .. }) if *found == cause),
            "{error:?}"
        );
        assert_eq!(fs::read(segment(dir.path())).unwrap(), before);
        let report = verify(dir.path(), &[vkey()]);
        assert!(
            matches!(&report.fault, Some(Fault::Unproven { entry: 2, cause: found }) if *found == cause),
            "{:?}",
            report.fault
        );
        assert_eq!((report.entries, report.unpublished()), (2, 2));
    }
}

/// A journal of a version that signed no commits, as far as its checkpoint covers it.
#[tokio::test]
async fn a_published_journal_of_the_earlier_version_opens_and_goes_on_signed() {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    for n in 0..3 {
        journal.append(exchange(n)).await.unwrap();
    }
    journal.close();
    let bytes = fs::read(segment(dir.path())).unwrap();
    let (mut earlier, mut at) = (Vec::new(), 0);
    for _ in 0..3 {
        let length = u32::from_be_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        earlier.extend(unsigned(&bytes[at..at + length]));
        at += length;
    }
    earlier.resize(bytes.len(), 0);
    fs::write(segment(dir.path()), earlier).unwrap();
    let report = verify(dir.path(), &[vkey()]);
    assert!(report.fault.is_none(), "{:?}", report.fault);
    assert_eq!(recover_and_go_on(dir.path()).await.entries, 3);
}

#[tokio::test]
async fn a_journal_shorter_than_what_witnesses_have_seen_is_refused() {
    let dir = closed().await;
    let older = temporary();
    copy(dir.path(), older.path());
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    journal.append(exchange(41)).await.unwrap();
    journal.close();
    // All is put back, the published checkpoint too, but what witnesses have cosigned.
    let newer = Layout::new(dir.path()).signed();
    fs::copy(newer, Layout::new(older.path()).witnessed()).unwrap();
    assert!(matches!(
        refusal(older.path()),
        JournalError::CutBack {
            signed: 41,
            found: 40
        }
    ));
}

/// A closed journal of 40 entries in several segments.
async fn closed() -> TempDir {
    let dir = temporary();
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    for n in 0..40 {
        journal.append(exchange(n)).await.unwrap();
    }
    journal.close();
    dir
}

fn segments(dir: &Path) -> Vec<u64> {
    Layout::new(dir).list_segments().unwrap()
}

#[tokio::test]
async fn a_journal_that_was_cut_back_is_refused() {
    let dir = closed().await;
    let last = *segments(dir.path()).last().unwrap();
    let path = Layout::new(dir.path()).segment(last);
    let bytes = fs::read(&path).unwrap();
    let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
    // All but the first commit of the last segment.
    fs::write(&path, &bytes[..length]).unwrap();
    let error = refusal(dir.path());
    assert_eq!(
        error.to_string(),
        format!(
            "the journal was cut back: signed size 40, found {}",
            last + 1
        )
    );
}

#[tokio::test]
async fn a_journal_whose_last_segment_is_gone_is_refused() {
    let dir = closed().await;
    let last = *segments(dir.path()).last().unwrap();
    fs::remove_file(Layout::new(dir.path()).segment(last)).unwrap();
    assert!(
        matches!(refusal(dir.path()), JournalError::CutBack { signed: 40, found } if found == last)
    );
}

#[tokio::test]
async fn a_journal_with_a_gap_is_refused() {
    let dir = closed().await;
    let second = segments(dir.path())[1];
    fs::remove_file(Layout::new(dir.path()).segment(second)).unwrap();
    // Without the tree's files it has to be read from the beginning.
    fs::remove_file(dir.path().join("leaves.dat")).unwrap();
    assert!(matches!(
        refusal(dir.path()),
        JournalError::Damaged(ReadError::Missing { entry }) if entry == second
    ));
}

#[tokio::test]
async fn a_journal_put_back_to_an_older_state_is_refused() {
    let dir = closed().await;
    let older = temporary();
    copy(dir.path(), older.path());
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    journal.append(exchange(41)).await.unwrap();
    journal.close();
    // All is put back but what was published.
    fs::copy(
        Layout::new(dir.path()).signed(),
        Layout::new(older.path()).signed(),
    )
    .unwrap();
    assert!(matches!(
        refusal(older.path()),
        JournalError::CutBack {
            signed: 41,
            found: 40
        }
    ));
}

#[tokio::test]
async fn another_history_of_the_same_length_is_refused() {
    let (dir, other) = (closed().await, closed().await);
    fs::copy(
        Layout::new(dir.path()).signed(),
        Layout::new(other.path()).signed(),
    )
    .unwrap();
    assert!(matches!(
        refusal(other.path()),
        JournalError::Rewritten { signed: 40 }
    ));
}

#[tokio::test]
async fn what_was_published_cannot_be_removed_or_exchanged() {
    let dir = closed().await;
    let signed = Layout::new(dir.path()).signed();
    let note = fs::read_to_string(&signed).unwrap();
    fs::write(&signed, note.replace("\n40\n", "\n39\n")).unwrap();
    assert!(matches!(
        refusal(dir.path()),
        JournalError::Published { .. }
    ));
    fs::write(&signed, "").unwrap();
    assert!(matches!(
        refusal(dir.path()),
        JournalError::Published { .. }
    ));
    fs::remove_file(&signed).unwrap();
    assert!(matches!(
        refusal(dir.path()),
        JournalError::NothingPublished { entries: 40, .. }
    ));
    fs::write(&signed, note).unwrap();
    assert_eq!(recover_and_go_on(dir.path()).await.entries, 40);
}

#[tokio::test]
async fn the_trees_files_are_made_anew_when_they_are_lost_or_damaged() {
    let layout = |dir: &TempDir| Layout::new(dir.path());
    let damages: [fn(&Layout); 5] = [
        |layout| fs::remove_file(layout.leaves()).unwrap(),
        |layout| fs::remove_dir_all(layout.hash_dir()).unwrap(),
        |layout| overwrite(&layout.hashes(0), 32 * 39, &[0; 32]),
        |layout| fs::write(layout.hashes(0), "").unwrap(),
        |layout| fs::write(layout.leaves(), "short").unwrap(),
    ];
    for damage in damages {
        let dir = closed().await;
        damage(&layout(&dir));
        let recovery = recover_and_go_on(dir.path()).await;
        assert!(recovery.tree_rebuilt);
        assert_eq!(recovery.entries, 40);
        assert!(!recover_and_go_on(dir.path()).await.tree_rebuilt);
    }
}

#[tokio::test]
async fn a_spare_segment_that_a_crash_left_half_made_is_made_anew() {
    let dir = closed().await;
    let layout = Layout::new(dir.path());
    fs::write(layout.unfinished_spare(), "rubbish").unwrap();
    let _ = fs::remove_file(layout.spare());
    let (journal, _) = open(&Flaky::default(), dir.path(), Publish::Never).unwrap();
    for n in 0..60 {
        journal.append(exchange(n)).await.unwrap();
    }
    journal.close();
    assert_eq!(recover_and_go_on(dir.path()).await.entries, 100);
}
