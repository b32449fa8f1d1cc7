//! Reads a journal's directory, also while its daemon writes.

pub(crate) mod commits;

use std::path::Path;

use bytes::Bytes;
use prost::Message;

use super::frame::Frame;
use super::frame::RawEntry;
use super::frame::SealedRecord;
use super::layout::Layout;
use super::leaf::LEAF_BYTES;
use super::leaf::Leaf;
use super::leaf::leaf_hash;
use super::scan::CommitAt;
pub use super::scan::ReadError;
use super::scan::Walker;
use super::scan::backward::BackwardWalker;
use crate::clock::Moment;
use crate::pb;
use crate::tlog::merkle::Hash;

/// A journal's directory.
#[derive(Debug, Clone)]
pub struct Reader {
    layout: Layout,
}

/// One entry as it is stored.
#[derive(Clone)]
pub struct StoredEntry {
    pub index: u64,
    pub leaf: Leaf,
    leaf_bytes: [u8; LEAF_BYTES],
    /// `None` once it was erased.
    sealed: Option<SealedRecord>,
}

impl Reader {
    /// Reads nothing yet; a directory without a journal gives an error when it is read.
    pub fn open(dir: &Path) -> Self {
        Self {
            layout: Layout::new(dir),
        }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The entries from the index on. After its end it can be asked again for what was written since.
    pub fn forward(&self, from: u64) -> Result<Forward, ReadError> {
        let walker = Walker::at(self.layout.clone(), from)?;
        Ok(Forward {
            walker,
            entries: Vec::new(),
            from,
            since: None,
        })
    }

    /// The entries of that time and later.
    pub fn since(&self, time: Moment) -> Result<Forward, ReadError> {
        // Times never decrease: whatever is of that time begins in the last segment that begins before it, or behind.
        let mut from = 0;
        for first in self.layout.list_segments()?.into_iter().rev() {
            let Some(frame) = Walker::at(self.layout.clone(), first)?.read()? else {
                continue;
            };
            let begins_before = frame
                .entries()
                .first()
                .and_then(|entry| Leaf::parse(&entry.leaf).ok())
                .is_some_and(|leaf| leaf.time < time);
            if begins_before {
                from = first;
                break;
            }
        }
        let walker = Walker::at(self.layout.clone(), from)?;
        Ok(Forward {
            walker,
            entries: Vec::new(),
            from,
            since: Some(time),
        })
    }

    /// The entries from the newest to the oldest.
    pub fn backward(&self) -> Result<Backward, ReadError> {
        self.backward_to(CommitAt::BEGINNING)
    }

    /// The entries from the newest to the first of that commit, without a look at what lies before it.
    pub(crate) fn backward_to(&self, oldest: CommitAt) -> Result<Backward, ReadError> {
        Ok(Backward {
            walker: BackwardWalker::new(self.layout.clone(), oldest)?,
            entries: Vec::new(),
        })
    }

    /// One entry, if the journal has it.
    pub fn entry(&self, index: u64) -> Result<Option<StoredEntry>, ReadError> {
        self.forward(index)?.next().transpose()
    }

    /// One entry of that commit or a later one: the nearer, the sooner it is found.
    pub(crate) fn entry_near(
        &self,
        near: CommitAt,
        index: u64,
    ) -> Result<Option<StoredEntry>, ReadError> {
        let mut walker = Walker::near(self.layout.clone(), near, index)?;
        let raw = settled(&mut walker)?
            .into_iter()
            .flat_map(Frame::into_entries)
            .find(|(found, _)| *found == index);
        raw.map(StoredEntry::new).transpose()
    }

    /// The note of the published checkpoint, unverified.
    pub fn published(&self) -> Result<Option<String>, ReadError> {
        Ok(self.layout.read_signed()?)
    }

    /// The note of the checkpoint that witnesses have cosigned last, unverified.
    pub fn witnessed(&self) -> Result<Option<String>, ReadError> {
        Ok(self.layout.read_witnessed()?)
    }
}

impl StoredEntry {
    fn new((index, raw): (u64, RawEntry)) -> Result<Self, ReadError> {
        let leaf = Leaf::parse(&raw.leaf).map_err(|source| ReadError::Leaf {
            entry: index,
            source,
        })?;
        Ok(Self {
            index,
            leaf,
            leaf_bytes: raw.leaf,
            sealed: raw.sealed,
        })
    }

    /// The record, read; `None` once it was erased.
    pub fn record(&self) -> Result<Option<pb::JournalRecord>, ReadError> {
        let decode = |sealed: &SealedRecord| pb::JournalRecord::decode(sealed.record.clone());
        self.sealed
            .as_ref()
            .map(decode)
            .transpose()
            .map_err(|source| ReadError::Record {
                entry: self.index,
                source,
            })
    }

    /// Whether its record's retention has ended. The entry that says so is later in the journal.
    pub fn is_erased(&self) -> bool {
        self.sealed.is_none()
    }

    pub fn leaf_bytes(&self) -> &[u8; LEAF_BYTES] {
        &self.leaf_bytes
    }

    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.leaf_bytes)
    }

    /// Whether the record is the one to which the leaf commits; `None` once it was erased.
    pub fn is_bound(&self) -> Option<bool> {
        let bound = |sealed: &SealedRecord| sealed.commitment() == self.leaf.record_commitment;
        self.sealed.as_ref().map(bound)
    }

    /// Holds the record to its leaf: what somebody has altered is not told as what happened.
    pub fn hold(&self) -> Result<(), ReadError> {
        match self.is_bound() {
            Some(false) => Err(ReadError::Altered { entry: self.index }),
            Some(true) | None => Ok(()),
        }
    }

    /// The bytes to which the leaf commits, and their salt; `None` once they were erased.
    pub fn sealed(&self) -> Option<(&[u8; 32], &Bytes)> {
        self.sealed
            .as_ref()
            .map(|sealed| (&sealed.salt, &sealed.record))
    }
}

impl std::fmt::Debug for StoredEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored")
            .field("index", &self.index)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

/// The next commit; `None` at the end, which the writer may just be writing.
fn settled(walker: &mut Walker) -> Result<Option<Frame>, ReadError> {
    match walker.next() {
        Err(ReadError::Damaged { .. }) if walker.is_torn_tail()? => Ok(None),
        // What looked damaged was just being written when commits already follow it.
        Err(ReadError::Damaged { .. }) => walker.next(),
        other => other,
    }
}

/// Entries, the oldest first.
#[derive(Debug)]
pub struct Forward {
    walker: Walker,
    /// Those of the current commit that are still to come, the next one last.
    entries: Vec<(u64, RawEntry)>,
    from: u64,
    since: Option<Moment>,
}

impl Forward {
    fn refill(&mut self) -> Result<bool, ReadError> {
        let Some(frame) = settled(&mut self.walker)? else {
            return Ok(false);
        };
        self.entries = frame.into_entries().rev().collect();
        Ok(true)
    }

    fn advance(&mut self) -> Result<Option<StoredEntry>, ReadError> {
        loop {
            let Some(entry) = self.entries.pop() else {
                if !self.refill()? {
                    return Ok(None);
                }
                continue;
            };
            if entry.0 < self.from {
                continue;
            }
            let stored = StoredEntry::new(entry)?;
            if self.since.is_none_or(|since| stored.leaf.time >= since) {
                self.since = None;
                return Ok(Some(stored));
            }
        }
    }
}

impl Iterator for Forward {
    type Item = Result<StoredEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Entries, the newest first.
#[derive(Debug)]
pub struct Backward {
    walker: BackwardWalker,
    /// Those of the current commit that are still to come, the next one last.
    entries: Vec<(u64, RawEntry)>,
}

impl Backward {
    fn advance(&mut self) -> Result<Option<StoredEntry>, ReadError> {
        while self.entries.is_empty() {
            let Some(frame) = self.walker.next()? else {
                return Ok(None);
            };
            self.entries = Frame::into_entries(frame).collect();
        }
        self.entries.pop().map(StoredEntry::new).transpose()
    }
}

impl Iterator for Backward {
    type Item = Result<StoredEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

#[cfg(test)]
mod tests;
