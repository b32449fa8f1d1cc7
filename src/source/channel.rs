//! A warm, multiplexed HTTP/2 connection to where records come from.

use std::fmt;
use std::future::Future;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::future::Shared;
use http::Uri;
use http::uri::Authority;
use http::uri::InvalidUriParts;
use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::oneshot;
use tonic::body::Body;

/// The most that HTTP/2 knows (RFC 9113, 6.9.1), so that it never fills: a few streams that nobody reads would otherwise
/// hold up all other answers of that peer. Each stream has a window of its own.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// Stands in a request, which HTTP/2 asks for: whom a channel reaches, its connections settle.
const AUTHORITY: Authority = Authority::from_static("landbridge.invalid");

/// A connection that is made when it is first needed, and again when it was lost.
///
/// Requests go straight to the task that owns the connection: tonic's own channel has a further task in between.
#[derive(Clone)]
pub struct Channel(Arc<Dialler>);

struct Dialler {
    dial: Box<dyn Fn() -> BoxFuture<'static, DialOutcome> + Send + Sync>,
    /// Whoever comes while a connection is being made shares the outcome.
    last: Mutex<Option<Shared<BoxFuture<'static, DialOutcome>>>>,
}

type DialOutcome = Result<http2::SendRequest<Body>, ChannelError>;

/// A connection that could not be made, or was lost before there was an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChannelError {
    #[error("no connection could be made")]
    Dial(#[source] Arc<dyn std::error::Error + Send + Sync>),
    #[error("the connection was lost")]
    Lost(#[source] Arc<hyper::Error>),
    #[error("the request has no path")]
    Nowhere(#[source] Arc<InvalidUriParts>),
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel")
    }
}

impl Channel {
    /// Makes no connection yet.
    pub(super) fn new<F, S, E>(connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<S, E>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let dial = move || {
            let connecting = connect();
            async {
                let io = connecting.await;
                handshake(io.map_err(|e| ChannelError::Dial(Arc::new(e)))?).await
            }
            .boxed()
        };
        Self(Arc::new(Dialler {
            dial: Box::new(dial),
            last: Mutex::new(None),
        }))
    }

    /// Waits until the connection is there.
    pub(super) async fn connect(&self) -> Result<(), ChannelError> {
        self.0.sender().await.map(|_| ())
    }
}

impl tower::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = ChannelError;
    type Future = BoxFuture<'static, Result<Self::Response, ChannelError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ChannelError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let mut parts = mem::take(request.uri_mut()).into_parts();
        (parts.scheme, parts.authority) = (Some(Scheme::HTTP), Some(AUTHORITY));
        let dialler = Arc::clone(&self.0);
        Box::pin(async move {
            *request.uri_mut() =
                Uri::from_parts(parts).map_err(|e| ChannelError::Nowhere(Arc::new(e)))?;
            let mut sender = dialler.sender().await?;
            let mut refused = match sender.try_send_request(request).await {
                Ok(answer) => return Ok(answer),
                Err(refused) => refused,
            };
            // A request comes back that never left: the connection was just being closed.
            let Some(request) = refused.take_message() else {
                return Err(ChannelError::Lost(Arc::new(refused.into_error())));
            };
            let mut sender = dialler.sender().await?;
            let sent = sender.send_request(request).await;
            sent.map_err(|error| ChannelError::Lost(Arc::new(error)))
        })
    }
}

impl Dialler {
    /// The connection that is there, or one that is made now.
    async fn sender(&self) -> DialOutcome {
        let dialling = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            match last.as_ref().map(|dialling| (dialling, dialling.peek())) {
                Some((_, Some(Ok(sender)))) if !sender.is_closed() => return Ok(sender.clone()),
                Some((dialling, None)) => dialling.clone(),
                Some((_, Some(_))) | None => last.insert(self.begin()).clone(),
            }
        };
        dialling.await
    }

    /// In a task of its own: who waits may go, and others wait for the same.
    fn begin(&self) -> Shared<BoxFuture<'static, DialOutcome>> {
        let (tell, told) = oneshot::channel();
        let dial = (self.dial)();
        TokioExecutor::new().execute(async move {
            // Everybody may have gone.
            let _ = tell.send(dial.await);
        });
        let gone = |gone| Err(ChannelError::Dial(Arc::new(gone)));
        told.map(move |told| told.unwrap_or_else(gone))
            .boxed()
            .shared()
    }
}

/// The windows were measured: 64 KiB costs two fifths of a stream's rate, 16 MiB gains nothing.
async fn handshake(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> DialOutcome {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(512 * 1024)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(64 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| ChannelError::Lost(Arc::new(error)))?;
    TokioExecutor::new().execute(async {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a source was lost");
        }
    });
    Ok(sender)
}
