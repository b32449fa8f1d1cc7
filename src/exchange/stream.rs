//! An answer that is a stream: opened in the journal before its first byte, and closed there however it ends.

use std::sync::Arc;

use bytes::Bytes;

use super::Exchange;
use super::ask::Ask;
use super::draft::Draft;
use super::draft::warrant;
use super::draft::warrant::Warrant;
use super::log;
use super::refusal::Cause;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use crate::identity::Caller;
use crate::journal::Kind;
use crate::journal::OpenEntry;
use crate::journal::Receipt;
use crate::pb;
use crate::policy::decision::Role;
use crate::redact::Redaction;
use crate::source::Records;
use crate::source::SourceError;
use crate::source::sql::Position;

/// The records of one answer, pulled batch by batch. Dropped before its end, it leaves a closing entry all the same:
/// [`OpenEntry`] sees to that.
pub struct AnswerStream {
    exchange: Arc<Exchange>,
    /// The state that the permit was decided under.
    snapshot: Arc<Snapshot>,
    caller: Caller,
    ask: Ask,
    draft: Draft,
    records: Records,
    redaction: Redaction,
    opened: Option<OpenEntry>,
    header: Option<pb::ExchangeInfo>,
    /// The last record that went out, as it was fetched.
    last: Option<Bytes>,
}

/// What goes over the wire, in this order: a header, batches, a trailer.
pub enum Part {
    Header(pb::ExchangeInfo),
    Batch(Vec<Bytes>),
    Trailer(pb::QueryTrailer),
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(_) => f.write_str("Header"),
            Self::Batch(records) => write!(f, "Batch({})", records.len()),
            Self::Trailer(_) => f.write_str("Trailer"),
        }
    }
}

impl AnswerStream {
    pub(super) async fn open(
        exchange: Arc<Exchange>,
        snapshot: Arc<Snapshot>,
        caller: Caller,
        ask: Ask,
        mut draft: Draft,
        records: Records,
        warrant: Warrant,
    ) -> Result<Self, Refusal> {
        // If we die after this line the journal says that the stream was opened, and not how far it came.
        let opening = match draft.opening_entry(warrant, exchange.clock.now()) {
            Ok(opening) => opening,
            Err(cause) => return Err(exchange.refuse(&caller, draft, cause).await),
        };
        let mut opened = match exchange.journal.begin(opening).await {
            Ok(opened) => opened,
            Err(unwritten) => return Err(exchange.unlogged(&draft, unwritten)),
        };
        let header = opened.take_receipt().map(|receipt| draft.info(&receipt));
        let redaction = snapshot
            .redactions
            .of(records.permit(), &exchange.secrets.pseudonyms);
        let opened = Some(opened);
        Ok(Self {
            exchange,
            snapshot,
            caller,
            ask,
            draft,
            records,
            redaction,
            opened,
            header,
            last: None,
        })
    }

    /// The next part; `None` after the trailer or a refusal.
    pub async fn next(&mut self) -> Option<Result<Part, Refusal>> {
        if let Some(header) = self.header.take() {
            return Some(Ok(Part::Header(header)));
        }
        self.opened.as_ref()?;
        match self.batch().await {
            Ok(Some(batch)) => Some(Ok(Part::Batch(batch))),
            Ok(None) => Some(self.finish().await),
            Err(cause) => Some(Err(self.end(cause).await)),
        }
    }

    /// Ends the stream before its end, for a reason that lies with the client or the gateway.
    pub async fn end(&mut self, cause: Cause) -> Refusal {
        let exchange = self.draft.exchange();
        match self.close(Some(&cause)).await {
            Ok(receipt) => Refusal {
                cause,
                exchange,
                receipt,
            },
            Err(cause) => Refusal {
                cause,
                exchange,
                receipt: None,
            },
        }
    }

    async fn batch(&mut self) -> Result<Option<Vec<Bytes>>, Cause> {
        loop {
            // Nothing leaves when its end could not be logged.
            self.exchange.journal.still_holds()?;
            Cause::of_standing(&self.exchange.journal.trust())?;
            self.check_permit()?;
            let left =
                u64::from(self.records.permit().limit()).saturating_sub(self.draft.records());
            if left == 0 {
                return Ok(None);
            }
            let Some(fetched) = self.fetch().await? else {
                return Ok(None);
            };
            let passed = self.pass(fetched, left)?;
            if passed.is_empty() {
                continue;
            }
            let now = self.exchange.clock.now();
            self.exchange
                .ledger
                .spend(self.records.permit(), passed.len() as u64, now)?;
            return self.release(passed).map(Some);
        }
    }

    async fn fetch(&mut self) -> Result<Option<Vec<Bytes>>, Cause> {
        let fetched = match self.records.next().await {
            Ok(fetched) => fetched,
            Err(error) => return Err(self.cause_of(error)),
        };
        for raw in fetched.iter().flatten() {
            self.draft.note_received(raw);
        }
        Ok(fetched)
    }

    fn cause_of(&mut self, error: SourceError) -> Cause {
        let provider = self.records.permit().query().schema.owner();
        warrant::cause_of(error, provider, &self.snapshot, &mut self.draft)
    }

    /// The records that pass the gate, at most `left`: as fetched and as they may leave.
    fn pass(&self, fetched: Vec<Bytes>, left: u64) -> Result<Vec<(Bytes, Bytes)>, Cause> {
        let mut passed = Vec::with_capacity(fetched.len().min(left as usize));
        for raw in fetched {
            if passed.len() as u64 == left {
                break;
            }
            if let Some(record) = self.redaction.apply(&raw)? {
                passed.push((raw, record.into_bytes()));
            }
        }
        Ok(passed)
    }

    fn release(&mut self, passed: Vec<(Bytes, Bytes)>) -> Result<Vec<Bytes>, Cause> {
        let provider = self.records.permit().role() == Role::Provider;
        let mut batch = Vec::with_capacity(passed.len());
        for (raw, record) in passed {
            let sent = if provider { &record } else { &raw };
            self.draft.note_released(&raw, sent)?;
            if let Some(opened) = &mut self.opened {
                opened.note_released(1, sent.len() as u64);
            }
            batch.push(record);
            self.last = Some(raw);
        }
        Ok(batch)
    }

    /// A stream is tied to its grant: when a reload takes that away, or lets something else leave, the stream ends.
    fn check_permit(&mut self) -> Result<(), Cause> {
        let current = self.exchange.snapshot();
        if Arc::ptr_eq(&current, &self.snapshot) {
            return Ok(());
        }
        let caller = self.ask.caller(self.caller.clone())?;
        let query = self.ask.check(&current, &self.exchange.department)?;
        let now = self.exchange.clock.now();
        let permit = current.policy.decide(&caller, query, now)?;
        if !permit.releases_as(self.records.permit()) {
            return Err(Cause::Amended);
        }
        self.snapshot = current;
        Ok(())
    }

    async fn finish(&mut self) -> Result<Part, Refusal> {
        let ending = self.cursor().await;
        let next_cursor = match ending.and_then(|cursor| {
            self.warrant()?.use_for(self.draft.exchange())?;
            Ok(cursor)
        }) {
            Ok(next_cursor) => next_cursor,
            Err(cause) => return Err(self.end(cause).await),
        };
        let (records, bytes) = (self.draft.records(), self.draft.bytes());
        match self.close(None).await {
            Ok(receipt) => Ok(Part::Trailer(pb::QueryTrailer {
                records,
                bytes,
                next_cursor,
                receipt: receipt.as_ref().map(Into::into),
            })),
            Err(cause) => Err(Refusal {
                cause,
                exchange: self.draft.exchange(),
                receipt: None,
            }),
        }
    }

    /// Leave to say that the answer is whole.
    fn warrant(&mut self) -> Result<Warrant, Cause> {
        let receipt = self.records.closing_receipt();
        let permit = self.records.permit();
        Warrant::of(
            Kind::StreamEnd,
            permit,
            receipt,
            &self.snapshot,
            &mut self.draft,
        )
    }

    /// Where the next question goes on, when the limit cut this answer short.
    async fn cursor(&mut self) -> Result<Bytes, Cause> {
        // The provider's trailer also names its closing entry, whether or not there is more.
        if self.records.permit().role() == Role::Consumer {
            let cursor = self.records.next_cursor().await;
            return cursor.map_err(|error| self.cause_of(error));
        }
        if self.draft.records() < u64::from(self.records.permit().limit()) {
            return Ok(Bytes::new());
        }
        let Some(last) = &self.last else {
            return Ok(Bytes::new());
        };
        let thread = self.ask.thread(self.records.permit());
        match Position::after(self.records.permit(), last) {
            Some(position) => Ok(self
                .exchange
                .secrets
                .cursors
                .seal(&position.encode(), &thread)?),
            None => Ok(Bytes::new()),
        }
    }

    /// Writes the closing entry. None if it was written already.
    async fn close(&mut self, cause: Option<&Cause>) -> Result<Option<Receipt>, Cause> {
        let Some(opened) = self.opened.take() else {
            return Ok(None);
        };
        let now = self.exchange.clock.now();
        let end = self.draft.stream_end(cause, now);
        log::log(&self.draft, cause, now);
        Ok(Some(opened.close(end).await?))
    }
}

impl std::fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerStream")
            .field("exchange", &self.draft.exchange())
            .finish_non_exhaustive()
    }
}
