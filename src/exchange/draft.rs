//! The account of one exchange while it is under way: what will stand in the journal.

use prost::Message;
use uuid::Uuid;

use super::ask::Ask;
use super::refusal::Cause;
use super::secret::Secrets;
use crate::audit::Entry;
use crate::audit::Kind;
use crate::audit::Outcome;
use crate::audit::Receipt;
use crate::audit::Side;
use crate::audit::digest::Lp;
use crate::audit::digest::exchange_digest;
use crate::clock::Moment;
use crate::identity::Caller;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::pb;
use crate::pb::journal_record::Kind as Record;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::redact;
use crate::registry::Digest;
use crate::registry::field::Field;
use crate::registry::query::Query;
use crate::registry::query::Selection;
use crate::registry::value::Literal;
use crate::registry::wire::Malformed;
use crate::source::Evidence;

/// Tags of subjects that one entry lists; beyond that a transfer counts as one in bulk.
const MAX_SUBJECTS: usize = 100;

pub(super) struct Draft {
    begun: Moment,
    exchange: ExchangeId,
    side: Side,
    record: pb::ExchangeRecord,
    response: Lp,
    request: Digest,
    peer: Option<Evidence>,
    /// Where a record says whose data it is, if this side can see it.
    subject: Option<Field>,
}

impl Draft {
    /// Begins with what is known before anything is checked.
    pub(super) fn open(caller: &Caller, ask: &Ask, department: &DepartmentId, at: Moment) -> Self {
        let relay = ask.relay.as_ref();
        let exchange = ask.exchange().unwrap_or_else(|| new_id(at));
        let note = |text: &str| text.chars().filter(|c| !c.is_control()).take(128).collect();
        let record = pb::ExchangeRecord {
            consumer: caller.department().to_string(),
            provider: if relay.is_some() { department.to_string() } else { note(&ask.provider) },
            system: caller.system().map(ToString::to_string).unwrap_or_default(),
            officer: note(&ask.grounds.officer),
            purpose: note(&ask.grounds.purpose),
            case_reference: note(&ask.grounds.case_reference),
            mode: ask.question.mode().as_str().to_owned(),
            record_type: note(&ask.record_type),
            nonce: relay.map(|relay| relay.nonce.clone()).unwrap_or_default(),
            trace_id: ask.trace.id(exchange).to_vec().into(),
            ..Default::default()
        };
        Self {
            begun: at,
            exchange,
            side: if relay.is_some() { Side::Provider } else { Side::Consumer },
            record,
            response: Lp::new("landbridge.response.v1"),
            request: ask.digest(),
            peer: None,
            subject: None,
        }
    }

    pub(super) fn begun(&self) -> Moment {
        self.begun
    }

    pub(super) fn exchange(&self) -> ExchangeId {
        self.exchange
    }

    /// A nonce of this side's own, where no asking gateway sent one.
    pub(super) fn nonce(&mut self, fresh: [u8; 32]) -> [u8; 32] {
        match <[u8; 32]>::try_from(self.record.nonce.as_ref()) {
            Ok(nonce) => nonce,
            Err(_) => {
                self.record.nonce = fresh.to_vec().into();
                fresh
            }
        }
    }

    pub(super) fn checked(&mut self, query: &Query, secrets: &Secrets) {
        let record = &mut self.record;
        record.provider = query.schema.owner().to_string();
        record.schema_digest = query.schema.digest().to_vec().into();
        if let Selection::Get { key } | Selection::Verify { key, .. } = &query.selection {
            let tag = secrets.subjects.key_tag(query.schema.name().as_str(), &key.tag_bytes());
            record.key_tag = tag.to_vec().into();
        }
    }

    pub(super) fn permitted(&mut self, permit: &Permit) {
        let agreement = permit.agreement();
        let released = permit.released();
        self.side = match permit.role() {
            Role::Consumer => Side::Consumer,
            Role::Provider => Side::Provider,
        };
        self.subject = visible_subject(permit);
        let masked = permit.grant().released.iter().filter(|r| r.mask.is_some());
        let record = &mut self.record;
        record.agreement = agreement.id.to_string();
        record.agreement_digest = agreement.digest.to_vec().into();
        record.grant = u32::try_from(permit.grant_number()).unwrap_or(u32::MAX);
        record.policy_revision = permit.revision().to_vec().into();
        record.fields = released.iter().map(|r| r.field.path().to_string()).collect();
        record.masked = masked
            .map(|r| r.field.path().to_string())
            .filter(|path| record.fields.contains(path))
            .collect();
    }

    /// The request in its final words, as both gateways digest it.
    pub(super) fn asks(&mut self, ask: &Ask) {
        self.request = ask.digest();
    }

    /// What the provider's gateway told with its answer.
    pub(super) fn heard(&mut self, evidence: Option<&Evidence>) {
        let Some(evidence) = evidence else { return };
        self.record.peer_origin = evidence.origin.clone();
        if evidence.agreement_digest != self.record.agreement_digest {
            self.record.peer_agreement_digest = evidence.agreement_digest.clone();
        }
        self.peer = Some(evidence.clone());
    }

    /// The asking gateway's copy of the agreement differs from ours.
    pub(super) fn differs(&mut self, theirs: &[u8]) {
        self.record.peer_agreement_digest = theirs.to_vec().into();
    }

    /// Counts a record that goes out, as the provider sent it.
    pub(super) fn released(&mut self, raw: &[u8], sent: &[u8], secrets: &Secrets) -> Result<(), Malformed> {
        self.record.records += 1;
        self.record.bytes += sent.len() as u64;
        self.response.bytes(sent);
        let Some(subject) = &self.subject else { return Ok(()) };
        if self.record.subjects.len() >= MAX_SUBJECTS {
            return Ok(());
        }
        if let Some(value) = redact::value_of(raw, subject)? {
            let tag = secrets.subjects.tag(self.begun, &subject_scheme(subject), &value.tag_bytes());
            self.record.subjects.push(tag);
        }
        Ok(())
    }

    /// Notes an answer that is not a record.
    pub(super) fn told(&mut self, answer: &impl Message) {
        let bytes = answer.encode_to_vec();
        self.record.bytes += bytes.len() as u64;
        self.response.bytes(&bytes);
    }

    pub(super) fn mismatches(&mut self, values: u32) {
        self.record.mismatches = values;
    }

    pub(super) fn records(&self) -> u64 {
        self.record.records
    }

    pub(super) fn bytes(&self) -> u64 {
        self.record.bytes
    }

    pub(super) fn key_tag(&self) -> [u8; 16] {
        <[u8; 16]>::try_from(self.record.key_tag.as_ref()).unwrap_or_default()
    }

    /// The entry of an answer that is one message.
    pub(super) fn answered(&self, at: Moment) -> Entry {
        self.entry(Kind::Exchange, Outcome::Answered, "answered", String::new(), at)
    }

    /// The entry that must be on disk before the first byte of a stream.
    pub(super) fn opening(&self, at: Moment) -> Entry {
        self.entry(Kind::Intent, Outcome::Answered, "opened", String::new(), at)
    }

    pub(super) fn refused(&self, cause: &Cause, at: Moment) -> Entry {
        self.entry(Kind::Exchange, cause.outcome(), cause.reason(), operator_text(cause), at)
    }

    fn entry(&self, kind: Kind, outcome: Outcome, reason: &str, detail: String, at: Moment) -> Entry {
        let response = self.response.clone().finish();
        let answered = matches!(outcome, Outcome::Answered) && kind == Kind::Exchange;
        let response = if answered { response } else { [0; 32] };
        let record = pb::ExchangeRecord {
            request_digest: self.request.to_vec().into(),
            response_digest: if answered { response.to_vec().into() } else { Default::default() },
            reason: reason.to_owned(),
            detail,
            latency_us: at.since(self.begun),
            ..self.record.clone()
        };
        self.with_digest(kind, outcome, &response, Record::Exchange(record))
    }

    /// The entry that closes a stream, however it ended.
    pub(super) fn closing(&self, opened: &Receipt, cause: Option<&Cause>, at: Moment) -> Entry {
        let response = self.response.clone().finish();
        let outcome = cause.map_or(Outcome::Answered, Cause::outcome);
        let end = pb::StreamEndRecord {
            opened_at: opened.index(),
            response_digest: response.to_vec().into(),
            records: self.record.records,
            bytes: self.record.bytes,
            reason: cause.map_or("answered", Cause::reason).to_owned(),
            detail: cause.map(operator_text).unwrap_or_default(),
            latency_us: at.since(self.begun),
            subjects: self.record.subjects.clone(),
            peer_origin: self.record.peer_origin.clone(),
            consumer: self.record.consumer.clone(),
            record_type: self.record.record_type.clone(),
            agreement: self.record.agreement.clone(),
            grant: self.record.grant,
        };
        self.with_digest(Kind::StreamEnd, outcome, &response, Record::StreamEnd(end))
    }

    fn with_digest(&self, kind: Kind, outcome: Outcome, response: &Digest, record: Record) -> Entry {
        let digest = exchange_digest(
            self.exchange,
            &self.record.nonce,
            &self.record.consumer,
            &self.record.provider,
            &self.record.record_type,
            &self.record.purpose,
            outcome,
            &self.request,
            response,
        );
        Entry {
            kind,
            side: self.side,
            outcome,
            exchange: Some(self.exchange),
            exchange_digest: digest,
            peer: self.peer.as_ref().and_then(Evidence::leaf),
            record: pb::JournalRecord { kind: Some(record) },
        }
    }

    /// What the answer rests on, for the asker.
    pub(super) fn info(&self, receipt: &Receipt) -> pb::ExchangeInfo {
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
            receipt: Some(receipt.to_pb()),
        }
    }
}

fn new_id(at: Moment) -> ExchangeId {
    let seconds = u64::try_from(at.seconds()).unwrap_or(0);
    let nanos = u32::try_from(at.micros().rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    ExchangeId::new(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
}

/// The subject, where this side sees it in clear: always at the provider, at the consumer only if it is released so.
fn visible_subject(permit: &Permit) -> Option<Field> {
    let subject = permit.query().schema.subject()?;
    let clear = || {
        let mut released = permit.grant().released.iter();
        released.any(|r| r.mask.is_none() && subject.path().within(r.field.path()))
    };
    (permit.role() == Role::Provider || clear()).then(|| subject.clone())
}

fn subject_scheme(subject: &Field) -> String {
    subject.path().to_string()
}

/// The whole chain of causes: the operator needs the last of them.
fn operator_text(cause: &Cause) -> String {
    let mut text = cause.to_string();
    let mut source = std::error::Error::source(cause);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
