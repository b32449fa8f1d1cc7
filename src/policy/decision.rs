//! The outcome of a decision: a permit that the next step demands, or a denial that says why.

use std::sync::Arc;
use std::time::Duration;

use super::agreement::Agreement;
use super::agreement::Grant;
use super::agreement::Released;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::FieldPath;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::registry::Digest;
use crate::registry::filter::Filter;
use crate::registry::query::Mode;
use crate::registry::query::Query;

/// Which side of an exchange this gateway is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The records come from another department's gateway.
    Consumer,
    /// The records are this department's own.
    Provider,
}

/// Leave to fetch and release what one query asks for. Only `PolicySet::decide` makes one.
#[derive(Clone)]
pub struct Permit {
    pub(super) query: Query,
    pub(super) agreement: Arc<Agreement>,
    pub(super) grant: usize,
    pub(super) role: Role,
    pub(super) released: Arc<[Released]>,
    pub(super) gate: Option<Filter>,
    pub(super) limit: u32,
    pub(super) revision: Digest,
    pub(super) consumer: DepartmentId,
}

impl Permit {
    pub fn query(&self) -> &Query {
        &self.query
    }

    pub fn agreement(&self) -> &Arc<Agreement> {
        &self.agreement
    }

    pub fn grant(&self) -> &Grant {
        todo!()
    }

    /// The zero-based number of the grant in its agreement.
    pub fn grant_number(&self) -> usize {
        self.grant
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn consumer(&self) -> &DepartmentId {
        &self.consumer
    }

    /// What may leave, each with its mask; empty for verify and count. At the consumer nothing is masked again.
    pub fn released(&self) -> &Arc<[Released]> {
        &self.released
    }

    /// The grant's rows and the query's filter together: what every record must pass. None at the consumer.
    pub fn gate(&self) -> Option<&Filter> {
        self.gate.as_ref()
    }

    /// The most records that may be sent: the least of the query's limit and the grant's.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// The policy's revision.
    pub fn revision(&self) -> &Digest {
        &self.revision
    }
}

/// Why a query is not permitted. `Display` is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error("no agreement grants {record} of {provider} to {consumer}")]
    NoAgreement {
        provider: DepartmentId,
        consumer: DepartmentId,
        record: RecordType,
    },
    #[error("agreement {0} is not yet in force")]
    NotYetInForce(AgreementId),
    #[error("agreement {0} has ended")]
    Ended(AgreementId),
    #[error("agreement {agreement} does not name the purpose `{purpose}`")]
    PurposeNotAgreed {
        agreement: AgreementId,
        purpose: Purpose,
    },
    #[error("agreement {agreement} does not grant `{}` of {record}", mode.as_str())]
    ModeNotGranted {
        agreement: AgreementId,
        record: RecordType,
        mode: Mode,
    },
    #[error("agreement {agreement} does not name the asking system")]
    SystemNotGranted { agreement: AgreementId },
    #[error("agreement {agreement} does not release the field `{field}`")]
    FieldNotGranted {
        agreement: AgreementId,
        field: FieldPath,
    },
    #[error("agreement {agreement} does not let `{field}` be used in a filter: it is not released unmasked{}", if *.lookup { "; as a lookup it may only be compared by `==` or `in`, not under `!`" } else { "" })]
    FilterNotAllowed {
        agreement: AgreementId,
        field: FieldPath,
        lookup: bool,
    },
    #[error(
        "agreement {agreement} does not let records be ordered by `{field}`: it is not released unmasked"
    )]
    OrderNotAllowed {
        agreement: AgreementId,
        field: FieldPath,
    },
    #[error("agreement {agreement} does not let a record be asked for by its key `{field}`")]
    KeyNotGranted {
        agreement: AgreementId,
        field: FieldPath,
    },
    #[error("guardrail `{id}` forbids it: {reason}")]
    Guardrail { id: String, reason: String },
    #[error("a guardrail could not be evaluated: {0}")]
    GuardrailFailed(String),
    #[error("{agreement} allows {rate} exchanges a second")]
    RateLimited {
        agreement: AgreementId,
        rate: u32,
        retry: Duration,
    },
    #[error("{agreement} allows {daily} records a day")]
    QuotaExhausted {
        agreement: AgreementId,
        daily: u64,
        retry: Duration,
    },
    #[error("{agreement} allows {tries} unconfirmed values a day for one record")]
    TooManyTries {
        agreement: AgreementId,
        tries: u32,
        retry: Duration,
    },
}
