//! The file that commits are written to: filled with zeros beforehand, so that a commit changes data only.

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use super::disk::Disk;
use super::disk::DiskError;
use super::disk::DiskFile;
use super::frame::FRAME_OVERHEAD;
use super::layout::Layout;

/// An idle gateway's journal starts small; each further segment doubles up to the greatest size.
const FIRST_BYTES: u64 = 4 << 20;
pub(super) const LEAST_BYTES: u64 = 4 << 10;
/// Flushed at a time: so little that filling ahead holds up a commit's flush for a moment only.
const FILL_BYTES: usize = 256 << 10;

/// The segment at the journal's end. Only the commit thread has one.
pub(super) struct Segment {
    file: Box<dyn DiskFile>,
    position: u64,
    capacity: u64,
}

impl Segment {
    /// Goes on at a byte of an existing segment.
    pub(super) fn open(disk: &dyn Disk, path: &Path, position: u64) -> Result<Self, DiskError> {
        let file = disk.open(path)?;
        let capacity = length(path)?;
        Ok(Self {
            file,
            position,
            capacity,
        })
    }

    /// Overwrites what a crash left of a commit, which would otherwise lie after the next one.
    pub(super) fn cut(&self, bytes: u64) -> Result<(), DiskError> {
        fill(&*self.file, self.position, self.position + bytes, |_| true)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.position == 0
    }

    /// The bytes that entries may still take.
    pub(super) fn room(&self) -> u64 {
        (self.capacity - self.position.min(self.capacity)).saturating_sub(FRAME_OVERHEAD as u64)
    }

    pub(super) fn next_capacity(&self, greatest: u64) -> u64 {
        (self.capacity * 2).clamp(LEAST_BYTES, greatest.max(LEAST_BYTES))
    }

    /// Writes a commit and makes it durable. After an error nobody knows what is on disk: there must be no second try.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), DiskError> {
        // Dies before or in this: no frame or a torn one, which a recovery cuts off. Nobody was told of its entries.
        self.file.write_at(frame, self.position)?;
        // Dies before or in this: the frame may be there, whole or torn. A whole one stays: an entry too many does no harm.
        self.file.flush()?;
        // Dies after this: the entries are in the journal, though their answers were not released.
        self.position += frame.len() as u64;
        Ok(())
    }

    /// Puts the spare segment to use, from the entry `first` on.
    pub(super) fn take_spare(
        disk: &dyn Disk,
        layout: &Layout,
        first: u64,
    ) -> Result<Self, DiskError> {
        let path = layout.segment(first);
        // Dies before this: the spare is still one. After: an empty segment, in which the journal goes on.
        disk.rename(&layout.spare(), &path)?;
        disk.flush_dir(&layout.segments())?;
        Self::open(disk, &path, 0)
    }
}

/// The size of a journal's first segment.
pub(super) fn first_capacity(greatest: u64) -> u64 {
    FIRST_BYTES.min(greatest.max(LEAST_BYTES))
}

/// Makes a spare segment. If it fails, it can be tried again. `rest` is told how long each flush has taken, and says whether
/// commits wait for the segment: what is left of it is then flushed as a whole.
pub(super) fn make_spare(
    disk: &dyn Disk,
    layout: &Layout,
    capacity: u64,
    rest: impl FnMut(Duration) -> bool,
) -> Result<(), DiskError> {
    let path = layout.unfinished_spare();
    let file = disk.create(&path)?;
    let filled = fill(&*file, 0, capacity, rest);
    if filled.is_err() {
        // What was filled is given back, for others on this disk; whether that succeeds changes nothing.
        let _ = file.truncate(0);
    }
    filled?;
    // Dies before this: the unfinished file is made anew. After: the spare is whole.
    disk.rename(&path, &layout.spare())?;
    disk.flush_dir(&layout.segments())
}

fn fill(
    file: &dyn DiskFile,
    from: u64,
    to: u64,
    mut rest: impl FnMut(Duration) -> bool,
) -> Result<(), DiskError> {
    let zeros = vec![0; FILL_BYTES];
    let (mut at, mut hurried) = (from, false);
    while at < to {
        let step = (to - at).min(FILL_BYTES as u64);
        file.write_at(zeros.get(..step as usize).unwrap_or(&zeros), at)?;
        at += step;
        if hurried && at < to {
            continue;
        }
        let begun = Instant::now();
        file.flush()?;
        if at < to {
            hurried = rest(begun.elapsed());
        }
    }
    Ok(())
}

fn length(path: &Path) -> Result<u64, DiskError> {
    fs::metadata(path)
        .map(|metadata| metadata.len())
        .map_err(|source| DiskError::new("read", path, source))
}
