//! OCSF events (schema.ocsf.io, 1.3) for SIEMs: exchanges are API Activity, starts and stops Application Lifecycle.

use serde_json::Value as Json;
use serde_json::json;
use time::UtcOffset;

use super::ExportError;
use super::draft::HashingFile;
use super::rows::Row;
use super::rows::Rows;
use crate::evidence::json;
use crate::journal::Kind;
use crate::journal::Outcome;
use crate::pb;
use crate::pb::journal_record::Kind as Record;
use crate::tlog::merkle::Hash;

const VERSION: &str = "1.3.0";
const PRODUCT: &str = "Landbridge";

/// Class 6003.
const API: (u32, &str) = (6003, "API Activity");
/// Class 6002.
const LIFECYCLE: (u32, &str) = (6002, "Application Lifecycle");

const READ: (u32, &str) = (2, "Read");
const UPDATE: (u32, &str) = (3, "Update");
const DELETE: (u32, &str) = (4, "Delete");
const START: (u32, &str) = (3, "Start");
const STOP: (u32, &str) = (4, "Stop");
const OTHER: (u32, &str) = (99, "Other");

pub(super) fn write(
    rows: &mut Rows<'_>,
    mut file: HashingFile,
    origin: &str,
) -> Result<Hash, ExportError> {
    while let Some(row) = rows.next()? {
        let event = event(&row, origin).map_err(|source| ExportError::Entry {
            entry: row.index(),
            source,
        })?;
        file.put(format!("{event}\n").as_bytes())?;
    }
    file.finish()
}

fn event(row: &Row, origin: &str) -> Result<Json, json::UndescribedRecord> {
    let leaf = &row.stored.leaf;
    let entry = json::entry(row.index(), leaf, row.record.as_ref(), UtcOffset::UTC)?;
    let (class, activity) = class(row);
    let (severity_id, severity) = severity(row);
    let (status_id, status) = status(leaf.kind, leaf.outcome);
    let mut event = json!({
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": class.0,
        "class_name": class.1,
        "activity_id": activity.0,
        "activity_name": activity.1,
        "type_uid": class.0 * 100 + activity.0,
        "type_name": format!("{}: {}", class.1, activity.1),
        "time": leaf.time.millis(),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "metadata": {
            "version": VERSION,
            "product": product(),
            "log_name": origin,
            "uid": format!("{origin}#{}", row.index()),
            "sequence": row.index(),
            "correlation_uid": leaf.exchange.map(|exchange| exchange.to_string()),
        },
        "unmapped": entry,
    });
    if let (Json::Object(event), Json::Object(about)) = (&mut event, about(row, origin)) {
        event.extend(about);
    }
    drop_nulls(&mut event);
    Ok(event)
}

/// Who did what to whom; a start or a stop is of the gateway itself.
fn about(row: &Row, origin: &str) -> Json {
    match row.record_kind() {
        Some(Record::Exchange(record)) => of_exchange(row, record),
        Some(Record::StreamEnd(record)) => of_end(row, record),
        Some(Record::Connection(record)) => json!({
            "actor": { "app_name": record.peer },
            "api": { "operation": "connect", "service": { "name": record.door }, "response": { "error": record.reason } },
            "src_endpoint": { "name": record.peer },
            "dst_endpoint": { "name": origin },
            "status_code": record.reason,
            "count": record.times.max(1),
        }),
        Some(Record::Access(record)) => json!({
            "actor": { "user": { "name": record.reader } },
            "api": { "operation": record.action, "service": { "name": "journal" } },
            "src_endpoint": { "name": origin },
        }),
        Some(Record::Lifecycle(_)) => json!({ "app": product() }),
        _ => json!({
            "actor": { "app_name": PRODUCT },
            "api": { "operation": row.stored.leaf.kind.as_str(), "service": { "name": "journal" } },
            "src_endpoint": { "name": origin },
        }),
    }
}

fn product() -> Json {
    json!({ "name": PRODUCT, "vendor_name": PRODUCT, "version": env!("CARGO_PKG_VERSION") })
}

fn class(row: &Row) -> ((u32, &'static str), (u32, &'static str)) {
    match row.record_kind() {
        Some(Record::Lifecycle(record)) if record.event.starts_with("started") => {
            (LIFECYCLE, START)
        }
        Some(Record::Lifecycle(_)) => (LIFECYCLE, STOP),
        Some(Record::Exchange(_) | Record::StreamEnd(_) | Record::Access(_)) => (API, READ),
        Some(Record::Policy(_) | Record::Registry(_)) => (API, UPDATE),
        Some(Record::Erasure(_)) => (API, DELETE),
        Some(
            Record::Connection(_)
            | Record::Reconciliation(_)
            | Record::Correction(_)
            | Record::Heartbeat(_),
        )
        | None => (API, OTHER),
    }
}

/// What somebody on watch should look at first: journals that do not agree and answers without evidence.
fn severity(row: &Row) -> (u32, &'static str) {
    match row.stored.leaf.outcome {
        Outcome::ReceiptRefused => (4, "High"),
        Outcome::Denied if row.stored.leaf.kind == Kind::Reconciliation => (4, "High"),
        Outcome::ProviderError | Outcome::NoAnswer => (3, "Medium"),
        Outcome::Denied | Outcome::CutShort => (2, "Low"),
        Outcome::None | Outcome::Answered => (1, "Informational"),
    }
}

fn status(kind: Kind, outcome: Outcome) -> (u32, &'static str) {
    match outcome {
        Outcome::Answered => (1, "Success"),
        Outcome::None if kind == Kind::Intent => (99, "Opened"),
        Outcome::None => (1, "Success"),
        Outcome::Denied
        | Outcome::ProviderError
        | Outcome::NoAnswer
        | Outcome::ReceiptRefused
        | Outcome::CutShort => (2, "Failure"),
    }
}

fn of_exchange(row: &Row, record: &pb::ExchangeRecord) -> Json {
    let refused = row.stored.leaf.outcome != Outcome::Answered && record.reason != "opened";
    let asker = match record.system.as_str() {
        "" => record.consumer.clone(),
        system => format!("{}/{system}", record.consumer),
    };
    json!({
        "actor": { "app_name": asker, "user": named(&record.officer) },
        "api": {
            "operation": record.mode,
            "service": { "name": record.record_type },
            "request": { "uid": row.stored.leaf.exchange.map(|exchange| exchange.to_string()) },
            "response": refused.then(|| json!({ "error": record.reason, "message": stated(&record.detail) })),
        },
        "src_endpoint": { "name": record.consumer },
        "dst_endpoint": named(&record.provider),
        "resources": [{ "type": "record type", "name": record.record_type }],
        "status_code": record.reason,
        "status_detail": stated(&record.detail),
        "duration": record.latency_us / 1_000,
        "message": format!("{asker} asked {} for {} ({})", record.provider, record.record_type, record.purpose),
    })
}

fn of_end(row: &Row, record: &pb::StreamEndRecord) -> Json {
    let refused = row.stored.leaf.outcome != Outcome::Answered;
    json!({
        "actor": { "app_name": record.consumer },
        "api": {
            "operation": "end of stream",
            "service": { "name": record.record_type },
            "request": { "uid": row.stored.leaf.exchange.map(|exchange| exchange.to_string()) },
            "response": refused.then(|| json!({ "error": record.reason, "message": stated(&record.detail) })),
        },
        "src_endpoint": { "name": record.consumer },
        "resources": [{ "type": "record type", "name": record.record_type }],
        "status_code": record.reason,
        "status_detail": stated(&record.detail),
        "duration": record.latency_us / 1_000,
    })
}

fn named(name: &str) -> Option<Json> {
    stated(name).map(|name| json!({ "name": name }))
}

fn stated(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// OCSF has attributes left out, not null; what is `unmapped` stays as it is.
fn drop_nulls(event: &mut Json) {
    if let Json::Object(event) = event {
        event.retain(|_, value| !value.is_null());
        for (_, value) in event.iter_mut().filter(|(name, _)| *name != "unmapped") {
            drop_nulls(value);
        }
    }
}
