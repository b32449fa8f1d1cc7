//! Reads a journal's directory, also while its daemon writes.

use std::path::Path;

use bytes::Bytes;
use prost::Message;

use super::digest::record_commitment;
use super::frame::Frame;
use super::frame::RawEntry;
use super::layout::Layout;
use super::leaf::LEAF_BYTES;
use super::leaf::Leaf;
use super::leaf::leaf_hash;
use super::merkle::Hash;
pub use super::scan::ReadError;
use super::scan::Walker;
use super::scan::backward::BackWalker;
use crate::clock::Moment;
use crate::pb;

/// A journal's directory.
#[derive(Debug, Clone)]
pub struct Reader {
    layout: Layout,
}

/// One entry as it is stored.
#[derive(Clone)]
pub struct Stored {
    pub index: u64,
    pub leaf: Leaf,
    leaf_bytes: [u8; LEAF_BYTES],
    salt: [u8; 32],
    record: Bytes,
}

impl Reader {
    /// Reads nothing yet; a directory without a journal gives an error when it is read.
    pub fn open(dir: &Path) -> Self {
        Self {
            layout: Layout::new(dir),
        }
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
        Ok(Backward {
            walker: BackWalker::new(self.layout.clone())?,
            entries: Vec::new(),
        })
    }

    /// One entry, if the journal has it.
    pub fn entry(&self, index: u64) -> Result<Option<Stored>, ReadError> {
        self.forward(index)?.next().transpose()
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

impl Stored {
    fn new((index, raw): (u64, RawEntry)) -> Result<Self, ReadError> {
        let leaf = Leaf::parse(&raw.leaf).map_err(|source| ReadError::Leaf {
            entry: index,
            source,
        })?;
        Ok(Self {
            index,
            leaf,
            leaf_bytes: raw.leaf,
            salt: raw.salt,
            record: raw.record,
        })
    }

    /// The record, read.
    pub fn record(&self) -> Result<pb::JournalRecord, ReadError> {
        pb::JournalRecord::decode(self.record.clone()).map_err(|source| ReadError::Record {
            entry: self.index,
            source,
        })
    }

    pub fn leaf_bytes(&self) -> &[u8; LEAF_BYTES] {
        &self.leaf_bytes
    }

    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.leaf_bytes)
    }

    /// Whether the record is the one to which the leaf commits.
    pub fn is_bound(&self) -> bool {
        record_commitment(&self.salt, &self.record) == self.leaf.record_commitment
    }

    /// The bytes to which the leaf commits, and their salt.
    pub fn sealed(&self) -> (&[u8; 32], &Bytes) {
        (&self.salt, &self.record)
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored")
            .field("index", &self.index)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
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
        let frame = match self.walker.next() {
            Err(ReadError::Damaged { .. }) if self.walker.is_torn_tail()? => None,
            // What looked damaged was just being written when commits already follow it.
            Err(ReadError::Damaged { .. }) => self.walker.next()?,
            other => other?,
        };
        let Some(frame) = frame else {
            return Ok(false);
        };
        self.entries = frame.into_entries().rev().collect();
        Ok(true)
    }

    fn advance(&mut self) -> Result<Option<Stored>, ReadError> {
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
            let stored = Stored::new(entry)?;
            if self.since.is_none_or(|since| stored.leaf.time >= since) {
                self.since = None;
                return Ok(Some(stored));
            }
        }
    }
}

impl Iterator for Forward {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Entries, the newest first.
#[derive(Debug)]
pub struct Backward {
    walker: BackWalker,
    /// Those of the current commit that are still to come, the next one last.
    entries: Vec<(u64, RawEntry)>,
}

impl Backward {
    fn advance(&mut self) -> Result<Option<Stored>, ReadError> {
        while self.entries.is_empty() {
            let Some(frame) = self.walker.next()? else {
                return Ok(None);
            };
            self.entries = Frame::into_entries(frame).collect();
        }
        self.entries.pop().map(Stored::new).transpose()
    }
}

impl Iterator for Backward {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

#[cfg(test)]
mod tests;
