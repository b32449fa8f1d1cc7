//! Runs the operators' door, on loopback only, and keeps what it tells of small.

use std::time::Duration;

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a reader may take for what is left of an answer once the gateway has stopped.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How often the samples of histograms are summed up.
const SUM_UP_EVERY: Duration = Duration::from_secs(5);

/// Sums up the samples of histograms, which otherwise only a scrape does: where nobody scrapes, they would pile up.
pub(super) async fn sum_up(metrics: PrometheusHandle, stopped: CancellationToken) {
    let mut ticks = tokio::time::interval(SUM_UP_EVERY);
    while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.run_upkeep();
    }
}

/// Serves until the gateway has stopped, so that readiness can tell that it is stopping.
pub(super) async fn run(listener: TcpListener, routes: Router, stopped: CancellationToken) {
    let served = axum::serve(listener, routes)
        .with_graceful_shutdown(stopped.clone().cancelled_owned())
        .into_future();
    let late = async {
        stopped.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        served = served => {
            if let Err(error) = served {
                tracing::error!(%error, "the operators' door failed");
            }
        }
        () = late => tracing::warn!("an answer at the operators' door was cut off"),
    }
}
