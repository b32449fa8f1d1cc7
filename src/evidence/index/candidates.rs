//! Which entries may fit: the index's answer, before their records are read.

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use super::Index;
use super::IndexError;
use super::bits::BLOCK;
use super::bits::Bits;
use super::bits::block_of;
use super::number;
use super::requirement::Requirement;
use super::unsigned;
use crate::clock::Moment;
use crate::evidence::criteria::Demands;
use crate::evidence::facet::Volume;

/// An entry that may fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::evidence) struct Candidate {
    pub(in crate::evidence) index: u64,
    /// Of a stream that has ended.
    pub(in crate::evidence) closing: Option<u64>,
}

impl Index {
    /// Shows the entries before that one that may fit, the newest first, until `visit` says that it has enough.
    pub(in crate::evidence) fn candidates(
        &self,
        demands: &Demands,
        before: u64,
        mut visit: impl FnMut(Candidate) -> Result<bool, IndexError>,
    ) -> Result<(), IndexError> {
        let mut search = Search::new(&self.connection, demands)?;
        let (from, until) = self.span(demands, before)?;
        let mut next = until.checked_sub(1).map(block_of);
        while let Some(block) = next {
            let found = search.newest(block)?;
            let Some((found, bits)) = found.filter(|(found, _)| (found + 1) * BLOCK > from) else {
                return Ok(());
            };
            let in_block = search.in_block(found, &bits, from, until)?;
            for candidate in in_block {
                if !visit(candidate)? {
                    return Ok(());
                }
            }
            next = found.checked_sub(1);
        }
        Ok(())
    }

    /// The entries of the demanded time: from the one up to the other.
    fn span(&self, demands: &Demands, before: u64) -> rusqlite::Result<(u64, u64)> {
        let from = match demands.since {
            Some(since) => self.first_since(since)?,
            None => 0,
        };
        let until = match demands.until {
            Some(until) => self.first_since(until)?.min(before),
            None => before,
        };
        Ok((from, until.min(self.covered.complete_to)))
    }

    /// The first entry of that time or a later one. Times never decrease, so it is found by halving.
    fn first_since(&self, time: Moment) -> rusqlite::Result<u64> {
        let mut statement = self
            .connection
            .prepare("SELECT id, time FROM entry WHERE id >= ? ORDER BY id LIMIT 1")?;
        let (mut low, mut high) = (0, self.covered.complete_to);
        while low < high {
            let middle = low + (high - low) / 2;
            let found = statement
                .query_row([number(middle)], |row| {
                    Ok((unsigned(row, 0)?, Moment::from_micros(row.get(1)?)))
                })
                .optional()?;
            match found {
                Some((id, found)) if found < time => low = id + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

struct Search<'c> {
    connection: &'c Connection,
    requirements: Vec<Requirement<'c>>,
    at_least: Volume,
}

impl<'c> Search<'c> {
    fn new(connection: &'c Connection, demands: &Demands) -> rusqlite::Result<Self> {
        let mut requirements = Vec::new();
        if let Some(exchange) = demands.exchange {
            requirements.push(Requirement::exchange(connection, exchange)?);
        }
        for any in &demands.mentions {
            requirements.push(Requirement::mention(connection, any)?);
        }
        for any in &demands.facets {
            requirements.push(Requirement::facet(connection, any)?);
        }
        Ok(Self {
            connection,
            requirements,
            at_least: demands.at_least,
        })
    }

    /// The newest block up to that one in which entries meet all requirements.
    fn newest(&mut self, block: u64) -> rusqlite::Result<Option<(u64, Bits)>> {
        let mut block = block;
        loop {
            let Some(volume) = self.newest_volume(block)? else {
                return Ok(None);
            };
            let (mut lowest, mut bits) = (volume, Bits::ALL);
            for requirement in &mut self.requirements {
                let Some((found, meet)) = requirement.newest(lowest)? else {
                    return Ok(None);
                };
                lowest = found;
                bits.keep(&meet);
            }
            // All must have met in one block: whoever came first may have been left above.
            if lowest == volume && bits.span().is_some() {
                return Ok(Some((volume, bits)));
            }
            let next = if lowest == volume {
                lowest.checked_sub(1)
            } else {
                Some(lowest)
            };
            let Some(next) = next else {
                return Ok(None);
            };
            block = next;
        }
    }

    fn newest_volume(&self, block: u64) -> rusqlite::Result<Option<u64>> {
        let least = &self.at_least;
        self.connection
            .query_row(
                "SELECT id FROM block WHERE id <= ? AND records >= ? AND bytes >= ? AND latency_us >= ?
                 ORDER BY id DESC LIMIT 1",
                [block, least.records, least.bytes, least.latency_us].map(number),
                |row| unsigned(row, 0),
            )
            .optional()
    }

    /// The entries of a block that meet all, the newest first.
    fn in_block(
        &self,
        block: u64,
        bits: &Bits,
        from: u64,
        until: u64,
    ) -> rusqlite::Result<Vec<Candidate>> {
        let Some((low, high)) = bits.span() else {
            return Ok(Vec::new());
        };
        let first = (block * BLOCK + low).max(from);
        let end = (block * BLOCK + high + 1).min(until);
        let least = &self.at_least;
        let mut statement = self.connection.prepare(
            "SELECT id, closing FROM entry WHERE id >= ? AND id < ?
             AND records >= ? AND bytes >= ? AND latency_us >= ? ORDER BY id DESC",
        )?;
        let mut rows = statement
            .query([first, end, least.records, least.bytes, least.latency_us].map(number))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let index = unsigned(row, 0)?;
            if bits.has(index) {
                let closing: Option<i64> = row.get(1)?;
                found.push(Candidate {
                    index,
                    closing: closing.and_then(|closing| u64::try_from(closing).ok()),
                });
            }
        }
        Ok(found)
    }
}
