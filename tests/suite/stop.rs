//! How a gateway ends: told to stop it finishes what it let in; killed, it has lost no account of what it gave.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use landbridge::name::ExchangeId;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Asker;
use crate::harness::client::broken;
use crate::harness::client::header;
use crate::harness::client::read;
use crate::harness::records::Resident;

/// Clients that ask one thing after another until they are not answered any more.
struct Crowd {
    clients: JoinSet<Vec<ExchangeId>>,
    answered: Arc<(AtomicUsize, Notify)>,
}

impl Crowd {
    fn of(size: usize, asker: impl Fn() -> Asker) -> Self {
        let answered = Arc::new((AtomicUsize::new(0), Notify::new()));
        let mut clients = JoinSet::new();
        for _ in 0..size {
            let (asker, answered) = (asker(), answered.clone());
            clients.spawn(async move {
                let mut exchanges = Vec::new();
                while let Ok(answer) = asker.ask(&Asked::get(&Resident(7).key())).await {
                    exchanges.push(answer.exchange());
                    answered.0.fetch_add(1, Ordering::Relaxed);
                    answered.1.notify_one();
                }
                exchanges
            });
        }
        Self { clients, answered }
    }

    /// Waits until so many answers have come.
    async fn has(&self, answers: usize) {
        while self.answered.0.load(Ordering::Relaxed) < answers {
            self.answered.1.notified().await;
        }
    }

    /// All answers that were got.
    async fn done(self) -> Vec<ExchangeId> {
        self.clients.join_all().await.concat()
    }
}

#[tokio::test]
async fn a_stop_under_load_loses_no_request_that_was_let_in() {
    let world = World::new().await;
    let (mut civil, mut tax) = world.pair().await;
    let crowd = Crowd::of(8, || world.system("tax", "assessment"));
    crowd.has(50).await;
    tax.stops().await;
    let mut got = crowd.done().await;
    got.sort();

    let journal = world.journal("tax");
    let entries = journal.entries();
    let mut answered: Vec<_> = entries
        .iter()
        .filter(|entry| entry.reason() == "answered")
        .filter_map(|entry| entry.leaf.exchange)
        .collect();
    answered.sort();
    assert_eq!(
        got, answered,
        "every answer that is on record reached its client"
    );
    assert_eq!(entries.last().unwrap().reason(), "stopped");
    journal.verified();

    civil.stops().await;
    let unfinished = |entry: &crate::harness::journal::Entry| {
        !["answered", "started", "stopped"].contains(&entry.reason())
    };
    assert!(
        !world.journal("civil").entries().iter().any(unfinished),
        "{}",
        world.journal("civil").text()
    );
}

#[tokio::test]
async fn a_stop_lets_a_stream_come_to_its_end() {
    let world = World::with_bulk(3_000).await;
    let (_civil, mut tax) = world.pair().await;
    let stream = world
        .system("tax", "assessment")
        .open(&Asked::query(""))
        .await
        .unwrap();
    tax.signal("TERM");
    tax.told("stopping: finishing what is under way").await;
    assert_eq!(tax.page("/readyz").await, (503, "stopping\n".to_owned()));
    let answer = read(stream).await.unwrap();
    assert_eq!(answer.records.len(), Resident::shared(3_000).count());
    assert!(tax.ended().await.success());
    let entries = world.journal("tax").entries();
    let reasons: Vec<_> = entries
        .iter()
        .map(|entry| entry.reason().to_owned())
        .collect();
    assert_eq!(reasons, ["started", "opened", "answered", "stopped"]);
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_its_limit_for_a_stream_that_nobody_reads() {
    let world = World::with_bulk(3_000).await;
    let (_civil, mut tax) = tokio::join!(
        world.start("civil"),
        world.start_with("tax", &[("LIMITS__DRAIN_DEADLINE", "500ms")])
    );
    let mut stream = world
        .system("tax", "assessment")
        .open(&Asked::query(""))
        .await
        .unwrap();
    let exchange = header(&mut stream)
        .await
        .unwrap()
        .exchange_id
        .parse()
        .unwrap();
    tax.stops().await;

    let entries = world.journal("tax").entries();
    let reasons: Vec<_> = entries.iter().map(|entry| entry.reason()).collect();
    assert_eq!(reasons, ["started", "opened", "STOPPING", "stopped"]);
    assert_eq!(
        world.journal("civil").end_of(exchange).await.reason,
        "CLIENT_GONE"
    );
}

#[tokio::test]
async fn a_stopping_gateway_takes_no_new_connection() {
    let world = World::with_bulk(3_000).await;
    let (_civil, mut tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    let stream = system.open(&Asked::query("")).await.unwrap();
    tax.signal("TERM");
    tax.told("stopping: finishing what is under way").await;
    let refused = world
        .system("tax", "assessment")
        .ask(&Asked::get(&Resident(7).key()))
        .await
        .err()
        .unwrap();
    // Nobody listens, or what the system had taken for the gateway just before is cut: no gateway answers.
    assert!(refused.is_cut(), "{refused:?}");
    drop(stream);
    assert!(tax.ended().await.success());
}

#[tokio::test]
async fn a_killed_gateway_has_an_entry_for_every_answer_it_gave() {
    let world = World::new().await;
    let (civil, tax) = world.pair().await;
    let crowd = Crowd::of(8, || world.system("tax", "assessment"));
    crowd.has(100).await;
    tax.kill();
    let got = crowd.done().await;
    civil.kill();

    let (_civil, _tax) = world.pair().await;
    for department in ["tax", "civil"] {
        let journal = world.journal(department);
        journal.verified();
        let entries = journal.entries();
        for exchange in &got {
            let answered =
                |entry: &&crate::harness::journal::Entry| entry.leaf.exchange == Some(*exchange);
            let found: Vec<_> = entries
                .iter()
                .filter(answered)
                .map(|entry| entry.reason())
                .collect();
            assert_eq!(found, ["answered"], "{exchange} at {department}");
        }
    }
    world
        .system("tax", "assessment")
        .ask(&Asked::get(&Resident(7).key()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_killed_gateway_closes_its_open_streams_at_the_next_start() {
    let world = World::with_bulk(3_000).await;
    let (civil, _tax) = world.pair().await;
    let mut stream = world
        .system("tax", "assessment")
        .open(&Asked::query(""))
        .await
        .unwrap();
    let exchange = header(&mut stream)
        .await
        .unwrap()
        .exchange_id
        .parse()
        .unwrap();
    civil.kill();
    let _civil = world.start("civil").await;
    assert_eq!(
        world.journal("civil").end_of(exchange).await.reason,
        "INTERRUPTED"
    );
    let refused = broken(stream).await;
    assert_eq!(refused.code, Code::Unavailable, "{refused:?}");
    assert_eq!(
        world.journal("tax").end_of(exchange).await.reason,
        "PEER_UNREACHABLE"
    );
}

#[tokio::test]
async fn a_restart_refills_no_quota_and_no_tries() {
    let world = World::new().await;
    world.amend("daily       = 50000", "daily       = 5\nverify_tries = 2");
    let (civil, tax) = world.pair().await;
    let (get, system) = (
        Asked::get(&Resident(7).key()),
        world.system("tax", "assessment"),
    );
    let wrong = Asked::verify(
        &Resident(9).key(),
        &[("full_name", "x"), ("national_id", "y")],
    );
    system.ask(&wrong).await.unwrap();
    for _ in 0..3 {
        system.ask(&get).await.unwrap();
    }
    civil.kill();
    tax.kill();

    let (_civil, _tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    assert_eq!(
        system.ask(&wrong).await.err().unwrap().reason,
        "TOO_MANY_TRIES"
    );
    system.ask(&get).await.unwrap();
    let refused = system.ask(&get).await.err().unwrap();
    assert!(
        refused.is(Code::ResourceExhausted, "QUOTA_EXHAUSTED"),
        "{refused:?}"
    );
}
