//! Finds entries by the index, and what it does not cover yet by reading the journal backwards.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Coverage;
use super::Page;
use super::SearchResult;
use crate::evidence::criteria::Criteria;
use crate::evidence::criteria::Demands;
use crate::evidence::hit::End;
use crate::evidence::hit::Hit;
use crate::evidence::index::Candidate;
use crate::evidence::index::Index;
use crate::evidence::index::IndexError;
use crate::fault::chain;
use crate::journal::Kind;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::reader::StoredEntry;
use crate::journal::scan::CommitAt;

/// The newest entries that fit. An index that turns out to be damaged is done without.
pub fn find(
    reader: &Reader,
    index: Option<&Index>,
    criteria: &Criteria,
    page: Page,
) -> Result<SearchResult, ReadError> {
    let mut hits = Vec::new();
    let reach = each(reader, index, criteria, page.before, |hit| {
        if hits.len() < page.limit {
            hits.push(hit);
        }
        hits.len() < page.limit
    })?;
    let next = hits.last().map(|hit: &Hit| hit.index);
    Ok(SearchResult {
        next: next.filter(|_| hits.len() >= page.limit),
        hits,
        reach,
    })
}

/// Gives the entries that fit, the newest first, until `take` says that it has enough.
pub(crate) fn each(
    reader: &Reader,
    index: Option<&Index>,
    criteria: &Criteria,
    before: Option<u64>,
    mut take: impl FnMut(Hit) -> bool,
) -> Result<Coverage, ReadError> {
    let demands = criteria.demands();
    let mut before = before;
    if let Some(index) = index {
        let mut finding = Finding::new(reader, &demands, before, index.complete_to(), &mut take);
        finding.read_back(index.last_commit())?;
        let reached = finding.before;
        let trusted = finding.ask(index).and_then(|()| {
            // That it names nothing is believed of an index only that agrees with its journal.
            match finding.done || finding.before != reached || reached == Some(0) {
                true => Ok(true),
                false => index.agrees(),
            }
        });
        match trusted {
            Ok(true) => return Ok(finding.reach),
            Ok(false) => {
                tracing::warn!(
                    "the search index does not agree with the journal; it is done without"
                );
            }
            Err(IndexError::Journal(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the search index is done without");
            }
        }
        before = finding.before;
    }
    let mut finding = Finding::new(reader, &demands, before, 0, &mut take);
    finding.read_back(CommitAt::BEGINNING)?;
    Ok(finding.reach)
}

struct Finding<'a> {
    reader: &'a Reader,
    demands: &'a Demands,
    /// Entries from here on are left out: those that were given, too.
    before: Option<u64>,
    take: &'a mut dyn FnMut(Hit) -> bool,
    reach: Coverage,
    /// The ends of streams that were met, by their openings, which lie before them.
    ends: BTreeMap<u64, End>,
    /// There is enough, or all that lies further back is too old.
    done: bool,
}

impl<'a> Finding<'a> {
    fn new(
        reader: &'a Reader,
        demands: &'a Demands,
        before: Option<u64>,
        indexed_to: u64,
        take: &'a mut dyn FnMut(Hit) -> bool,
    ) -> Self {
        Self {
            reader,
            demands,
            before,
            take,
            reach: Coverage {
                complete_to: indexed_to,
                indexed_to,
            },
            ends: BTreeMap::new(),
            done: false,
        }
    }

    fn give(&mut self, hit: Hit) {
        self.before = Some(hit.index);
        self.done = !(self.take)(hit);
    }

    fn is_past(&self, entry: u64) -> bool {
        self.before.is_none_or(|before| entry < before)
    }

    /// Reads what the index does not have.
    fn read_back(&mut self, oldest: CommitAt) -> Result<(), ReadError> {
        for stored in self.reader.backward_to(oldest)? {
            let stored = stored?;
            if stored.index < self.reach.indexed_to {
                return Ok(());
            }
            let reach = &mut self.reach;
            reach.complete_to = reach.complete_to.max(stored.index + 1);
            // Times never decrease: what is older lies behind.
            self.done |= self
                .demands
                .since
                .is_some_and(|since| stored.leaf.time < since);
            if self.done || self.before == Some(0) {
                return Ok(());
            }
            self.look_at(&stored)?;
        }
        Ok(())
    }

    fn look_at(&mut self, stored: &StoredEntry) -> Result<(), ReadError> {
        if stored.leaf.kind == Kind::StreamEnd {
            stored.hold()?;
            if let Some(end) = End::of(stored)? {
                self.ends.insert(end.record.opened_at, end);
            }
            return Ok(());
        }
        let end = self.ends.remove(&stored.index);
        if !self.is_past(stored.index) || !self.demands.leaf_fits(&stored.leaf) {
            return Ok(());
        }
        stored.hold()?;
        let hit = Hit {
            end,
            ..Hit::alone(stored)?
        };
        if self.demands.fits(&hit) {
            self.give(hit);
        }
        Ok(())
    }

    fn ask(&mut self, index: &Index) -> Result<(), IndexError> {
        if self.done {
            return Ok(());
        }
        let before = self.before.unwrap_or(u64::MAX);
        let (ended, mut waiting) = self.ended_since(index)?;
        index.candidates(self.demands, before, |candidate| {
            while !self.done
                && let Some(hit) = waiting.pop_if(|hit| hit.index > candidate.index)
            {
                self.give(hit);
            }
            if !self.done
                && !ended.contains(&candidate.index)
                && let Some(hit) = read(self.reader, index, candidate)?
                && self.demands.fits(&hit)
            {
                self.give(hit);
            }
            Ok(!self.done)
        })?;
        while !self.done
            && let Some(hit) = waiting.pop()
        {
            self.give(hit);
        }
        Ok(())
    }

    /// The streams that ended since the index was last added to: which they are, and those of them that fit, ascending.
    fn ended_since(&mut self, index: &Index) -> Result<(BTreeSet<u64>, Vec<Hit>), IndexError> {
        let (mut ended, mut hits) = (BTreeSet::new(), Vec::new());
        for (opening, end) in std::mem::take(&mut self.ends) {
            if opening >= self.reach.indexed_to || !index.is_unclosed(opening)? {
                continue;
            }
            ended.insert(opening);
            let stored = self.reader.entry_near(index.near(opening)?, opening)?;
            let Some(stored) = stored.filter(|_| self.is_past(opening)) else {
                continue;
            };
            stored.hold()?;
            let hit = Hit::alone(&stored)?.ended(end);
            if self.demands.fits(&hit) {
                hits.push(hit);
            }
        }
        Ok((ended, hits))
    }
}

/// Reads an entry that the index names, and its closing one.
fn read(reader: &Reader, index: &Index, candidate: Candidate) -> Result<Option<Hit>, IndexError> {
    let entry = |entry| -> Result<Option<StoredEntry>, IndexError> {
        let stored = reader.entry_near(index.near(entry)?, entry)?;
        if let Some(stored) = &stored {
            stored.hold()?;
        }
        Ok(stored)
    };
    let Some(stored) = entry(candidate.index)? else {
        return Ok(None);
    };
    let hit = Hit::alone(&stored)?;
    let closing = match candidate.closing {
        Some(closing) => entry(closing)?,
        None => None,
    };
    let end = closing.as_ref().map(End::of).transpose()?.flatten();
    Ok(Some(Hit { end, ..hit }))
}
