//! Cuts a record down to what its permit releases, on the bytes as they are.

pub mod verify;

mod mask;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use aws_lc_rs::hmac;
use bytes::Bytes;

use crate::name::AgreementId;
use crate::policy::decision::Permit;
use crate::policy::decision::Role;
use crate::registry::filter::Filter;
use crate::registry::rules::FieldSet;
use crate::registry::rules::Rules;
use crate::registry::rules::Violation;
use crate::registry::wire::Malformed;
use plan::Plan;

/// What a permit does to each record: the gate that it must pass, and what is left of it then.
pub struct Redaction {
    gate: Option<Filter>,
    cut: Arc<RedactionRule>,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redaction")
    }
}

/// What is left of a record.
struct RedactionRule {
    plan: Plan,
    pseudonyms: Pseudonyms,
    /// What the registry demands of the released fields, where they leave their provider: a consumer gets some masked.
    demands: Option<(Rules, FieldSet)>,
}

/// Why nothing of a record leaves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedactionError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// The redactions under one policy set. What a grant leaves of a record is worked out when it is first used; what leaves
/// only some of its fields, for each permit.
#[derive(Default)]
pub struct Redactions(RwLock<HashMap<(AgreementId, usize), Arc<RedactionRule>>>);

impl fmt::Debug for Redactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactions")
    }
}

impl Redactions {
    pub fn of(&self, permit: &Permit, key: &PseudonymKey) -> Redaction {
        Redaction {
            gate: permit.gate().cloned(),
            cut: match permit.releases_all() {
                true => self.whole(permit, key),
                false => Arc::new(RedactionRule::of(permit, key)),
            },
        }
    }

    // A poisoned lock is taken all the same: the map is whole between any two of its statements.
    fn whole(&self, permit: &Permit, key: &PseudonymKey) -> Arc<RedactionRule> {
        let grant = (permit.agreement().id.clone(), permit.grant_number());
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cut) = known.get(&grant) {
            return Arc::clone(cut);
        }
        drop(known);
        let cut = Arc::new(RedactionRule::of(permit, key));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(grant, Arc::clone(&cut));
        cut
    }
}

impl RedactionRule {
    fn of(permit: &Permit, key: &PseudonymKey) -> Self {
        Self {
            plan: Plan::compile(permit.released()),
            pseudonyms: key.for_agreement(&permit.agreement().id),
            demands: demands(permit),
        }
    }
}

fn demands(permit: &Permit) -> Option<(Rules, FieldSet)> {
    let rules = permit.query().schema.rules()?;
    let released = permit.released().iter().map(|r| &r.field);
    (permit.role() == Role::Provider).then(|| (rules.clone(), FieldSet::by(released)))
}

/// Whether a record passes the permit's gate, where nothing of it is to leave.
pub fn admits(permit: &Permit, record: &[u8]) -> Result<bool, Malformed> {
    passes(permit.gate(), record)
}

fn passes(gate: Option<&Filter>, record: &[u8]) -> Result<bool, Malformed> {
    gate.map_or(Ok(true), |gate| gate.matches(record))
}

impl Redaction {
    /// What may leave of a record; `None` if the permit's gate does not let it pass at all.
    ///
    /// An error means that the source gave bytes that are not a record of its schema, in a field that the gate asks about
    /// or that is released, or a value that the registry's rules do not allow. What is dropped is not looked into.
    pub fn apply(&self, record: &Bytes) -> Result<Option<RedactedRecord>, RedactionError> {
        if !passes(self.gate.as_ref(), record)? {
            return Ok(None);
        }
        let RedactionRule {
            plan,
            pseudonyms,
            demands,
        } = &*self.cut;
        if let Some((rules, covered)) = demands
            && let Some(violation) = rules.violation(record, covered)?
        {
            return Err(violation.into());
        }
        Ok(Some(RedactedRecord(plan.apply(record, pseudonyms)?)))
    }
}

/// An encoded record with nothing in it but what its permit releases. Only `Redaction` makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct RedactedRecord(Bytes);

impl RedactedRecord {
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for RedactedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redacted({} bytes)", self.0.len())
    }
}

/// The gateway's secret behind all of its pseudonyms. Who has it can test a guess at a value.
pub struct PseudonymKey(hmac::Key);

impl PseudonymKey {
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Two agreements share no pseudonym, so that two consumers cannot join what each was given.
    fn for_agreement(&self, agreement: &AgreementId) -> Pseudonyms {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"landbridge pseudonym\0");
        context.update(agreement.as_str().as_bytes());
        Pseudonyms(hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref()))
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey")
    }
}

/// The pseudonyms of one agreement.
struct Pseudonyms(hmac::Key);

impl Pseudonyms {
    /// 16 bytes of HMAC-SHA-256 over the value, in lower-case hexadecimal.
    fn of(&self, value: &str) -> String {
        let tag = hmac::sign(&self.0, value.as_bytes());
        let mut text = String::with_capacity(32);
        for byte in tag.as_ref().iter().take(16) {
            for nibble in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
        text
    }
}
