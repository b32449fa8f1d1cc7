//! Compares this gateway's journal with those of the departments that it asks, window by window.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::audit::Entry;
use crate::audit::Role;
use crate::audit::Unwritten;
use crate::audit::index::IndexError;
use crate::audit::reconcile::Difference;
use crate::audit::reconcile::Item;
use crate::audit::reconcile::Standing;
use crate::audit::reconcile::Summary;
use crate::audit::reconcile::books::Books;
use crate::audit::reconcile::disagreements;
use crate::audit::reconcile::part_summaries;
use crate::audit::reconcile::parts;
use crate::audit::reconcile::summary;
use crate::audit::reconcile::tell;
use crate::audit::reconcile::window::Window;
use crate::clock::Moment;
use crate::config::ReconciliationConfig;
use crate::exchange::Exchange;
use crate::name::DepartmentId;
use crate::pb;
use crate::pb::peer_service_client::PeerServiceClient;
use crate::source::channel::Channel;
use crate::source::peer::channel::Peers;

/// A peer's answer may be as long as the items of all parts.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The items that are told at a time; where more differ, the rest is counted only.
const MAX_ITEMS: u64 = 8_192;

/// How long one peer's round may take; what is left goes on in the next.
const PATIENCE: Duration = Duration::from_secs(30);
/// How far back a start looks for where it left off, in microseconds: a week. What is older is compared offline.
const LOOK_BACK_US: i64 = 7 * 86_400 * 1_000_000;

/// Owns how far each department's journal has been compared with ours.
pub(super) struct Reconciler {
    exchange: Arc<Exchange>,
    peers: Arc<Peers>,
    books: Arc<Books>,
    config: ReconciliationConfig,
    /// The next window of each provider.
    next: BTreeMap<DepartmentId, Window>,
    /// Those of whom it has been told already that they could not be compared with.
    late: BTreeSet<DepartmentId>,
}

/// One of the 256 parts, in which the two sides differ.
struct Part {
    number: u8,
    /// Of the side that has more of them.
    items: u64,
}

/// Why a window has not been compared. It is tried again.
#[derive(Debug, thiserror::Error)]
enum NotCompared {
    #[error("the peer does not answer: {}", .0.message())]
    Peer(Box<Status>),
    #[error("the peer takes too long")]
    Late,
    #[error("the peer's answer makes no sense")]
    Garbled,
    #[error("the journal's index cannot be read")]
    Index(#[from] IndexError),
    #[error("the journal's index does not follow yet")]
    Behind,
    #[error("the comparison is not on record")]
    Unwritten(#[from] Unwritten),
    #[error("the comparison was given up")]
    GivenUp(#[from] tokio::task::JoinError),
}

impl From<Status> for NotCompared {
    fn from(status: Status) -> Self {
        Self::Peer(Box::new(status))
    }
}

impl Reconciler {
    pub(super) fn new(
        exchange: Arc<Exchange>,
        peers: Arc<Peers>,
        books: Books,
        config: ReconciliationConfig,
    ) -> Self {
        Self {
            exchange,
            peers,
            books: Arc::new(books),
            config,
            next: BTreeMap::new(),
            late: BTreeSet::new(),
        }
    }

    /// Runs until the gateway stops.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let every = self
            .config
            .window
            .clamp(Duration::from_secs(1), Duration::from_secs(10));
        let mut round = tokio::time::interval(every);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(round.tick()).await.is_some() {
            let compared = stop.run_until_cancelled(self.round()).await;
            if compared.is_none() {
                return;
            }
        }
    }

    /// Compares what is due with each department that an agreement lets us ask.
    async fn round(&mut self) {
        let snapshot = self.exchange.snapshot();
        let own = self.exchange.department();
        let agreements = snapshot.policy.agreements();
        let mut providers: Vec<_> = agreements
            .filter(|agreement| agreement.consumer == *own)
            .map(|agreement| agreement.provider.clone())
            .collect();
        providers.sort();
        providers.dedup();
        for provider in providers {
            let Some(department) = snapshot.directory.department(&provider) else {
                continue;
            };
            let channel = self.peers.channel(department);
            // One that does not answer must not keep the others from being compared.
            let compared = timeout(PATIENCE, self.catch_up(&provider, channel)).await;
            match compared.unwrap_or(Err(NotCompared::Late)) {
                Ok(()) => _ = self.late.remove(&provider),
                Err(error) if self.late.insert(provider.clone()) => {
                    tracing::warn!(peer = %provider, %error, "the journals are not compared yet");
                }
                Err(_) => {}
            }
        }
    }

    async fn catch_up(
        &mut self,
        provider: &DepartmentId,
        channel: Channel,
    ) -> Result<(), NotCompared> {
        let now = self.exchange.clock().now();
        let mut window = match self.next.get(provider) {
            Some(next) => *next,
            None => self.first(provider.clone(), now).await?,
        };
        while self.is_due(window, now) {
            self.compare(provider, channel.clone(), window).await?;
            window = window.next();
            self.next.insert(provider.clone(), window);
        }
        self.next.insert(provider.clone(), window);
        Ok(())
    }

    /// Where an earlier run left off, as the journal tells.
    async fn first(&self, provider: DepartmentId, now: Moment) -> Result<Window, NotCompared> {
        let books = self.books.clone();
        let since = Moment::from_micros(now.micros().saturating_sub(LOOK_BACK_US));
        let look = move || books.compared_until(&provider, since);
        let last = tokio::task::spawn_blocking(look).await??;
        // The settings may have been given another length of window since.
        Ok(Window::containing(last, self.config.window))
    }

    /// A while after its end, so that late answers and their entries are in.
    fn is_due(&self, window: Window, now: Moment) -> bool {
        let after = i64::try_from(self.config.after.as_micros()).unwrap_or(i64::MAX);
        now.micros() >= window.end().micros().saturating_add(after)
    }

    async fn compare(
        &self,
        provider: &DepartmentId,
        channel: Channel,
        window: Window,
    ) -> Result<(), NotCompared> {
        let items = self.items(provider.clone(), window).await?;
        let own = summary(&items);
        let mut client = PeerServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER);
        let asked = pb::CompareExchangesRequest {
            window: Some(window.into()),
            all: Some((&own).into()),
        };
        let told = client.compare_exchanges(asked).await?.into_inner();
        let theirs = Summary::read(told.all.as_ref()).ok_or(NotCompared::Garbled)?;
        let found = if theirs == own {
            // What got no answer is not in the summaries.
            disagreements(&items, &shared(&items))
        } else {
            let differing = differing(&items, &told.parts)?;
            let found = self
                .settle(&mut client, window, &own, &items, differing)
                .await?;
            if found.is_empty() {
                // Its parts do not add up to what it says of the whole.
                return Err(NotCompared::Garbled);
            }
            found
        };
        self.record(provider, window, (&own, &theirs), &found).await
    }

    /// Tells what we have of the parts that differ, and learns what the peer has.
    async fn settle(
        &self,
        client: &mut PeerServiceClient<Channel>,
        window: Window,
        own: &Summary,
        items: &[Item],
        differing: Vec<Part>,
    ) -> Result<Vec<Difference>, NotCompared> {
        let mut in_parts = Vec::new();
        let mut told = Vec::new();
        let (mut by_part, mut room) = (parts(items), MAX_ITEMS);
        for part in differing {
            if !told.is_empty() && part.items > room {
                break;
            }
            room = room.saturating_sub(part.items);
            told.push(part.number);
            in_parts.extend(by_part.remove(&part.number).unwrap_or_default());
        }
        let asked = pb::SettleExchangesRequest {
            window: Some(window.into()),
            all: Some(own.into()),
            parts: told.clone().into(),
            items: in_parts.iter().map(Into::into).collect(),
        };
        let answer = client.settle_exchanges(asked).await?.into_inner();
        let theirs = Item::read_all(&answer.items, window, &told).ok_or(NotCompared::Garbled)?;
        Ok(disagreements(&in_parts, &theirs))
    }

    async fn record(
        &self,
        provider: &DepartmentId,
        window: Window,
        (own, theirs): (&Summary, &Summary),
        found: &[Difference],
    ) -> Result<(), NotCompared> {
        if own.count == 0 && theirs.count == 0 && found.is_empty() {
            return Ok(());
        }
        tell(provider, Role::Consumer, found);
        let record = window.record(provider, Role::Consumer, own, theirs, found);
        self.books
            .journal()
            .append(Entry::reconciliation(record))
            .await?;
        Ok(())
    }

    /// What we have on record, once the index has all that is in the journal now.
    async fn items(
        &self,
        provider: DepartmentId,
        window: Window,
    ) -> Result<Vec<Item>, NotCompared> {
        let (books, size) = (self.books.clone(), self.books.size());
        let look = move || books.items(size, &provider, Role::Consumer, window);
        tokio::task::spawn_blocking(look)
            .await??
            .ok_or(NotCompared::Behind)
    }
}

fn shared(items: &[Item]) -> Vec<Item> {
    let shared = items
        .iter()
        .filter(|item| item.standing == Standing::Shared);
    shared.copied().collect()
}

/// The parts of which the two sides do not have the same.
fn differing(items: &[Item], theirs: &[pb::ExchangeSummary]) -> Result<Vec<Part>, NotCompared> {
    let theirs: Option<Vec<_>> = theirs
        .iter()
        .map(|part| Summary::read(Some(part)))
        .collect();
    let own = part_summaries(items);
    let theirs = theirs
        .filter(|theirs| theirs.len() == own.len())
        .ok_or(NotCompared::Garbled)?;
    let pairs = (0..=u8::MAX).zip(own.iter().zip(&theirs));
    let differing = pairs.filter(|(_, (own, theirs))| own != theirs);
    Ok(differing
        .map(|(number, (own, theirs))| Part {
            number,
            items: own.count.max(theirs.count),
        })
        .collect())
}
