//! The operators' door: liveness, readiness and metrics, on loopback only.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use time::UtcOffset;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::audit::JournalState;
use crate::audit::Standing;
use crate::exchange::Exchange;

#[derive(Clone)]
struct Operators {
    exchange: Arc<Exchange>,
    metrics: PrometheusHandle,
    stop: CancellationToken,
}

/// Serves until the gateway has stopped: readiness turns first, so that no new request is sent here.
pub(super) async fn run(
    listener: TcpListener,
    exchange: Arc<Exchange>,
    metrics: PrometheusHandle,
    stop: CancellationToken,
    stopped: CancellationToken,
) {
    let operators = Operators {
        exchange,
        metrics,
        stop,
    };
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(operators);
    let served = axum::serve(listener, routes).with_graceful_shutdown(stopped.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the operators' door failed");
    }
}

async fn readyz(State(operators): State<Operators>) -> (StatusCode, String) {
    if operators.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    let journal = operators.exchange.journal();
    let unlogged = match journal.state() {
        JournalState::Writable => return standing(&journal.standing()),
        JournalState::Full(reason) => reason.to_string(),
        JournalState::Failed(reason) => reason.to_string(),
    };
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("the journal cannot be written: {unlogged}\n"),
    )
}

fn standing(standing: &Standing) -> (StatusCode, String) {
    let not_ready = match standing {
        Standing::Good => return (StatusCode::OK, "ready\n".to_owned()),
        Standing::Unconfirmed { why } => {
            format!("the witnesses have not confirmed the journal yet: {why}\n")
        }
        Standing::Unwitnessed { since, why } => {
            let since = since.at(UtcOffset::UTC);
            format!("the journal has not been witnessed since {since}: {why}\n")
        }
    };
    (StatusCode::SERVICE_UNAVAILABLE, not_ready)
}

async fn render(State(operators): State<Operators>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        operators.metrics.render(),
    )
}
