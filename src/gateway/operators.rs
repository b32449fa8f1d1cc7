//! Runs the operators' door, on loopback only, and keeps what it tells of small.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::door::accept_failures::AcceptFailures;
use crate::door::operators::introduction::Introduction;
use crate::identity::network::Network;
use crate::identity::strangers::Place;
use crate::identity::strangers::Strangers;

/// How long a reader may take for what is left of an answer once the gateway has stopped, or once a stranger's time is up.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Connections at a time of which nobody has shown a token or a session.
const STRANGERS: usize = 2_048;
/// From a connection to the end of its first request's head.
const FIRST_REQUEST: Duration = Duration::from_secs(5);
/// From a connection to its end, if nobody shows who they are.
const STRANGERS_STAY: Duration = Duration::from_secs(120);

/// How often the samples of histograms are summed up.
const SUM_UP_EVERY: Duration = Duration::from_secs(5);

/// Sums up the samples of histograms, which otherwise only a scrape does: where nobody scrapes, they would pile up.
pub(super) async fn sum_up(metrics: PrometheusHandle, stopped: CancellationToken) {
    let mut ticks = tokio::time::interval(SUM_UP_EVERY);
    while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.run_upkeep();
    }
}

/// The operators' door.
pub(super) struct OperatorsServer {
    pub(super) routes: Router,
    /// Has the connections.
    pub(super) tracker: TaskTracker,
    pub(super) stopped: CancellationToken,
}

impl OperatorsServer {
    /// Serves until the gateway has stopped, so that readiness can tell that it is stopping.
    pub(super) async fn run(self, listener: TcpListener) {
        let (strangers, stopped) = (Strangers::new(STRANGERS), self.stopped.clone());
        let server = Arc::new(self);
        stopped
            .run_until_cancelled(server.accept(listener, &strangers))
            .await;
    }

    async fn accept(self: &Arc<Self>, listener: TcpListener, strangers: &Arc<Strangers>) {
        let mut unaccepted = AcceptFailures::default();
        loop {
            match listener.accept().await {
                Ok((tcp, from)) => {
                    let place = strangers.enter(Network::of(from.ip()));
                    self.tracker
                        .spawn(self.clone().connection(tcp, from, place));
                }
                Err(error) => {
                    strangers.displace();
                    unaccepted.log_and_pause("operators", &error).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, tcp: TcpStream, from: SocketAddr, place: Place) {
        let (introduction, begun) = (Introduction::default(), CancellationToken::new());
        let (introduced, began) = (introduction.clone(), begun.clone());
        let routes = self.routes.clone();
        let service = tower::service_fn(move |mut request: http::Request<Incoming>| {
            began.cancel();
            request.extensions_mut().insert(introduced.clone());
            request.extensions_mut().insert(Network::of(from.ip()));
            routes.clone().oneshot(request.map(Body::new))
        });
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(FIRST_REQUEST);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20));
        let connection =
            http.serve_connection(TokioIo::new(tcp), TowerToHyperService::new(service));
        let mut connection = pin!(connection);
        tokio::select! {
            // How it ended is the client's affair.
            _ = connection.as_mut() => return,
            () = wait_for_request(&begun) => return,
            () = wait_for_displacement(place, &introduction) => return,
            () = wait_for_end(&introduction) => {}
            () = self.stopped.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        if tokio::time::timeout(LAST_ANSWERS, connection)
            .await
            .is_err()
        {
            tracing::warn!(%from, "an answer at the operators' door was cut off");
        }
    }
}

/// Returns when nothing was asked in time.
async fn wait_for_request(begun: &CancellationToken) {
    if tokio::time::timeout(FIRST_REQUEST, begun.cancelled())
        .await
        .is_ok()
    {
        std::future::pending().await
    }
}

/// Returns when another connection has taken the place of a stranger's.
async fn wait_for_displacement(mut place: Place, introduction: &Introduction) {
    tokio::select! {
        () = place.lost() => return,
        () = introduction.made() => drop(place),
    }
    std::future::pending().await
}

/// Returns when a stranger has been there for long enough.
async fn wait_for_end(introduction: &Introduction) {
    if tokio::time::timeout(STRANGERS_STAY, introduction.made())
        .await
        .is_ok()
    {
        std::future::pending().await
    }
}
