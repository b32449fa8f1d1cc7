//! Runs the operators' door, on loopback only.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a reader may take for what is left of an answer once the gateway has stopped.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

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
