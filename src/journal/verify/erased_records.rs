//! Tells records that were erased under a rule from records that somebody withholds.

use time::UtcOffset;

use super::EntryFault;
use crate::clock::Moment;
use crate::journal::erasures::Erasures;
use crate::journal::retention::Retention;

/// Entries without their records, one after another and of one day, UTC. By days, since that is how terms end.
#[derive(Debug)]
struct Run {
    first: u64,
    end: u64,
    last: Moment,
}

/// What a journal says of the records that it has no longer.
#[derive(Debug, Default)]
pub(super) struct ErasedRecords {
    runs: Vec<Run>,
    /// Only what was signed for: after the checkpoint anybody could write that a record was erased.
    pub(super) erasures: Erasures,
}

impl ErasedRecords {
    /// An entry has no record. Entries come in their order.
    pub(super) fn note(&mut self, entry: u64, time: Moment) {
        let day = |moment: Moment| moment.date(UtcOffset::UTC);
        match self.runs.last_mut() {
            Some(run) if run.end == entry && day(run.last) == day(time) => {
                (run.end, run.last) = (entry + 1, time);
            }
            _ => self.runs.push(Run {
                first: entry,
                end: entry + 1,
                last: time,
            }),
        }
    }

    /// The first entry whose record is missing without an erasure that may speak for it.
    pub(super) fn find(&self, retention: Option<&Retention>) -> Option<(u64, EntryFault)> {
        self.runs.iter().find_map(|run| self.look(run, retention))
    }

    fn look(&self, run: &Run, retention: Option<&Retention>) -> Option<(u64, EntryFault)> {
        let mut next = run.first;
        while next < run.end {
            let Some((erasure, end)) = self.erasures.covering_range(next) else {
                return Some((next, EntryFault::Withheld));
            };
            let by_rule =
                |rules: &Retention| rules.due_in(&erasure.class, run.last) <= erasure.time;
            if !erasure.was_due(run.last) || !retention.is_none_or(by_rule) {
                return Some((next, EntryFault::ErasedEarly(erasure.index)));
            }
            next = end;
        }
        None
    }
}
