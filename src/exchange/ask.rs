//! What is asked, as it came through a door: nothing of it has been checked.

use std::str::FromStr;
use std::time::Duration;

use super::refusal::Cause;
use super::secret::CursorSeal;
use super::snapshot::Snapshot;
use super::trace::Trace;
use crate::digest::Digest;
use crate::digest::TranscriptHash;
use crate::identity::Caller;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::Origin;
use crate::name::SystemName;
use crate::pb;
use crate::pb::Grounds;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::registry::query::Query;
use crate::registry::query::Raw;
use crate::registry::query::question::Question;
use crate::source::sql::Position;

/// The most characters of a case reference, and of an officer's name.
const MAX_NOTE: usize = 128;

/// One request. Holds personal data: it has no `Debug` that shows it.
#[derive(Clone)]
pub struct Ask {
    pub record_type: String,
    /// Empty: the record type's owner.
    pub provider: String,
    pub grounds: Grounds,
    /// Field paths; empty: all that the grant releases.
    pub fields: Vec<String>,
    pub question: Question,
    /// Comes with what a gateway asks, and only then.
    pub relay: Option<pb::Relay>,
    /// How long the answer may take to begin.
    pub deadline: Duration,
    pub trace: Trace,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("record_type", &self.record_type)
            .finish_non_exhaustive()
    }
}

impl Ask {
    /// The id that the asking gateway gave the exchange.
    pub fn exchange(&self) -> Option<ExchangeId> {
        self.relay
            .as_ref()
            .and_then(|relay| ExchangeId::from_slice(&relay.exchange_id))
    }

    /// The journal that the asking gateway names, if it is one of that department.
    pub fn asking_journal(&self, department: &DepartmentId) -> Option<Origin> {
        let journal = Origin::from_str(&self.relay.as_ref()?.journal).ok()?;
        (journal.department() == department).then_some(journal)
    }

    /// The caller with the system that its gateway names.
    pub fn caller(&self, caller: Caller) -> Result<Caller, Cause> {
        // A certificate that names a system was shown at the systems door.
        let relay = match (&self.relay, caller.system()) {
            (None, Some(_)) => return Ok(caller),
            (Some(_), Some(_)) => return Err(Cause::ForeignRelay),
            (None, None) => return Err(Cause::Relay("relay: gateways say whom they ask for")),
            (Some(relay), None) => relay,
        };
        if self.exchange().is_none() {
            return Err(Cause::Relay(
                "relay.exchange_id: 16 bytes, a UUID version 7",
            ));
        }
        if relay.nonce.len() != 32 {
            return Err(Cause::Relay("relay.nonce: 32 bytes"));
        }
        // They stand in the journal where they differ from ours, so their length is not the peer's to choose.
        if relay.agreement_digest.len() != 32 {
            return Err(Cause::Relay("relay.agreement_digest: 32 bytes"));
        }
        if relay.schema_digest.len() != 32 {
            return Err(Cause::Relay("relay.schema_digest: 32 bytes"));
        }
        if !matches!(relay.revision.len(), 0 | 32) {
            return Err(Cause::Relay("relay.revision: 32 bytes"));
        }
        if !relay.journal.is_empty() && self.asking_journal(caller.department()).is_none() {
            return Err(Cause::Relay(
                "relay.journal: a journal of the asking department",
            ));
        }
        let system = SystemName::from_str(&relay.system)
            .map_err(|_| Cause::Relay("relay.system: the name of the asking system"))?;
        Ok(caller.with_system(system))
    }

    /// Checks every name and value against the schema.
    pub fn check(&self, snapshot: &Snapshot, department: &DepartmentId) -> Result<Query, Cause> {
        for (field, note) in [
            ("grounds.case_reference", &self.grounds.case_reference),
            ("grounds.officer", &self.grounds.officer),
        ] {
            if note.chars().count() > MAX_NOTE || note.chars().any(char::is_control) {
                return Err(Cause::Note {
                    field,
                    limit: MAX_NOTE,
                });
            }
        }
        let schema = snapshot.registry.record(&self.record_type)?;
        if !self.provider.is_empty() && self.provider != schema.owner().as_str() {
            return Err(Cause::NotOwner {
                record: schema.name().clone(),
                owner: schema.owner().clone(),
            });
        }
        if self.relay.is_some() && schema.owner() != department {
            return Err(Cause::NotOwner {
                record: schema.name().clone(),
                owner: schema.owner().clone(),
            });
        }
        let selection = self.question.raw();
        let raw = Raw {
            purpose: &self.grounds.purpose,
            fields: &self.fields,
            selection,
        };
        Ok(Query::check(schema, &raw)?)
    }

    /// Says in full what the permit leaves of the request, in the words in which the provider is asked.
    pub fn narrow(&mut self, permit: &Permit) {
        self.record_type = permit.query().schema.name().to_string();
        if matches!(self.question, Question::Get { .. } | Question::Query { .. }) {
            self.fields = permit
                .released()
                .iter()
                .map(|r| r.field.path().to_string())
                .collect();
        }
        if let Question::Query { limit, .. } = &mut self.question {
            *limit = permit.limit();
        }
    }

    /// Where an earlier answer to this question stopped. The provider opens its own cursor; the consumer cannot.
    pub fn position(&self, permit: &Permit, seal: &CursorSeal) -> Result<Option<Position>, Cause> {
        let Question::Query { cursor, .. } = &self.question else {
            return Ok(None);
        };
        if cursor.is_empty() || permit.role() == Role::Consumer {
            return Ok(None);
        }
        let position = seal
            .open(cursor, &self.thread(permit))
            .ok_or(Cause::Cursor)?;
        Position::decode(&position, permit)
            .map(Some)
            .map_err(|_| Cause::Cursor)
    }

    /// SHA-256 over what all pages of one answer have in common: whose question it is, of what, and in which order.
    pub fn thread(&self, permit: &Permit) -> Digest {
        let lp = TranscriptHash::new("landbridge.cursor.v1")
            .part(permit.consumer().as_str())
            .part(permit.query().schema.name().as_str());
        match &self.question {
            Question::Query {
                filter, order_by, ..
            } => lp.part(filter).part(order_by).finish(),
            Question::Get { .. } | Question::Verify { .. } | Question::Count { .. } => lp.finish(),
        }
    }

    /// The fields that it names, sorted; those of its claims, where it asks for none.
    pub fn named_fields(&self) -> Vec<&str> {
        let mut named: Vec<&str> = match &self.question {
            Question::Get { .. } | Question::Query { .. } => {
                self.fields.iter().map(String::as_str).collect()
            }
            Question::Verify { claims, .. } => claims.iter().map(|c| c.field.as_str()).collect(),
            Question::Count { .. } => Vec::new(),
        };
        named.sort_unstable();
        named
    }

    /// SHA-256 over the question: the same at both gateways, when the consumer takes it of what it sends and the provider of
    /// what comes.
    pub fn question_digest(&self) -> Digest {
        let lp = TranscriptHash::new("landbridge.question.v2");
        let lp = match &self.question {
            Question::Get { key } => lp.part(key),
            Question::Query {
                filter,
                order_by,
                limit,
                cursor,
            } => lp
                .part(filter)
                .part(order_by)
                .number(u64::from(*limit))
                .part(cursor),
            Question::Verify { key, claims } => lp
                .part(key)
                .parts(claims.iter().map(prost::Message::encode_to_vec)),
            Question::Count { filter } => lp.part(filter),
        };
        lp.finish()
    }
}
