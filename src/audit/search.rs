//! Finds entries: newest first, each streamed exchange together with how it ended.

use std::collections::BTreeMap;

use super::leaf::Kind;
use super::leaf::Leaf;
use super::leaf::Outcome;
use super::reader::ReadError;
use super::reader::Reader;
use super::reader::Stored;
use super::recover::stream_end;
use crate::clock::Moment;
use crate::name::AgreementId;
use crate::name::DepartmentId;
use crate::name::ExchangeId;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::name::SystemName;
use crate::pb;
use crate::pb::journal_record;

/// What an entry must be to be found; what is `None` or empty is left open.
#[derive(Debug, Clone, Default)]
pub struct Criteria {
    pub kind: Option<Kind>,
    /// The consumer or the provider.
    pub peer: Option<DepartmentId>,
    pub system: Option<SystemName>,
    pub record_type: Option<RecordType>,
    pub purpose: Option<Purpose>,
    pub agreement: Option<AgreementId>,
    /// Of a stream: how it ended.
    pub outcome: Option<Outcome>,
    /// As it stands in the record, e.g. `FIELD_NOT_GRANTED`.
    pub reason: Option<String>,
    /// The earliest time.
    pub since: Option<Moment>,
    /// The first time that is too late.
    pub until: Option<Moment>,
    pub exchange: Option<ExchangeId>,
    /// One of them is enough.
    pub subjects: Vec<pb::SubjectTag>,
}

/// An entry that was found.
#[derive(Clone)]
pub struct Hit {
    pub index: u64,
    pub leaf: Leaf,
    /// `None` once it was erased; then only what asks for nothing that stood in it finds the entry.
    pub record: Option<pb::JournalRecord>,
    /// How a streamed exchange ended; `None` while it is open, and for every other entry.
    pub end: Option<End>,
}

/// The closing entry of a stream.
#[derive(Clone)]
pub struct End {
    pub index: u64,
    pub leaf: Leaf,
    pub record: pb::StreamEndRecord,
}

/// The newest entries that fit, at most `limit` of them.
pub fn search(reader: &Reader, criteria: &Criteria, limit: usize) -> Result<Vec<Hit>, ReadError> {
    let mut hits = Vec::new();
    // Read backwards, a stream's end comes before its opening.
    let mut ends = BTreeMap::new();
    for stored in reader.backward()? {
        let stored = stored?;
        // Times never decrease: what is older lies behind.
        if hits.len() >= limit || criteria.since.is_some_and(|since| stored.leaf.time < since) {
            break;
        }
        if stored.leaf.kind == Kind::StreamEnd {
            if let Some(record) = stream_end(&stored)? {
                ends.insert(
                    record.opened_at,
                    End {
                        index: stored.index,
                        leaf: stored.leaf,
                        record,
                    },
                );
            }
            continue;
        }
        let end = ends.remove(&stored.index);
        if !criteria.leaf_fits(&stored, end.as_ref()) {
            continue;
        }
        let hit = Hit {
            index: stored.index,
            leaf: stored.leaf,
            record: stored.record()?,
            end,
        };
        if criteria.record_fits(&hit) {
            hits.push(hit);
        }
    }
    Ok(hits)
}

impl Criteria {
    /// What can be said without reading the record.
    fn leaf_fits(&self, stored: &Stored, end: Option<&End>) -> bool {
        let leaf = &stored.leaf;
        let outcome = end.map_or(leaf.outcome, |end| end.leaf.outcome);
        self.until.is_none_or(|until| leaf.time < until)
            && self.kind.is_none_or(|kind| leaf.kind == kind)
            && self
                .exchange
                .is_none_or(|exchange| leaf.exchange == Some(exchange))
            && self.outcome.is_none_or(|wanted| outcome == wanted)
    }

    fn record_fits(&self, hit: &Hit) -> bool {
        let record = hit.record.as_ref();
        match record.and_then(|record| record.kind.as_ref()) {
            Some(journal_record::Kind::Exchange(record)) => {
                self.exchange_fits(record, hit.end.as_ref())
            }
            Some(journal_record::Kind::Connection(record)) => {
                !self.asks_for_exchanges()
                    && self
                        .peer
                        .as_ref()
                        .is_none_or(|peer| names_department(&record.peer, peer))
                    && self
                        .reason
                        .as_ref()
                        .is_none_or(|reason| record.reason == *reason)
            }
            _ => !self.asks_for_exchanges() && self.peer.is_none() && self.reason.is_none(),
        }
    }

    fn exchange_fits(&self, record: &pb::ExchangeRecord, end: Option<&End>) -> bool {
        let fits = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        let reason = end.map_or(&record.reason, |end| &end.record.reason);
        let peer = self.peer.as_ref().map(DepartmentId::as_str);
        (fits(peer, &record.consumer) || fits(peer, &record.provider))
            && fits(self.system.as_ref().map(SystemName::as_str), &record.system)
            && fits(
                self.record_type.as_ref().map(RecordType::as_str),
                &record.record_type,
            )
            && fits(self.purpose.as_ref().map(Purpose::as_str), &record.purpose)
            && fits(
                self.agreement.as_ref().map(AgreementId::as_str),
                &record.agreement,
            )
            && fits(self.reason.as_deref(), reason)
            && self.subjects_fit(record, end)
    }

    fn subjects_fit(&self, record: &pb::ExchangeRecord, end: Option<&End>) -> bool {
        let of_end = end.map_or([].as_slice(), |end| &end.record.subjects);
        self.subjects.is_empty()
            || record
                .subjects
                .iter()
                .chain(of_end)
                .any(|tag| self.subjects.contains(tag))
    }

    fn asks_for_exchanges(&self) -> bool {
        self.system.is_some()
            || self.record_type.is_some()
            || self.purpose.is_some()
            || self.agreement.is_some()
            || !self.subjects.is_empty()
    }
}

/// Whether a SPIFFE id is of that department or of one of its systems.
fn names_department(spiffe_id: &str, department: &DepartmentId) -> bool {
    spiffe_id
        .split_once("/department/")
        .and_then(|(_, rest)| rest.split('/').next())
        .is_some_and(|named| named == department.as_str())
}

impl std::fmt::Debug for Hit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hit")
            .field("index", &self.index)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("End")
            .field("index", &self.index)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
