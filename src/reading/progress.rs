//! How far a journal is: what is published and witnessed of it, and what the index has.

use std::path::Path;

use super::error::ReadingError;
use super::lookup;
use crate::clock::Moment;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::tlog::checkpoint::Checkpoint;

pub(crate) struct Progress {
    pub(crate) published: Option<CheckpointProgress>,
    /// None while no quorum of witnesses has cosigned anything.
    pub(crate) witnessed: Option<CheckpointProgress>,
    /// Entries before this one are found by the index, which makes a search quick.
    pub(crate) indexed_to: u64,
}

/// Up to where a checkpoint goes.
pub(crate) struct CheckpointProgress {
    pub(crate) size: u64,
    /// When its last entry was written.
    pub(crate) time: Option<Moment>,
}

impl Progress {
    pub(crate) fn of(journal: &Path) -> Result<Self, ReadingError> {
        let read = || {
            let reader = Reader::open(journal);
            Ok((
                reached(&reader, reader.published()?.as_deref())?,
                reached(&reader, reader.witnessed()?.as_deref())?,
            ))
        };
        let (published, witnessed) =
            read().map_err(|error: ReadError| ReadingError::failed(error))?;
        Ok(Self {
            published,
            witnessed,
            indexed_to: lookup::index(journal).map_or(0, |index| index.complete_to()),
        })
    }
}

fn reached(reader: &Reader, note: Option<&str>) -> Result<Option<CheckpointProgress>, ReadError> {
    let Some(size) = note.and_then(size) else {
        return Ok(None);
    };
    let last = size.checked_sub(1).map(|last| reader.entry(last));
    let last = last.transpose()?.flatten();
    Ok(Some(CheckpointProgress {
        size,
        time: last.map(|last| last.leaf.time),
    }))
}

/// The size that a note states. The note is this gateway's own: nothing is gained by verifying it.
pub(crate) fn size(note: &str) -> Option<u64> {
    let (text, _) = note.rsplit_once("\n\n")?;
    let checkpoint = Checkpoint::parse(&format!("{text}\n")).ok()?;
    Some(checkpoint.size)
}
