//! What is due in one segment, and what stays.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;

use prost::Message;

use super::ExpiryError;
use crate::clock::Moment;
use crate::journal::erasures::Erasures;
use crate::journal::frame::RawEntry;
use crate::journal::frame::SealedRecord;
use crate::journal::layout::Layout;
use crate::journal::leaf::Leaf;
use crate::journal::pace::Pace;
use crate::journal::reader::ReadError;
use crate::journal::retention::Keep;
use crate::journal::retention::Retention;
use crate::journal::scan::Walker;
use crate::journal::subject::epoch;
use crate::pb;
use crate::pb::journal_record::Kind;

/// The records of one segment, told apart.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is due and no entry says so yet, by the class's name.
    pub(super) due: BTreeMap<String, DueRecords>,
    /// All that is due, also what a pass that was cut short has announced already.
    pub(super) erase: Vec<Range<u64>>,
    pub(super) stays: Survey,
    /// The months whose subject keys the records that are due were tagged with.
    pub(super) leaving: BTreeSet<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DueRecords {
    pub(super) keep: Keep,
    pub(super) ranges: Vec<Range<u64>>,
    pub(super) oldest: Moment,
}

/// What is known of the records in a segment.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Survey {
    /// When the first of them is due.
    pub(super) due: Option<Moment>,
    /// The months whose subject keys they were tagged with.
    pub(super) epochs: BTreeSet<u32>,
}

/// A segment: its first entry, and the one after its last; none for the one that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) end: Option<u64>,
}

/// Under which rules records are judged, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) retention: &'a Retention,
    pub(super) now: Moment,
    /// What a pass that was cut short has announced.
    pub(super) announced: &'a Erasures,
}

impl Segment {
    /// The segments of a journal, the oldest first.
    pub(super) fn list(layout: &Layout) -> Result<Vec<Self>, ReadError> {
        let firsts = layout.list_segments()?;
        let ends = firsts.iter().copied().skip(1).map(Some).chain([None]);
        let segments = firsts.iter().copied().zip(ends);
        Ok(segments.map(|(first, end)| Self { first, end }).collect())
    }

    /// The time of its first entry; `None` if it has none yet.
    pub(super) fn begins(self, layout: &Layout) -> Result<Option<Moment>, ReadError> {
        let mut walker = Walker::at(layout.clone(), self.first)?;
        let frame = match walker.read() {
            Err(ReadError::Damaged { .. }) if walker.is_torn_tail()? => None,
            frame => frame?,
        };
        let first = frame.as_ref().and_then(|frame| frame.entries().first());
        first.map(|raw| Ok(leaf(self.first, raw)?.time)).transpose()
    }
}

impl Plan {
    /// Reads the whole segment.
    pub(super) fn of(
        layout: &Layout,
        segment: Segment,
        judge: Judge<'_>,
        pace: &mut Pace,
    ) -> Result<Self, ExpiryError> {
        let mut plan = Self::default();
        let mut walker = Walker::at(layout.clone(), segment.first)?;
        loop {
            let frame = match walker.next() {
                // The commit that is just being written.
                Err(ReadError::Damaged { .. }) if walker.is_torn_tail()? => None,
                frame => frame?,
            };
            let within = |first| segment.end.is_none_or(|end| first < end);
            let Some(frame) = frame.filter(|frame| within(frame.header.first)) else {
                return Ok(plan);
            };
            let bytes = frame.header.length;
            for (index, raw) in frame.into_entries() {
                if let Some(sealed) = &raw.sealed {
                    plan.judge(index, &leaf(index, &raw)?, sealed, judge)?;
                }
            }
            pace.pause_after(bytes)?;
        }
    }

    fn judge(
        &mut self,
        index: u64,
        leaf: &Leaf,
        sealed: &SealedRecord,
        judge: Judge<'_>,
    ) -> Result<(), ReadError> {
        let record = pb::JournalRecord::decode(sealed.record.clone());
        let record = record.map_err(|source| ReadError::Record {
            entry: index,
            source,
        })?;
        let epochs = epochs(&record, leaf.time);
        let Some((class, keep)) = judge.retention.of(&record) else {
            return Ok(());
        };
        let due = keep.due(leaf.time);
        let covering = judge.announced.covering(index);
        // What was announced is carried out, even if the rules have become longer since: others have been told.
        let announced = covering.is_some_and(|erasure| erasure.was_due(leaf.time));
        if due > judge.now && !announced {
            self.stays.due = Some(self.stays.due.map_or(due, |first| first.min(due)));
            self.stays.epochs.extend(epochs);
            return Ok(());
        }
        self.leaving.extend(epochs);
        push(&mut self.erase, index);
        if !announced {
            let of_class = self
                .due
                .entry(class.to_owned())
                .or_insert_with(|| DueRecords {
                    keep,
                    ranges: Vec::new(),
                    oldest: leaf.time,
                });
            push(&mut of_class.ranges, index);
        }
        Ok(())
    }

    /// All of the segment's records, for later.
    pub(super) fn survey(self, now: Moment) -> Survey {
        let mut survey = self.stays;
        survey.epochs.extend(self.leaving);
        if !self.erase.is_empty() {
            survey.due = Some(now);
        }
        survey
    }
}

impl DueRecords {
    pub(super) fn records(&self) -> u64 {
        count(&self.ranges)
    }
}

pub(super) fn count(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

fn push(ranges: &mut Vec<Range<u64>>, index: u64) {
    match ranges.last_mut() {
        Some(last) if last.end == index => last.end = index + 1,
        _ => ranges.push(index..index + 1),
    }
}

fn leaf(entry: u64, raw: &RawEntry) -> Result<Leaf, ReadError> {
    Leaf::parse(&raw.leaf).map_err(|source| ReadError::Leaf { entry, source })
}

/// The months whose keys a record's tags were made with.
fn epochs(record: &pb::JournalRecord, time: Moment) -> Vec<u32> {
    let (subjects, key_tag) = match &record.kind {
        Some(Kind::Exchange(exchange)) => (exchange.subjects.as_slice(), &exchange.key_tag[..]),
        Some(Kind::StreamEnd(end)) => (end.subjects.as_slice(), &[][..]),
        _ => return Vec::new(),
    };
    let of_key = (!key_tag.is_empty()).then(|| epoch(time));
    let of_subjects = subjects.iter().map(|tag| tag.epoch);
    of_subjects.chain(of_key).collect()
}
