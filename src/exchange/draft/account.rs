//! The journal's entries of a draft, and what the asker is told of them.

use bytes::Bytes;

use super::Draft;
use crate::audit::Entry;
use crate::audit::Kind;
use crate::audit::Outcome;
use crate::audit::PeerLeaf;
use crate::audit::Receipt;
use crate::audit::StreamEnd;
use crate::audit::digest::ExchangeStatement;
use crate::clock::Moment;
use crate::exchange::refusal::Cause;
use crate::pb;
use crate::pb::journal_record::Kind as Record;
use crate::registry::Digest;
use crate::registry::hex;

/// The most bytes of what an entry tells beyond its reason: a peer may refuse at length, and an entry that is too long
/// would be none.
const MAX_DETAIL: usize = 512;

impl Draft {
    /// The entry of an answer that is one message.
    pub(in crate::exchange) fn answered(&self, at: Moment) -> Entry {
        self.entry(
            Kind::Exchange,
            Outcome::Answered,
            "answered",
            String::new(),
            at,
        )
    }

    /// The entry that must be on disk before the first byte of a stream.
    pub(in crate::exchange) fn opening(&self, at: Moment) -> Entry {
        self.entry(Kind::Intent, Outcome::Answered, "opened", String::new(), at)
    }

    /// The entry of a refusal. A denial names the agreement that it rests on, where there is one.
    pub(in crate::exchange) fn refused(&mut self, cause: &Cause, at: Moment) -> Entry {
        if let Cause::Denied(denial) = cause {
            let named = denial
                .metadata()
                .into_iter()
                .find(|(key, _)| *key == "agreement");
            self.record.agreement = named.map(|(_, agreement)| agreement).unwrap_or_default();
        }
        let (outcome, reason, detail) = (cause.outcome(), cause.reason(), detail(cause));
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
        let answered = outcome == Outcome::Answered && kind == Kind::Exchange;
        let response = if answered {
            self.response.clone().finish()
        } else {
            [0; 32]
        };
        let record = pb::ExchangeRecord {
            request_digest: self.request.to_vec().into(),
            response_digest: if answered {
                response.to_vec().into()
            } else {
                Bytes::new()
            },
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
            exchange_digest: self.digest(outcome, &response),
            peer: self.peer_leaf(),
            record: pb::JournalRecord {
                kind: Some(Record::Exchange(record)),
            },
        }
    }

    /// How a stream ended, whatever ended it.
    pub(in crate::exchange) fn ended(&self, cause: Option<&Cause>, at: Moment) -> StreamEnd {
        let response = self.response.clone().finish();
        let outcome = cause.map_or(Outcome::Answered, Cause::outcome);
        let record = pb::StreamEndRecord {
            response_digest: response.to_vec().into(),
            records: self.record.records,
            bytes: self.record.bytes,
            reason: cause.map_or("answered", Cause::reason).to_owned(),
            detail: cause.map(detail).unwrap_or_default(),
            latency_us: at.since(self.begun),
            subjects: self.record.subjects.clone(),
            peer_origin: self.record.peer_origin.clone(),
            ..Default::default()
        };
        let exchange_digest = self.digest(outcome, &response);
        StreamEnd {
            outcome,
            exchange_digest,
            peer: self.peer_leaf(),
            record,
        }
    }

    /// Zero where the request is not even made of proper names: then there is nothing to agree on.
    fn digest(&self, outcome: Outcome, response: &Digest) -> Digest {
        let statement = || {
            let nonce = <[u8; 32]>::try_from(self.record.nonce.as_ref()).unwrap_or_default();
            let (consumer, provider) = (
                self.record.consumer.parse().ok()?,
                self.record.provider.parse().ok()?,
            );
            let (record_type, purpose) = (
                self.record.record_type.parse().ok()?,
                self.record.purpose.parse().ok()?,
            );
            let statement = ExchangeStatement {
                exchange: &self.exchange,
                nonce: &nonce,
                consumer: &consumer,
                provider: &provider,
                record_type: &record_type,
                purpose: &purpose,
                outcome,
                request: &self.request,
                response,
            };
            Some(statement.digest())
        };
        statement().unwrap_or_default()
    }

    /// The provider's entry. One that is no leaf is left out; its origin stands in the record all the same.
    fn peer_leaf(&self) -> Option<PeerLeaf> {
        let evidence = self.peer.as_ref()?;
        let receipt = pb::Receipt {
            origin: evidence.origin.clone(),
            index: evidence.index,
            leaf: evidence.leaf.clone(),
            ..pb::Receipt::default()
        };
        PeerLeaf::from_receipt(&receipt).ok().map(|(leaf, _)| leaf)
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

fn detail(cause: &Cause) -> String {
    let mut text = cause.to_string();
    text.truncate(text.floor_char_boundary(MAX_DETAIL));
    text
}
