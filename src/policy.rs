//! What may be released to whom: agreements permit, guardrails forbid, and a decision names what it rests on.

pub mod agreement;
pub mod decision;
pub mod guardrail;
pub mod ledger;

use std::sync::Arc;

use time::UtcOffset;

use crate::clock::Moment;
use crate::fault::Fault;
use crate::identity::Caller;
use crate::name::DepartmentId;
use crate::registry::Digest;
use crate::registry::Registry;
use crate::registry::query::Query;
use crate::registry::schema::RecordSchema;
use agreement::Agreement;
use agreement::Grant;
use decision::Denial;
use decision::Permit;

/// A policy file as it was read: policy itself reads none.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// The path as an administrator knows it.
    pub path: String,
    pub text: String,
}

/// What a policy set is compiled from.
#[derive(Debug)]
pub struct PolicyInput<'a> {
    /// The department whose gateway this is.
    pub department: &'a DepartmentId,
    /// The departments of the directory.
    pub departments: &'a [DepartmentId],
    pub registry: &'a Registry,
    pub agreements: &'a [PolicyFile],
    pub guardrails: &'a [PolicyFile],
    /// Where the agreements' days begin and end.
    pub offset: UtcOffset,
}

/// One compiled, immutable policy.
#[derive(Debug)]
pub struct PolicySet {
    // fields are the implementer's
}

impl PolicySet {
    /// Compiles all files or reports every fault in them.
    pub fn compile(input: &PolicyInput<'_>) -> Result<Self, Vec<Fault>> {
        todo!()
    }

    /// SHA-256 over the canonical digests of all agreements, the guardrails and the registry.
    pub fn revision(&self) -> &Digest {
        todo!()
    }

    pub fn agreements(&self) -> impl Iterator<Item = &Arc<Agreement>> {
        [].iter()
    }

    /// The grants on a record type that the caller may use at that time, for the catalogue.
    pub fn usable(
        &self,
        caller: &Caller,
        schema: &RecordSchema,
        at: Moment,
    ) -> Vec<(&Arc<Agreement>, &Grant)> {
        todo!()
    }

    /// Decides. The first grant that permits the whole query wins; otherwise the denial that came furthest is told.
    pub fn decide(&self, caller: &Caller, query: Query, at: Moment) -> Result<Permit, Denial> {
        todo!()
    }
}
