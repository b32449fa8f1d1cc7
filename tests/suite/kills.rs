//! Gateways that are killed again and again under load: what was answered is in both journals, every time.
//!
//! `LANDBRIDGE_KILLS` says how often (12 if it does not), `LANDBRIDGE_SEED` by which random numbers.

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use landbridge::audit::Kind;
use landbridge::audit::Leaf;
use landbridge::audit::Outcome;
use landbridge::audit::reader::Reader;
use landbridge::audit::reconcile::mirror::Mirror;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::query_records_response::Part;
use landbridge::registry::query::question::Question;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Streaming;
use uuid::Uuid;

use crate::harness::PATIENCE;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Asker;
use crate::harness::client::header;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;

const KILLS: u64 = 12;
const CLIENTS: u64 = 16;
/// One in so many requests is a stream.
const STREAMS: u64 = 8;
/// Before a kill come fewer answers than this.
const ANSWERS: u64 = 100;

/// Something that a client got of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Got {
    /// A whole answer.
    Answer,
    /// A stream with its trailer.
    Stream,
    /// The beginning of a stream.
    Header,
}

/// Clients that ask until they are told to leave; what they get comes in as they get it.
struct Crowd {
    clients: JoinSet<()>,
    got: mpsc::UnboundedReceiver<(ExchangeId, Got)>,
    leave: Arc<AtomicBool>,
}

impl Crowd {
    fn at(world: &World, random: &mut Random) -> Self {
        let (sender, got) = mpsc::unbounded_channel();
        let (mut clients, leave) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        for _ in 0..CLIENTS {
            let asker = world.system("tax", "assessment");
            let (random, sender, leave) = (Random(random.next()), sender.clone(), leave.clone());
            clients.spawn(ask_on(asker, random, sender, leave));
        }
        Self {
            clients,
            got,
            leave,
        }
    }

    /// The next answers, so many of them.
    async fn gets(&mut self, answers: u64) -> Vec<(ExchangeId, Got)> {
        let mut all = Vec::new();
        let mut whole = 0;
        while whole < answers {
            let got = timeout(PATIENCE, self.got.recv()).await;
            let got = got.expect("answers go on").unwrap();
            whole += u64::from(got.1 != Got::Header);
            all.push(got);
        }
        all
    }

    /// What came besides, when all have left.
    async fn leaves(mut self) -> Vec<(ExchangeId, Got)> {
        self.leave.store(true, Ordering::Relaxed);
        let left = timeout(PATIENCE, self.clients.join_all()).await;
        left.expect("nobody waits for an answer that does not come");
        std::iter::from_fn(|| self.got.try_recv().ok()).collect()
    }
}

async fn ask_on(
    asker: Asker,
    mut random: Random,
    got: mpsc::UnboundedSender<(ExchangeId, Got)>,
    leave: Arc<AtomicBool>,
) {
    // So that refusals, which come at once while a gateway is down, are not asked for without end.
    let mut refusals = tokio::time::interval(Duration::from_millis(5));
    while !leave.load(Ordering::Relaxed) {
        let asked = match random.below(STREAMS) {
            0 => Asked::query(""),
            _ => Asked::get(&Resident(7).key()),
        };
        if ask(&asker, &asked, &got).await.is_none() {
            refusals.tick().await;
        }
    }
}

/// None if it was refused or broke off.
async fn ask(
    asker: &Asker,
    asked: &Asked,
    got: &mpsc::UnboundedSender<(ExchangeId, Got)>,
) -> Option<()> {
    // The receiver is there as long as anybody asks.
    let tell = |exchange, what| got.send((exchange, what)).unwrap();
    if let Question::Get { .. } = asked.question {
        tell(asker.ask(asked).await.ok()?.exchange(), Got::Answer);
        return Some(());
    }
    let mut stream = asker.open(asked).await.ok()?;
    let info = header(&mut stream).await.ok()?;
    let exchange = info.exchange_id.parse().unwrap();
    tell(exchange, Got::Header);
    rest(stream).await?;
    tell(exchange, Got::Stream);
    Some(())
}

/// Reads a stream on behind its header; None if it breaks off.
async fn rest(mut stream: Streaming<pb::QueryRecordsResponse>) -> Option<()> {
    let mut whole = None;
    while let Some(told) = stream.message().await.ok()? {
        if let Some(Part::Trailer(_)) = told.part {
            whole = Some(());
        }
    }
    whole
}

/// The leaves of one journal's exchanges, read as they become more.
struct Book {
    department: &'static str,
    read: u64,
    leaves: BTreeMap<ExchangeId, Vec<(u64, Leaf)>>,
}

impl Book {
    fn of(department: &'static str) -> Self {
        Self {
            department,
            read: 0,
            leaves: BTreeMap::new(),
        }
    }

    /// Keeps what came since it was read last.
    fn read_on(&mut self, world: &World) {
        self.leaves.clear();
        let journal = world.journal(self.department);
        for stored in Reader::open(journal.dir()).forward(self.read).unwrap() {
            let stored = stored.unwrap();
            self.read = stored.index + 1;
            if let Some(exchange) = stored.leaf.exchange {
                let leaves = self.leaves.entry(exchange).or_default();
                leaves.push((stored.index, stored.leaf));
            }
        }
    }

    fn of_kind(&self, exchange: ExchangeId, kind: Kind) -> (u64, Leaf) {
        let leaves = self.leaves.get(&exchange).map_or(&[][..], Vec::as_slice);
        let mut of_kind = leaves.iter().filter(|(_, leaf)| leaf.kind == kind);
        let found = of_kind.next();
        let department = self.department;
        *found.unwrap_or_else(|| panic!("{department} has no {kind} of {exchange}: {leaves:?}"))
    }
}

/// What was got is in both journals as the same.
fn assert_logged(tax: &Book, civil: &Book, exchange: ExchangeId, got: Got) {
    let kinds: &[Kind] = match got {
        Got::Answer => &[Kind::Exchange],
        Got::Header => &[Kind::Intent],
        Got::Stream => &[Kind::Intent, Kind::StreamEnd],
    };
    for &kind in kinds {
        let (_, ours) = tax.of_kind(exchange, kind);
        let (index, theirs) = civil.of_kind(exchange, kind);
        assert_eq!(
            ours.exchange_digest, theirs.exchange_digest,
            "{exchange} {kind}"
        );
        assert_eq!(
            ours.peer.map(|peer| peer.index),
            Some(index),
            "{exchange} {kind}"
        );
        if kind != Kind::Intent {
            let outcomes = (ours.outcome, theirs.outcome);
            assert_eq!(
                outcomes,
                (Outcome::Answered, Outcome::Answered),
                "{exchange} {kind}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_in_both_journals_however_often_gateways_are_killed() {
    let kills = number("LANDBRIDGE_KILLS").unwrap_or(KILLS);
    let seed = number("LANDBRIDGE_SEED").unwrap_or_else(|| Uuid::now_v7().as_u64_pair().1);
    eprintln!("{kills} kills by the random numbers of LANDBRIDGE_SEED={seed}");
    let mut random = Random(seed);
    let world = World::witnessed(100).await;
    world.amend("\"200/s\"", "\"100000/s\"");
    world.amend("50000", "4000000000");
    let (mut civil, mut tax) = world.pair().await;
    let mut books = [Book::of("tax"), Book::of("civil")];
    let mut answers = 0;
    for _ in 0..kills {
        let mut crowd = Crowd::at(&world, &mut random);
        let mut got = crowd.gets(random.below(ANSWERS)).await;
        let both = strike(&world, civil, tax, &mut random, crowd).await;
        (civil, tax) = both.0;
        got.extend(both.1);
        books.iter_mut().for_each(|book| book.read_on(&world));
        for (exchange, what) in &got {
            assert_logged(&books[0], &books[1], *exchange, *what);
        }
        answers += got.iter().filter(|(_, what)| *what != Got::Header).count();
    }
    for gateway in [&mut tax, &mut civil] {
        gateway.signal("TERM");
        assert!(gateway.ended().await.success());
    }
    let agreed = assert_agreed(&world);
    eprintln!(
        "{answers} answers before {kills} kills, all in both journals, which agree on {agreed}"
    );
    assert!(agreed >= answers as u64);
}

/// Kills one of the two, or both, lets the crowd leave, and starts again what was killed.
async fn strike(
    world: &World,
    civil: Gateway,
    tax: Gateway,
    random: &mut Random,
    crowd: Crowd,
) -> ((Gateway, Gateway), Vec<(ExchangeId, Got)>) {
    match random.below(3) {
        0 => {
            civil.kill();
            let got = crowd.leaves().await;
            ((world.start("civil").await, tax), got)
        }
        1 => {
            tax.kill();
            let got = crowd.leaves().await;
            ((civil, world.start("tax").await), got)
        }
        _ => {
            civil.kill();
            tax.kill();
            let got = crowd.leaves().await;
            // Each is the other's witness, and ready when that one answers.
            (world.pair().await, got)
        }
    }
}

/// Both verify, no stream is open, and nothing is alarming; gives on how many exchanges they agree.
fn assert_agreed(world: &World) -> u64 {
    let [tax, civil] = ["tax", "civil"].map(|department| {
        let journal = world.journal(department);
        let report = journal.verified();
        assert_eq!(report.open_streams, <[u64; 0]>::default(), "{department}");
        Mirror::open(journal.dir(), &[journal.vkey()]).unwrap()
    });
    let compared = tax.against(&civil);
    let alarming: Vec<_> = compared
        .differences
        .iter()
        .filter(|difference| difference.class.is_alarm())
        .collect();
    assert!(alarming.is_empty(), "{alarming:?}");
    compared.agreed
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a test runs is no setting of the gateway"
)]
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: `{text}`")),
    )
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
