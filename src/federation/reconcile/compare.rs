//! One window, compared with one department.

use std::sync::Arc;
use std::time::Duration;

use time::UtcOffset;
use tonic::Code;
use tonic::Status;

use crate::clock::Moment;
use crate::config::ReconciliationConfig;
use crate::evidence::index::IndexError;
use crate::evidence::reconcile::ClaimedState;
use crate::evidence::reconcile::Difference;
use crate::evidence::reconcile::Item;
use crate::evidence::reconcile::Summary;
use crate::evidence::reconcile::books::Books;
use crate::evidence::reconcile::disagreements;
use crate::evidence::reconcile::log;
use crate::evidence::reconcile::part_summaries;
use crate::evidence::reconcile::parts;
use crate::evidence::reconcile::summary;
use crate::evidence::reconcile::window::Window;
use crate::exchange::Exchange;
use crate::journal::AppendError;
use crate::journal::Entry;
use crate::journal::Role;
use crate::name::DepartmentId;
use crate::pb;
use crate::pb::peer_service_client::PeerServiceClient;
use crate::source::channel::Channel;

/// A peer's answer may be as long as the items of all parts.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The items that are told at a time.
const MAX_ITEMS: u64 = 8_192;
/// What has not been compared so many times as long after its end as a comparison takes is an alarm.
const OVERDUE_AFTER: u32 = 3;
/// How far back a start looks for where it left off, in microseconds: a week. What is older is compared offline.
const LOOK_BACK_US: i64 = 7 * 86_400 * 1_000_000;

/// Compares windows, and puts on record what comes of it.
pub(super) struct Comparer {
    pub(super) exchange: Arc<Exchange>,
    pub(super) books: Arc<Books>,
    pub(super) config: ReconciliationConfig,
}

/// One of the 256 parts, in which the two sides differ.
struct Part {
    number: u8,
    /// Of the side that has more of them.
    items: u64,
    theirs: Summary,
}

/// Why a window has not been compared. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCompared {
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
    Unwritten(#[from] AppendError),
    #[error("the comparison was given up")]
    GivenUp(#[from] tokio::task::JoinError),
}

impl From<Status> for NotCompared {
    fn from(status: Status) -> Self {
        Self::Peer(Box::new(status))
    }
}

impl NotCompared {
    /// Whether it may lie in the window, so that others can be compared meanwhile. The peer itself has answered: its own
    /// statuses have details, those of a connection have none.
    pub(super) fn is_of_the_window(&self) -> bool {
        match self {
            Self::Garbled | Self::Late => true,
            Self::Peer(status) => {
                status.code() != Code::ResourceExhausted && !status.details().is_empty()
            }
            Self::Index(_) | Self::Behind | Self::Unwritten(_) | Self::GivenUp(_) => false,
        }
    }
}

impl Comparer {
    /// Where an earlier run left off, as the journal tells.
    pub(super) async fn first(
        &self,
        provider: DepartmentId,
        now: Moment,
    ) -> Result<Window, NotCompared> {
        let books = self.books.clone();
        let since = Moment::from_micros(now.micros().saturating_sub(LOOK_BACK_US));
        let look = move || books.compared_until(&provider, since);
        let last = tokio::task::spawn_blocking(look).await??;
        // The settings may have been given another length of window since.
        Ok(Window::containing(last, self.config.window))
    }

    /// A while after its end, so that late answers and their entries are in.
    pub(super) fn is_due(&self, window: Window, now: Moment) -> bool {
        now.micros() >= after(window.end(), self.config.after)
    }

    /// Whether a window that is not compared should have been, and there is something to compare from then on.
    pub(super) async fn is_overdue(&self, provider: &DepartmentId, oldest: Window) -> bool {
        let takes = self.config.after.saturating_add(self.config.window);
        let patience = takes.saturating_mul(OVERDUE_AFTER);
        let now = self.exchange.clock().now();
        if now.micros() < after(oldest.end(), patience) {
            return false;
        }
        let (books, provider) = (self.books.clone(), provider.clone());
        let look = move || books.has_asked(&provider, oldest.start());
        // What cannot be looked up is not known to be compared.
        let looked = tokio::task::spawn_blocking(look).await;
        !matches!(looked, Ok(Ok(false)))
    }

    /// Puts on record that the journals are not compared from that window on.
    pub(super) async fn alarm(&self, provider: &DepartmentId, oldest: Window, why: String) {
        tracing::error!(peer = %provider, since = %oldest.start().at(UtcOffset::UTC), why, "the journals have not been compared for too long");
        let record = oldest.uncompared(provider, why);
        let written = self
            .books
            .journal()
            .append(Entry::reconciliation(record))
            .await;
        if let Err(error) = written {
            tracing::error!(%error, "an alarm is not on record");
        }
    }

    pub(super) async fn compare(
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
        let response = client.compare_exchanges(asked).await?.into_inner();
        let theirs = Summary::read(response.all.as_ref()).ok_or(NotCompared::Garbled)?;
        let found = if theirs == own {
            // What got no answer is not in the summaries.
            disagreements(&items, &shared(&items))
        } else {
            let differing = differing(&items, &response.parts)?;
            self.settle(&mut client, window, &own, &items, &differing)
                .await?
        };
        self.record(provider, window, (&own, &theirs), &found).await
    }

    /// Tells what we have of the parts that differ, and learns what the peer has. There may be nothing to disagree on in the
    /// end: an exchange whose answer we have no proof of is in the peer's summary only, and may be on record here as it is
    /// there.
    async fn settle(
        &self,
        client: &mut PeerServiceClient<Channel>,
        window: Window,
        own: &Summary,
        items: &[Item],
        differing: &[Part],
    ) -> Result<Vec<Difference>, NotCompared> {
        if differing.is_empty() {
            // Its parts do not add up to what it says of the whole.
            return Err(NotCompared::Garbled);
        }
        let mut by_part = parts(items);
        let mut rest = differing;
        let mut found = Vec::new();
        while found.is_empty()
            && let Some((told, left)) = rest.split_at_checked(fitting(rest))
            && !told.is_empty()
        {
            rest = left;
            let numbers: Vec<u8> = told.iter().map(|part| part.number).collect();
            let in_parts: Vec<Item> = numbers
                .iter()
                .flat_map(|number| by_part.remove(number).unwrap_or_default())
                .collect();
            let asked = pb::SettleExchangesRequest {
                window: Some(window.into()),
                all: Some(own.into()),
                parts: numbers.clone().into(),
                items: in_parts.iter().map(Into::into).collect(),
            };
            let answer = client.settle_exchanges(asked).await?.into_inner();
            let theirs = Item::read_all(&answer.items, window, &numbers);
            let theirs = theirs.ok_or(NotCompared::Garbled)?;
            let their_parts = parts(&theirs);
            let adds_up = |part: &Part| {
                let items = their_parts.get(&part.number).map_or(&[][..], Vec::as_slice);
                summary(items) == part.theirs
            };
            if !told.iter().all(adds_up) {
                return Err(NotCompared::Garbled);
            }
            found = disagreements(&in_parts, &theirs);
        }
        Ok(found)
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
        log(provider, Role::Consumer, found);
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

fn after(moment: Moment, span: Duration) -> i64 {
    let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    moment.micros().saturating_add(span)
}

/// How many parts are told in one message: at least one, if there is one.
fn fitting(parts: &[Part]) -> usize {
    let mut room = MAX_ITEMS;
    let fits = |part: &&Part| {
        let fits = part.items <= room || room == MAX_ITEMS;
        room = room.saturating_sub(part.items);
        fits
    };
    parts.iter().take_while(fits).count()
}

fn shared(items: &[Item]) -> Vec<Item> {
    let shared = items
        .iter()
        .filter(|item| item.standing == ClaimedState::Shared);
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
            theirs: *theirs,
        })
        .collect())
}
