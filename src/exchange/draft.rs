//! The account of one exchange while it is under way: what will stand in the journal.

mod account;
mod proof;
pub(super) mod warrant;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use super::ask::Ask;
use super::secret::NoRandomness;
use super::secret::random;
use crate::clock::Moment;
use crate::digest::TranscriptHash;
use crate::evidence::receipt::VerifiedReceipt;
use crate::identity::Caller;
use crate::journal::Outcome;
use crate::journal::Role as Side;
use crate::journal::statement;
use crate::journal::subject::MAX_SUBJECTS;
use crate::journal::subject::MonthKey;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::pb;
use crate::policy::PolicySet;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::policy::ledger::Guess;
use crate::policy::ledger::Spending;
use crate::registry::extract::value_of;
use crate::registry::field::Field;
use crate::registry::filter::Filter;
use crate::registry::query::Mode;
use crate::registry::query::Query;
use crate::registry::query::Selection;
use crate::registry::value::Literal;
use crate::registry::wire::Malformed;
use crate::source::peer::evidence::Evidence;

/// Fields that one entry lists of a request: no proper one names more.
const MAX_FIELDS: usize = 256;
/// Bytes of a name that is not known to be one.
const MAX_NAME: usize = 256;

pub(super) struct Draft {
    begun: Moment,
    started: Instant,
    exchange: ExchangeId,
    mode: Mode,
    is_relayed: bool,
    side: Side,
    record: pb::ExchangeRecord,
    response: TranscriptHash,
    /// Records that the response is over, at the consumer; at the provider all of them go out.
    received: u64,
    /// The provider's proven entry, of the answer or of the opening of its stream.
    peer: Option<VerifiedReceipt>,
    /// How the exchange ended at the provider, once its answer says.
    stated: Option<Outcome>,
    /// Where a record says whose data it is, if this side can see it.
    subject: Option<Field>,
    /// The key of the month in which it began, once the request is known to be one.
    month: Option<Arc<MonthKey>>,
    /// What it may miss of the grant's look-ups.
    guess: Guess,
    /// How much of them is missed, when that is news.
    spending: Option<Spending>,
}

impl Draft {
    /// Begins with what is known before anything is checked.
    pub(super) fn open(caller: &Caller, ask: &Ask, department: &DepartmentId, at: Moment) -> Self {
        // Only a gateway may say which exchange this is.
        let relay = ask.relay.as_ref().filter(|_| caller.system().is_none());
        let exchange = relay
            .and_then(|_| ask.exchange())
            .unwrap_or_else(|| new_id(at));
        let note = |text: &str| up_to(128, text);
        let relayed = |digest: fn(&pb::Relay) -> &Bytes| {
            let known = relay.map(digest).filter(|digest| digest.len() == 32);
            known.cloned().unwrap_or_default()
        };
        let record = pb::ExchangeRecord {
            consumer: caller.department().to_string(),
            provider: if relay.is_some() {
                department.to_string()
            } else {
                note(&ask.provider)
            },
            system: match relay {
                Some(relay) => note(&relay.system),
                None => caller.system().map(ToString::to_string).unwrap_or_default(),
            },
            officer: note(&ask.grounds.officer),
            purpose: note(&ask.grounds.purpose),
            case_reference: note(&ask.grounds.case_reference),
            mode: ask.question.mode().as_str().to_owned(),
            record_type: up_to(MAX_NAME, &ask.record_type),
            // Also where it is refused: its leaf is not to be guessed by who sees leaves only.
            nonce: relay
                .map(|relay| relay.nonce.clone())
                .filter(|nonce| nonce.len() == 32)
                .or_else(|| Some(random::<32>().ok()?.to_vec().into()))
                .unwrap_or_default(),
            question_digest: ask.question_digest().to_vec().into(),
            asked: Some(named(ask)),
            digest_form: statement::FORM,
            peer_agreement_digest: relayed(|relay| &relay.agreement_digest),
            peer_schema_digest: relayed(|relay| &relay.schema_digest),
            trace_id: ask.trace.id(exchange).to_vec().into(),
            peer_origin: relay
                .and_then(|_| ask.asking_journal(caller.department()))
                .map(|journal| journal.to_string())
                .unwrap_or_default(),
            ..Default::default()
        };
        Self {
            begun: at,
            started: Instant::now(),
            exchange,
            mode: ask.question.mode(),
            is_relayed: relay.is_some(),
            side: if relay.is_some() {
                Side::Provider
            } else {
                Side::Consumer
            },
            record,
            response: TranscriptHash::new("landbridge.response.v1"),
            received: 0,
            peer: None,
            stated: None,
            subject: None,
            month: None,
            guess: Guess::none(),
            spending: None,
        }
    }

    /// The caller with the system that its gateway names.
    pub(super) fn set_caller(&mut self, caller: &Caller) {
        self.record.system = caller.system().map(ToString::to_string).unwrap_or_default();
    }

    pub(super) fn begun(&self) -> Moment {
        self.begun
    }

    pub(super) fn exchange(&self) -> ExchangeId {
        self.exchange
    }

    /// That the exchange digest is made with.
    pub(super) fn nonce(&self) -> Result<[u8; 32], NoRandomness> {
        <[u8; 32]>::try_from(self.record.nonce.as_ref()).map_err(|_| NoRandomness)
    }

    /// `month` has the key of the subjects' tags.
    pub(super) fn set_query(&mut self, query: &Query, month: Arc<MonthKey>) {
        let record = &mut self.record;
        record.provider = query.schema.owner().to_string();
        record.schema_digest = query.schema.digest().to_vec().into();
        if let Selection::Get { key } | Selection::Verify { key, .. } = &query.selection {
            let tag = month.record_key(query.schema.name(), &text(key));
            record.key_tag = tag.to_vec().into();
        }
        self.month = Some(month);
        self.compare();
    }

    /// Notes the policy by which it is permitted or denied.
    pub(super) fn set_policy(&mut self, policy: &PolicySet) {
        self.record.policy_revision = policy.revision().to_vec().into();
    }

    pub(super) fn set_permit(&mut self, permit: &Permit) {
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
        record.fields = released
            .iter()
            .map(|r| r.field.path().to_string())
            .collect();
        record.masked = masked
            .map(|r| r.field.path().to_string())
            .filter(|path| record.fields.contains(path))
            .collect();
        self.spare_fields();
        self.compare();
    }

    /// What is held back of the grant's look-ups until the entry of the exchange's end is made.
    pub(super) fn set_guess(&mut self, guess: Guess) {
        self.guess = guess;
    }

    /// How much of the grant's look-ups of the day has found nothing, when that is news.
    pub(super) fn spending(&self) -> Option<Spending> {
        self.spending
    }

    /// That permits it, or that the refusal rests on; empty where there is none.
    pub(super) fn agreement(&self) -> &str {
        &self.record.agreement
    }

    /// Values that were looked up or verified in vain.
    pub(super) fn lookup_misses(&self) -> u32 {
        self.record.lookup_misses
    }

    /// The tag of a count's filter.
    pub(super) fn filter_tag(&self, permit: &Permit) -> [u8; 16] {
        let Query {
            schema, selection, ..
        } = permit.query();
        let filter = selection.filter().map_or("", Filter::text);
        let month = self.month.as_ref();
        let tag = month.map(|month| month.filter(schema.name(), filter));
        tag.unwrap_or_default()
    }

    /// Notes it where a restart must know how many different filters there were.
    pub(super) fn counts(&mut self, permit: &Permit, filter_tag: &[u8; 16]) {
        if permit.grant().distinct_counts.is_some() {
            self.record.filter_tag = filter_tag.to_vec().into();
        }
    }

    /// The request in the words in which it goes to the provider, as both gateways digest it.
    pub(super) fn set_request(&mut self, ask: &Ask) {
        self.record.question_digest = ask.question_digest().to_vec().into();
        self.record.asked = Some(named(ask));
        self.spare_fields();
    }

    /// Fields that were asked for and released alike are listed once.
    fn spare_fields(&mut self) {
        let record = &mut self.record;
        let mut released: Vec<&str> = record.fields.iter().map(String::as_str).collect();
        released.sort_unstable();
        record.asked = record.asked.take().filter(|asked| asked.paths != released);
    }

    /// What the provider's gateway told with its answer.
    pub(super) fn note_peer_digests(&mut self, evidence: Option<&Evidence>) {
        let Some(evidence) = evidence else { return };
        let record = &mut self.record;
        record.peer_agreement_digest = evidence.agreement_digest.clone();
        record.peer_schema_digest = evidence.schema_digest.clone();
        self.compare();
    }

    /// The other gateway's copies of the agreement and of the schema stay noted where they are not ours.
    fn compare(&mut self) {
        let record = &mut self.record;
        if record.peer_agreement_digest == record.agreement_digest {
            record.peer_agreement_digest.clear();
        }
        if record.peer_schema_digest == record.schema_digest {
            record.peer_schema_digest.clear();
        }
    }

    /// A record as the provider sent it, whether or not it goes on.
    pub(super) fn note_received(&mut self, raw: &[u8]) {
        if self.side == Side::Consumer {
            self.received += 1;
            self.response.add(raw);
        }
    }

    /// Counts a record that goes out, as the provider sent it.
    pub(super) fn note_released(&mut self, raw: &[u8], sent: &[u8]) -> Result<(), Malformed> {
        self.record.records += 1;
        self.record.bytes += sent.len() as u64;
        // It was found.
        self.guess.settle(0);
        if self.side == Side::Provider {
            self.response.add(sent);
        }
        self.tag_subject(raw)
    }

    /// Tags whose data the answer tells of: a record that goes out, or one against which values were held.
    pub(super) fn tag_subject(&mut self, raw: &[u8]) -> Result<(), Malformed> {
        let (Some(subject), Some(month)) = (&self.subject, &self.month) else {
            return Ok(());
        };
        if self.record.subjects.len() >= MAX_SUBJECTS {
            return Ok(());
        }
        if let Some(value) = value_of(raw, subject)? {
            let identifier = text(&value);
            let written = subject.identifier_form().written(&identifier);
            self.record
                .subjects
                .push(month.subject(scheme(subject), &written));
        }
        Ok(())
    }

    /// Notes an answer that is not a record.
    pub(super) fn hash_answer(&mut self, answer: &impl Message) {
        let bytes = answer.encode_to_vec();
        self.record.bytes += bytes.len() as u64;
        self.response.add(&bytes);
    }

    /// The department and its system, as they say.
    pub(super) fn asker(&self) -> (&str, &str) {
        (&self.record.consumer, &self.record.system)
    }

    /// The agreement, where the other party's copy of it is not ours.
    pub(super) fn differing(&self) -> Option<&str> {
        let (own, theirs) = (
            &self.record.agreement_digest,
            &self.record.peer_agreement_digest,
        );
        let differ = !own.is_empty() && !theirs.is_empty();
        differ.then_some(&self.record.agreement)
    }

    /// The record type, where the other party's schema of it is not ours.
    pub(super) fn differing_schema(&self) -> Option<&str> {
        let (own, theirs) = (&self.record.schema_digest, &self.record.peer_schema_digest);
        let differ = !own.is_empty() && !theirs.is_empty();
        differ.then_some(&self.record.record_type)
    }

    pub(super) fn system(&self) -> String {
        self.record.system.clone()
    }

    /// Values that were not confirmed, and those of them that were guesses.
    pub(super) fn mismatches(&mut self, values: u32, guessed: u32) {
        self.record.mismatches = values;
        self.record.lookup_misses = guessed;
    }

    /// Whether another gateway asks.
    pub(super) fn is_relayed(&self) -> bool {
        self.is_relayed
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// One of a fixed set of words.
    pub(super) fn mode(&self) -> &'static str {
        self.mode.as_str()
    }

    /// The record type once it is known to exist: what is asked for may be any text.
    pub(super) fn known_record(&self) -> String {
        if self.record.schema_digest.is_empty() {
            "unknown".to_owned()
        } else {
            self.record.record_type.clone()
        }
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
}

/// The text without control characters, and cut.
fn up_to(most: usize, text: &str) -> String {
    let plain = |byte| matches!(byte, b' '..=b'~');
    if text.len() <= most && text.bytes().all(plain) {
        return text.to_owned();
    }
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(most).collect()
}

fn named(ask: &Ask) -> pb::FieldList {
    let named = ask.named_fields().into_iter().take(MAX_FIELDS);
    let paths = named.map(|path| up_to(MAX_NAME, path));
    pb::FieldList {
        paths: paths.collect(),
    }
}

fn new_id(at: Moment) -> ExchangeId {
    let seconds = u64::try_from(at.seconds()).unwrap_or(0);
    let nanos = u32::try_from(at.micros().rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    ExchangeId::new(Uuid::new_v7(uuid::Timestamp::from_unix(
        uuid::NoContext,
        seconds,
        nanos,
    )))
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

fn text(value: &Literal) -> String {
    String::from_utf8_lossy(&value.tag_bytes()).into_owned()
}

/// What kind of identifier a subject is: the name of the field that holds it, the same in every record type.
fn scheme(subject: &Field) -> &str {
    subject.own_name()
}
