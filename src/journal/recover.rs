//! What is done before a journal takes entries: its tail is cut back to the last complete commit, which its key must have
//! signed, and what it published or witnesses have seen must still be there.

use std::collections::BTreeMap;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::path::PathBuf;

use super::JournalError;
use super::Recovery;
use super::disk::Disk;
use super::disk::DiskError;
use super::follow::Follower;
use super::follow::LastCommit;
use super::frame::BadFrame;
use super::frame::Frame;
use super::layout::Layout;
use super::leaf::Kind;
use super::reader::ReadError;
use super::reader::Reader;
use super::reader::StoredEntry;
use super::scan::Walker;
use super::segment;
use super::segment::Segment;
use super::tiles::Tiles;
use super::tiles::writer::TileWriter;
use crate::pb;
use crate::pb::journal_record;
use crate::tlog::merkle::Frontier;
use crate::tlog::note::VerifierKey;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

/// A journal that is whole again, ready to be written to.
pub(super) struct RecoveredJournal {
    /// Held as long as the journal is open: two daemons on one journal would fork it.
    pub(super) lock: File,
    pub(super) follower: Follower,
    pub(super) segment: Segment,
    /// Streams that were open when the gateway ended.
    pub(super) unclosed: Vec<StoredEntry>,
    pub(super) report: Recovery,
}

pub(super) fn recover(
    disk: &dyn Disk,
    layout: &Layout,
    verifier: &VerifierKey,
    segment_bytes: u64,
) -> Result<RecoveredJournal, JournalError> {
    for dir in [
        layout.root().to_owned(),
        layout.segments(),
        layout.hash_dir(),
        layout.state(),
    ] {
        disk.create_dir(&dir)?;
    }
    disk.flush_dir(layout.root())?;
    let lock = lock(layout)?;
    let published = read_own(layout.signed(), layout.read_signed()?, verifier)?;
    let witnessed = read_own(layout.witnessed(), layout.read_witnessed()?, verifier)?;
    if layout.list_segments()?.is_empty() {
        create_first(disk, layout, segment_bytes)?;
    }

    let (mut follower, rebuilt) = resume(disk, layout, published.as_ref())?;
    let covered = published.as_ref().map_or(0, SignedCheckpoint::size);
    let cut_bytes = follow_to_end(&mut follower, covered, verifier)?;
    let entries = follower.frontier().size();
    check_published(layout, published.as_ref(), entries)?;
    if let Some(witnessed) = &witnessed {
        check_beginning(layout, witnessed, entries)?;
    }

    let (first, position) = follower.walker().position();
    let segment = Segment::open(disk, &layout.segment(first), position)?;
    // Dies before or in this: the next recovery finds the same torn commit, or less of it.
    segment.cut(cut_bytes)?;
    let oldest_open = follower.last().and_then(|last| last.oldest_open);
    let unclosed = find_unclosed(layout, oldest_open)?;
    let report = Recovery {
        entries,
        cut_bytes,
        interrupted: unclosed.iter().map(|stored| stored.index).collect(),
        tree_rebuilt: rebuilt,
        last_time: follower.last().map(|last| last.time),
    };
    Ok(RecoveredJournal {
        lock,
        follower,
        segment,
        unclosed,
        report,
    })
}

fn lock(layout: &Layout) -> Result<File, JournalError> {
    let path = layout.lock();
    let error = |source| JournalError::Disk(DiskError::new("lock", &path, source));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked {
            dir: layout.root().to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

/// A checkpoint that was kept, which must be this journal's own.
fn read_own(
    path: PathBuf,
    note: Option<String>,
    verifier: &VerifierKey,
) -> Result<Option<SignedCheckpoint>, JournalError> {
    let Some(note) = note else {
        return Ok(None);
    };
    SignedCheckpoint::open(&note, std::slice::from_ref(verifier))
        .map(Some)
        .map_err(|source| JournalError::Published { path, source })
}

fn create_first(disk: &dyn Disk, layout: &Layout, segment_bytes: u64) -> Result<(), JournalError> {
    segment::make_spare(disk, layout, segment::first_capacity(segment_bytes), |_| {
        true
    })?;
    Segment::take_spare(disk, layout, 0)?;
    Ok(())
}

/// Stands where the tree's files are known to be right: at the published checkpoint, else at the beginning.
fn resume(
    disk: &dyn Disk,
    layout: &Layout,
    published: Option<&SignedCheckpoint>,
) -> Result<(Follower, bool), JournalError> {
    let tiles = Tiles::of(layout.clone());
    if let Some(checkpoint) = published.filter(|checkpoint| checkpoint.size() > 0) {
        let size = checkpoint.size();
        let whole = tiles.leaves(size - 1, 1).is_ok()
            && tiles
                .root(size)
                .is_ok_and(|root| root == *checkpoint.root());
        if whole && let Some((walker, last)) = walk_to(layout, checkpoint)? {
            let frontier = Frontier::load(size, |node| tiles.node(node))?;
            let writer = TileWriter::open(disk, layout, size)?;
            return Ok((Follower::new(walker, writer, frontier, last), false));
        }
    }
    let writer = TileWriter::open(disk, layout, 0)?;
    let walker = Walker::start(layout.clone());
    let rebuilt = published.is_some_and(|checkpoint| checkpoint.size() > 0);
    Ok((
        Follower::new(walker, writer, Frontier::default(), None),
        rebuilt,
    ))
}

/// Behind the commit that the checkpoint was signed for; `None` if it cannot be found there.
fn walk_to(
    layout: &Layout,
    checkpoint: &SignedCheckpoint,
) -> Result<Option<(Walker, Option<LastCommit>)>, JournalError> {
    let Ok(mut walker) = Walker::at(layout.clone(), checkpoint.size() - 1) else {
        return Ok(None);
    };
    match walker.next() {
        Ok(Some(frame))
            if frame.header.end() == checkpoint.size()
                && frame.header.root == *checkpoint.root() =>
        {
            Ok(Some((walker, LastCommit::of(&frame)?)))
        }
        _ => Ok(None),
    }
}

/// Follows all complete commits, of which those that nothing published covers must bear the journal's signature. Gives the
/// bytes of a torn one after them.
fn follow_to_end(
    follower: &mut Follower,
    covered: u64,
    verifier: &VerifierKey,
) -> Result<u64, JournalError> {
    let is_proven = |frame: &Frame| match frame.header.end() <= covered {
        true => Ok(()),
        false => frame.check_signature(verifier.name(), std::slice::from_ref(verifier)),
    };
    loop {
        match follower.step_if(is_proven) {
            Ok(true) => {}
            Ok(false) => return Ok(follower.walker().torn_bytes()?),
            // A checksum that fits and a root that does not was not torn by a crash.
            Err(
                error @ ReadError::Damaged {
                    cause: BadFrame::Root,
                    ..
                },
            ) => return Err(error.into()),
            // Nor was what a checksum fits and no signature: whoever wrote it has not the journal's key.
            Err(
                error @ ReadError::Damaged {
                    cause: BadFrame::Signature | BadFrame::Unsigned,
                    ..
                },
            ) => return Err(JournalError::Unproven(error)),
            Err(error @ ReadError::Damaged { .. }) => {
                return match follower.walker().is_torn_tail()? {
                    true => Ok(follower.walker().torn_bytes()?),
                    false => Err(error.into()),
                };
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What was published must be in the journal: otherwise it was cut back or put back to an older state.
fn check_published(
    layout: &Layout,
    published: Option<&SignedCheckpoint>,
    entries: u64,
) -> Result<(), JournalError> {
    let Some(checkpoint) = published else {
        // The first entry is taken only after a checkpoint of the empty journal was published.
        return match entries {
            0 => Ok(()),
            _ => Err(JournalError::NothingPublished {
                path: layout.signed(),
                entries,
            }),
        };
    };
    check_beginning(layout, checkpoint, entries)
}

/// What the checkpoint was signed for must be the beginning of the journal.
fn check_beginning(
    layout: &Layout,
    checkpoint: &SignedCheckpoint,
    entries: u64,
) -> Result<(), JournalError> {
    if entries < checkpoint.size() {
        return Err(JournalError::CutBack {
            signed: checkpoint.size(),
            found: entries,
        });
    }
    if Tiles::of(layout.clone()).root(checkpoint.size())? != *checkpoint.root() {
        return Err(JournalError::Rewritten {
            signed: checkpoint.size(),
        });
    }
    Ok(())
}

/// The intents from `oldest` on that no stream end closes.
fn find_unclosed(layout: &Layout, oldest: Option<u64>) -> Result<Vec<StoredEntry>, JournalError> {
    let Some(oldest) = oldest else {
        return Ok(Vec::new());
    };
    let mut open = BTreeMap::new();
    for stored in Reader::open(layout.root()).forward(oldest)? {
        let stored = stored?;
        match stored.leaf.kind {
            Kind::Intent => {
                open.insert(stored.index, stored);
            }
            Kind::StreamEnd => match stream_end(&stored)? {
                Some(end) => _ = open.remove(&end.opened_at),
                // Which one it ended stood in its record; both bear the exchange's id.
                None => open.retain(|_, opening: &mut StoredEntry| {
                    opening.leaf.exchange != stored.leaf.exchange
                }),
            },
            _ => {}
        }
    }
    Ok(open.into_values().collect())
}

/// The record of a stream end, unless it was erased.
pub(crate) fn stream_end(stored: &StoredEntry) -> Result<Option<pb::StreamEndRecord>, ReadError> {
    Ok(match stored.record()?.and_then(|record| record.kind) {
        Some(journal_record::Kind::StreamEnd(end)) => Some(end),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
