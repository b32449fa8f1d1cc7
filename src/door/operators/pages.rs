//! Liveness, readiness and metrics: open to whoever reaches the door.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use time::UtcOffset;
use tokio_util::sync::CancellationToken;

use crate::evidence::reconcile::overdue::OverdueComparisons;
use crate::exchange::Exchange;
use crate::journal::JournalState;
use crate::journal::JournalTrust;

#[derive(Clone)]
pub(super) struct Pages {
    pub(super) exchange: Arc<Exchange>,
    pub(super) metrics: PrometheusHandle,
    pub(super) stop: CancellationToken,
    pub(super) overdue: OverdueComparisons,
}

pub(super) fn routes(pages: Pages) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(pages)
}

async fn readyz(State(pages): State<Pages>) -> (StatusCode, String) {
    if pages.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    let journal = pages.exchange.journal();
    let not_ready = match journal.state() {
        JournalState::Writable => return standing(&journal.trust(), &pages.overdue),
        JournalState::Unpublished(reason) => {
            format!("the journal's checkpoint cannot be published: {reason}\n")
        }
        JournalState::Full(reason) => format!("the journal cannot be written: {reason}\n"),
        JournalState::Failed(reason) => format!("the journal cannot be written: {reason}\n"),
    };
    (StatusCode::SERVICE_UNAVAILABLE, not_ready)
}

/// A peer that cannot be compared with keeps nobody from being answered, but is told of.
fn standing(standing: &JournalTrust, overdue: &OverdueComparisons) -> (StatusCode, String) {
    let not_ready = match standing {
        JournalTrust::Good => {
            let overdue = overdue.load();
            let alarms = overdue.iter().map(|(peer, uncompared)| {
                let since = uncompared.since.at(UtcOffset::UTC);
                format!(
                    "alarm: the journal of {peer} has not been compared since {since}: {}\n",
                    uncompared.why
                )
            });
            let lines = std::iter::once("ready\n".to_owned()).chain(alarms);
            return (StatusCode::OK, lines.collect());
        }
        JournalTrust::Unconfirmed { why } => {
            format!("the witnesses have not confirmed the journal yet: {why}\n")
        }
        JournalTrust::Unwitnessed { since, why } => {
            let since = since.at(UtcOffset::UTC);
            format!("the journal has not been witnessed since {since}: {why}\n")
        }
    };
    (StatusCode::SERVICE_UNAVAILABLE, not_ready)
}

async fn render(State(pages): State<Pages>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        pages.metrics.render(),
    )
}
