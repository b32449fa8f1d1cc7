//! An entry that was found, a stream's opening together with its end.

use crate::journal::Kind;
use crate::journal::Leaf;
use crate::journal::Outcome;
use crate::journal::reader::ReadError;
use crate::journal::reader::StoredEntry;
use crate::journal::recover::stream_end;
use crate::pb;
use crate::pb::journal_record;

/// An entry that was found.
#[derive(Clone)]
pub struct Hit {
    pub index: u64,
    pub leaf: Leaf,
    /// `None` once it was erased; then only what asks for nothing that stood in it finds the entry.
    pub record: Option<pb::JournalRecord>,
    /// How a streamed exchange ended; `None` while it is open, and for every other entry.
    pub end: Option<End>,
}

/// The closing entry of a stream.
#[derive(Clone)]
pub struct End {
    pub index: u64,
    pub leaf: Leaf,
    pub record: pb::StreamEndRecord,
}

impl Hit {
    /// An entry by itself, or a stream's opening without its end.
    pub(super) fn alone(stored: &StoredEntry) -> Result<Self, ReadError> {
        Ok(Self {
            index: stored.index,
            leaf: stored.leaf,
            record: stored.record()?,
            end: None,
        })
    }

    pub(super) fn ended(self, end: End) -> Self {
        Self {
            end: Some(end),
            ..self
        }
    }

    /// The outcome; of a stream, how it ended.
    pub fn outcome(&self) -> Outcome {
        self.end
            .as_ref()
            .map_or(self.leaf.outcome, |end| end.leaf.outcome)
    }

    /// Whether it names the other gateway's entry of the answer.
    pub(super) fn has_answer(&self) -> bool {
        let last = self.end.as_ref().map_or(&self.leaf, |end| &end.leaf);
        has_answer(&self.leaf, last)
    }

    /// The record of an exchange, or of a stream's opening.
    pub fn exchange(&self) -> Option<&pb::ExchangeRecord> {
        match self.record_kind() {
            Some(journal_record::Kind::Exchange(record)) => Some(record),
            _ => None,
        }
    }

    /// What its record tells; `None` once that was erased.
    pub fn record_kind(&self) -> Option<&journal_record::Kind> {
        self.record.as_ref()?.kind.as_ref()
    }
}

impl End {
    /// The closing entry; `None` if it is none, or if its record was erased.
    pub(super) fn of(stored: &StoredEntry) -> Result<Option<Self>, ReadError> {
        let record = stream_end(stored)?;
        Ok(record.map(|record| Self {
            index: stored.index,
            leaf: stored.leaf,
            record,
        }))
    }
}

impl std::fmt::Debug for Hit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hit")
            .field("index", &self.index)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("End")
            .field("index", &self.index)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

/// Whether an exchange's last leaf names the provider's entry of the answer. A stream that was cut names that of its opening
/// only.
pub(super) fn has_answer(first: &Leaf, last: &Leaf) -> bool {
    let is_end = last.kind == Kind::StreamEnd;
    last.peer.is_some() && !(is_end && last.peer == first.peer)
}
