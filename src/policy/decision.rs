//! The outcome of a decision: a permit that the next step demands, or a denial that says why.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::agreement::Agreement;
use super::agreement::Grant;
use super::agreement::ReleasedField;
use crate::digest::Digest;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::FieldPath;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::registry::filter::Filter;
use crate::registry::query::Mode;
use crate::registry::query::Query;

/// Which side of an exchange this gateway is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
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
    pub(super) released: Arc<[ReleasedField]>,
    pub(super) releases_all: bool,
    pub(super) gate: Option<Filter>,
    pub(super) limit: u32,
    pub(super) guesses: u32,
    pub(super) revision: Digest,
    pub(super) consumer: DepartmentId,
}

/// Shows what it rests on, not what is asked.
impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("agreement", &self.agreement.id)
            .field("grant", &self.grant)
            .field("role", &self.role)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Permit {
    pub fn query(&self) -> &Query {
        &self.query
    }

    pub fn agreement(&self) -> &Arc<Agreement> {
        &self.agreement
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a permit is made with the number of one of its agreement's grants only"
    )]
    pub fn grant(&self) -> &Grant {
        &self.agreement.grants[self.grant]
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
    pub fn released(&self) -> &Arc<[ReleasedField]> {
        &self.released
    }

    /// Whether that is all that the grant releases.
    pub fn releases_all(&self) -> bool {
        self.releases_all
    }

    /// The grant's rows and the query's filter together: what every record must pass. None at the consumer.
    pub fn gate(&self) -> Option<&Filter> {
        self.gate.as_ref()
    }

    /// The most records that may be sent: the least of the query's limit and the grant's; 1 for get and verify. A count
    /// is not bounded by it.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How many values the query states that its asker could not have read under the grant: what is not found of them is
    /// counted.
    pub fn guesses(&self) -> u32 {
        self.guesses
    }

    /// Whether the other permit lets the same leave: the same rows, and the same fields with the same masks.
    pub fn releases_as(&self, other: &Self) -> bool {
        let same = |one: &ReleasedField, other: &ReleasedField| {
            one.field == other.field && one.mask == other.mask
        };
        let rows = |permit: &Self| permit.gate.as_ref().map(|gate| gate.text().to_owned());
        self.role == other.role
            && rows(self) == rows(other)
            && self.released.len() == other.released.len()
            && self
                .released
                .iter()
                .all(|r| other.released.iter().any(|o| same(r, o)))
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
    #[error("agreement {agreement} does not let `{field}` be used in {}", .why.advice(.field))]
    FilterNotAllowed {
        agreement: AgreementId,
        field: FieldPath,
        why: NotTested,
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
    #[error("{agreement} allows {misses} values a day to be looked up or verified in vain")]
    LookupMissesExhausted {
        agreement: AgreementId,
        misses: u32,
        retry: Duration,
    },
    #[error(
        "{agreement} allows {counts} different filters of counts a day; those that were answered today are answered again"
    )]
    DistinctCountsExhausted {
        agreement: AgreementId,
        counts: u32,
        retry: Duration,
    },
}

/// Why a filter may not test a field, which the grant does not release unmasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTested {
    Hidden,
    /// It is a lookup, and the filter does more than compare it with one value.
    Lookup,
    /// It is a lookup, which a count never tests.
    Counted,
}

impl NotTested {
    fn advice(self, field: &FieldPath) -> String {
        match self {
            Self::Hidden => "a filter: it is not released unmasked".to_owned(),
            Self::Lookup => format!(
                "this way: as a lookup it is compared with one value in a question; write `{field} == \"…\"` once, alone or \
                 joined to the rest by `&&`, not with `in`, `!=`, `!` or `||`"
            ),
            Self::Counted => format!(
                "a count, which looks nobody up; query for the record by `{field} == \"…\"`, or verify it"
            ),
        }
    }
}

impl Denial {
    /// The stable reason that answers and journals carry.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoAgreement { .. } => "NO_AGREEMENT",
            Self::NotYetInForce(_) => "AGREEMENT_NOT_YET_IN_FORCE",
            Self::Ended(_) => "AGREEMENT_ENDED",
            Self::PurposeNotAgreed { .. } => "PURPOSE_NOT_AGREED",
            Self::ModeNotGranted { .. } => "MODE_NOT_GRANTED",
            Self::SystemNotGranted { .. } => "SYSTEM_NOT_GRANTED",
            Self::FieldNotGranted { .. } => "FIELD_NOT_GRANTED",
            Self::FilterNotAllowed { .. } => "FILTER_NOT_ALLOWED",
            Self::OrderNotAllowed { .. } => "ORDER_NOT_ALLOWED",
            Self::KeyNotGranted { .. } => "KEY_NOT_GRANTED",
            Self::Guardrail { .. } => "GUARDRAIL",
            Self::GuardrailFailed(_) => "GUARDRAIL_FAILED",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::QuotaExhausted { .. } => "QUOTA_EXHAUSTED",
            Self::TooManyTries { .. } => "TOO_MANY_TRIES",
            Self::LookupMissesExhausted { .. } => "LOOKUP_MISSES_EXHAUSTED",
            Self::DistinctCountsExhausted { .. } => "DISTINCT_COUNTS_EXHAUSTED",
        }
    }

    /// What the denial names, for `google.rpc.ErrorInfo`; it may be shown to the asker.
    pub fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NoAgreement {
                provider,
                consumer,
                record,
            } => vec![
                ("provider", provider.to_string()),
                ("consumer", consumer.to_string()),
                ("record_type", record.to_string()),
            ],
            Self::NotYetInForce(agreement)
            | Self::Ended(agreement)
            | Self::SystemNotGranted { agreement } => vec![("agreement", agreement.to_string())],
            Self::PurposeNotAgreed { agreement, purpose } => vec![
                ("agreement", agreement.to_string()),
                ("purpose", purpose.to_string()),
            ],
            Self::ModeNotGranted {
                agreement,
                record,
                mode,
            } => vec![
                ("agreement", agreement.to_string()),
                ("record_type", record.to_string()),
                ("mode", mode.as_str().to_owned()),
            ],
            Self::FieldNotGranted { agreement, field }
            | Self::FilterNotAllowed {
                agreement, field, ..
            }
            | Self::OrderNotAllowed { agreement, field }
            | Self::KeyNotGranted { agreement, field } => vec![
                ("agreement", agreement.to_string()),
                ("field", field.to_string()),
            ],
            Self::Guardrail { id, .. } => vec![("guardrail", id.clone())],
            Self::GuardrailFailed(_) => Vec::new(),
            Self::RateLimited {
                agreement, rate, ..
            } => limit(agreement, u64::from(*rate)),
            Self::QuotaExhausted {
                agreement, daily, ..
            } => limit(agreement, *daily),
            Self::TooManyTries {
                agreement, tries, ..
            } => limit(agreement, u64::from(*tries)),
            Self::LookupMissesExhausted {
                agreement, misses, ..
            } => limit(agreement, u64::from(*misses)),
            Self::DistinctCountsExhausted {
                agreement, counts, ..
            } => limit(agreement, u64::from(*counts)),
        }
    }

    /// The text for the asker: the gateway's inner workings are left out.
    pub fn for_peer(&self) -> String {
        match self {
            Self::GuardrailFailed(_) => "a guardrail could not be evaluated".to_owned(),
            told => told.to_string(),
        }
    }

    /// How long until the same question may be permitted, where waiting helps.
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry, .. }
            | Self::QuotaExhausted { retry, .. }
            | Self::TooManyTries { retry, .. }
            | Self::LookupMissesExhausted { retry, .. }
            | Self::DistinctCountsExhausted { retry, .. } => Some(*retry),
            _ => None,
        }
    }
}

fn limit(agreement: &AgreementId, limit: u64) -> Vec<(&'static str, String)> {
    vec![
        ("agreement", agreement.to_string()),
        ("limit", limit.to_string()),
    ]
}
