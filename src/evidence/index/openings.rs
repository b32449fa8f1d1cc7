//! Joins the end of a stream to its opening.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::IndexError;
use super::is_unclosed;
use super::near;
use crate::evidence::hit::End;
use crate::evidence::hit::Hit;
use crate::journal::Kind;
use crate::journal::reader::Reader;
use crate::journal::reader::StoredEntry;

/// Openings that are remembered until the stream ends; others are read from the journal again.
const MOST: usize = 10_000;

pub(super) struct Openings {
    reader: Reader,
    open: BTreeMap<u64, Hit>,
}

impl Openings {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            open: BTreeMap::new(),
        }
    }

    /// The entry that is to be put into the index: of a closing one, its opening, ended. `None` for one that closes nothing.
    pub(super) fn join(
        &mut self,
        stored: &StoredEntry,
        connection: &Connection,
    ) -> Result<Option<Hit>, IndexError> {
        if stored.leaf.kind == Kind::StreamEnd {
            return self.close(stored, connection);
        }
        let hit = Hit::alone(stored)?;
        if hit.leaf.kind == Kind::Intent {
            self.open.insert(hit.index, hit.clone());
            if self.open.len() > MOST {
                self.open.pop_first();
            }
        }
        Ok(Some(hit))
    }

    fn close(
        &mut self,
        stored: &StoredEntry,
        connection: &Connection,
    ) -> Result<Option<Hit>, IndexError> {
        let Some(end) = End::of(stored)? else {
            return Ok(None);
        };
        let opening = end.record.opened_at;
        if let Some(hit) = self.open.remove(&opening) {
            return Ok(Some(hit.ended(end)));
        }
        if opening >= stored.index || !is_unclosed(connection, opening)? {
            return Ok(None);
        }
        let near = near(connection, opening)?;
        let Some(opening) = self.reader.entry_near(near, opening)? else {
            return Ok(None);
        };
        Ok(Some(Hit::alone(&opening)?.ended(end)))
    }
}
