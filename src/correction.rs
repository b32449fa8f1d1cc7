//! Corrections (校核): a consumer tells a record's owner that a field is wrong, and hears what became of it.
//!
//! Each step is first on the department's disk, then in its journal, and only then anybody is told of it: whoever dies in
//! between takes the same step again.

pub mod calendar;
pub mod desk;
pub mod ground;
pub mod receivers;
pub mod store;

use prost_types::Timestamp;

use crate::clock::Moment;
use crate::digest::TranscriptHash;
use crate::journal::Entry;
use crate::name::ExchangeId;
use crate::pb;
use crate::pb::CorrectionEvent;
use crate::pb::CorrectionState;

/// The most characters of a statement, of evidence and of a reply.
pub const MAX_TEXT: usize = 2_000;
/// The most characters of a record's key.
pub const MAX_KEY: usize = 256;
/// The most characters of an officer's name.
pub const MAX_OFFICER: usize = 128;

/// On which side of a correction this department is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It has filed it, or heard of a change.
    Consumer,
    /// It owns the record.
    Provider,
}

/// How far a correction or a notice has come, on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Not on record yet.
    New,
    /// On record at the consumer; the owner has still to be told.
    Filed,
    /// In the owner's queue.
    Open,
    /// Answered, and the answer is not on record yet.
    Decided,
    /// The answer is on record at the owner; others have still to be told.
    Answered,
    Closed,
}

impl Step {
    pub const ALL: [Self; 6] = [
        Self::New,
        Self::Filed,
        Self::Open,
        Self::Decided,
        Self::Answered,
        Self::Closed,
    ];
}

/// SHA-256 over what was stated of a correction and what was answered: the journal has nothing else of it.
pub fn digest(correction: &pb::Correction) -> [u8; 32] {
    TranscriptHash::new("landbridge.correction.v1")
        .part(&correction.key)
        .part(&correction.field)
        .part(&correction.statement)
        .part(&correction.evidence)
        .part(&correction.reply)
        .finish()
}

/// The word for an answer; empty while there is none.
pub fn answer(state: CorrectionState) -> &'static str {
    match state {
        CorrectionState::Unspecified | CorrectionState::Filed | CorrectionState::Open => "",
        CorrectionState::Corrected => "corrected",
        CorrectionState::Upheld => "upheld",
        CorrectionState::Refused => "refused",
    }
}

/// The entry of a step of a correction, in the journal of that side.
pub fn entry(event: CorrectionEvent, side: Side, correction: &pb::Correction) -> Entry {
    Entry::correction(pb::CorrectionRecord {
        event: event.into(),
        id: correction.correction_id.clone(),
        peer: match side {
            Side::Consumer => correction.provider.clone(),
            Side::Provider => correction.consumer.clone(),
        },
        record_type: correction.record_type.clone(),
        field: correction.field.clone(),
        exchange_id: exchange_bytes(&correction.exchange_id),
        due: correction.due.clone(),
        digest: digest(correction).to_vec().into(),
        answer: answer(correction.state()).to_owned(),
    })
}

/// The entry of a notice, which goes to a consumer or comes from an owner.
pub fn notice_entry(event: CorrectionEvent, peer: &str, notice: &pb::ChangeNotice) -> Entry {
    Entry::correction(pb::CorrectionRecord {
        event: event.into(),
        id: notice.notice_id.clone(),
        peer: peer.to_owned(),
        record_type: notice.record_type.clone(),
        field: notice.field.clone(),
        exchange_id: exchange_bytes(&notice.exchange_id),
        answer: answer(CorrectionState::Corrected).to_owned(),
        ..Default::default()
    })
}

fn exchange_bytes(id: &str) -> bytes::Bytes {
    let id: Option<ExchangeId> = id.parse().ok();
    id.map(|id| id.bytes().to_vec().into()).unwrap_or_default()
}

pub fn timestamp(at: Moment) -> Timestamp {
    Timestamp {
        seconds: at.seconds(),
        nanos: i32::try_from(at.micros().rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

pub fn moment(timestamp: &Timestamp) -> Moment {
    let micros = timestamp.seconds.saturating_mul(1_000_000);
    Moment::from_micros(micros.saturating_add(i64::from(timestamp.nanos) / 1_000))
}

/// Whether a text that came from outside is short enough and has no control characters but line feeds.
pub fn is_fit(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(|c| c.is_control() && c != '\n')
}
