//! A connection that ends when its peer's trust does, whoever holds it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Sleep;
use tokio_rustls::TlsStream;

use crate::identity::connections::Registration;
use crate::identity::idle_frames::Flood;
use crate::identity::idle_frames::IdleFrames;
use crate::identity::peer::Peer;
use crate::identity::socket::Socket;

/// From the loss of trust to the closing of the connection: time for the streams on it to end with a status.
pub const GRACE: Duration = Duration::from_millis(250);

/// A mutually authenticated connection. Reading and writing fail once its peer is no longer trusted, so that it is
/// closed even where nobody watches [`Peer::cancelled`], as within a gRPC channel.
pub struct Link {
    tls: TlsStream<Socket>,
    peer: Peer,
    /// One for each direction: each wakes the task that waits in it, and a peer that reads nothing leaves a task
    /// waiting to write.
    reading: Leash,
    writing: Leash,
    /// Until the first byte is there.
    silence: Option<Pin<Box<Sleep>>>,
    frames: IdleFrames,
    _registration: Registration,
}

/// Ends [`GRACE`] after the trust, and is none from then on.
struct Leash(Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>);

impl Link {
    pub(super) fn new(
        tls: impl Into<TlsStream<Socket>>,
        peer: Peer,
        registration: Registration,
    ) -> Self {
        Self {
            tls: tls.into(),
            reading: Leash::of(&peer),
            writing: Leash::of(&peer),
            frames: IdleFrames::new(),
            peer,
            silence: None,
            _registration: registration,
        }
    }

    /// Has reading fail if nothing comes in that time.
    pub(super) fn beginning_within(mut self, limit: Duration) -> Self {
        self.silence = Some(Box::pin(tokio::time::sleep(limit)));
        self
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl Leash {
    fn of(peer: &Peer) -> Self {
        let cancelled = peer.cancelled().clone().cancelled_owned();
        Self(Some(Box::pin(async {
            cancelled.await;
            tokio::time::sleep(GRACE).await;
        })))
    }

    /// Fails once the connection is cut, and until then has the task woken when it is.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(end) = &mut self.0
            && end.as_mut().poll(context).is_pending()
        {
            return Ok(());
        }
        self.0 = None;
        Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the connection was cut: its peer is no longer trusted",
        ))
    }
}

/// Closes the connection: the peer has been told by the protocol what it may send.
fn flood_error(peer: &Peer) -> io::Error {
    metrics::counter!("landbridge_connections_flooded_total").increment(1);
    tracing::warn!(peer = %peer.id(), "the connection is cut: it is flooded with pings, settings or other idle frames");
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the peer floods the connection with frames that ask for nothing",
    )
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reading.check(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.tls).poll_read(context, buffer);
        if let Some(silence) = &mut self.silence {
            if read.is_pending() {
                ready!(silence.as_mut().poll(context));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.silence = None;
        }
        ready!(read)?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let Err(Flood) = self.frames.read(read) else {
            return Poll::Ready(Ok(()));
        };
        // Whoever reads with an error takes it that nothing was read.
        buffer.set_filled(before);
        Poll::Ready(Err(flood_error(&self.peer)))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writing.check(context)?;
        let written = ready!(Pin::new(&mut self.tls).poll_write(context, bytes))?;
        self.frames.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writing.check(context)?;
        let written = ready!(Pin::new(&mut self.tls).poll_write_vectored(context, buffers))?;
        self.frames.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.check(context)?;
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}
