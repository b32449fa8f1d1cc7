//! Entries and usages as the API gives them.

use prost_types::Timestamp;

use crate::clock::Moment;
use crate::evidence::hit::End;
use crate::evidence::hit::Hit;
use crate::evidence::person::Gaps;
use crate::evidence::usage::Usage;
use crate::identity::directory::Directory;
use crate::pb;
use crate::reading::usages;
use crate::reading::visibility::HidingRule;
use crate::tlog::proof::Proof;

pub(super) fn of(hit: Hit, proof: Option<&Proof>) -> pb::JournalEntry {
    let leaf = &hit.leaf;
    pb::JournalEntry {
        index: hit.index,
        time: Some(timestamp(leaf.time)),
        kind: leaf.kind.as_str().to_owned(),
        side: leaf.role.as_str().to_owned(),
        outcome: leaf.outcome.as_str().to_owned(),
        exchange_id: leaf.exchange.map(|id| id.to_string()).unwrap_or_default(),
        leaf: leaf.encode().to_vec().into(),
        record: hit.record,
        end: hit.end.map(end),
        proof: proof.map(ToString::to_string).unwrap_or_default(),
    }
}

fn end(end: End) -> pb::StreamEnd {
    pb::StreamEnd {
        index: end.index,
        time: Some(timestamp(end.leaf.time)),
        outcome: end.leaf.outcome.as_str().to_owned(),
        leaf: end.leaf.encode().to_vec().into(),
        record: Some(end.record),
    }
}

pub(super) fn gaps(gaps: Gaps) -> pb::Gaps {
    pb::Gaps {
        without_key: gaps.without_key,
        erased: gaps.erased,
        bulk: gaps.bulk,
        unattributed: gaps.unattributed,
        has_more: gaps.has_more,
    }
}

pub(super) fn timestamp(at: Moment) -> Timestamp {
    Timestamp {
        seconds: at.seconds(),
        // Less than 10^9.
        nanos: i32::try_from(at.micros().rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

/// With why the person is not told of it.
pub(super) fn usage(
    usage: &Usage,
    hidden: Option<HidingRule<'_>>,
    directory: &Directory,
) -> pb::Usage {
    let masked = usage.fields.iter().filter(|(_, masked)| *masked);
    pb::Usage {
        exchange_id: usage.exchange.map(|id| id.to_string()).unwrap_or_default(),
        index: usage.index,
        time: Some(timestamp(usage.time)),
        side: usage.role.as_str().to_owned(),
        consumer: usage.consumer.clone(),
        consumer_name: usages::receiver(usage, directory),
        provider: usage.provider.clone(),
        system: usage.system.clone(),
        officer: usage.officer.clone(),
        purpose: usage.purpose.clone(),
        case_reference: usage.case_reference.clone(),
        agreement: usage.agreement.clone(),
        record_type: usage.record_type.clone(),
        mode: usage.mode.clone(),
        fields: usage.fields.iter().map(|(path, _)| path.clone()).collect(),
        masked: masked.map(|(path, _)| path.clone()).collect(),
        hidden: hidden.map(|h| h.reason.to_owned()).unwrap_or_default(),
        hidden_until: hidden.and_then(|h| h.until).map(timestamp),
    }
}
