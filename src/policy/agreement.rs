//! Agreements, compiled against the registry.

mod canonical;
mod compile;
mod grant;
mod grant_fields;
mod release;
mod report;
mod section;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use time::Date;

use crate::digest::Digest;
use crate::identity::Caller;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::Purpose;
use crate::name::SystemName;
use crate::registry::field::Field;
use crate::registry::filter::Filter;
use crate::registry::mask::Mask;
use crate::registry::query::Mode;
use crate::registry::schema::RecordSchema;
pub(super) use canonical::Canonical;
pub(super) use compile::CompiledAgreement;
pub(super) use compile::compile;
#[cfg(test)]
pub(super) use compile::keys;

/// A data-sharing agreement between one provider and one consumer.
#[derive(Debug)]
pub struct Agreement {
    pub id: AgreementId,
    /// The path of the file that it stands in, as an administrator knows it.
    pub file: String,
    pub title: String,
    pub provider: DepartmentId,
    pub consumer: DepartmentId,
    pub legal_basis: String,
    pub accountable: String,
    /// The first and the last day, both included.
    pub valid_from: Date,
    pub valid_until: Date,
    pub purposes: Vec<Purpose>,
    pub grants: Vec<Grant>,
    /// SHA-256 of the agreement's canonical form: the same at both parties, whatever the file's layout and comments.
    pub digest: Digest,
}

/// One line of an agreement.
#[derive(Debug)]
pub struct Grant {
    pub schema: Arc<RecordSchema>,
    pub modes: Vec<Mode>,
    /// What is granted, as the agreement names it.
    pub fields: Vec<Field>,
    /// What is released, each with its mask. No path lies within another; a message that stands here is released with
    /// all that the schema declares in it, unmasked: a granted message with masked fields is divided.
    pub released: Arc<[ReleasedField]>,
    /// May be compared with one value in a question, though masked or not released.
    pub lookup: Vec<Field>,
    /// Which records the grant covers.
    pub rows: Option<Filter>,
    /// The consumer's systems that may ask; all of them when empty.
    pub systems: Vec<SystemName>,
    /// Records an exchange.
    pub max_records: u32,
    /// Exchanges a second.
    pub rate: Option<u32>,
    /// Records a day.
    pub daily: Option<u64>,
    /// Counts below it are suppressed. No less than `count_step`.
    pub smallest_group: u64,
    /// Counts are told as multiples of it.
    pub count_step: u64,
    /// Different filters of counts that are answered in a day.
    pub distinct_counts: Option<u32>,
    /// Values a day that a verification may fail to confirm, for each record.
    pub verify_tries: u32,
    /// Values a day that may be looked up or verified in vain, whatever the record and the mode.
    pub lookup_misses: u32,
}

/// A field that a grant releases.
#[derive(Debug, Clone)]
pub struct ReleasedField {
    pub field: Field,
    pub mask: Option<Mask>,
}

impl Grant {
    /// Whether the field, all of it, is released unmasked.
    pub fn releases_clear(&self, field: &Field) -> bool {
        self.released
            .iter()
            .any(|r| r.mask.is_none() && field.path().within(r.field.path()))
    }

    /// Whether whoever may use the grant can read the field, record by record.
    pub fn shows(&self, field: &Field) -> bool {
        let shows_records = |mode: &Mode| matches!(mode, Mode::Get | Mode::Query);
        self.modes.iter().any(shows_records) && self.releases_clear(field)
    }

    /// Whether a question may state a value that its asker cannot have read.
    pub fn may_guess(&self) -> bool {
        !self.lookup.is_empty() || self.modes.contains(&Mode::Verify)
    }

    /// Whether to verify a value of that field is to guess: whoever asks could not have read it, or not have found the
    /// record by its key.
    pub fn guesses(&self, claimed: &Field) -> bool {
        !self.shows(claimed) || !self.shows(self.schema.key())
    }

    /// Whether the field may be compared with one value in a question.
    pub fn looks_up(&self, field: &Field) -> bool {
        self.lookup.iter().any(|l| l.path() == field.path())
    }

    /// Whether that system of the consumer may ask. One that is not told is none of those that are named.
    pub fn lets(&self, caller: &Caller) -> bool {
        self.systems.is_empty() || caller.system().is_some_and(|s| self.systems.contains(s))
    }

    /// What is left of a field that is asked for: itself, or the parts of a message that the agreement grants but
    /// masks in part. Empty when it is not granted, or when nothing of it is released.
    ///
    /// A message of which the agreement names only parts is not granted: who asks for it must name the parts.
    pub fn release(&self, field: &Field) -> Vec<ReleasedField> {
        let path = field.path();
        if !self.fields.iter().any(|f| path.within(f.path())) {
            return Vec::new();
        }
        let parts = self.released.iter().filter_map(|r| {
            let outer = r.field.path();
            if outer.within(path) {
                Some(r.clone())
            } else if path.within(outer) {
                Some(ReleasedField {
                    field: field.clone(),
                    mask: r.mask,
                })
            } else {
                None
            }
        });
        parts.collect()
    }
}
