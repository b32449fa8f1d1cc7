//! Carries a stream from the exchange to the client, until its end or until something else ends it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::status;
use crate::exchange::refusal::Cause;
use crate::exchange::stream::AnswerStream;
use crate::exchange::stream::Part;
use crate::pb;
use crate::pb::query_records_response::Part as Wire;

/// What ends a stream whatever its client and its source do.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    /// The peer is no longer trusted.
    pub(super) revoked: CancellationToken,
    /// The gateway stops, and waits no longer.
    pub(super) stopping: CancellationToken,
}

impl Ends {
    async fn come(&self) -> Cause {
        tokio::select! {
            biased;
            () = self.revoked.cancelled() => Cause::PeerRevoked,
            () = self.stopping.cancelled() => Cause::Stopping,
        }
    }
}

/// Runs on the tracker: the client's connection may go, the account of the stream may not.
pub(super) async fn pump(
    mut stream: AnswerStream,
    parts: mpsc::Sender<Result<pb::QueryRecordsResponse, Status>>,
    ends: Ends,
    stall: Duration,
) {
    loop {
        // Room first: a batch is fetched only when the client has taken one, so a slow reader slows the source.
        let place = tokio::select! {
            biased;
            cause = ends.come() => {
                let refusal = stream.end(cause).await;
                // The client may be gone too; then nobody needs the status.
                let _ = parts.try_send(Err(status::of(&refusal)));
                return;
            }
            place = tokio::time::timeout(stall, parts.reserve()) => place,
        };
        let place = match place {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => {
                stream.end(Cause::ClientGone).await;
                return;
            }
            Err(_) => {
                stream.end(Cause::ClientStalled(stall)).await;
                return;
            }
        };
        let next = tokio::select! {
            biased;
            // A source may be slow: the stream is cut all the same.
            cause = ends.come() => {
                let refusal = stream.end(cause).await;
                place.send(Err(status::of(&refusal)));
                return;
            }
            () = parts.closed() => {
                stream.end(Cause::ClientGone).await;
                return;
            }
            next = stream.next() => next,
        };
        match next {
            Some(Ok(part)) => place.send(Ok(wire(part))),
            Some(Err(refusal)) => {
                place.send(Err(status::of(&refusal)));
                return;
            }
            None => return,
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
