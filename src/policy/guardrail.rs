//! Guardrails: Cedar policies that can only forbid.

mod literals;
mod load;
mod occasion;
mod passed_cache;
mod vocabulary;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cedar_policy::Authorizer;
use cedar_policy::Decision;
use cedar_policy::Policy;
use cedar_policy::PolicyId;
use cedar_policy::PolicySet;

use super::decision::Denial;
use crate::name::DepartmentId;
use crate::name::RecordType;
use crate::registry::query::Mode;
pub(super) use load::Input;
pub(super) use occasion::Occasion;
pub(super) use occasion::TouchedField;
use passed_cache::PassedCache;

/// All guardrails of one revision, each valid against the registry.
#[derive(Debug, Default)]
pub(super) struct Guardrails {
    /// By id.
    all: Vec<Guardrail>,
}

#[derive(Debug)]
struct Guardrail {
    id: String,
    reason: String,
    scope: Scope,
    policy: Policy,
}

/// The exchanges that a guardrail can apply to at all; `None` is every one.
#[derive(Debug, Default)]
struct Scope {
    consumer: Option<DepartmentId>,
    modes: Option<Vec<Mode>>,
    record: Option<RecordType>,
}

impl Scope {
    fn covers(&self, consumer: &DepartmentId, record: &RecordType, mode: Mode) -> bool {
        self.consumer.as_ref().is_none_or(|c| c == consumer)
            && self.record.as_ref().is_none_or(|r| r == record)
            && self.modes.as_ref().is_none_or(|m| m.contains(&mode))
    }
}

impl Guardrails {
    /// What the guardrails mean, as bytes to be hashed: whatever their order and layout, and without comments.
    pub(super) fn canonical(&self) -> impl Iterator<Item = (&str, &str, String)> {
        self.all.iter().map(|g| {
            // A static policy always has a JSON form; its text would only be a finer distinction.
            let meaning = g
                .policy
                .to_json()
                .map_or_else(|_| g.policy.to_string(), |json| json.to_string());
            (g.id.as_str(), g.reason.as_str(), meaning)
        })
    }
}

/// Cuts the guardrails into slices, each made once and shared: evaluation takes time for every policy in a set.
#[derive(Debug)]
pub(super) struct Slicer<'a> {
    guardrails: &'a Guardrails,
    made: HashMap<Vec<usize>, Arc<Slice>>,
}

impl<'a> Slicer<'a> {
    pub(super) fn new(guardrails: &'a Guardrails) -> Self {
        Self {
            guardrails,
            made: HashMap::new(),
        }
    }

    /// The guardrails that can apply; `None` when there are none.
    pub(super) fn slice(
        &mut self,
        consumer: &DepartmentId,
        record: &RecordType,
        mode: Mode,
    ) -> Option<Arc<Slice>> {
        let (numbers, covering): (Vec<_>, Vec<_>) = self
            .guardrails
            .all
            .iter()
            .enumerate()
            .filter(|(_, g)| g.scope.covers(consumer, record, mode))
            .unzip();
        if covering.is_empty() {
            return None;
        }
        let slice = self
            .made
            .entry(numbers)
            .or_insert_with(|| Arc::new(Slice::of(&covering)));
        Some(slice.clone())
    }
}

/// The guardrails that can apply to one consumer, record type and mode.
pub(super) struct Slice {
    policies: PolicySet,
    /// By id.
    reasons: Vec<(String, String)>,
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// The guardrails that can apply to one grant in one mode.
#[derive(Debug)]
pub(super) struct GrantGuardrails {
    slice: Arc<Slice>,
    passed: PassedCache,
}

impl GrantGuardrails {
    pub(super) fn by(slice: Arc<Slice>) -> Self {
        Self {
            slice,
            passed: PassedCache::default(),
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.slice.ids()
    }

    /// As [`Slice::check`]. An occasion that passed is not evaluated again while nothing that a guardrail sees changes:
    /// to build what Cedar asks for takes longer than all else that a decision does.
    pub(super) fn check(&self, occasion: &Occasion<'_>) -> Result<(), Denial> {
        if self.passed.has(occasion) {
            return Ok(());
        }
        self.slice.check(occasion)?;
        self.passed.remember(occasion);
        Ok(())
    }
}

impl Slice {
    fn of(guardrails: &[&Guardrail]) -> Self {
        // The ids differ and are not empty, so that nothing is turned away.
        let forbids = guardrails.iter().map(|g| g.policy.clone());
        let policies = PolicySet::from_policies(forbids.chain([vocabulary::everything_else()]));
        Self {
            policies: policies.unwrap_or_default(),
            reasons: guardrails
                .iter()
                .map(|g| (g.id.clone(), g.reason.clone()))
                .collect(),
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().map(|(id, _)| id.as_str())
    }

    /// Refuses what a guardrail forbids, and whatever one cannot be evaluated on: Cedar by itself skips a policy that
    /// fails, and a skipped prohibition is a permission.
    pub(super) fn check(&self, occasion: &Occasion<'_>) -> Result<(), Denial> {
        let (request, entities) = occasion.request()?;
        let response = Authorizer::new().is_authorized(&request, &self.policies, &entities);
        if response.decision() == Decision::Deny {
            return Err(self.denial(response.diagnostics().reason()));
        }
        match response.diagnostics().errors().next() {
            Some(error) => Err(Denial::GuardrailFailed(error.to_string())),
            None => Ok(()),
        }
    }

    fn denial<'p>(&self, determining: impl Iterator<Item = &'p PolicyId>) -> Denial {
        let Some(id) = determining.min() else {
            return Denial::GuardrailFailed("the guardrails permit nothing".to_owned());
        };
        let id: &str = id.as_ref();
        let reason = self
            .reasons
            .iter()
            .find(|(known, _)| known == id)
            .map_or("", |(_, reason)| reason);
        Denial::Guardrail {
            id: id.to_owned(),
            reason: reason.to_owned(),
        }
    }
}
