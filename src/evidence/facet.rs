//! What an entry can be searched by: named once, so that the index and the reading of the journal cannot differ.

use super::hit::Hit;
use crate::digest::hex;
use crate::journal::Kind;
use crate::name::DepartmentId;
use crate::pb;
use crate::pb::journal_record::Kind as Record;

/// What has few values, each in many entries. The numbers stand in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::evidence) enum Facet {
    Kind = 0,
    Role = 1,
    Outcome = 2,
    Consumer = 3,
    Provider = 4,
    /// The consumer, the provider, or whom else an entry is about.
    Peer = 5,
    System = 6,
    Purpose = 7,
    RecordType = 8,
    Mode = 9,
    Agreement = 10,
    Reason = 11,
    PolicyRevision = 12,
    /// A field that was released.
    Field = 13,
    /// A field that was released, in whole or in part.
    WithinField = 14,
}

/// What has many values, each in few entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::evidence) enum Mention {
    Subject = 0,
    Officer = 1,
    CaseReference = 2,
    /// The key by which a record was asked for, where the entry names no subject: nothing was found, nothing was given, or
    /// values were only confirmed.
    Key = 3,
}

/// How much an exchange took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::evidence) struct Volume {
    pub(in crate::evidence) records: u64,
    pub(in crate::evidence) bytes: u64,
    pub(in crate::evidence) latency_us: u64,
}

impl Hit {
    /// Names every facet with its value; a value may come twice.
    pub(in crate::evidence) fn each_facet(&self, mut each: impl FnMut(Facet, &str)) {
        each(Facet::Kind, self.leaf.kind.as_str());
        each(Facet::Role, self.leaf.role.as_str());
        each(Facet::Outcome, self.outcome().as_str());
        match self.record_kind() {
            Some(Record::Exchange(record)) => self.each_of_exchange(record, each),
            Some(Record::Connection(record)) => {
                if let Some(department) = department_of(&record.peer) {
                    each(Facet::Peer, department);
                }
                each(Facet::Reason, &record.reason);
            }
            Some(Record::Reconciliation(record)) => each(Facet::Peer, &record.peer),
            Some(Record::Registry(record)) => each(Facet::Peer, &record.owner),
            Some(Record::Correction(record)) => {
                each(Facet::Peer, &record.peer);
                each(Facet::RecordType, &record.record_type);
            }
            Some(Record::Policy(record)) => each(Facet::PolicyRevision, &hex(&record.revision)),
            Some(
                Record::StreamEnd(_)
                | Record::Lifecycle(_)
                | Record::Access(_)
                | Record::Erasure(_)
                | Record::Heartbeat(_),
            )
            | None => {}
        }
    }

    fn each_of_exchange(&self, record: &pb::ExchangeRecord, mut each: impl FnMut(Facet, &str)) {
        let reason = self
            .end
            .as_ref()
            .map_or(&record.reason, |end| &end.record.reason);
        for (facet, text) in [
            (Facet::Consumer, &record.consumer),
            (Facet::Provider, &record.provider),
            (Facet::Peer, &record.consumer),
            (Facet::Peer, &record.provider),
            (Facet::System, &record.system),
            (Facet::Purpose, &record.purpose),
            (Facet::RecordType, &record.record_type),
            (Facet::Mode, &record.mode),
            (Facet::Agreement, &record.agreement),
            (Facet::Reason, reason),
        ] {
            if !text.is_empty() {
                each(facet, text);
            }
        }
        if !record.policy_revision.is_empty() {
            each(Facet::PolicyRevision, &hex(&record.policy_revision));
        }
        if !self.released() {
            return;
        }
        for field in &record.fields {
            each(Facet::Field, field);
            for part in upward(field) {
                each(Facet::WithinField, part);
            }
        }
    }

    /// Whether something of the record type left, or may have left while a stream is open.
    pub fn released(&self) -> bool {
        let Some(record) = self.exchange() else {
            return false;
        };
        match (&self.end, self.leaf.kind) {
            (Some(end), _) => end.record.records > 0,
            (None, Kind::Intent) => true,
            // An answered exchange without a record said only that there is none.
            (None, _) => record.reason == "answered",
        }
    }

    pub(in crate::evidence) fn each_mention(&self, mut each: impl FnMut(Mention, &[u8])) {
        let Some(record) = self.exchange() else {
            return;
        };
        let of_end = self
            .end
            .as_ref()
            .map_or([].as_slice(), |end| &end.record.subjects);
        for tag in record.subjects.iter().chain(of_end) {
            each(Mention::Subject, &subject_bytes(tag));
        }
        for (mention, text) in [
            (Mention::Officer, &record.officer),
            (Mention::CaseReference, &record.case_reference),
        ] {
            if !text.is_empty() {
                each(mention, text.as_bytes());
            }
        }
        if !record.key_tag.is_empty() {
            each(Mention::Key, &record.key_tag);
        }
    }

    pub(in crate::evidence) fn volume(&self) -> Volume {
        match (&self.end, self.exchange()) {
            (Some(end), _) => Volume {
                records: end.record.records,
                bytes: end.record.bytes,
                latency_us: end.record.latency_us,
            },
            (None, Some(record)) => Volume {
                records: record.records,
                bytes: record.bytes,
                latency_us: record.latency_us,
            },
            (None, None) => Volume::default(),
        }
    }
}

/// A subject's tag as one run of bytes.
pub(in crate::evidence) fn subject_bytes(tag: &pb::SubjectTag) -> Vec<u8> {
    [tag.epoch.to_be_bytes().as_slice(), &tag.tag].concat()
}

/// A field's path and those of the messages around it, the field first.
pub(super) fn upward(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        path.rsplit_once('.').map(|(around, _)| around)
    })
}

/// The department of a SPIFFE id, or of one of its systems.
fn department_of(spiffe_id: &str) -> Option<&str> {
    let (_, rest) = spiffe_id.split_once("/department/")?;
    let department = rest.split('/').next()?;
    department.parse::<DepartmentId>().ok().map(|_| department)
}
