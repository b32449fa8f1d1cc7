//! The exchange digest: what both gateways say of an exchange, read from either one's record of it.
//!
//! What makes the two equal, whatever their copies of an agreement say:
//! - The *question digest* is over the question in the words in which the consumer's gateway sends it: there it is taken after
//!   the permit has narrowed it, at the provider before. The same holds for the fields that the request names.
//! - The *response digest* is over what the provider's gateway sends, in the order in which it is sent: the records of a
//!   `get` or a `query`, each as its bytes; the verdicts of a `verify`, each as its message; the answer of a `count` as its
//!   message without `info`. The consumer takes it of what it receives, before its own agreement withholds any of it.
//! - A `get` of a record that there is not is answered: its response digest is that of no record. Every other refusal and
//!   the opening of a stream have none: 32 zero bytes.
//! - The *outcome* is the provider's, as its leaf has it. The consumer's own leaf may have another, where it withheld an
//!   answer; and where no proven answer came, the consumer's `no-answer` is all that there is.
//! - The agreement and the schema are the consumer's copies, by their digests: its gateway sends them with the question.
//!
//! Of a stream the openings always agree. The ends agree when the provider's reached the consumer; a stream that the
//! consumer cuts short, or that is lost on the way, ends at each gateway with what it had sent or received by then.

use std::fmt;

use super::leaf::Outcome;
use super::leaf::Role;
use crate::digest::Digest;
use crate::digest::TranscriptHash;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::pb;

/// The form that entries are written in: `digest_form` of their records.
pub const FORM: u32 = 2;

/// What is stated of an exchange before it is told how it ended.
#[derive(Clone)]
pub struct Statement(Form);

#[derive(Clone)]
enum Form {
    /// Of entries that name no form. Their question digest is that of the whole request.
    First {
        names: Option<TranscriptHash>,
        request: Digest,
    },
    Second(TranscriptHash),
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// The provider's, so that both sides can agree on it.
    pub outcome: Outcome,
    /// That the response digest is over.
    pub records: u64,
    /// Zero when there was no answer.
    pub response: Digest,
}

/// A record whose `digest_form` is that of a later version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its digest is of form {0}, which this version does not know")]
pub struct UnknownForm(pub u32);

impl Statement {
    /// `role`: the side whose record it is.
    pub fn of(
        exchange: &ExchangeId,
        role: Role,
        record: &pb::ExchangeRecord,
    ) -> Result<Self, UnknownForm> {
        match record.digest_form {
            0 => Ok(Self(first(exchange, record))),
            FORM => Ok(Self(Form::Second(second(exchange, role, record)))),
            later => Err(UnknownForm(later)),
        }
    }

    pub fn digest(&self, ending: &Ending) -> Digest {
        let outcome = [ending.outcome.code()];
        match &self.0 {
            Form::First { names: None, .. } => [0; 32],
            Form::First {
                names: Some(names),
                request,
            } => names
                .clone()
                .fixed(&outcome)
                .fixed(request)
                .fixed(&ending.response)
                .finish(),
            Form::Second(opening) => opening
                .clone()
                .fixed(&outcome)
                .number(ending.records)
                .fixed(&ending.response)
                .finish(),
        }
    }

    /// Whether a leaf's digest states this ending. Records of the first form do not say which outcome theirs has.
    pub fn is(&self, digest: &Digest, ending: &Ending) -> bool {
        let is = |outcome| self.digest(&Ending { outcome, ..*ending }) == *digest;
        match &self.0 {
            Form::First { .. } => Outcome::ALL.iter().copied().any(is),
            Form::Second(_) => is(ending.outcome),
        }
    }
}

impl Ending {
    /// `own`: the outcome of the entry itself. Without a response there are no records that it is over.
    pub fn of_exchange(own: Outcome, record: &pb::ExchangeRecord) -> Self {
        let sent = (record.records, record.received);
        Self::from_record(own, record.stated_outcome, sent, &record.response_digest)
    }

    pub fn of_stream(own: Outcome, end: &pb::StreamEndRecord) -> Self {
        let sent = (end.records, end.received);
        Self::from_record(own, end.stated_outcome, sent, &end.response_digest)
    }

    fn from_record(
        own: Outcome,
        stated: u32,
        (released, received): (u64, u64),
        response: &[u8],
    ) -> Self {
        let stated = u8::try_from(stated).ok().and_then(Outcome::from_code);
        let response = Digest::try_from(response).ok();
        Self {
            outcome: stated.filter(|o| *o != Outcome::None).unwrap_or(own),
            records: match response {
                Some(_) if received > 0 => received,
                Some(_) => released,
                None => 0,
            },
            response: response.unwrap_or_default(),
        }
    }
}

/// `SHA-256("landbridge.exchange.v2\0" || id || nonce || LP(consumer) || LP(provider) || LP(system) || LP(officer) ||
/// LP(purpose) || LP(case reference) || LP(record type) || list(fields asked) || LP(mode) || LP(agreement digest) ||
/// LP(schema digest) || question digest || u8 outcome || u64 records || response digest)`, up to the question digest.
fn second(exchange: &ExchangeId, role: Role, record: &pb::ExchangeRecord) -> TranscriptHash {
    let named = record.asked.as_ref().map_or(&record.fields, |a| &a.paths);
    let mut asked: Vec<&str> = named.iter().map(String::as_str).collect();
    asked.sort_unstable();
    TranscriptHash::new("landbridge.exchange.v2")
        .fixed(exchange.bytes())
        .fixed(&hash(&record.nonce))
        .part(&record.consumer)
        .part(&record.provider)
        .part(&record.system)
        .part(&record.officer)
        .part(&record.purpose)
        .part(&record.case_reference)
        .part(&record.record_type)
        .parts(asked.iter())
        .part(&record.mode)
        .part(askers(
            role,
            &record.agreement_digest,
            &record.peer_agreement_digest,
        ))
        .part(askers(
            role,
            &record.schema_digest,
            &record.peer_schema_digest,
        ))
        .fixed(&hash(&record.question_digest))
}

/// `SHA-256("landbridge.exchange.v1\0" || id || nonce || LP(consumer) || LP(provider) || LP(record type) ||
/// LP(purpose) || u8 outcome || request digest || response digest)`; zero where these are no proper names.
fn first(exchange: &ExchangeId, record: &pb::ExchangeRecord) -> Form {
    let proper = record.consumer.parse::<DepartmentId>().is_ok()
        && record.provider.parse::<DepartmentId>().is_ok()
        && record.record_type.parse::<RecordType>().is_ok()
        && record.purpose.parse::<Purpose>().is_ok();
    let names = || {
        TranscriptHash::new("landbridge.exchange.v1")
            .fixed(exchange.bytes())
            .fixed(&hash(&record.nonce))
            .part(&record.consumer)
            .part(&record.provider)
            .part(&record.record_type)
            .part(&record.purpose)
    };
    Form::First {
        names: proper.then(names),
        request: hash(&record.question_digest),
    }
}

/// The consumer's copy: its own record has it as its own, the provider's as the other's where it is not the same.
fn askers<'a>(role: Role, own: &'a [u8], others: &'a [u8]) -> &'a [u8] {
    if role == Role::Provider && !others.is_empty() {
        others
    } else {
        own
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap_or_default()
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statement(..)")
    }
}

#[cfg(test)]
mod tests;
