use std::time::Duration;

use axum::body::Body;
use axum::body::to_bytes;
use axum::http::HeaderMap;
use axum::http::Request;
use tower::ServiceExt;

use super::*;
use crate::clock::Clock;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::JournalKeys;
use crate::journal::JournalSettings;
use crate::journal::LEAF_BYTES;

/// A journal of three entries, closed.
async fn journal(dir: &std::path::Path) {
    let (keys, _) =
        JournalKeys::load_or_create(&dir.join("journal.key"), &dir.join("journal-pq.key")).unwrap();
    let settings = JournalSettings {
        dir: dir.join("journal"),
        origin: "gov.example/civil/1".to_owned(),
        linger: Duration::ZERO,
        segment_bytes: 4_096,
        max_unpublished_age: Duration::from_secs(60),
    };
    let (journal, _) = Journal::open(settings, keys, Clock::System).unwrap();
    for _ in 0..3 {
        journal.append(Entry::heartbeat()).await.unwrap();
    }
    tokio::task::spawn_blocking(move || journal.close())
        .await
        .unwrap();
}

async fn ask(dir: &std::path::Path, entries: bool, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    let served = ServedJournal {
        dir: dir.join("journal"),
        entries,
        witnessed: true,
    };
    let router = Router::new().nest("/journal", routes(served));
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (head, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (head.status, head.headers, body.to_vec())
}

#[tokio::test]
async fn the_checkpoint_and_the_tiles_are_those_of_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path()).await;

    let (status, headers, note) = ask(dir.path(), false, "/journal/checkpoint").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(headers[CACHE_CONTROL], BRIEFLY);
    assert!(note.starts_with(b"gov.example/civil/1\n3\n"));

    let cosigned = [note.as_slice(), b"\xe2\x80\x94 a AAAAAAAA\n"].concat();
    std::fs::write(dir.path().join("journal/state/witnessed"), &cosigned).unwrap();
    assert_eq!(
        ask(dir.path(), false, "/journal/checkpoint").await.2,
        cosigned
    );

    let (status, headers, tile) = ask(dir.path(), false, "/journal/tile/0/000.p/3").await;
    assert_eq!((status, tile.len()), (StatusCode::OK, 96));
    assert_eq!(headers[CONTENT_TYPE], "application/octet-stream");
    assert_eq!(headers[CACHE_CONTROL], FOR_EVER);

    let (status, _, bundle) = ask(dir.path(), true, "/journal/tile/entries/000.p/3").await;
    assert_eq!(
        (status, bundle.len()),
        (StatusCode::OK, 3 * (2 + LEAF_BYTES))
    );
}

#[tokio::test]
async fn entries_are_for_those_with_the_right_only() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path()).await;
    let (status, _, why) = ask(dir.path(), false, "/journal/tile/entries/000.p/3").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(why.starts_with(b"the entries tell who exchanged with whom"));
}

#[tokio::test]
async fn what_the_journal_has_not_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path()).await;
    for path in [
        "/journal/tile/0/000",
        "/journal/tile/0/000.p/4",
        "/journal/tile/1/000.p/1",
        "/journal/tile/63/000",
        "/journal/tile/0/0",
        "/journal/tile/0/..%2F..%2Fjournal.key",
        "/journal/tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "/journal/",
        "/journal/state/signed",
    ] {
        assert_eq!(
            ask(dir.path(), true, path).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_journal_that_has_published_nothing_has_no_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        ask(dir.path(), true, "/journal/checkpoint").await.0,
        StatusCode::NOT_FOUND
    );
}
