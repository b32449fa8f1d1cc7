//! Expiry: erases the records whose retention has ended, and says so in the journal before it does.

mod plan;
mod rewrite;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::AppendError;
use super::Entry;
use super::Failure;
use super::Journal;
use super::disk;
use super::disk::DiskError;
use super::erasures::Erasures;
use super::layout::Layout;
use super::leaf::Leaf;
use super::pace::Pace;
use super::pace::WorkStopped;
use super::reader::ReadError;
use super::reader::Reader;
use super::retention::Keep;
use super::retention::Retention;
use super::subject::SubjectKeyError;
use super::subject::SubjectKeys;
use super::subject::epoch;
use crate::clock::Moment;
use crate::pb;
use plan::DueRecords;
use plan::Judge;
use plan::Plan;
use plan::Segment;
use plan::Survey;
use plan::count;
use rewrite::Rewrite;

/// An erasure entry has at most so many ranges, and stays far below the longest record.
const MOST_RANGES: usize = 2_000;
/// How long an erasure waits until its entry is published.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// Erases what is due, pass by pass.
#[derive(Clone)]
pub struct Expiry {
    journal: Journal,
    retention: Retention,
    keys: SubjectKeys,
    /// What former passes learnt of segments, by their first entry: each is read again only when something in it is due.
    surveys: BTreeMap<u64, Survey>,
}

/// What a pass has erased, or would erase.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Expired {
    pub records: u64,
    pub classes: BTreeMap<String, ExpiredClass>,
    /// The months whose subject keys go with them, counted from January 1970.
    pub epochs: BTreeSet<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredClass {
    pub keep: Keep,
    pub records: u64,
    /// The oldest record's time.
    pub oldest: Moment,
}

/// Why a pass ended before it was through. What it has begun, the next one finishes.
#[derive(Debug, thiserror::Error)]
pub enum ExpiryError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the erasure is not on record")]
    Unwritten(#[from] AppendError),
    #[error("the erasure's entry is not published, so nothing was erased")]
    Unpublished,
    #[error("a month's subject key is not destroyed, though its last records are erased")]
    Keys(#[from] SubjectKeyError),
    #[error("the clock went back, so nothing was erased")]
    Clock,
    #[error("the journal has failed")]
    Failed(#[source] Arc<Failure>),
    #[error(transparent)]
    Stopped(#[from] WorkStopped),
}

/// One pass under way.
struct Pass<'a> {
    now: Moment,
    /// What a pass that was cut short has announced.
    announced: Erasures,
    pace: &'a mut Pace,
    expired: Expired,
}

/// What a pass at that time would erase. Reads the journal's directory only, also while its gateway runs.
pub fn preview(dir: &Path, retention: &Retention, now: Moment) -> Result<Expired, ExpiryError> {
    let layout = Layout::new(dir);
    let judge = Judge {
        retention,
        now,
        announced: &Erasures::default(),
    };
    let mut expired = Expired::default();
    for segment in Segment::list(&layout)? {
        match segment.begins(&layout)? {
            Some(time) if retention.earliest_due(time) <= now => {}
            _ => break,
        }
        expired.add(&Plan::of(&layout, segment, judge, &mut Pace::full())?);
    }
    Ok(expired)
}

impl Expiry {
    pub fn new(journal: &Journal, retention: Retention, keys: SubjectKeys) -> Self {
        Self {
            journal: journal.clone(),
            retention,
            keys,
            surveys: BTreeMap::new(),
        }
    }

    /// Erases all that is due at that time. Blocks, for long if there is much: for a thread of its own.
    ///
    /// An error on the journal's files ends the journal, unless the disk is merely full.
    pub fn pass(&mut self, now: Moment, pace: &mut Pace) -> Result<Expired, ExpiryError> {
        match self.try_pass(now, pace) {
            Err(ExpiryError::Read(error)) if !error.may_be_retried() => Err(ExpiryError::Failed(
                self.journal.fail(Failure::Expiry(error)),
            )),
            other => other,
        }
    }

    fn try_pass(&mut self, now: Moment, pace: &mut Pace) -> Result<Expired, ExpiryError> {
        let begun = self.begun()?;
        let announced = match begun {
            Some(from) => Erasures::since(&Reader::open(self.layout().root()), from)?,
            None => Erasures::default(),
        };
        let mut pass = Pass {
            now,
            announced,
            pace,
            expired: Expired::default(),
        };
        self.seal_what_is_due(&mut pass)?;
        let (due, seen_to) = self.survey(&mut pass)?;
        if due.is_empty() && begun.is_none() {
            return Ok(pass.expired);
        }
        if begun.is_none() {
            // Dies before this: nothing was begun. After: the next pass looks from here on for erasures that were announced,
            // finds none or some, and carries them out.
            self.mark(&self.journal.checkpoint().size().to_string())?;
        }
        for (first, end) in due {
            self.erase((first, end), seen_to, &mut pass)?;
        }
        let announced = pass.announced.entries().iter();
        let epochs = announced.flat_map(|erasure| &erasure.epochs);
        pass.expired.epochs.extend(epochs);
        for &month in &pass.expired.epochs {
            // Dies before this: the month's last records are gone, and its key stands; the next pass destroys it.
            self.keys.destroy(month)?;
        }
        // Dies before this: the next pass finds nothing left to do, and gets here too.
        self.mark("")?;
        Ok(pass.expired)
    }

    /// Has the segment that is being written sealed if it holds what is due: that of an idle gateway would never be.
    fn seal_what_is_due(&mut self, pass: &mut Pass<'_>) -> Result<(), ExpiryError> {
        if let Some(last) = Segment::list(self.layout())?.pop()
            && self.is_due(last, pass)? == Some(true)
        {
            self.journal.seal_segment()?;
        }
        Ok(())
    }

    /// The sealed segments in which something is due, and a time: what is of that time or later was not looked at.
    fn survey(&mut self, pass: &mut Pass<'_>) -> Result<(Vec<(u64, u64)>, Moment), ExpiryError> {
        let mut found = Vec::new();
        for segment in Segment::list(self.layout())? {
            let due = match segment.end {
                Some(end) => self.is_due(segment, pass)?.map(|due| (due, end)),
                None => None,
            };
            match due {
                Some((true, end)) => found.push((segment.first, end)),
                Some((false, _)) => {}
                // Times never decrease: in later segments nothing is due either.
                None => {
                    let begins = segment.begins(self.layout())?;
                    return Ok((found, begins.unwrap_or(pass.now)));
                }
            }
        }
        Ok((found, pass.now))
    }

    /// Whether something in a segment is due; `None` if the segment is so young that nothing can be.
    fn is_due(
        &mut self,
        segment: Segment,
        pass: &mut Pass<'_>,
    ) -> Result<Option<bool>, ExpiryError> {
        let end = segment.end.unwrap_or(u64::MAX);
        let begun = pass.announced.covers_any(segment.first, end);
        let known = self.surveys.get(&segment.first).filter(|_| !begun);
        if known.is_some_and(|survey| survey.due.is_none_or(|due| due > pass.now)) {
            return Ok(Some(false));
        }
        match segment.begins(self.layout())? {
            Some(time) if begun || self.retention.earliest_due(time) <= pass.now => {}
            _ => return Ok(None),
        }
        let plan = self.plan(segment, pass)?;
        let due = !plan.erase.is_empty();
        let mut survey = plan.survey(pass.now);
        if segment.end.is_none() {
            // What is written from now on is due then at the earliest.
            let later = self.retention.earliest_due(pass.now);
            survey.due = Some(survey.due.map_or(later, |due| due.min(later)));
        }
        self.surveys.insert(segment.first, survey);
        Ok(Some(due))
    }

    fn plan(&self, segment: Segment, pass: &mut Pass<'_>) -> Result<Plan, ExpiryError> {
        let judge = Judge {
            retention: &self.retention,
            now: pass.now,
            announced: &pass.announced,
        };
        Plan::of(self.layout(), segment, judge, pass.pace)
    }

    /// Announces what is due in a sealed segment, and erases it.
    fn erase(
        &mut self,
        (first, end): (u64, u64),
        seen_to: Moment,
        pass: &mut Pass<'_>,
    ) -> Result<(), ExpiryError> {
        let segment = Segment {
            first,
            end: Some(end),
        };
        let plan = self.plan(segment, pass)?;
        let epochs = self.last_of(&plan, first, seen_to.min(pass.now));
        self.announce(&plan.due, &epochs, pass.now)?;
        // Dies from here on: the erasure is announced and published, and the records are still there. The next pass erases
        // them, and announces them no second time.
        let rewrite = Rewrite {
            disk: self.journal.disk(),
            layout: self.layout(),
            first,
            end,
            erase: &plan.erase,
        };
        rewrite.run(pass.pace)?;
        metrics::counter!("landbridge_journal_records_erased_total").increment(count(&plan.erase));
        pass.expired.add(&plan);
        pass.expired.epochs.extend(epochs);
        self.surveys.insert(first, plan.stays);
        Ok(())
    }

    /// The months whose last records are due in a segment. `seen_to`: no survey tells of what is of that time or later; what
    /// stands there was tagged in the month before at the earliest, since no answer takes longer than a month.
    fn last_of(&self, plan: &Plan, first: u64, seen_to: Moment) -> BTreeSet<u32> {
        let unknown = epoch(seen_to).saturating_sub(1);
        let stays = |month: &u32| {
            let others = self.surveys.iter().filter(|(other, _)| **other != first);
            let mut surveys = others.map(|(_, survey)| survey).chain([&plan.stays]);
            surveys.any(|survey| survey.epochs.contains(month))
        };
        let leaving = plan.leaving.iter().copied();
        leaving
            .filter(|month| *month < unknown && !stays(month))
            .collect()
    }

    /// Says in the journal what is about to be erased, and waits until that is signed for in public: a record that is
    /// missing without it counts as withheld.
    fn announce(
        &self,
        due: &BTreeMap<String, DueRecords>,
        epochs: &BTreeSet<u32>,
        now: Moment,
    ) -> Result<(), ExpiryError> {
        let mut announced = None;
        let mut epochs: Vec<u32> = epochs.iter().copied().collect();
        for (class, due) in due {
            for ranges in due.ranges.chunks(MOST_RANGES) {
                let record = erasure(class, due.keep, ranges, std::mem::take(&mut epochs));
                // Dies before this is durable: nothing was announced. After: see the caller.
                let receipt = self.journal.append_blocking(Entry::erasure(record))?;
                let leaf = Leaf::parse(receipt.leaf()).map_err(|source| ReadError::Leaf {
                    entry: receipt.index(),
                    source,
                })?;
                if leaf.time < now {
                    return Err(ExpiryError::Clock);
                }
                announced = Some(receipt.index());
            }
        }
        match announced {
            Some(index) => self.wait_until_published(index),
            None => Ok(()),
        }
    }

    fn wait_until_published(&self, index: u64) -> Result<(), ExpiryError> {
        let asked = Instant::now();
        while self.journal.published().size() <= index {
            if let Some(failure) = self.journal.failure() {
                return Err(ExpiryError::Failed(failure));
            }
            if asked.elapsed() > PATIENCE {
                return Err(ExpiryError::Unpublished);
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// From which entry on a pass that was cut short may have announced erasures.
    fn begun(&self) -> Result<Option<u64>, ReadError> {
        let path = self.layout().erasing();
        match fs::read_to_string(&path) {
            Ok(text) if text.is_empty() => Ok(None),
            // Whatever it says, to look from the beginning finds all.
            Ok(text) => Ok(Some(text.parse().unwrap_or(0))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DiskError::new("read", &path, source).into()),
        }
    }

    fn mark(&self, text: &str) -> Result<(), DiskError> {
        disk::replace(
            self.journal.disk(),
            &self.layout().erasing(),
            text.as_bytes(),
        )
    }

    fn layout(&self) -> &Layout {
        self.journal.layout()
    }
}

impl Expired {
    fn add(&mut self, plan: &Plan) {
        self.records += count(&plan.erase);
        for (class, due) in &plan.due {
            let known = self.classes.entry(class.clone()).or_insert(ExpiredClass {
                keep: due.keep,
                records: 0,
                oldest: due.oldest,
            });
            known.records += due.records();
        }
    }
}

fn erasure(class: &str, keep: Keep, ranges: &[Range<u64>], epochs: Vec<u32>) -> pb::ErasureRecord {
    let range = |range: &Range<u64>| pb::EntryRange {
        first: range.start,
        end: range.end,
    };
    pb::ErasureRecord {
        class: class.to_owned(),
        keep: keep.to_string(),
        ranges: ranges.iter().map(range).collect(),
        epochs,
    }
}

impl From<DiskError> for ExpiryError {
    fn from(error: DiskError) -> Self {
        Self::Read(error.into())
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiry")
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
