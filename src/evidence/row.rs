//! One entry in one line: who asked whom for what, why, and what came of it.

use super::hit::Hit;
use crate::clock::Moment;
use crate::digest::hex;
use crate::journal::Leaf;
use crate::name::ExchangeId;
use crate::pb;
use crate::pb::journal_record::Kind as Record;

/// What lists show of an entry.
#[derive(Debug, Clone)]
pub struct Row {
    pub index: u64,
    pub time: Moment,
    /// On which side of the exchange the journal's gateway was; for other entries, the kind.
    pub side: String,
    pub who: String,
    pub what: String,
    pub purpose: String,
    pub agreement: String,
    pub outcome: String,
    pub exchange: Option<ExchangeId>,
}

impl Row {
    /// An entry, and of a stream how it ended.
    pub fn of(hit: &Hit) -> Self {
        let end = hit.end.as_ref().map(|end| (&end.leaf, &end.record));
        Self::new(hit.index, &hit.leaf, hit.record.as_ref(), end)
    }

    /// `end`: how a stream ended, when that is known.
    pub fn new(
        index: u64,
        leaf: &Leaf,
        record: Option<&pb::JournalRecord>,
        end: Option<(&Leaf, &pb::StreamEndRecord)>,
    ) -> Self {
        let row = Self {
            index,
            time: leaf.time,
            side: leaf.kind.to_string(),
            who: String::new(),
            what: String::new(),
            purpose: String::new(),
            agreement: String::new(),
            outcome: leaf.outcome.to_string(),
            exchange: leaf.exchange,
        };
        let Some(record) = record else {
            return Self {
                what: "record erased".to_owned(),
                ..row
            };
        };
        match &record.kind {
            Some(Record::Exchange(record)) => row.of_exchange(leaf, record, end),
            Some(Record::StreamEnd(record)) => Self {
                who: record.consumer.clone(),
                what: format!("end of #{} {}", record.opened_at, record.record_type),
                agreement: record.agreement.clone(),
                outcome: outcome(leaf, &record.reason, record.records),
                ..row
            },
            Some(Record::Policy(record)) => Self {
                what: if record.applied { "applied" } else { "refused" }.to_owned(),
                outcome: hex(&record.revision).chars().take(16).collect(),
                ..row
            },
            Some(Record::Lifecycle(record)) => Self {
                what: record.event.clone(),
                outcome: record.version.clone(),
                ..row
            },
            Some(Record::Connection(record)) => Self {
                who: record.peer.clone(),
                what: format!("{} door", record.door),
                outcome: match record.times {
                    0 => record.reason.clone(),
                    times => format!("{}, {times} times", record.reason),
                },
                ..row
            },
            Some(Record::Reconciliation(record)) => Self {
                who: record.peer.clone(),
                what: format!("{} exchanges as {}", record.count, record.side),
                outcome: match record.differing {
                    0 => "both agree".to_owned(),
                    differing => format!("{differing} differ"),
                },
                ..row
            },
            Some(Record::Access(record)) => Self {
                who: record.reader.clone(),
                what: format!("{} {}", record.action, record.query),
                purpose: record.mandate.clone(),
                outcome: match record.action.as_str() {
                    "refused" => "denied".to_owned(),
                    _ => format!("{} entries", record.entries),
                },
                ..row
            },
            Some(Record::Erasure(record)) => Self {
                what: format!("{} after {}", record.class, record.keep),
                outcome: format!("{} ranges", record.ranges.len()),
                ..row
            },
            Some(Record::Registry(record)) => Self {
                who: record.owner.clone(),
                what: format!("{} revision {}", record.package, record.number),
                outcome: match record.event() {
                    pb::RegistryEvent::Published => "published",
                    pb::RegistryEvent::Adopted => "adopted",
                    pb::RegistryEvent::Refused | pb::RegistryEvent::Unspecified => "refused",
                }
                .to_owned(),
                ..row
            },
            Some(Record::Correction(record)) => Self {
                who: record.peer.clone(),
                what: format!(
                    "{} {} {}",
                    event(record.event()),
                    record.record_type,
                    record.field
                ),
                outcome: match record.answer.as_str() {
                    "" => format!("due {}", record.due),
                    answer => answer.to_owned(),
                },
                ..row
            },
            Some(Record::Heartbeat(_)) | None => row,
        }
    }

    fn of_exchange(
        self,
        leaf: &Leaf,
        record: &pb::ExchangeRecord,
        end: Option<(&Leaf, &pb::StreamEndRecord)>,
    ) -> Self {
        let asker = match record.system.as_str() {
            "" => record.consumer.clone(),
            system => format!("{}/{system}", record.consumer),
        };
        Self {
            side: leaf.role.to_string(),
            who: format!("{asker} → {}", record.provider),
            what: format!("{} {}", record.mode, record.record_type),
            purpose: record.purpose.clone(),
            agreement: record.agreement.clone(),
            outcome: match end {
                Some((leaf, end)) => outcome(leaf, &end.reason, end.records),
                None if record.reason == "opened" => "open".to_owned(),
                None if record.reason == "answered" => answered(leaf, record),
                None => outcome(leaf, &record.reason, record.records),
            },
            ..self
        }
    }
}

fn event(event: pb::CorrectionEvent) -> &'static str {
    match event {
        pb::CorrectionEvent::Unspecified => "",
        pb::CorrectionEvent::Filed => "filed",
        pb::CorrectionEvent::Received => "received",
        pb::CorrectionEvent::Answered => "answered",
        pb::CorrectionEvent::Told => "told",
        pb::CorrectionEvent::Heard => "heard",
    }
}

/// What was answered at once: a record, verdicts or a number.
fn answered(leaf: &Leaf, record: &pb::ExchangeRecord) -> String {
    match (record.mode.as_str(), record.mismatches) {
        ("verify", 0) => format!("{}, confirmed", leaf.outcome),
        ("verify", values) => format!("{}, {values} not confirmed", leaf.outcome),
        ("count", _) => leaf.outcome.to_string(),
        _ => outcome(leaf, &record.reason, record.records),
    }
}

/// The outcome with the reason of a refusal, or the number of records.
fn outcome(leaf: &Leaf, reason: &str, records: u64) -> String {
    match reason {
        "answered" => format!("{} {records}", leaf.outcome),
        "" => leaf.outcome.to_string(),
        reason => format!("{} {reason}", leaf.outcome),
    }
}
