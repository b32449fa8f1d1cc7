//! Estonia's Data Tracker (Andmejälgija): a person's portal asks who received that person's data.
//!
//! Protocol 1.6 with version 2 of its OpenAPI description, at <https://github.com/e-gov/AJ>.

mod question;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Uri;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use crate::clock::Moment;
use crate::evidence::usage::Usage;
use crate::exchange::snapshot::Snapshot;
use crate::journal::JournalState;
use crate::journal::reader::Reader;
use crate::reading::desk::Action;
use crate::reading::desk::OnRecord;
use crate::reading::desk::Reading;
use crate::reading::desk::ReadingDesk;
use crate::reading::error::ReadingError;
use crate::reading::reader::Right;
use crate::reading::usages;
use crate::reading::usages::Audience;
use question::TrackerRequest;

/// `findUsage`, `usagePeriod` and `heartbeat`.
pub(super) fn routes(desk: Arc<ReadingDesk>) -> Router {
    Router::new()
        .route("/findUsage", get(find_usage))
        .route("/usagePeriod", get(usage_period))
        .route("/heartbeat", get(heartbeat))
        .with_state(desk)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FindUsage {
    total_usages: u64,
    usages: Vec<TrackedUsage>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrackedUsage {
    logtime: String,
    action: String,
    receiver_code: String,
    receiver_name: String,
    receiver_system: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsagePeriod {
    /// Its end is left out: usages can be asked for up to now.
    period_start: String,
}

#[derive(Serialize)]
struct Heartbeat {
    status: &'static str,
    message: String,
}

async fn find_usage(
    State(desk): State<Arc<ReadingDesk>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, ReadingError> {
    let found = found(&desk, &headers, &uri).await;
    found.map_err(|unread| unread.log("findUsage"))
}

async fn found(
    desk: &Arc<ReadingDesk>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Response, ReadingError> {
    let granted = desk.know(headers)?.may(Right::Subjects)?;
    let asked = TrackerRequest::read(headers, uri.query().unwrap_or_default(), desk)?;
    let (answer, gaps) = usages::find(desk, asked.question, Audience::Person).await?;
    if gaps.is_unanswerable() {
        // The protocol has no place for what cannot be said: a number of usages would be taken for all of them.
        let why = format!(
            "cannot be said for {}: ask for a period without these months",
            gaps.without_key.join(", ")
        );
        return Err(ReadingError::invalid("periodStart", why));
    }
    let reading = Reading {
        action: Action::Subject,
        query: asked.told.to_string(),
        entries: answer.usages.len() as u64,
        sha256: None,
        mandate: String::new(),
    };
    let on_record = desk.record(&granted, reading).await?;
    let snapshot = desk.exchange.snapshot();
    let usages = FindUsage {
        total_usages: answer.total,
        usages: answer
            .usages
            .iter()
            .map(|usage| tracked(usage, &snapshot, desk))
            .collect(),
    };
    json(&on_record, &usages)
}

fn tracked(usage: &Usage, snapshot: &Snapshot, desk: &ReadingDesk) -> TrackedUsage {
    let schema = snapshot.registry.record(&usage.record_type).ok();
    TrackedUsage {
        logtime: shown(usage.time, desk),
        action: format!(
            "{} ({})",
            usage.purpose,
            schema.map_or(usage.record_type.as_str(), |schema| schema.title())
        ),
        receiver_code: usage.consumer.clone(),
        receiver_name: usages::receiver(usage, &snapshot.directory),
        receiver_system: usage.system.clone(),
    }
}

async fn usage_period(
    State(desk): State<Arc<ReadingDesk>>,
    headers: HeaderMap,
) -> Result<Response, ReadingError> {
    let start = start(&desk, &headers).await;
    let start = start.map_err(|unread| unread.log("usagePeriod"))?;
    plain(&UsagePeriod {
        period_start: shown(start, &desk),
    })
}

/// The first entry's time: since then this gateway has kept its journal.
async fn start(desk: &ReadingDesk, headers: &HeaderMap) -> Result<Moment, ReadingError> {
    desk.know(headers)?.may(Right::Subjects)?;
    let journal = desk.journal.clone();
    let first = desk
        .look_up(move || {
            Reader::open(&journal)
                .entry(0)
                .map_err(ReadingError::failed)
        })
        .await?;
    Ok(first.map_or(desk.now(), |first| first.leaf.time))
}

async fn heartbeat(
    State(desk): State<Arc<ReadingDesk>>,
    headers: HeaderMap,
) -> Result<Response, ReadingError> {
    let granted = desk
        .know(&headers)
        .and_then(|known| Ok(known.may(Right::Subjects)?));
    granted.map_err(|unread| unread.log("heartbeat"))?;
    let (status, message) = match desk.exchange.journal().state() {
        JournalState::Writable | JournalState::Unpublished(_) => {
            ("OK", "usages can be asked for".to_owned())
        }
        // Nothing is read that cannot be put on record.
        JournalState::Full(_) | JournalState::Failed(_) => {
            ("FAIL", "the journal cannot be written".to_owned())
        }
    };
    plain(&Heartbeat { status, message })
}

fn shown(at: Moment, desk: &ReadingDesk) -> String {
    // To the second, as the protocol's examples are.
    let at = at.at(desk.offset).replace_nanosecond(0);
    at.ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

fn json(_on_record: &OnRecord, told: &impl Serialize) -> Result<Response, ReadingError> {
    plain(told)
}

fn plain(told: &impl Serialize) -> Result<Response, ReadingError> {
    let body = serde_json::to_string(told).map_err(ReadingError::failed)?;
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}
