//! A journal over HTTP, as C2SP tlog-tiles lays it out: `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`.
//!
//! <https://c2sp.org/tlog-tiles>

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;

use crate::fault::chain;
use crate::journal::reader::Reader;
use crate::journal::tiles::TileError;
use crate::journal::tiles::TilePath;
use crate::journal::tiles::Tiles;

/// A tile never changes.
const FOR_EVER: &str = "max-age=31536000, immutable";
/// There is a new checkpoint about once a second.
const BRIEFLY: &str = "max-age=1";

/// The journal that is served.
#[derive(Debug, Clone)]
pub struct ServedJournal {
    pub dir: PathBuf,
    /// Whether the leaves may be read too: they tell who exchanged with whom, and when.
    pub entries: bool,
    /// Whether it has witnesses: then its checkpoint is the last one that they have cosigned.
    pub witnessed: bool,
}

/// The journal's resources, relative to its prefix, for `Router::nest`. Answers every path below it.
pub fn routes(journal: ServedJournal) -> Router {
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .fallback(async || nothing())
        .with_state(Arc::new(journal))
}

async fn checkpoint(State(journal): State<Arc<ServedJournal>>) -> Response {
    let read = move || {
        let reader = Reader::open(&journal.dir);
        match journal.witnessed.then(|| reader.witnessed()).transpose()? {
            Some(Some(cosigned)) => Ok(Some(cosigned)),
            // Nothing has been cosigned yet.
            Some(None) | None => reader.published(),
        }
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(note))) => {
            let headers = [
                (CONTENT_TYPE, "text/plain; charset=utf-8"),
                (CACHE_CONTROL, BRIEFLY),
            ];
            (headers, note).into_response()
        }
        Ok(Ok(None)) => nothing(),
        Ok(Err(error)) => unread(&error),
        Err(error) => unread(&error),
    }
}

async fn tile(State(journal): State<Arc<ServedJournal>>, Path(path): Path<String>) -> Response {
    let Ok(path) = format!("tile/{path}").parse::<TilePath>() else {
        return nothing();
    };
    if matches!(path, TilePath::Entries { .. }) && !journal.entries {
        let why = "the entries tell who exchanged with whom; only operators with the right to the journal may read them\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let read = move || Tiles::open(&journal.dir).read(path);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(body)) => {
            let headers = [
                (CONTENT_TYPE, "application/octet-stream"),
                (CACHE_CONTROL, FOR_EVER),
            ];
            (headers, body).into_response()
        }
        Ok(Err(TileError::Beyond)) => nothing(),
        Ok(Err(error @ TileError::Disk(_))) => unread(&error),
        Err(error) => unread(&error),
    }
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "the journal has no such resource\n").into_response()
}

fn unread(error: &dyn std::error::Error) -> Response {
    tracing::error!(error = %chain(error), "the journal cannot be read for whoever asks over HTTP");
    let why = "the journal cannot be read now\n";
    (StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
}

#[cfg(test)]
mod tests;
