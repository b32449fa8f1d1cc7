//! The witness over HTTP (C2SP tlog-witness): `add-checkpoint`, and the checkpoint of a log that was cosigned last.
//!
//! Nobody is asked who they are beyond the door's certificate: a checkpoint speaks for itself. Only a contradiction counts
//! for more when it comes from the log's own department.

use axum::Extension;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;

use crate::evidence::witness::CosignRefusal;
use crate::evidence::witness::Witness;
use crate::evidence::witness::request::MAX_REQUEST_BYTES;
use crate::fault::chain;
use crate::identity::Caller;
use crate::identity::peer::Peer;

const NOTE: &str = "text/plain; charset=utf-8";
/// Of the body of a 409, which is the size that the witness cosigned last.
const SIZE: &str = "text/x.tlog.size";

/// The witness's resources, relative to its prefix, for `Router::nest`. Answers every path below it.
pub fn routes(witness: Witness) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add))
        .route("/{log}/checkpoint", get(last))
        .fallback(async || (StatusCode::NOT_FOUND, "the witness has no such resource\n"))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(witness)
}

async fn add(
    State(witness): State<Witness>,
    sender: Option<Extension<Peer>>,
    body: String,
) -> Response {
    let added = match &sender {
        Some(Extension(sender)) => {
            let sender = Caller::from(sender);
            witness.add_from(sender.department(), &body).await
        }
        None => witness.add(&body).await,
    };
    match added {
        Ok(line) => ([(CONTENT_TYPE, NOTE)], format!("{line}\n")).into_response(),
        Err(refused) => refusal(&refused),
    }
}

async fn last(State(witness): State<Witness>, Path(log): Path<String>) -> Response {
    match witness.last(&log) {
        Some(note) => ([(CONTENT_TYPE, NOTE), (CACHE_CONTROL, "no-store")], note).into_response(),
        None => {
            let why = "the witness has cosigned no checkpoint of such a log\n";
            (StatusCode::NOT_FOUND, why).into_response()
        }
    }
}

fn refusal(refused: &CosignRefusal) -> Response {
    let status = match refused {
        CosignRefusal::UnknownLog => StatusCode::NOT_FOUND,
        CosignRefusal::Untrusted(_) => StatusCode::FORBIDDEN,
        CosignRefusal::Malformed(_) | CosignRefusal::OldTooLarge => StatusCode::BAD_REQUEST,
        CosignRefusal::OtherOld { size } => {
            let headers = [(CONTENT_TYPE, SIZE)];
            return (StatusCode::CONFLICT, headers, format!("{size}\n")).into_response();
        }
        CosignRefusal::Inconsistent { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        CosignRefusal::Busy | CosignRefusal::Failed(_) | CosignRefusal::Stopped => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    // What failed here is for the operators, who have it in the log.
    let text = match refused {
        CosignRefusal::Failed(_) => refused.to_string(),
        _ => chain(refused),
    };
    (status, format!("{text}\n")).into_response()
}

#[cfg(test)]
mod tests;
