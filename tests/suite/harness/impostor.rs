//! A provider's gateway that is not honest: it passes questions on to the honest one, and changes what comes back.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::StreamExt;
use futures::stream;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use landbridge::pb;
use landbridge::pb::exchange_service_client::ExchangeServiceClient;
use landbridge::pb::exchange_service_server::ExchangeService;
use landbridge::pb::exchange_service_server::ExchangeServiceServer;
use landbridge::pb::query_records_response::Part;
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::ServiceExt;

use super::World;
use super::edit;
use super::random::Random;

/// One message of an answer, or the refusal in its place.
pub(crate) enum Told {
    Record(pb::GetRecordResponse),
    Part(pb::QueryRecordsResponse),
    Verdicts(pb::VerifyRecordResponse),
    Count(pb::CountRecordsResponse),
    Refusal(Status),
}

type Lie = Arc<dyn Fn(&mut Told) + Send + Sync>;

/// Ends with the test's runtime.
pub(crate) struct Impostor {
    lie: Arc<Mutex<Lie>>,
    streams: Arc<Streams>,
}

#[derive(Default)]
struct Streams {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// How long after its trailer a stream ends: an asker that does not wait for that resets it.
const END: Duration = Duration::from_millis(50);

/// What somebody sends who speaks no protocol at all, or only the outer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Babble {
    /// TLS, and within it random bytes without end.
    InTls,
    /// HTTP/2 that says it is gRPC, and within it random bytes without end.
    InGrpc,
}

/// Between the asking gateway and the honest one.
#[derive(Clone)]
struct Between {
    honest: ExchangeServiceClient<Channel>,
    lie: Arc<Mutex<Lie>>,
    streams: Arc<Streams>,
}

impl Told {
    pub(crate) fn info(&mut self) -> Option<&mut pb::ExchangeInfo> {
        match self {
            Self::Record(told) => told.info.as_mut(),
            Self::Verdicts(told) => told.info.as_mut(),
            Self::Count(told) => told.info.as_mut(),
            Self::Part(told) => match &mut told.part {
                Some(Part::Header(info)) => Some(info),
                _ => None,
            },
            Self::Refusal(_) => None,
        }
    }

    /// Of an answer, a stream's header or its trailer.
    pub(crate) fn receipt(&mut self) -> Option<&mut Option<pb::Receipt>> {
        if let Self::Part(pb::QueryRecordsResponse {
            part: Some(Part::Trailer(trailer)),
        }) = self
        {
            return Some(&mut trailer.receipt);
        }
        self.info().map(|info| &mut info.receipt)
    }
}

impl Impostor {
    /// Has the certificate of `department`, whose honest gateway runs, and stands in the directory in its place.
    pub(crate) async fn of(world: &World, department: &str, asked_by: &str) -> Self {
        let listener = in_place_of(world, department).await;
        let honest = world.peer(asked_by, department).client();
        Self::between(honest, listener, acceptor(world, department, "peers"))
    }

    /// At a port of its own, where systems find it, with the certificate of `department`'s systems door.
    pub(crate) async fn before_systems(
        world: &World,
        department: &str,
        system: &str,
    ) -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let honest = world.system(department, system).client();
        let tls = acceptor(world, department, "systems");
        (Self::between(honest, listener, tls), port)
    }

    fn between(
        honest: ExchangeServiceClient<Channel>,
        listener: TcpListener,
        tls: TlsAcceptor,
    ) -> Self {
        let lie: Arc<Mutex<Lie>> = Arc::new(Mutex::new(Arc::new(|_: &mut Told| {})));
        let streams = Arc::new(Streams::default());
        let between = Between {
            honest,
            lie: lie.clone(),
            streams: streams.clone(),
        };
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, service) = (tls.clone(), ExchangeServiceServer::new(between.clone()));
                connections.spawn(async move {
                    let Ok(tls) = tls.accept(tcp).await else {
                        return;
                    };
                    let service = service
                        .map_request(|request: http::Request<Incoming>| request.map(Body::new));
                    let _ = http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(tls), TowerToHyperService::new(service))
                        .await;
                });
            }
        });
        Self { lie, streams }
    }

    /// Of the streams that it has begun, how many the asker read to their end.
    pub(crate) fn streams(&self) -> (u64, u64) {
        let Streams { begun, ended } = &*self.streams;
        (begun.load(Ordering::Relaxed), ended.load(Ordering::Relaxed))
    }

    /// From now on every message of an answer goes through this.
    pub(crate) fn tells(&self, lie: impl Fn(&mut Told) + Send + Sync + 'static) {
        *self.lie.lock().unwrap() = Arc::new(lie);
    }
}

/// Stands in the directory in a department's place, with its certificate, and babbles.
pub(crate) async fn babble(world: &World, department: &str, babble: Babble) {
    let listener = in_place_of(world, department).await;
    let tls = acceptor(world, department, "peers");
    let tasks = TaskTracker::new();
    let connections = tasks.clone();
    tasks.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let tls = tls.clone();
            connections.spawn(async move {
                if let Ok(tls) = tls.accept(tcp).await {
                    babble_on(tls, babble).await;
                }
            });
        }
    });
}

/// Until the other end has enough of it.
async fn babble_on(mut tls: TlsStream<TcpStream>, babble: Babble) {
    match babble {
        Babble::InTls => {
            let mut noise = noise();
            while let Some(bytes) = noise.next().await
                && tls.write_all(&bytes).await.is_ok()
            {}
        }
        Babble::InGrpc => {
            let answer = service_fn(|_: http::Request<Incoming>| async {
                http::Response::builder()
                    .header("content-type", "application/grpc")
                    .body(axum::body::Body::from_stream(
                        noise().map(Ok::<_, Infallible>),
                    ))
            });
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(tls), answer)
                .await;
        }
    }
}

fn noise() -> impl Stream<Item = Bytes> + Unpin {
    let mut random = Random::new(7);
    stream::repeat_with(move || (0..512).flat_map(|_| random.next().to_le_bytes()).collect())
}

async fn in_place_of(world: &World, department: &str) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    edit(
        &world.path("config/directory.toml"),
        &format!(":{}\"", world.ports(department).peers),
        &format!(":{port}\""),
    );
    listener
}

fn acceptor(world: &World, department: &str, door: &str) -> TlsAcceptor {
    let shown = world.shown(department, door);
    let mut config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(shown.chain, shown.key)
    .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

impl Between {
    fn spoil(&self, mut told: Told) -> Told {
        let lie = self.lie.lock().unwrap().clone();
        lie(&mut told);
        told
    }

    fn refuse(&self, status: Status) -> Status {
        match self.spoil(Told::Refusal(status)) {
            Told::Refusal(status) => status,
            _ => panic!("a refusal stays one"),
        }
    }
}

macro_rules! between {
    ($self:ident, $call:ident, $request:ident, $told:ident) => {
        match $self.honest.clone().$call($request).await {
            Ok(answer) => match $self.spoil(Told::$told(answer.into_inner())) {
                Told::$told(told) => Ok(Response::new(told)),
                Told::Refusal(status) => Err(status),
                _ => panic!("an answer stays one of its kind"),
            },
            Err(status) => Err($self.refuse(status)),
        }
    };
}

#[tonic::async_trait]
impl ExchangeService for Between {
    type QueryRecordsStream =
        Pin<Box<dyn Stream<Item = Result<pb::QueryRecordsResponse, Status>> + Send>>;

    async fn get_record(
        &self,
        request: Request<pb::GetRecordRequest>,
    ) -> Result<Response<pb::GetRecordResponse>, Status> {
        between!(self, get_record, request, Record)
    }

    async fn query_records(
        &self,
        request: Request<pb::QueryRecordsRequest>,
    ) -> Result<Response<Self::QueryRecordsStream>, Status> {
        let (between, mut honest) = (self.clone(), self.honest.clone());
        let parts = match honest.query_records(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(self.refuse(status)),
        };
        let parts = parts.map(move |part| match part {
            Ok(part) => match between.spoil(Told::Part(part)) {
                Told::Part(part) => Ok(part),
                Told::Refusal(status) => Err(status),
                _ => panic!("a part stays one"),
            },
            Err(status) => Err(between.refuse(status)),
        });
        let streams = self.streams.clone();
        streams.begun.fetch_add(1, Ordering::Relaxed);
        let end = stream::once(async move {
            tokio::time::sleep(END).await;
            streams.ended.fetch_add(1, Ordering::Relaxed);
        });
        Ok(Response::new(
            parts.chain(end.filter_map(|()| async { None })).boxed(),
        ))
    }

    async fn verify_record(
        &self,
        request: Request<pb::VerifyRecordRequest>,
    ) -> Result<Response<pb::VerifyRecordResponse>, Status> {
        between!(self, verify_record, request, Verdicts)
    }

    async fn count_records(
        &self,
        request: Request<pb::CountRecordsRequest>,
    ) -> Result<Response<pb::CountRecordsResponse>, Status> {
        between!(self, count_records, request, Count)
    }
}
