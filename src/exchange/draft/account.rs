//! The journal's entries of a draft, and what the asker is told of them.

use bytes::Bytes;

use super::Draft;
use super::warrant::Warrant;
use crate::clock::Moment;
use crate::digest::Digest;
use crate::digest::hex;
use crate::exchange::refusal::Cause;
use crate::fault::chain;
use crate::journal::Entry;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::journal::Receipt;
use crate::journal::StreamEnd;
use crate::journal::statement::Ending;
use crate::pb;
use crate::pb::journal_record::Kind as Record;
use crate::source::SourceError;

/// The most bytes of what an entry tells beyond its reason: a peer may refuse at length, and an entry that is too long
/// would be none.
const MAX_DETAIL: usize = 512;

impl Draft {
    /// The entry of an answer that is one message.
    pub(in crate::exchange) fn answer_entry(
        &mut self,
        warrant: Warrant,
        at: Moment,
    ) -> Result<Entry, Cause> {
        warrant.use_for(self.exchange)?;
        self.settle(self.record.lookup_misses);
        let (outcome, reason) = (Outcome::Answered, "answered");
        Ok(self.entry(Kind::Exchange, outcome, reason, String::new(), at))
    }

    /// The entry that must be on disk before the first byte of a stream. If nothing follows it, all was missed.
    pub(in crate::exchange) fn opening_entry(
        &mut self,
        warrant: Warrant,
        at: Moment,
    ) -> Result<Entry, Cause> {
        warrant.use_for(self.exchange)?;
        self.record.lookup_misses = self.guess.values();
        let (outcome, reason) = (Outcome::Answered, "opened");
        Ok(self.entry(Kind::Intent, outcome, reason, String::new(), at))
    }

    /// The entry of a refusal. A denial names the agreement that it rests on, where there is one.
    pub(in crate::exchange) fn refusal_entry(&mut self, cause: &Cause, at: Moment) -> Entry {
        if let Cause::Denied(denial) = cause {
            let named = denial
                .metadata()
                .into_iter()
                .find(|(key, _)| *key == "agreement");
            self.record.agreement = named.map(|(_, agreement)| agreement).unwrap_or_default();
        }
        let missed = match cause.reason() == Cause::NotFound.reason() {
            true => self.guess.values(),
            false => 0,
        };
        self.settle(missed);
        let (outcome, reason, detail) = (self.outcome(cause), cause.reason(), detail(cause));
        self.entry(Kind::Exchange, outcome, reason, detail, at)
    }

    fn entry(
        &self,
        kind: Kind,
        outcome: Outcome,
        reason: &str,
        detail: String,
        at: Moment,
    ) -> Entry {
        let ending = self.ending(self.as_proven(kind), self.stated.unwrap_or(outcome));
        let record = pb::ExchangeRecord {
            response_digest: digest_bytes(&ending.response),
            received: self.withheld(&ending),
            stated_outcome: stated(&ending, outcome),
            reason: reason.to_owned(),
            detail,
            latency_us: at.since(self.begun),
            ..self.record.clone()
        };
        Entry {
            kind,
            role: self.side,
            outcome,
            exchange: Some(self.exchange),
            exchange_digest: self.digest(&ending),
            peer: self.peer_leaf(),
            record: pb::JournalRecord {
                kind: Some(Record::Exchange(record)),
            },
        }
    }

    /// How a stream ended, whatever ended it. Whoever goes away may have drawn the conclusion that nothing came.
    pub(in crate::exchange) fn stream_end(
        &mut self,
        cause: Option<&Cause>,
        at: Moment,
    ) -> StreamEnd {
        let missed = match cause {
            None | Some(Cause::ClientGone | Cause::ClientStalled(_)) => self.guess.values(),
            Some(_) => 0,
        };
        self.settle(missed);
        let outcome = cause.map_or(Outcome::Answered, |cause| self.outcome(cause));
        let ending = self.ending(Kind::StreamEnd, self.stated.unwrap_or(outcome));
        let record = pb::StreamEndRecord {
            response_digest: ending.response.to_vec().into(),
            received: self.withheld(&ending),
            stated_outcome: stated(&ending, outcome),
            records: self.record.records,
            bytes: self.record.bytes,
            reason: cause.map_or("answered", Cause::reason).to_owned(),
            detail: cause.map(detail).unwrap_or_default(),
            latency_us: at.since(self.begun),
            subjects: self.record.subjects.clone(),
            peer_origin: self.record.peer_origin.clone(),
            lookup_misses: missed,
            ..Default::default()
        };
        StreamEnd {
            outcome,
            exchange_digest: self.digest(&ending),
            peer: self.peer_leaf(),
            record,
        }
    }

    /// Counts what was looked up in vain, before anybody is told.
    fn settle(&mut self, missed: u32) {
        self.record.lookup_misses = missed;
        self.spending = self.guess.settle(missed);
    }

    /// How many records were sent, if that is not how many went on.
    fn withheld(&self, ending: &Ending) -> u64 {
        let all_went_on = ending.records == self.record.records;
        if all_went_on { 0 } else { ending.records }
    }

    /// A provider's refusal is on record here as what it is there; one that it has not proven is no answer.
    fn outcome(&self, cause: &Cause) -> Outcome {
        match cause {
            Cause::Source(SourceError::Refused(_)) => self.stated.unwrap_or(Outcome::NoAnswer),
            _ => cause.outcome(),
        }
    }

    /// What the answer rests on, for the asker.
    pub(in crate::exchange) fn info(&self, receipt: &Receipt) -> pb::ExchangeInfo {
        let record = &self.record;
        pb::ExchangeInfo {
            exchange_id: self.exchange.to_string(),
            provider: record.provider.clone(),
            agreement: record.agreement.clone(),
            policy_revision: hex(&record.policy_revision),
            fields: record.fields.clone(),
            masked: record.masked.clone(),
            schema_digest: record.schema_digest.clone(),
            agreement_digest: record.agreement_digest.clone(),
            receipt: Some(receipt.into()),
        }
    }
}

/// Nothing, where there is nothing that it is the digest of.
fn digest_bytes(response: &Digest) -> Bytes {
    if *response == [0; 32] {
        return Bytes::new();
    }
    response.to_vec().into()
}

/// The outcome that the digest states, if the entry has another.
fn stated(ending: &Ending, own: Outcome) -> u32 {
    let same = ending.outcome == own;
    if same {
        0
    } else {
        u32::from(ending.outcome.code())
    }
}

fn detail(cause: &Cause) -> String {
    let mut text = match cause {
        // What was wrong with a receipt is in its causes; those of other failures are for the log.
        Cause::Unproven(_) => chain(cause),
        _ => cause.to_string(),
    };
    text.truncate(text.floor_char_boundary(MAX_DETAIL));
    text
}
