use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::body::to_bytes;
use axum::http::Request;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::clock::Clock;
use crate::evidence::cosigned::log_hash;
use crate::evidence::journals::Journals;
use crate::evidence::witness::request::AddCheckpoint;
use crate::identity::directory::Directory;
use crate::journal::Entry;
use crate::journal::Journal;
use crate::journal::JournalKeys;
use crate::journal::JournalSettings;
use crate::journal::tiles::Tiles;
use crate::tlog::cosignature::CosignerKey;
use crate::tlog::cosignature::cosignatures;
use crate::tlog::signed_checkpoint::SignedCheckpoint;

const ORIGIN: &str = "gov.example/civil/1";

/// A journal and a witness that knows it.
struct World {
    dir: TempDir,
    witness: Witness,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = keys(&dir);
        let directory = format!(
            "[[department]]\nid = \"civil\"\nname = \"Civil\"\nendpoints = [\"a:1\"]\njournal = [\"{}\"]\n",
            keys.verifiers(ORIGIN).unwrap()[0]
        );
        let directory = Directory::parse("directory.toml", &directory).unwrap();
        let domain = "gov.example".parse().unwrap();
        let journals = Journals::read("directory.toml", &directory, &domain).unwrap();
        let key = CosignerKey::create(&dir.path().join("witness.key"), "gov.example/tax/witness");
        let witness = Witness::open(
            &dir.path().join("witness.state"),
            key.unwrap(),
            "tax".parse().unwrap(),
            Arc::new(journals),
            Clock::System,
        )
        .unwrap();
        Self { dir, witness }
    }

    /// The checkpoint of the journal after another entry, and the proof from `old`.
    async fn grown(&self, old: u64) -> (SignedCheckpoint, String) {
        let settings = JournalSettings {
            dir: self.dir.path().join("journal"),
            origin: ORIGIN.to_owned(),
            linger: Duration::ZERO,
            segment_bytes: 4_096,
            max_unpublished_age: Duration::from_secs(60),
        };
        let (journal, _) = Journal::open(settings, keys(&self.dir), Clock::System).unwrap();
        journal.append(Entry::heartbeat()).await.unwrap();
        let closed = journal.clone();
        tokio::task::spawn_blocking(move || closed.close())
            .await
            .unwrap();
        let checkpoint = SignedCheckpoint::clone(&journal.published());
        let tiles = Tiles::open(&self.dir.path().join("journal"));
        let proof = tiles.consistency(old, checkpoint.size()).unwrap();
        let note = checkpoint.note();
        let body = AddCheckpoint { old, proof, note }.body();
        (checkpoint, body)
    }

    async fn ask(&self, request: Request<Body>) -> (u16, String, String) {
        let router = Router::new().nest("/witness", routes(self.witness.clone()));
        let (head, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
        let kind = head.headers.get(CONTENT_TYPE);
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        (head.status.as_u16(), kind, String::from_utf8(body).unwrap())
    }

    async fn post(&self, body: impl Into<Body>) -> (u16, String, String) {
        let request = Request::post("/witness/add-checkpoint").body(body.into());
        self.ask(request.unwrap()).await
    }

    async fn get(&self, path: &str) -> (u16, String, String) {
        self.ask(Request::get(path).body(Body::empty()).unwrap())
            .await
    }
}

fn keys(dir: &TempDir) -> JournalKeys {
    let path = |name| dir.path().join(name);
    JournalKeys::load_or_create(&path("journal.key"), &path("journal-pq.key"))
        .unwrap()
        .0
}

#[tokio::test]
async fn a_journals_checkpoints_are_cosigned_and_shown() {
    let world = World::new();
    let log = format!("/witness/{}/checkpoint", log_hash(ORIGIN));
    assert_eq!(world.get(&log).await.0, 404);
    for old in [0, 1] {
        let (checkpoint, body) = world.grown(old).await;
        let (status, kind, lines) = world.post(body).await;
        assert_eq!((status, kind.as_str()), (200, NOTE), "{lines}");
        let cosigned = checkpoint.with_lines(lines.lines()).unwrap();
        let key = world.witness.verifier().clone();
        assert_eq!(cosignatures(cosigned.note(), &[key]).unwrap().len(), 1);
        let (status, _, shown) = world.get(&log).await;
        assert_eq!(status, 200);
        assert!(
            shown.starts_with(checkpoint.text()) && shown.ends_with(&lines),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn another_old_size_is_answered_with_the_right_one_in_the_form_of_the_specification() {
    let world = World::new();
    let (_, body) = world.grown(0).await;
    world.post(body.clone()).await;
    let expected = (409, "text/x.tlog.size".to_owned(), "1\n".to_owned());
    assert_eq!(world.post(body).await, expected);
}

#[tokio::test]
async fn what_is_not_cosigned_is_answered_with_the_reason() {
    let world = World::new();
    let (checkpoint, body) = world.grown(0).await;
    let note = checkpoint.note();
    let other_log = body.replace(ORIGIN, "gov.example/water/1");
    let no_proof = AddCheckpoint {
        old: 0,
        proof: vec![[0; 32]],
        note,
    }
    .body();
    let old_too_large = AddCheckpoint {
        old: 9,
        proof: vec![],
        note,
    }
    .body();
    let forged = body.replace("\n1\n", "\n2\n");
    for (body, status, why) in [
        (String::new(), 400, "not an add-checkpoint request"),
        (old_too_large, 400, "`old` is larger than the checkpoint"),
        (
            other_log,
            404,
            "the log is not in this federation's directory",
        ),
        (forged, 403, "the checkpoint is not signed by its log's key"),
        (no_proof, 422, "the checkpoint is not shown to continue"),
    ] {
        let (found, _, text) = world.post(body).await;
        assert_eq!(found, status, "{text}");
        assert!(text.starts_with(why), "{text}");
    }
    assert_eq!(world.post(vec![0xff; 10]).await.0, 400);
    assert_eq!(world.post(vec![b'x'; MAX_REQUEST_BYTES + 1]).await.0, 413);
    for path in [
        "/witness/",
        "/witness/add-entries",
        "/witness/zz/checkpoint",
    ] {
        assert_eq!(world.get(path).await.0, 404, "{path}");
    }
    assert_eq!(world.get("/witness/add-checkpoint").await.0, 405);
}
