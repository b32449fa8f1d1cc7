//! Agreements, compiled against the registry.

use std::sync::Arc;

use time::Date;

use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::Purpose;
use crate::name::SystemName;
use crate::registry::Digest;
use crate::registry::field::Field;
use crate::registry::filter::Filter;
use crate::registry::mask::Mask;
use crate::registry::query::Mode;
use crate::registry::schema::RecordSchema;

/// A data-sharing agreement between one provider and one consumer.
#[derive(Debug)]
pub struct Agreement {
    pub id: AgreementId,
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
    /// What is released, each with its mask. No path lies within another; a message that stands here is released with
    /// all that the schema declares in it, unmasked: a granted message with masked fields is divided.
    pub released: Arc<[Released]>,
    /// May be asked for by equality, though masked or not released.
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
    /// Counts below it are suppressed.
    pub smallest_group: u64,
    /// Values a day that a verification may fail to confirm, for each record.
    pub verify_tries: u32,
}

/// A field that a grant releases.
#[derive(Debug, Clone)]
pub struct Released {
    pub field: Field,
    pub mask: Option<Mask>,
}
