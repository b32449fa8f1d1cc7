//! Whether a correction rests on an exchange that this department has on record.

use std::path::Path;

use crate::evidence::criteria::Criteria;
use crate::evidence::hit::Hit;
use crate::evidence::index::Index;
use crate::evidence::index::IndexError;
use crate::evidence::search::Page;
use crate::evidence::search::find;
use crate::journal::Role;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::journal::subject::SubjectKeyError;
use crate::journal::subject::SubjectKeys;
use crate::name::ExchangeId;
use crate::name::FieldPath;
use crate::pb;

/// Why a correction cannot be filed.
#[derive(Debug, thiserror::Error)]
pub enum NoGround {
    #[error("there is no exchange `{0}` on record in which a record was received")]
    NoExchange(ExchangeId),
    #[error("the field `{field}` was not released in that exchange")]
    NotReleased { field: FieldPath },
    #[error("the key is not that of the record that was asked for in that exchange")]
    AnotherKey,
    #[error("the record of that exchange has been erased")]
    Erased,
    #[error("the journal's index cannot be read")]
    Index(#[from] IndexError),
    #[error("the journal cannot be read")]
    Journal(#[from] ReadError),
    #[error("the keys of subjects cannot be read")]
    Keys(#[from] SubjectKeyError),
}

/// The entry of an exchange in which this department had that role, if the record with that key and that field was
/// received in it. Reads the journal: not for an async task.
pub fn of(
    journal: &Path,
    keys: &SubjectKeys,
    role: Role,
    exchange: ExchangeId,
    (key, field): (&str, &FieldPath),
) -> Result<Hit, NoGround> {
    let (reader, index) = (Reader::open(journal), Index::open(journal)?);
    let criteria = Criteria {
        role: Some(role),
        exchange: Some(exchange),
        ..Criteria::default()
    };
    let found = find(&reader, index.as_ref(), &criteria, Page::newest(1))?;
    let hit = found.hits.into_iter().next();
    let hit = hit.ok_or(NoGround::NoExchange(exchange))?;
    if hit.record.is_none() {
        return Err(NoGround::Erased);
    }
    let received = hit.exchange().filter(|_| hit.released());
    let record = received.ok_or(NoGround::NoExchange(exchange))?;
    if !is_released(record, field) {
        let field = field.clone();
        return Err(NoGround::NotReleased { field });
    }
    // A transfer of many names no key.
    if !record.key_tag.is_empty() && !is_of(record, keys, &hit, key)? {
        return Err(NoGround::AnotherKey);
    }
    Ok(hit)
}

fn is_released(record: &pb::ExchangeRecord, field: &FieldPath) -> bool {
    record.fields.iter().any(|released| {
        let released: Option<FieldPath> = released.parse().ok();
        released.is_some_and(|released| field.within(&released))
    })
}

fn is_of(
    record: &pb::ExchangeRecord,
    keys: &SubjectKeys,
    hit: &Hit,
    key: &str,
) -> Result<bool, SubjectKeyError> {
    let Ok(record_type) = record.record_type.parse() else {
        return Ok(false);
    };
    let at = Some(hit.leaf.time);
    let tags = keys.record_key_between(&record_type, key, at, at)?;
    Ok(tags.iter().any(|tag| record.key_tag == tag.as_slice()))
}
