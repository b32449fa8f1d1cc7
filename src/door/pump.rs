//! Carries a stream from the exchange to the client, and ends it when the client or the peer's trust is gone.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use futures::Stream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;

use super::admission::Place;
use super::status;
use crate::exchange::refusal::Cause;
use crate::exchange::refusal::Refusal;
use crate::exchange::stream::AnswerStream;
use crate::exchange::stream::Part;
use crate::pb;
use crate::pb::query_records_response::Part as Wire;

/// Batches of a stream that wait for the client.
const AHEAD: usize = 2;

/// A stream as the client gets it. It never ends well without a trailer: gRPC would call what there is the whole answer,
/// whatever became of the task that sends it.
#[derive(Debug)]
pub struct Parts {
    parts: mpsc::Receiver<SentPart>,
    over: bool,
}

type SentPart = Result<pb::QueryRecordsResponse, Status>;

/// What ends a stream that both its ends would go on with.
#[derive(Debug, Clone)]
pub(super) struct StreamStops {
    /// The peer is no longer trusted.
    pub(super) revoked: CancellationToken,
    /// The gateway stops and has waited long enough.
    pub(super) cut: CancellationToken,
}

/// Runs the pump on the tracker: the client's connection may go, the account of the stream may not.
pub(super) fn start(
    stream: AnswerStream,
    place: Place,
    ends: StreamStops,
    stall: Duration,
    tracker: &TaskTracker,
) -> Result<Parts, Status> {
    let (sender, parts) = mpsc::channel(AHEAD + 1);
    // One place is kept for the status, so that it finds room after whatever the client has not taken.
    let last = sender
        .clone()
        .try_reserve_owned()
        .map_err(|_| status::internal())?;
    tracker.spawn(async move {
        if let Some(refusal) = pump(stream, sender, ends, stall).await {
            last.send(Err(status::of(&refusal)));
        }
        drop(place);
    });
    Ok(Parts { parts, over: false })
}

/// Gives the refusal that the client is still to be told.
async fn pump(
    mut stream: AnswerStream,
    parts: mpsc::Sender<SentPart>,
    ends: StreamStops,
    stall: Duration,
) -> Option<Refusal> {
    let ended = ends.come();
    tokio::pin!(ended);
    loop {
        // Room first: a batch is fetched only when the client has taken one, so a slow reader slows the source.
        let place = tokio::select! {
            biased;
            cause = &mut ended => return Some(stream.end(cause).await),
            place = tokio::time::timeout(stall, parts.reserve()) => place,
        };
        let place = match place {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Some(stream.end(Cause::ClientGone).await),
            Err(_) => return Some(stream.end(Cause::ClientStalled(stall)).await),
        };
        let next = tokio::select! {
            biased;
            cause = &mut ended => return Some(stream.end(cause).await),
            () = parts.closed() => return Some(stream.end(Cause::ClientGone).await),
            next = stream.next() => next?,
        };
        match next {
            Ok(part) => place.send(Ok(wire(part))),
            Err(refusal) => return Some(refusal),
        }
    }
}

impl Stream for Parts {
    type Item = SentPart;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<SentPart>> {
        if self.over {
            return Poll::Ready(None);
        }
        let part =
            ready!(self.parts.poll_recv(context)).unwrap_or_else(|| Err(status::cut_short()));
        self.over = !matches!(
            &part,
            Ok(pb::QueryRecordsResponse {
                part: Some(Wire::Header(_) | Wire::Batch(_))
            })
        );
        Poll::Ready(Some(part))
    }
}

impl StreamStops {
    async fn come(&self) -> Cause {
        tokio::select! {
            biased;
            () = self.revoked.cancelled() => Cause::PeerRevoked,
            () = self.cut.cancelled() => Cause::Stopping,
        }
    }
}

fn wire(part: Part) -> pb::QueryRecordsResponse {
    let part = match part {
        Part::Header(info) => Wire::Header(info),
        Part::Batch(records) => Wire::Batch(pb::RecordBatch { records }),
        Part::Trailer(trailer) => Wire::Trailer(trailer),
    };
    pb::QueryRecordsResponse { part: Some(part) }
}
