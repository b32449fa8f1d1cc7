use crate::evidence::cosigned::log_hash;
use crate::tlog::merkle;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::*;
use crate::identity::directory::Directory;
use crate::journal::JournalKey;
use crate::journal::testing::Fault;
use crate::journal::testing::Flaky;
use crate::journal::testing::NOON;
use crate::journal::testing::temporary;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::cosignature::cosignatures;
use crate::tlog::merkle::Frontier;
use crate::tlog::merkle::Hash;
use crate::tlog::merkle::Node;

const CIVIL: &str = "gov.example/civil/1";
const TAX: &str = "gov.example/tax/1";

/// A log with the leaves 0, 1, 2, …
struct Log {
    origin: &'static str,
    key: JournalKey,
    /// Other leaves from here on.
    forked_at: u64,
}

impl Log {
    fn of(origin: &'static str) -> Self {
        Self {
            origin,
            key: JournalKey::from_seed([1; 32]),
            forked_at: u64::MAX,
        }
    }

    fn forked_at(self, forked_at: u64) -> Self {
        Self { forked_at, ..self }
    }

    fn leaf(&self, n: u64) -> Hash {
        let content = if n < self.forked_at { n } else { n + 1_000 };
        merkle::leaf_hash(&content.to_be_bytes())
    }

    fn node(&self, node: Node) -> Hash {
        let mut frontier = Frontier::default();
        let first = node.index << node.height;
        (first..first + (1 << node.height)).for_each(|n| frontier.push(self.leaf(n)));
        frontier.root()
    }

    fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let root = merkle::root(size, |node| Ok::<_, ()>(self.node(node))).unwrap();
        self.sign(size, root)
    }

    fn sign(&self, size: u64, root: Hash) -> SignedCheckpoint {
        let checkpoint = Checkpoint {
            origin: self.origin.to_owned(),
            size,
            root,
        };
        let verifier = self.key.verifier(self.origin).unwrap();
        self.key.sign(checkpoint, &verifier)
    }

    fn request(&self, old: u64, size: u64) -> String {
        let proof = merkle::consistency(old, size, |node| Ok::<_, ()>(self.node(node))).unwrap();
        request(old, proof, self.checkpoint(size).note())
    }
}

fn request(old: u64, proof: Vec<Hash>, note: &str) -> String {
    AddCheckpoint { old, proof, note }.body()
}

fn key() -> CosignerKey {
    CosignerKey::from_seed([2; 32], "gov.example/market/witness")
}

fn journals(origins: &[&'static str]) -> Arc<Journals> {
    let departments = ["civil", "tax", "market"].map(|id| {
        let of_it = |origin: &&&str| origin.split('/').nth(1) == Some(id);
        let keys: Vec<String> = origins
            .iter()
            .filter(of_it)
            .map(|&origin| Log::of(origin).key.verifier(origin).unwrap().to_string())
            .collect();
        format!("[[department]]\nid = \"{id}\"\nname = \"{id}\"\nendpoints = [\"a:1\"]\njournal = {keys:?}\n")
    });
    let directory = Directory::parse("directory.toml", &departments.concat()).unwrap();
    let domain = "gov.example".parse().unwrap();
    Arc::new(Journals::read("directory.toml", &directory, &domain).unwrap())
}

fn open_on(disk: &Flaky, dir: &TempDir) -> Result<Witness, WitnessError> {
    Witness::open_on(
        Arc::new(disk.clone()),
        &dir.path().join("witness.state"),
        key(),
        "market".parse().unwrap(),
        journals(&[CIVIL, TAX, "gov.example/market/1"]),
        Clock::fixed(NOON),
    )
}

/// Opens it again once the thread of the former one has let go of the file.
fn open(dir: &TempDir) -> Witness {
    loop {
        match open_on(&Flaky::default(), dir) {
            Ok(witness) => return witness,
            Err(WitnessError::Locked { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A status of HTTP, and the size that stands in its body.
type Answer = (u16, Option<u64>);

/// In the words of HTTP, as the specification gives them.
fn answer(refused: &CosignRefusal) -> Answer {
    match refused {
        CosignRefusal::UnknownLog => (404, None),
        CosignRefusal::Untrusted(_) => (403, None),
        CosignRefusal::Malformed(_) | CosignRefusal::OldTooLarge => (400, None),
        CosignRefusal::OtherOld { size } => (409, Some(*size)),
        CosignRefusal::Inconsistent { .. } => (422, None),
        CosignRefusal::Busy | CosignRefusal::Failed(_) | CosignRefusal::Stopped => (503, None),
    }
}

async fn refused(witness: &Witness, body: &str) -> Answer {
    answer(&witness.add(body).await.unwrap_err())
}

#[tokio::test]
async fn a_checkpoint_that_continues_the_last_one_is_cosigned() {
    let dir = temporary();
    let (witness, log) = (open(&dir), Log::of(CIVIL));
    for (old, size) in [(0, 3), (3, 3), (3, 7), (7, 8), (8, 300)] {
        let line = witness.add(&log.request(old, size)).await.unwrap();
        let note = log.checkpoint(size);
        let cosigned = note.with_lines([line.as_str()]).unwrap();
        let found = cosignatures(cosigned.note(), &[witness.verifier().clone()]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "gov.example/market/witness");
        assert_eq!(found[0].time, Some(NOON));
        assert_eq!(
            witness.last(&log_hash(CIVIL)).as_deref(),
            Some(cosigned.note())
        );
    }
    assert_eq!(witness.last(&log_hash(TAX)), None);
}

#[tokio::test]
async fn the_answers_are_those_of_the_specification_in_its_order() {
    let dir = temporary();
    let (witness, log) = (open(&dir), Log::of(CIVIL));
    witness.add(&log.request(0, 5)).await.unwrap();

    let stranger = Log {
        key: JournalKey::from_seed([9; 32]),
        ..Log::of(CIVIL)
    };
    let proof =
        |old, size| merkle::consistency(old, size, |node| Ok::<_, ()>(log.node(node))).unwrap();
    let note = |size| log.checkpoint(size).note().to_owned();
    let forged = note(7).replace("\n7\n", "\n8\n");
    let mut wrong = proof(5, 8);
    wrong[0][0] ^= 1;
    let no_checkpoint = "gov.example/civil/1\nnonsense\n\n\u{2014} a AAAAAAAA\n";
    let rows: [(&str, String, Answer); 20] = [
        ("no request", "nonsense".to_owned(), (400, None)),
        ("no note", request(0, vec![], "nonsense"), (400, None)),
        (
            "an unknown log",
            Log::of("gov.example/water/1").request(0, 5),
            (404, None),
        ),
        (
            "a log with no such name",
            Log::of("elsewhere").request(0, 5),
            (404, None),
        ),
        (
            "the own log",
            Log::of("gov.example/market/1").request(0, 5),
            (404, None),
        ),
        (
            "an unknown log comes before a bad old",
            Log::of("gov.example/water/1")
                .request(0, 5)
                .replace("old 0", "old 9"),
            (404, None),
        ),
        ("a foreign key", stranger.request(5, 8), (403, None)),
        (
            "a foreign key comes before a bad old",
            request(9, vec![], stranger.checkpoint(8).note()),
            (403, None),
        ),
        (
            "an unsigned text",
            request(5, vec![], no_checkpoint),
            (403, None),
        ),
        (
            "a forged size",
            request(5, proof(5, 8), &forged),
            (403, None),
        ),
        (
            "old beyond the checkpoint",
            request(9, vec![], &note(8)),
            (400, None),
        ),
        (
            "old beyond the checkpoint comes before another old",
            request(4, vec![], &note(3)),
            (400, None),
        ),
        ("a smaller old", log.request(3, 8), (409, Some(5))),
        ("a larger old", log.request(6, 8), (409, Some(5))),
        ("no old", request(0, vec![], &note(8)), (409, Some(5))),
        (
            "a shorter log, which is no new one",
            log.request(3, 3),
            (409, Some(5)),
        ),
        ("no proof", request(5, vec![], &note(8)), (422, None)),
        ("a wrong proof", request(5, wrong, &note(8)), (422, None)),
        (
            "a rewritten log",
            Log::of(CIVIL).forked_at(2).request(5, 8),
            (422, None),
        ),
        (
            "the same size with another root",
            Log::of(CIVIL).forked_at(2).request(5, 5),
            (422, None),
        ),
    ];
    for (name, body, expected) in rows {
        assert_eq!(refused(&witness, &body).await, expected, "{name}");
    }

    let empty = Log::of(TAX);
    let sized = empty.sign(0, [1; 32]);
    assert_eq!(
        refused(&witness, &request(0, vec![], sized.note())).await,
        (422, None)
    );
    let needless = request(0, vec![[0; 32]], empty.checkpoint(5).note());
    assert_eq!(refused(&witness, &needless).await, (422, None));
    assert_eq!(witness.last(&log_hash(TAX)), None);
    witness.add(&empty.request(0, 0)).await.unwrap();
    witness.add(&log.request(5, 8)).await.unwrap();
}

#[tokio::test]
async fn the_lines_of_others_are_neither_kept_nor_shown() {
    let dir = temporary();
    let (witness, log) = (open(&dir), Log::of(CIVIL));
    let checkpoint = log.checkpoint(5);
    let other = CosignerKey::from_seed([5; 32], "gov.example/tax/witness");
    let more = [
        other.cosign(&checkpoint, NOON),
        "\u{2014} gov.example/civil/1 AAAAAAAA".to_owned(),
    ];
    let crowded = checkpoint
        .with_lines(more.iter().map(String::as_str))
        .unwrap();
    let line = witness
        .add(&request(0, vec![], crowded.note()))
        .await
        .unwrap();
    let kept = witness.last(&log_hash(CIVIL)).unwrap();
    assert_eq!(kept, format!("{}{line}\n", checkpoint.note()));
}

#[tokio::test]
async fn of_two_requests_from_one_size_one_is_cosigned() {
    let dir = temporary();
    let (witness, log) = (open(&dir), Log::of(CIVIL));
    witness.add(&log.request(0, 5)).await.unwrap();
    let other = Log::of(CIVIL).forked_at(6);
    for round in 0..50 {
        let old = 5 + 2 * round;
        let (body, fork) = (log.request(old, old + 2), log.request(old, old + 1));
        let (one, two) = tokio::join!(witness.add(&body), witness.add(&fork));
        assert!(
            one.is_ok() && matches!(two, Err(CosignRefusal::OtherOld { size }) if size == old + 2)
        );
    }
    // The same from threads of their own: whichever comes first, exactly one fork is cosigned.
    let runtime = tokio::runtime::Handle::current();
    let cosigned = Arc::new(AtomicUsize::new(0));
    let witness_of_tax = Log::of(TAX);
    witness.add(&witness_of_tax.request(0, 5)).await.unwrap();
    let bodies: Vec<String> = (0..8)
        .map(|n| {
            Log {
                origin: TAX,
                ..Log::of(TAX).forked_at(5 + n % 2)
            }
            .request(5, 6 + n)
        })
        .collect();
    let threads: Vec<_> = bodies
        .into_iter()
        .map(|body| {
            let (witness, runtime, cosigned) = (witness.clone(), runtime.clone(), cosigned.clone());
            std::thread::spawn(move || {
                if runtime.block_on(witness.add(&body)).is_ok() {
                    cosigned.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::task::spawn_blocking(|| {
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap())
    })
    .await
    .unwrap();
    assert_eq!(cosigned.load(Ordering::Relaxed), 1);
    assert_eq!(refused(&witness, &other.request(5, 8)).await.0, 409);
}

#[tokio::test]
async fn what_was_answered_is_known_after_a_restart() {
    let dir = temporary();
    let (civil, tax) = (Log::of(CIVIL), Log::of(TAX));
    let witness = open(&dir);
    witness.add(&civil.request(0, 3)).await.unwrap();
    witness.add(&tax.request(0, 4)).await.unwrap();
    witness.add(&civil.request(3, 7)).await.unwrap();
    let before = witness.last(&log_hash(CIVIL));
    drop(witness);

    let witness = open(&dir);
    assert_eq!(witness.last(&log_hash(CIVIL)), before);
    assert_eq!(
        refused(&witness, &civil.request(3, 7)).await,
        (409, Some(7))
    );
    assert_eq!(
        refused(&witness, &Log::of(CIVIL).forked_at(6).request(7, 9)).await,
        (422, None)
    );
    witness.add(&tax.request(4, 5)).await.unwrap();
}

#[tokio::test]
async fn a_torn_tail_costs_only_what_nobody_was_told() {
    let dir = temporary();
    let path = dir.path().join("witness.state");
    let log = Log::of(CIVIL);
    let witness = open(&dir);
    witness.add(&log.request(0, 3)).await.unwrap();
    let told = std::fs::metadata(&path).unwrap().len();
    witness.add(&log.request(3, 7)).await.unwrap();
    drop(witness);
    drop(open(&dir));
    let whole = std::fs::read(&path).unwrap();
    assert!(
        (whole.len() as u64) < 2 * told,
        "the file is compacted when it is opened"
    );

    let witness = open(&dir);
    witness.add(&log.request(7, 8)).await.unwrap();
    drop(witness);
    let grown = std::fs::read(&path).unwrap();
    for length in [whole.len() + 1, grown.len() - 1] {
        drop(open(&dir));
        std::fs::write(&path, &grown[..length]).unwrap();
        let witness = open(&dir);
        assert_eq!(
            refused(&witness, &log.request(3, 9)).await,
            (409, Some(7)),
            "{length}"
        );
    }
}

#[tokio::test]
async fn a_witness_that_cannot_write_cosigns_nothing_more() {
    let log = Log::of(CIVIL);
    for operation in ["write", "flush"] {
        let (dir, disk) = (temporary(), Flaky::default());
        let witness = open_on(&disk, &dir).unwrap();
        witness.add(&log.request(0, 3)).await.unwrap();
        disk.fail(Some(Fault::All {
            operation,
            path: "witness.state",
            kind: io::ErrorKind::Other,
        }));
        let failed = witness.add(&log.request(3, 5)).await.unwrap_err();
        assert!(matches!(failed, CosignRefusal::Failed(_)), "{failed:?}");
        // Room again, and yet: a flush that has failed is not tried again.
        disk.fail(None);
        for _ in 0..2 {
            let failed = witness.add(&log.request(3, 5)).await.unwrap_err();
            assert!(
                matches!(failed, CosignRefusal::Failed(_)),
                "{operation}: {failed:?}"
            );
        }
        let shown = witness.last(&log_hash(CIVIL)).unwrap();
        assert!(shown.starts_with("gov.example/civil/1\n3\n"), "{shown}");
    }
}

#[tokio::test]
async fn the_directory_says_which_logs_are_known() {
    let dir = temporary();
    let (witness, log) = (open(&dir), Log::of(CIVIL));
    witness.add(&log.request(0, 3)).await.unwrap();
    witness.know(journals(&[TAX]));
    assert_eq!(refused(&witness, &log.request(3, 5)).await, (404, None));
    assert!(
        witness.last(&log_hash(CIVIL)).is_some(),
        "what was cosigned stays to be seen"
    );
    witness.know(journals(&[CIVIL]));
    witness.add(&log.request(3, 5)).await.unwrap();
}

#[test]
fn one_process_at_a_time_has_the_file() {
    let dir = temporary();
    let _first = open(&dir);
    let second = open_on(&Flaky::default(), &dir).unwrap_err();
    assert!(matches!(second, WitnessError::Locked { .. }), "{second}");
}

#[test]
fn a_log_is_named_by_the_hash_of_its_origin() {
    let vector = "59aa33a3c4a78a9b4394259050d09f9beebe425ab6e32ad7a6d297a15dbf1a53";
    assert_eq!(log_hash("gw.tax.example/audit"), vector);
}
