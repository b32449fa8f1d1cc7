//! The operators' door: liveness, readiness and metrics, on loopback only.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::audit::JournalState;
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
    let unlogged = match operators.exchange.journal().state() {
        JournalState::Writable => return (StatusCode::OK, "ready\n".to_owned()),
        JournalState::Full(reason) => reason.to_string(),
        JournalState::Failed(reason) => reason.to_string(),
    };
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("the journal cannot be written: {unlogged}\n"),
    )
}

async fn render(State(operators): State<Operators>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        operators.metrics.render(),
    )
}
