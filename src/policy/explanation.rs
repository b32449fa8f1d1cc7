//! A decision laid out for people: every grant that was considered, and what came of it.

use std::sync::Arc;

use serde::Serialize;

use super::agreement::Agreement;
use super::agreement::Grant;
use super::agreement::ReleasedField;
pub use super::candidate::Check;
use super::candidate::CheckedDenial;
use super::decision::Denial;
use super::decision::Role;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::FieldPath;
use crate::name::Purpose;
use crate::name::SystemName;

/// What a decision would be and what it rests on. Holds no value of a query.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    pub role: Role,
    /// The policy's revision, in hexadecimal.
    pub revision: String,
    /// Which of those considered the permit rests on; `None` when the query is denied.
    pub chosen: Option<usize>,
    /// Why it is denied.
    pub denial: Option<Refusal>,
    /// The grants to the caller's department on the record type, in the order in which they are tried.
    pub considered: Vec<ConsideredGrant>,
}

/// One grant that was considered.
#[derive(Debug, Clone, Serialize)]
pub struct ConsideredGrant {
    pub agreement: AgreementId,
    pub title: String,
    pub file: String,
    /// The zero-based number of the grant in its agreement.
    pub grant: usize,
    pub provider: DepartmentId,
    pub consumer: DepartmentId,
    /// The first and the last day, YYYY-MM-DD.
    pub valid_from: String,
    pub valid_until: String,
    pub purposes: Vec<Purpose>,
    pub systems: Vec<SystemName>,
    pub rows: Option<String>,
    pub max_records: u32,
    /// Exchanges a second.
    pub rate: Option<u32>,
    /// Records a day.
    pub daily: Option<u64>,
    pub smallest_group: u64,
    pub count_step: u64,
    pub distinct_counts: Option<u32>,
    pub verify_tries: u32,
    pub lookup_misses: u32,
    /// The ids of the guardrails that can apply to the mode asked for.
    pub guardrails: Vec<String>,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// What would be released; empty for verify and count.
    Permitted {
        released: Vec<ExplainedField>,
    },
    Refused {
        check: Check,
        why: Refusal,
    },
}

#[derive(Debug, Clone, Serialize)]
pub struct ExplainedField {
    pub field: FieldPath,
    /// E.g. `keep-first:6`; `None` when released in clear.
    pub mask: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    /// The stable reason, e.g. `FIELD_NOT_GRANTED`.
    pub reason: &'static str,
    /// The text for the operator.
    pub message: String,
}

impl From<&Denial> for Refusal {
    fn from(denial: &Denial) -> Self {
        Self {
            reason: denial.reason(),
            message: denial.to_string(),
        }
    }
}

impl ConsideredGrant {
    pub(super) fn new(
        agreement: &Agreement,
        number: usize,
        grant: &Grant,
        guardrails: Vec<String>,
        judgement: Result<Arc<[ReleasedField]>, CheckedDenial>,
    ) -> Self {
        Self {
            agreement: agreement.id.clone(),
            title: agreement.title.clone(),
            file: agreement.file.clone(),
            grant: number,
            provider: agreement.provider.clone(),
            consumer: agreement.consumer.clone(),
            valid_from: agreement.valid_from.to_string(),
            valid_until: agreement.valid_until.to_string(),
            purposes: agreement.purposes.clone(),
            systems: grant.systems.clone(),
            rows: grant.rows.as_ref().map(|rows| rows.text().to_owned()),
            max_records: grant.max_records,
            rate: grant.rate,
            daily: grant.daily,
            smallest_group: grant.smallest_group,
            count_step: grant.count_step,
            distinct_counts: grant.distinct_counts,
            verify_tries: grant.verify_tries,
            lookup_misses: grant.lookup_misses,
            guardrails,
            outcome: Outcome::from(judgement),
        }
    }
}

impl From<Result<Arc<[ReleasedField]>, CheckedDenial>> for Outcome {
    fn from(judgement: Result<Arc<[ReleasedField]>, CheckedDenial>) -> Self {
        match judgement {
            Ok(released) => Self::Permitted {
                released: released.iter().map(ExplainedField::from).collect(),
            },
            Err(refused) => Self::Refused {
                check: refused.check,
                why: Refusal::from(&refused.denial),
            },
        }
    }
}

impl From<&ReleasedField> for ExplainedField {
    fn from(released: &ReleasedField) -> Self {
        Self {
            field: released.field.path().clone(),
            mask: released.mask.map(|mask| mask.to_string()),
        }
    }
}
