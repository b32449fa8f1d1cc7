//! Finds out what each department can answer for, this one among them, for the catalogue.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::time::MissedTickBehavior;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::exchange::Exchange;
use crate::exchange::snapshot::Snapshot;
use crate::identity::directory::Other;
use crate::pb;
use crate::pb::peer_service_client::PeerServiceClient;
use crate::source::peer::channel::Peers;

/// Departments that are asked at a time.
const AT_ONCE: usize = 8;
/// How long one department may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for offers, round by round.
pub(crate) struct Surveyor {
    exchange: Arc<Exchange>,
    peers: Arc<Peers>,
    every: Duration,
}

impl Surveyor {
    pub(crate) fn new(exchange: Arc<Exchange>, peers: Arc<Peers>, every: Duration) -> Self {
        Self {
            exchange,
            peers,
            every,
        }
    }

    /// Runs until the gateway stops.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut round = tokio::time::interval(self.every);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(round.tick()).await.is_some() {
            if stop.run_until_cancelled(self.round()).await.is_none() {
                return;
            }
        }
    }

    async fn round(&self) {
        let snapshot = self.exchange.snapshot();
        let own = self.exchange.department();
        self.own(&snapshot).await;
        let others = snapshot.directory.others(own);
        let others: Vec<_> = others.map(|other| self.of(other, &snapshot)).collect();
        stream::iter(others)
            .buffer_unordered(AT_ONCE)
            .collect::<()>()
            .await;
    }

    async fn own(&self, snapshot: &Snapshot) {
        let offers = snapshot.sources.offers(&snapshot.registry).await;
        let now = self.exchange.clock().now();
        let offers = offers.iter();
        let offers = offers.map(|(record, newest)| pb::Offer::of(record, newest.as_ref(), now));
        let own = self.exchange.department();
        snapshot
            .offers
            .set(own, offers.collect(), &snapshot.registry);
    }

    /// What one that does not answer has told before stays, with its time.
    async fn of(&self, department: Other<'_>, snapshot: &Snapshot) {
        let mut client = PeerServiceClient::new(self.peers.channel(department));
        let asked = timeout(PATIENCE, client.list_offers(pb::ListOffersRequest {})).await;
        match asked {
            Ok(Ok(told)) => {
                let offers = told.into_inner().offers;
                snapshot
                    .offers
                    .set(&department.id, offers, &snapshot.registry);
            }
            Ok(Err(status)) => {
                tracing::debug!(peer = %department.id, code = ?status.code(), "no offers were told");
            }
            Err(_) => tracing::debug!(peer = %department.id, "offers take too long"),
        }
    }
}
