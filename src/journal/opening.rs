//! A streamed exchange from its opening entry to its closing one, which is written however the stream ends.

use tokio::sync::oneshot;

use super::AppendError;
use super::Entry;
use super::Journal;
use super::PeerLeaf;
use super::Receipt;
use super::leaf::Kind;
use super::leaf::Outcome;
use super::leaf::Role;
use super::reader::ReadError;
use super::reader::StoredEntry;
use crate::digest::Digest;
use crate::name::ExchangeId;
use crate::pb;
use crate::pb::journal_record;
use crate::tlog::merkle::Hash;

/// The reason of a closing entry that nobody wrote on purpose.
const ABANDONED: &str = "ABANDONED";
/// The reason of a closing entry that a gateway writes at its start, for a stream that its forerunner left open.
const INTERRUPTED: &str = "INTERRUPTED";

/// A stream whose opening entry is in the journal. Dropped without `close`, it still leaves a closing entry, with the
/// reason `ABANDONED`.
#[derive(Debug)]
#[must_use = "a dropped stream is recorded as abandoned"]
pub struct OpenEntry {
    index: u64,
    /// Until it is taken: it holds its whole commit's nodes, and a stream may last.
    receipt: Option<Receipt>,
    /// Taken when the closing entry is on its way.
    opening: Option<Opening>,
}

/// How a stream ended.
pub struct StreamEnd {
    pub outcome: Outcome,
    pub exchange_digest: Digest,
    /// The provider's closing entry, at the consumer.
    pub peer: Option<PeerLeaf>,
    /// Its `opened_at`, and what names the grant where that is empty, are filled in from the opening entry.
    pub record: pb::StreamEndRecord,
}

/// What a closing entry takes over from its opening one.
pub(super) struct Opening {
    journal: Journal,
    role: Role,
    exchange: Option<ExchangeId>,
    exchange_digest: Hash,
    record: pb::StreamEndRecord,
}

impl OpenEntry {
    /// The opening entry's.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The opening entry's, once.
    pub fn take_receipt(&mut self) -> Option<Receipt> {
        self.receipt.take()
    }

    /// Counts what is being released, so that an abandoned stream's closing entry tells it too.
    pub fn note_released(&mut self, records: u64, bytes: u64) {
        if let Some(opening) = &mut self.opening {
            opening.record.records = opening.record.records.saturating_add(records);
            opening.record.bytes = opening.record.bytes.saturating_add(bytes);
            opening.record.lookup_misses = 0;
        }
    }

    /// Writes the closing entry. Once this was polled, the entry is written whether or not anybody waits for it.
    pub async fn close(mut self, end: StreamEnd) -> Result<Receipt, AppendError> {
        let Some(opening) = self.opening.take() else {
            return Err(AppendError::Closed);
        };
        let (reply, receipt) = oneshot::channel();
        let entry = opening.entry(self.index, end);
        if let Err(unwritten) = opening.journal.send_end(entry, self.index, Some(reply)) {
            // Too long a record, say: the drop writes a shorter one.
            self.opening = Some(opening);
            return Err(unwritten);
        }
        opening.journal.wait(receipt).await
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        let Some(opening) = self.opening.take() else {
            return;
        };
        if let Err(error) = opening.end_unasked(self.index, ABANDONED) {
            // The next recovery finds the stream open and closes it.
            tracing::error!(opened_at = self.index, %error, "a stream's end is not in the journal");
        }
    }
}

impl Opening {
    pub(super) fn new(journal: &Journal, entry: &Entry) -> Self {
        Self {
            journal: journal.clone(),
            role: entry.role,
            exchange: entry.exchange,
            exchange_digest: entry.exchange_digest,
            record: blank_end(&entry.record),
        }
    }

    /// For a stream that was open when an earlier gateway ended.
    pub(super) fn interrupted(journal: &Journal, stored: &StoredEntry) -> Result<Self, ReadError> {
        Ok(Self {
            journal: journal.clone(),
            role: stored.leaf.role,
            exchange: stored.leaf.exchange,
            exchange_digest: stored.leaf.exchange_digest,
            record: stored.record()?.as_ref().map(blank_end).unwrap_or_default(),
        })
    }

    pub(super) fn into_open_entry(self, receipt: Receipt) -> OpenEntry {
        OpenEntry {
            index: receipt.index,
            receipt: Some(receipt),
            opening: Some(self),
        }
    }

    pub(super) fn end_interrupted(&self, opened_at: u64) -> Result<(), AppendError> {
        self.end_unasked(opened_at, INTERRUPTED)
    }

    fn end_unasked(&self, opened_at: u64, reason: &str) -> Result<(), AppendError> {
        let record = pb::StreamEndRecord {
            reason: reason.to_owned(),
            ..self.record.clone()
        };
        let end = StreamEnd {
            outcome: Outcome::CutShort,
            exchange_digest: self.exchange_digest,
            peer: None,
            record,
        };
        self.journal
            .send_end(self.entry(opened_at, end), opened_at, None)
    }

    fn entry(&self, opened_at: u64, end: StreamEnd) -> Entry {
        let mut record = end.record;
        let known = &self.record;
        for (field, known) in [
            (&mut record.consumer, &known.consumer),
            (&mut record.record_type, &known.record_type),
            (&mut record.agreement, &known.agreement),
            (&mut record.peer_origin, &known.peer_origin),
            (&mut record.purpose, &known.purpose),
        ] {
            if field.is_empty() {
                field.clone_from(known);
            }
        }
        record.grant = known.grant;
        record.opened_at = opened_at;
        Entry {
            kind: Kind::StreamEnd,
            role: self.role,
            outcome: end.outcome,
            exchange: self.exchange,
            exchange_digest: end.exchange_digest,
            peer: end.peer,
            record: pb::JournalRecord {
                kind: Some(journal_record::Kind::StreamEnd(record)),
            },
        }
    }
}

/// A closing record that says only which grant was used, and that all that was looked up was missed.
fn blank_end(opening: &pb::JournalRecord) -> pb::StreamEndRecord {
    let Some(journal_record::Kind::Exchange(exchange)) = &opening.kind else {
        return pb::StreamEndRecord::default();
    };
    pb::StreamEndRecord {
        consumer: exchange.consumer.clone(),
        record_type: exchange.record_type.clone(),
        agreement: exchange.agreement.clone(),
        grant: exchange.grant,
        peer_origin: exchange.peer_origin.clone(),
        purpose: exchange.purpose.clone(),
        lookup_misses: exchange.lookup_misses,
        ..pb::StreamEndRecord::default()
    }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening")
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StreamEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamEnd")
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
