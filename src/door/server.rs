//! The listening side of a door: connections in, requests with an identity on them to the services.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower::ServiceBuilder;
use tower::ServiceExt;

use super::accept_failures::AcceptFailures;
use super::admission::Admission;
use super::reading::MeteredBody;
use super::refusal_reports::RefusalReports;
use super::status;
use crate::identity::Door;
use crate::identity::acceptor::Acceptor;
use crate::identity::peer::Peer;
use crate::identity::strangers::Place;
use crate::journal::Journal;

/// HTTP/2 limits of a door; the rest of them is in the services.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Requests under way on one connection.
    pub max_streams: u32,
    /// The largest block of headers, in bytes.
    pub max_header_bytes: u32,
    /// How long a unary call may take to be read and answered.
    pub call: Duration,
}

/// So many are taken from the system's queue before others have their turn.
const ACCEPTED_AT_ONCE: u32 = 1_024;

/// One listening door.
#[derive(Debug)]
pub struct DoorServer {
    pub door: Door,
    pub acceptor: Arc<Acceptor>,
    pub admission: Arc<Admission>,
    pub routes: tonic::service::Routes,
    pub journal: Journal,
    pub limits: ServerLimits,
    pub tracker: TaskTracker,
    /// Cancelled when the gateway stops: connections finish what they have begun.
    pub stop: CancellationToken,
}

/// hyper spawns a task for each request: on the tracker, so that a stop waits for it.
#[derive(Debug, Clone)]
struct TrackingExecutor(TaskTracker);

impl<F> hyper::rt::Executor<F> for TrackingExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

impl DoorServer {
    /// Accepts connections until the gateway stops.
    pub async fn run(self, listener: TcpListener) {
        let turned_away = RefusalReports::new(self.door, self.journal.clone());
        let (server, turned_away) = (Arc::new(self), Arc::new(turned_away));
        tokio::select! {
            () = server.stop.cancelled() => {}
            () = server.accept(listener, &turned_away) => {}
            () = turned_away.count() => {}
        }
        turned_away.close().await;
    }

    async fn accept(self: &Arc<Self>, listener: TcpListener, turned_away: &Arc<RefusalReports>) {
        let (mut unaccepted, mut taken) = (AcceptFailures::default(), 0_u32);
        loop {
            // In a flood others would have their turn after every few: the system's queue would overflow, and honest ones
            // would wait for seconds to be heard again.
            match unconstrained(listener.accept()).await {
                Ok((tcp, from)) => {
                    taken = taken.wrapping_add(1);
                    if taken.is_multiple_of(ACCEPTED_AT_ONCE) {
                        yield_now().await;
                    }
                    let place = self.acceptor.welcome(from.ip());
                    let connection = self
                        .clone()
                        .connection(tcp, from, place, turned_away.clone());
                    self.tracker.spawn(connection);
                }
                Err(error) => {
                    self.acceptor.displace();
                    unaccepted.log_and_pause(self.door.as_str(), &error).await;
                }
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        from: SocketAddr,
        place: Place,
        turned_away: Arc<RefusalReports>,
    ) {
        let accepted = tokio::select! {
            () = self.stop.cancelled() => return,
            accepted = self.acceptor.accept(tcp, place) => accepted,
        };
        let link = match accepted {
            Ok(link) => link,
            Err(refused) => return turned_away.report(from, &refused).await,
        };
        drop(turned_away);
        let peer = link.peer().clone();
        tracing::debug!(door = self.door.as_str(), peer = %peer.id(), %from, "connected");
        let (identified, admission) = (peer.clone(), self.admission.clone());
        let service = ServiceBuilder::new()
            .map_request(move |mut request: http::Request<Incoming>| {
                request.extensions_mut().insert::<Peer>(identified.clone());
                let room = admission.room(identified.id());
                request.map(|body| Body::new(MeteredBody { body, room }))
            })
            .service(Deadline {
                inner: self.routes.clone(),
                call: self.limits.call,
            });
        let connection = self
            .http2()
            .serve_connection(TokioIo::new(link), TowerToHyperService::new(service));
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return self.log_end(&peer, ended),
            // Streams get the moment that they need to say why; then the link closes under them.
            () = peer.cancelled().cancelled() => {}
            () = self.stop.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        let ended = connection.await;
        self.log_end(&peer, ended);
    }

    fn http2(&self) -> http2::Builder<TrackingExecutor> {
        let mut http2 = http2::Builder::new(TrackingExecutor(self.tracker.clone()));
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.max_streams)
            .max_header_list_size(self.limits.max_header_bytes)
            // A client that resets its streams faster than they are served is cut off (CVE-2023-44487).
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(128)
            .initial_stream_window_size(512 * 1024)
            .initial_connection_window_size(2 * 1024 * 1024)
            .max_frame_size(64 * 1024)
            .max_send_buf_size(512 * 1024)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        http2
    }

    fn log_end(&self, peer: &Peer, ended: hyper::Result<()>) {
        match ended {
            Ok(()) => tracing::debug!(door = self.door.as_str(), peer = %peer.id(), "disconnected"),
            Err(error) => {
                tracing::debug!(door = self.door.as_str(), peer = %peer.id(), %error, "connection lost");
            }
        }
    }
}

/// Bounds the time until the head of an answer is there: a client that sends half a request holds nothing for long.
/// The exchange itself runs on the tracker and is not cancelled with it.
#[derive(Debug, Clone)]
struct Deadline {
    inner: tonic::service::Routes,
    call: Duration,
}

impl tower::Service<http::Request<Body>> for Deadline {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (inner, call) = (self.inner.clone(), self.call);
        Box::pin(async move {
            match tokio::time::timeout(call, inner.oneshot(request)).await {
                Ok(answer) => answer.map(status::blame_client),
                Err(_) => Ok(status::too_slow().into_http()),
            }
        })
    }
}
