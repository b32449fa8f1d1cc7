//! Asks a witness at a peer's door: plain HTTP on the channel that gRPC uses too.

use std::time::Duration;

use axum::body::Body;
use axum::body::to_bytes;
use http::Method;
use http::Request;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::evidence::cosigned::log_hash;
use crate::fault::shown;
use crate::source::channel::Channel;
use crate::source::channel::ChannelError;

/// For one question to one witness.
const PATIENCE: Duration = Duration::from_secs(5);
/// No note is larger.
const MAX_ANSWER: usize = 64 * 1024;

/// Why a witness was of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum WitnessError {
    #[error("is not in the directory any more")]
    Gone,
    #[error("cannot be reached")]
    Unreachable(#[source] ChannelError),
    #[error("does not answer within {} seconds", PATIENCE.as_secs())]
    Late,
    #[error("refuses with {status}: {why}")]
    Refused { status: u16, why: String },
    #[error("answers with what is no answer: {0}")]
    Garbled(&'static str),
    /// Nobody but this gateway's key could have signed that.
    #[error("has cosigned {size} entries, more than there are")]
    Ahead { size: u64 },
    #[error("the own tree cannot be read")]
    Unread(#[source] crate::journal::tiles::TileError),
}

impl WitnessError {
    /// Whether the witness says that it knows another history of the journal.
    pub(super) fn is_contradiction(&self) -> bool {
        matches!(self, Self::Ahead { .. } | Self::Refused { status: 422, .. })
    }
}

/// What becomes of a checkpoint.
pub(super) enum SubmissionOutcome {
    /// Signature lines, not yet verified.
    Cosigned(String),
    /// The proof must begin at this size.
    OtherOld(u64),
}

struct HttpAnswer {
    status: StatusCode,
    kind: String,
    body: String,
}

/// The note that the witness cosigned last for a journal.
pub(super) async fn last(channel: Channel, origin: &str) -> Result<Option<String>, WitnessError> {
    let path = format!("/witness/{}/checkpoint", log_hash(origin));
    let answer = ask(channel, Method::GET, &path, String::new()).await?;
    match answer.status {
        StatusCode::OK => Ok(Some(answer.body)),
        StatusCode::NOT_FOUND => Ok(None),
        _ => Err(answer.into_error()),
    }
}

/// Submits a checkpoint.
pub(super) async fn add(channel: Channel, body: String) -> Result<SubmissionOutcome, WitnessError> {
    let answer = ask(channel, Method::POST, "/witness/add-checkpoint", body).await?;
    match answer.status {
        StatusCode::OK => Ok(SubmissionOutcome::Cosigned(answer.body)),
        StatusCode::CONFLICT if answer.kind == "text/x.tlog.size" => {
            let size = answer
                .body
                .strip_suffix('\n')
                .and_then(|size| size.parse().ok());
            size.map(SubmissionOutcome::OtherOld)
                .ok_or(WitnessError::Garbled("a size that is none"))
        }
        _ => Err(answer.into_error()),
    }
}

async fn ask(
    channel: Channel,
    method: Method,
    path: &str,
    body: String,
) -> Result<HttpAnswer, WitnessError> {
    let mut request = Request::new(tonic::body::Body::new(Body::from(body)));
    *request.method_mut() = method;
    *request.uri_mut() = path
        .parse()
        .map_err(|_| WitnessError::Garbled("a path that is none"))?;
    let answer = async {
        let answer = channel
            .oneshot(request)
            .await
            .map_err(WitnessError::Unreachable)?;
        let (head, body) = answer.into_parts();
        let body = to_bytes(Body::new(body), MAX_ANSWER)
            .await
            .map_err(|_| WitnessError::Garbled("too much, or not all of it"))?;
        let kind = head.headers.get(CONTENT_TYPE);
        Ok(HttpAnswer {
            status: head.status,
            kind: kind
                .and_then(|kind| kind.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            body: String::from_utf8(body.to_vec())
                .map_err(|_| WitnessError::Garbled("bytes that are no text"))?,
        })
    };
    timeout(PATIENCE, answer)
        .await
        .unwrap_or(Err(WitnessError::Late))
}

impl HttpAnswer {
    fn into_error(self) -> WitnessError {
        WitnessError::Refused {
            status: self.status.as_u16(),
            why: shown(self.body.trim_end()),
        }
    }
}
