//! A grant that a query may rest on, and the checks that the query must pass there.

use std::sync::Arc;

use serde::Serialize;
use time::Date;
use time::OffsetDateTime;

use super::agreement::Agreement;
use super::agreement::Grant;
use super::agreement::ReleasedField;
use super::decision::Denial;
use super::decision::NotTested;
use super::explanation::ConsideredGrant;
use super::guardrail::GrantGuardrails;
use super::guardrail::Occasion;
use super::guardrail::Slicer;
use super::guardrail::TouchedField;
use crate::identity::Caller;
use crate::name::AgreementId;
use crate::registry::field::Field;
use crate::registry::filter::Filter;
use crate::registry::filter::Use;
use crate::registry::query::Mode;
use crate::registry::query::Query;
use crate::registry::query::Selection;

/// The checks, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    Validity,
    Purpose,
    Mode,
    System,
    Key,
    Fields,
    Filter,
    Order,
    Guardrails,
}

impl Check {
    fn of<T>(self, result: Result<T, Denial>) -> Result<T, CheckedDenial> {
        result.map_err(|denial| CheckedDenial {
            check: self,
            denial,
        })
    }
}

/// A denial, with the check at which it came.
#[derive(Debug, Clone)]
pub(super) struct CheckedDenial {
    pub(super) check: Check,
    pub(super) denial: Denial,
}

/// A query as it is judged.
#[derive(Clone, Copy)]
pub(super) struct JudgedQuery<'a> {
    pub(super) caller: &'a Caller,
    pub(super) query: &'a Query,
    /// At the gateway's own offset.
    pub(super) at: OffsetDateTime,
}

#[derive(Debug)]
pub(super) struct Candidate {
    agreement: Arc<Agreement>,
    number: usize,
    /// All that the grant releases, for the gateway that does not mask.
    unmasked: Arc<[ReleasedField]>,
    /// The guardrails that can apply, for each mode that has any.
    guardrails: Vec<(Mode, GrantGuardrails)>,
}

impl Candidate {
    pub(super) fn new(
        agreement: &Arc<Agreement>,
        number: usize,
        grant: &Grant,
        slicer: &mut Slicer<'_>,
    ) -> Self {
        let mut slice = |mode| {
            let slice = slicer.slice(&agreement.consumer, grant.schema.name(), mode)?;
            Some((mode, GrantGuardrails::by(slice)))
        };
        Self {
            guardrails: grant.modes.iter().filter_map(|m| slice(*m)).collect(),
            unmasked: without_masks(&grant.released),
            agreement: agreement.clone(),
            number,
        }
    }

    /// Passes the query through every check, or says at which one it fails. What it then releases is returned.
    pub(super) fn judge(
        &self,
        asked: &JudgedQuery<'_>,
    ) -> Result<Arc<[ReleasedField]>, CheckedDenial> {
        let query = asked.query;
        Check::Validity.of(self.in_force(asked.at.date()))?;
        Check::Purpose.of(self.serves(query))?;
        Check::Mode.of(self.has_mode(query))?;
        Check::System.of(self.lets(asked.caller))?;
        Check::Key.of(self.opens_key(query))?;
        let released = Check::Fields.of(self.release(query))?;
        Check::Filter.of(self.allows_filter(query))?;
        Check::Order.of(self.allows_order(query))?;
        Check::Guardrails.of(self.is_not_forbidden(asked, &released))?;
        Ok(released)
    }

    pub(super) fn in_force(&self, today: Date) -> Result<(), Denial> {
        if today < self.agreement.valid_from {
            return Err(Denial::NotYetInForce(self.id()));
        }
        if today > self.agreement.valid_until {
            return Err(Denial::Ended(self.id()));
        }
        Ok(())
    }

    fn serves(&self, query: &Query) -> Result<(), Denial> {
        if self.agreement.purposes.contains(&query.purpose) {
            return Ok(());
        }
        Err(Denial::PurposeNotAgreed {
            agreement: self.id(),
            purpose: query.purpose.clone(),
        })
    }

    fn has_mode(&self, query: &Query) -> Result<(), Denial> {
        let mode = query.selection.mode();
        if self.grant().modes.contains(&mode) {
            return Ok(());
        }
        Err(Denial::ModeNotGranted {
            agreement: self.id(),
            record: query.schema.name().clone(),
            mode,
        })
    }

    pub(super) fn lets(&self, caller: &Caller) -> Result<(), Denial> {
        if self.grant().lets(caller) {
            return Ok(());
        }
        Err(Denial::SystemNotGranted {
            agreement: self.id(),
        })
    }

    fn opens_key(&self, query: &Query) -> Result<(), Denial> {
        let key = query.schema.key();
        let asked = matches!(
            query.selection,
            Selection::Get { .. } | Selection::Verify { .. }
        );
        if !asked || self.grant().releases_clear(key) || self.grant().looks_up(key) {
            return Ok(());
        }
        Err(Denial::KeyNotGranted {
            agreement: self.id(),
            field: key.path().clone(),
        })
    }

    /// What leaves; nothing where the answer holds no record.
    fn release(&self, query: &Query) -> Result<Arc<[ReleasedField]>, Denial> {
        match &query.selection {
            Selection::Get { .. } | Selection::Query { .. } if self.wants_all(&query.fields) => {
                Ok(self.grant().released.clone())
            }
            Selection::Get { .. } | Selection::Query { .. } => self.release_only(&query.fields),
            Selection::Verify { claims, .. } => {
                let mut claimed = claims.iter().map(|(field, _)| field);
                let refused = claimed
                    .find(|f| !self.grant().looks_up(f) && self.grant().release(f).is_empty());
                refused.map_or(Ok([].into()), |field| Err(self.not_granted(field)))
            }
            Selection::Count { .. } => Ok([].into()),
        }
    }

    /// Whoever names no field means all. The asking department's gateway names each one that its own copy releases.
    fn wants_all(&self, fields: &[Field]) -> bool {
        let all = self.grant().released.iter().map(|r| r.field.path());
        fields.is_empty() || fields.iter().map(Field::path).eq(all)
    }

    fn release_only(&self, fields: &[Field]) -> Result<Arc<[ReleasedField]>, Denial> {
        let mut released = Vec::new();
        for field in fields {
            let mut parts = self.grant().release(field);
            if parts.is_empty() {
                return Err(self.not_granted(field));
            }
            released.append(&mut parts);
        }
        // In this order what lies within a path follows it directly: `.` sorts before all that a name may hold.
        released.sort_by(|a, b| a.field.path().cmp(b.field.path()));
        released.dedup_by(|inner, outer| inner.field.path().within(outer.field.path()));
        Ok(released.into())
    }

    /// A filter tells what it tests, so that it may test only what is told anyway, or what the asker knows.
    fn allows_filter(&self, query: &Query) -> Result<(), Denial> {
        let Some(filter) = query.selection.filter() else {
            return Ok(());
        };
        let counts = query.selection.mode() == Mode::Count;
        let mut looked_up = Vec::new();
        for Use {
            field,
            is_one_value,
        } in filter.uses()
        {
            if self.grant().releases_clear(&field) {
                continue;
            }
            let why = if !self.grant().looks_up(&field) {
                NotTested::Hidden
            } else if counts {
                NotTested::Counted
            } else if !is_one_value || looked_up.contains(&field) {
                NotTested::Lookup
            } else {
                looked_up.push(field);
                continue;
            };
            return Err(Denial::FilterNotAllowed {
                agreement: self.id(),
                field: field.path().clone(),
                why,
            });
        }
        Ok(())
    }

    /// How many values a permitted query states that its asker could not have read here. A further page states none: the
    /// first one has found what the question names.
    pub(super) fn guesses(&self, query: &Query) -> u32 {
        let grant = self.grant();
        match &query.selection {
            Selection::Get { .. } => u32::from(!grant.releases_clear(query.schema.key())),
            Selection::Query {
                filter: Some(filter),
                cursor: None,
                ..
            } if !grant.lookup.is_empty() => {
                let mut uses = filter.uses().into_iter();
                u32::from(uses.any(|tested| !grant.releases_clear(&tested.field)))
            }
            Selection::Verify { claims, .. } => {
                let guessed = claims.iter().filter(|(field, _)| grant.guesses(field));
                u32::try_from(guessed.count()).unwrap_or(u32::MAX)
            }
            Selection::Query { .. } | Selection::Count { .. } => 0,
        }
    }

    fn allows_order(&self, query: &Query) -> Result<(), Denial> {
        let Selection::Query { order, .. } = &query.selection else {
            return Ok(());
        };
        let mut fields = order.iter().map(|o| &o.field);
        match fields.find(|f| !self.grant().releases_clear(f)) {
            None => Ok(()),
            Some(field) => Err(Denial::OrderNotAllowed {
                agreement: self.id(),
                field: field.path().clone(),
            }),
        }
    }

    fn is_not_forbidden(
        &self,
        asked: &JudgedQuery<'_>,
        released: &[ReleasedField],
    ) -> Result<(), Denial> {
        let query = asked.query;
        let Some(guardrails) = self.guardrails(query.selection.mode()) else {
            return Ok(());
        };
        guardrails.check(&Occasion {
            caller: asked.caller,
            mode: query.selection.mode(),
            schema: &query.schema,
            purpose: &query.purpose,
            agreement: &self.agreement.id,
            max_records: self.limit(query),
            touched: self.touched(query, released),
            at: asked.at,
        })
    }

    fn guardrails(&self, mode: Mode) -> Option<&GrantGuardrails> {
        let mut guarded = self.guardrails.iter();
        guarded
            .find(|(m, _)| *m == mode)
            .map(|(_, guarded)| guarded)
    }

    fn touched(&self, query: &Query, released: &[ReleasedField]) -> Vec<TouchedField> {
        let mut fields: Vec<_> = released.iter().map(|r| r.field.clone()).collect();
        match &query.selection {
            Selection::Get { .. } => fields.push(query.schema.key().clone()),
            Selection::Verify { claims, .. } => {
                fields.push(query.schema.key().clone());
                fields.extend(claims.iter().map(|(field, _)| field.clone()));
            }
            Selection::Query { order, .. } => fields.extend(order.iter().map(|o| o.field.clone())),
            Selection::Count { .. } => {}
        }
        let filter = query.selection.filter();
        fields.extend(filter.iter().flat_map(|f| f.uses()).map(|u| u.field));
        let touched = fields.into_iter().map(|field| TouchedField {
            clear: self.grant().releases_clear(&field),
            field,
        });
        touched.collect()
    }

    /// What every record must pass: the grant's rows and the query's filter.
    pub(super) fn gate(&self, query: &Query) -> Option<Filter> {
        match (self.grant().rows.clone(), query.selection.filter().cloned()) {
            (Some(rows), Some(filter)) => Some(rows.and(filter)),
            (rows, filter) => rows.or(filter),
        }
    }

    pub(super) fn limit(&self, query: &Query) -> u32 {
        let most = self.grant().max_records;
        match &query.selection {
            Selection::Get { .. } | Selection::Verify { .. } => 1,
            Selection::Query { limit, .. } => limit.filter(|n| *n > 0).unwrap_or(most).min(most),
            Selection::Count { .. } => most,
        }
    }

    /// The same fields for the gateway that asks: what it gets is masked already.
    pub(super) fn unmasked(&self, released: &Arc<[ReleasedField]>) -> Arc<[ReleasedField]> {
        if Arc::ptr_eq(released, &self.grant().released) {
            return self.unmasked.clone();
        }
        without_masks(released)
    }

    pub(super) fn explain(
        &self,
        query: &Query,
        judgement: Result<Arc<[ReleasedField]>, CheckedDenial>,
    ) -> ConsideredGrant {
        let guarded = self.guardrails(query.selection.mode());
        let guardrails = guarded.into_iter().flat_map(GrantGuardrails::ids);
        ConsideredGrant::new(
            &self.agreement,
            self.number,
            self.grant(),
            guardrails.map(str::to_owned).collect(),
            judgement,
        )
    }

    pub(super) fn agreement(&self) -> &Arc<Agreement> {
        &self.agreement
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "`new` is given the number of one of the agreement's grants only"
    )]
    pub(super) fn grant(&self) -> &Grant {
        &self.agreement.grants[self.number]
    }

    fn id(&self) -> AgreementId {
        self.agreement.id.clone()
    }

    fn not_granted(&self, field: &Field) -> Denial {
        Denial::FieldNotGranted {
            agreement: self.id(),
            field: field.path().clone(),
        }
    }
}

fn without_masks(released: &[ReleasedField]) -> Arc<[ReleasedField]> {
    let unmasked = released.iter().map(|r| ReleasedField {
        field: r.field.clone(),
        mask: None,
    });
    unmasked.collect()
}
