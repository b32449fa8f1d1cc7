//! The tree for readers with the right `tiles`, as C2SP tlog-tiles over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Uri;
use axum::middleware;
use axum::middleware::Next;
use axum::response::Response;

use crate::door::tiles;
use crate::door::tiles::ServedJournal;
use crate::reading::desk::OnRecord;
use crate::reading::desk::ReadingDesk;
use crate::reading::error::ReadingError;
use crate::reading::reader::Right;

/// `checkpoint`, `tile/<L>/<N>` and `tile/entries/<N>`, relative to the journal's prefix.
pub(super) fn routes(desk: &Arc<ReadingDesk>, witnessed: bool) -> Router {
    let served = ServedJournal {
        dir: desk.journal.clone(),
        entries: true,
        witnessed,
    };
    tiles::routes(served).layer(middleware::from_fn_with_state(desk.clone(), guard))
}

async fn guard(
    State(desk): State<Arc<ReadingDesk>>,
    request: Request,
    next: Next,
) -> Result<Response, ReadingError> {
    let on_record = admit(&desk, request.headers(), &shown(request.uri()))
        .await
        .map_err(|unread| unread.log("tiles"))?;
    Ok(pass(on_record, request, next).await)
}

async fn admit(
    desk: &ReadingDesk,
    headers: &HeaderMap,
    path: &str,
) -> Result<OnRecord, ReadingError> {
    let granted = desk.know(headers)?.may(Right::Tiles)?;
    desk.record_fetch(&granted, path).await
}

async fn pass(_on_record: OnRecord, request: Request, next: Next) -> Response {
    next.run(request).await
}

/// The path as the journal keeps it: any text may be asked for.
fn shown(uri: &Uri) -> String {
    let path = uri.path().trim_start_matches('/');
    path.chars().take(64).collect()
}
