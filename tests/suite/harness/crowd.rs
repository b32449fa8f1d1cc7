//! Clients that ask on and on, whatever happens to the gateways.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use landbridge::name::ExchangeId;
use landbridge::pb;
use landbridge::pb::query_records_response::Part;
use landbridge::registry::query::question::Question;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Streaming;

use super::PATIENCE;
use super::World;
use super::asked::Asked;
use super::client::Asker;
use super::client::header;
use super::random::Random;
use super::records::Resident;

const CLIENTS: u64 = 16;
/// One in so many requests is a stream.
const STREAMS: u64 = 8;

/// Something that a client got of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Got {
    /// A whole answer.
    Answer,
    /// A stream with its trailer.
    Stream,
    /// The beginning of a stream.
    Header,
}

/// Clients that ask until they are told to leave; what they get comes in as they get it.
pub(crate) struct Crowd {
    clients: JoinSet<()>,
    got: mpsc::UnboundedReceiver<(ExchangeId, Got)>,
    leave: Arc<AtomicBool>,
}

/// The different records that reached anybody, as they came.
#[derive(Default)]
pub(crate) struct Records(Mutex<BTreeSet<Bytes>>);

impl Records {
    fn add(&self, records: Vec<Bytes>) {
        self.0.lock().unwrap().extend(records);
    }

    /// Asserts that each is one of the world's residents as the agreement releases it, and nothing more.
    pub(crate) fn assert_released(&self, world: &World) {
        let released: Vec<_> = Resident::shared(100).map(|one| one.released()).collect();
        let records = self.0.lock().unwrap();
        assert!(!records.is_empty());
        for record in records.iter() {
            let record = world.decode("civil.v1.Resident", record);
            assert!(released.contains(&record), "{record}");
        }
    }
}

impl Crowd {
    /// What reaches the clients is added to `records`.
    pub(crate) fn at(world: &World, random: &mut Random, records: &Arc<Records>) -> Self {
        let (sender, got) = mpsc::unbounded_channel();
        let (mut clients, leave) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        for _ in 0..CLIENTS {
            let asker = world.system("tax", "assessment");
            let (random, sender, leave) =
                (Random::new(random.next()), sender.clone(), leave.clone());
            let records = records.clone();
            clients.spawn(ask_on(asker, random, sender, records, leave));
        }
        Self {
            clients,
            got,
            leave,
        }
    }

    /// The next answers, so many of them.
    pub(crate) async fn gets(&mut self, answers: u64) -> Vec<(ExchangeId, Got)> {
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
    pub(crate) async fn leaves(mut self) -> Vec<(ExchangeId, Got)> {
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
    records: Arc<Records>,
    leave: Arc<AtomicBool>,
) {
    // So that refusals, which come at once while a gateway is down, are not asked for without end.
    let mut refusals = tokio::time::interval(Duration::from_millis(5));
    while !leave.load(Ordering::Relaxed) {
        let asked = match random.below(STREAMS) {
            0 => Asked::query(""),
            _ => Asked::get(&Resident(7).key()),
        };
        if ask(&asker, &asked, &got, &records).await.is_none() {
            refusals.tick().await;
        }
    }
}

/// None if it was refused or broke off.
async fn ask(
    asker: &Asker,
    asked: &Asked,
    got: &mpsc::UnboundedSender<(ExchangeId, Got)>,
    records: &Records,
) -> Option<()> {
    // The receiver is there as long as anybody asks.
    let tell = |exchange, what| got.send((exchange, what)).unwrap();
    if let Question::Get { .. } = asked.question {
        let answer = asker.ask(asked).await.ok()?;
        tell(answer.exchange(), Got::Answer);
        records.add(answer.records);
        return Some(());
    }
    let mut stream = asker.open(asked).await.ok()?;
    let info = header(&mut stream).await.ok()?;
    let exchange = info.exchange_id.parse().unwrap();
    tell(exchange, Got::Header);
    rest(stream, records).await?;
    tell(exchange, Got::Stream);
    Some(())
}

/// Reads a stream on after its header; None if it breaks off.
async fn rest(mut stream: Streaming<pb::QueryRecordsResponse>, records: &Records) -> Option<()> {
    let mut whole = None;
    while let Some(told) = stream.message().await.ok()? {
        match told.part {
            Some(Part::Batch(batch)) => records.add(batch.records),
            Some(Part::Trailer(_)) => whole = Some(()),
            Some(Part::Header(_)) | None => {}
        }
    }
    whole
}
