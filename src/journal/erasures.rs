//! Which erasure entry of a journal speaks for which erased records.

use std::collections::BTreeMap;

use super::leaf::Kind;
use super::leaf::LEAF_BYTES;
use super::leaf::Leaf;
use super::reader::ReadError;
use super::reader::Reader;
use super::reader::StoredEntry;
use super::retention::Keep;
use super::tiles::Tiles;
use crate::clock::Moment;
use crate::pb;
use crate::pb::journal_record;

/// An entry that says which records were erased, and under which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub index: u64,
    pub time: Moment,
    pub class: String,
    /// As the entry says it; what is no term permits nothing.
    pub keep: Option<Keep>,
    /// Months, counted from January 1970, whose subject keys were destroyed with the records.
    pub epochs: Vec<u32>,
}

/// The erasure entries of a journal, or those from some entry on.
#[derive(Debug, Default)]
pub struct Erasures {
    entries: Vec<Erasure>,
    /// By their first entry: the end, and which of the erasures it is.
    ranges: BTreeMap<u64, (u64, usize)>,
}

impl Erasures {
    /// All that stand at `from` or after it.
    pub fn since(reader: &Reader, from: u64) -> Result<Self, ReadError> {
        let mut erasures = Self::default();
        for stored in reader.forward(from)? {
            erasures.note(&stored?)?;
        }
        Ok(erasures)
    }

    /// The one that may speak for an entry that was erased, found by the leaves, which are fewer bytes than their records.
    pub fn of(reader: &Reader, erased: &StoredEntry) -> Result<Option<Erasure>, ReadError> {
        let (entry, time) = (erased.index, erased.leaf.time);
        let tiles = Tiles::of(reader.layout().clone());
        let mut first = entry + 1;
        loop {
            let count = usize::try_from(256 - first % 256).unwrap_or(1);
            let Ok(leaves) = tiles.leaves(first, count) else {
                break;
            };
            let (leaves, _) = leaves.as_chunks::<LEAF_BYTES>();
            for (index, leaf) in (first..).zip(leaves) {
                let kind = Leaf::parse(leaf).map(|leaf| leaf.kind);
                if kind == Ok(Kind::Erasure)
                    && let Some(found) = covering(reader, index, entry)?
                    && found.was_due(time)
                {
                    return Ok(Some(found));
                }
            }
            first += leaves.len() as u64;
        }
        // The last tile is not full, and the newest entries are not in the tree's files yet.
        Ok(Self::since(reader, first)?.covering(entry).cloned())
    }

    /// Takes an entry in, if it is an erasure.
    pub(super) fn note(&mut self, stored: &StoredEntry) -> Result<(), ReadError> {
        if stored.leaf.kind != Kind::Erasure {
            return Ok(());
        }
        if let Some(journal_record::Kind::Erasure(record)) =
            stored.record()?.and_then(|record| record.kind)
        {
            self.add(stored.index, stored.leaf.time, &record);
        }
        Ok(())
    }

    /// An erasure speaks only for what stands before it.
    pub(super) fn add(&mut self, index: u64, time: Moment, record: &pb::ErasureRecord) {
        let number = self.entries.len();
        self.entries.push(Erasure {
            index,
            time,
            class: record.class.clone(),
            keep: record.keep.parse().ok(),
            epochs: record.epochs.clone(),
        });
        for range in &record.ranges {
            if range.first < range.end && range.end <= index {
                self.claim(range.first, range.end, number);
            }
        }
    }

    /// Should two speak for the same, the later one does: the earlier one came too early, and was not carried out.
    fn claim(&mut self, first: u64, end: u64, number: usize) {
        let before = self.ranges.range(..first).next_back();
        if let Some((&start, &(reaches, other))) = before
            && reaches > first
        {
            self.ranges.insert(start, (first, other));
            if reaches > end {
                self.ranges.insert(end, (reaches, other));
            }
        }
        while let Some((&start, &(reaches, other))) = self.ranges.range(first..end).next() {
            self.ranges.remove(&start);
            if reaches > end {
                self.ranges.insert(end, (reaches, other));
            }
        }
        self.ranges.insert(first, (end, number));
    }

    pub(crate) fn covering(&self, entry: u64) -> Option<&Erasure> {
        Some(self.covering_range(entry)?.0)
    }

    /// With the end of the range.
    pub(super) fn covering_range(&self, entry: u64) -> Option<(&Erasure, u64)> {
        let (_, &(end, number)) = self.ranges.range(..=entry).next_back()?;
        let erasure = self.entries.get(number)?;
        (entry < end).then_some((erasure, end))
    }

    /// Whether one of them speaks for an entry from `first` on, before `end`.
    pub(super) fn covers_any(&self, first: u64, end: u64) -> bool {
        self.covering(first).is_some() || self.ranges.range(first..end).next().is_some()
    }

    pub(super) fn entries(&self) -> &[Erasure] {
        &self.entries
    }
}

impl Erasure {
    /// Whether the term that it names had ended for a record of that time.
    pub(crate) fn was_due(&self, time: Moment) -> bool {
        self.keep.is_some_and(|keep| keep.due(time) <= self.time)
    }
}

/// The erasure entry at `index`, if it speaks for `entry`.
fn covering(reader: &Reader, index: u64, entry: u64) -> Result<Option<Erasure>, ReadError> {
    let mut erasures = Erasures::default();
    if let Some(stored) = reader.entry(index)? {
        erasures.note(&stored)?;
    }
    Ok(erasures.covering(entry).cloned())
}

#[cfg(test)]
mod tests;
