//! Who has received a record since: all of them are told when it is corrected.

use std::collections::BTreeMap;
use std::path::Path;

use super::ground::NoGround;
use crate::clock::Moment;
use crate::evidence::criteria::Criteria;
use crate::evidence::hit::Hit;
use crate::evidence::index::Index;
use crate::evidence::search::Page;
use crate::evidence::search::find;
use crate::journal::Role;
use crate::journal::reader::Reader;
use crate::journal::subject::SubjectKeys;
use crate::journal::subject::Tag;
use crate::name::ExchangeId;
use crate::name::FieldPath;
use crate::name::RecordType;
use crate::pb;

/// Entries that are read at a time.
const PAGE: usize = 1_000;

/// The latest exchange in which a consumer has received a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatestExchange {
    pub exchange: ExchangeId,
    /// Whether the journal tells that it was among the records; otherwise it may have been.
    pub is_certain: bool,
}

/// A corrected record.
#[derive(Debug, Clone, Copy)]
pub struct CorrectedRecord<'c> {
    pub record_type: &'c RecordType,
    pub key: &'c str,
    pub field: &'c FieldPath,
    /// The entry of the exchange that the correction rests on.
    pub ground: &'c Hit,
}

/// The consumers that have received the field of the record from the exchange that the correction rests on, each with the
/// latest exchange. Reads the journal: not for an async task.
///
/// A transfer says whose data was in it up to a hundred people, and by a tag of that month: what cannot be excluded counts
/// as received.
pub fn of(
    journal: &Path,
    keys: &SubjectKeys,
    corrected: CorrectedRecord<'_>,
) -> Result<BTreeMap<String, LatestExchange>, NoGround> {
    let (reader, index) = (Reader::open(journal), Index::open(journal)?);
    let since = corrected.ground.leaf.time;
    let tags = keys.record_key_between(
        corrected.record_type,
        corrected.key,
        Some(since),
        None::<Moment>,
    )?;
    let criteria = Criteria {
        role: Some(Role::Provider),
        record_type: Some(corrected.record_type.clone()),
        field: Some(corrected.field.clone()),
        since: Some(since),
        ..Criteria::default()
    };
    let (mut received, mut page) = (BTreeMap::new(), Page::newest(PAGE));
    loop {
        let found = find(&reader, index.as_ref(), &criteria, page)?;
        for hit in &found.hits {
            add(hit, &tags, corrected.ground, &mut received);
        }
        match found.next {
            Some(before) => page.before = Some(before),
            None => return Ok(received),
        }
    }
}

/// The newest come first: what is certain replaces what is not, and nothing else does.
fn add(hit: &Hit, tags: &[Tag], ground: &Hit, received: &mut BTreeMap<String, LatestExchange>) {
    let (Some(record), Some(exchange)) = (hit.exchange(), hit.leaf.exchange) else {
        return;
    };
    let Some(is_certain) = was_among(hit, record, tags, ground) else {
        return;
    };
    let latest = LatestExchange {
        exchange,
        is_certain,
    };
    let known = received.entry(record.consumer.clone()).or_insert(latest);
    if is_certain && !known.is_certain {
        *known = latest;
    }
}

/// Whether the record was among those of an exchange for certain; `None` if it was not.
fn was_among(hit: &Hit, record: &pb::ExchangeRecord, tags: &[Tag], ground: &Hit) -> Option<bool> {
    if !hit.released() {
        return None;
    }
    if !record.key_tag.is_empty() {
        return tags
            .iter()
            .any(|tag| record.key_tag == tag.as_slice())
            .then_some(true);
    }
    // A transfer. The person's tag is known from the exchange that the correction rests on, if that was of one record.
    let subjects = match &hit.end {
        Some(end) => &end.record.subjects,
        None => &record.subjects,
    };
    let ground = ground
        .exchange()
        .filter(|ground| !ground.key_tag.is_empty());
    let [subject] = ground.map_or(&[][..], |ground| ground.subjects.as_slice()) else {
        return Some(false);
    };
    if subjects.contains(subject) {
        return Some(true);
    }
    let records = hit
        .end
        .as_ref()
        .map_or(record.records, |end| end.record.records);
    let is_all = records == subjects.len() as u64;
    let is_comparable = subjects.iter().all(|other| other.epoch == subject.epoch);
    (!is_all || !is_comparable).then_some(false)
}
