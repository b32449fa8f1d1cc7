//! Connections that were turned away: each counts, few of them are told one by one.

use std::net::SocketAddr;
use std::time::Duration;

use super::tally::RepeatedEvent;
use super::tally::Tally;
use crate::identity::Door;
use crate::identity::acceptor::HandshakeRefused;
use crate::identity::network::Network;
use crate::identity::refusal::TrustRefusal;
use crate::journal::Entry;
use crate::journal::Journal;

/// From one count for the log to the next, and so many of them from one for the journal to the next.
const COUNT_EVERY: Duration = Duration::from_secs(60);
const COUNTS_AN_ENTRY: u32 = 60;

/// Why, and whom it was who proved to be somebody; nothing for a stranger.
type Kind = (&'static str, String);

/// What is to be told of one door's refusals.
#[derive(Debug)]
pub(super) struct RefusalReports {
    door: Door,
    journal: Journal,
    for_log: Tally<Kind>,
    /// Only of those who proved to be somebody.
    for_journal: Tally<Kind>,
}

impl RefusalReports {
    pub(super) fn new(door: Door, journal: Journal) -> Self {
        Self {
            door,
            journal,
            for_log: Tally::default(),
            for_journal: Tally::default(),
        }
    }

    pub(super) async fn report(&self, from: SocketAddr, refused: &HandshakeRefused) {
        let (door, reason) = (self.door.as_str(), refused.reason());
        metrics::counter!("landbridge_handshakes_refused_total", "door" => door, "reason" => reason).increment(1);
        let network = Network::of(from.ip());
        let identified = refused.trust().and_then(TrustRefusal::identified);
        let peer = identified.map(ToString::to_string).unwrap_or_default();
        if self.for_log.add((reason, peer.clone()), network) {
            match peer.is_empty() {
                true => tracing::info!(door, %from, reason, error = %refused, "connection refused"),
                false => {
                    tracing::warn!(door, %from, reason, peer, error = %refused, "connection refused");
                }
            }
        }
        if !peer.is_empty() && self.for_journal.add((reason, peer.clone()), network) {
            self.record(peer, reason, 1).await;
        }
    }

    /// Counts for the log and now and then for the journal, for as long as it is polled.
    pub(super) async fn count(&self) {
        let mut ticks = tokio::time::interval(COUNT_EVERY);
        // The first is at once.
        ticks.tick().await;
        loop {
            for _ in 0..COUNTS_AN_ENTRY {
                ticks.tick().await;
                self.sum_up();
            }
            self.put_on_record().await;
        }
    }

    /// What is left when the door closes.
    pub(super) async fn close(&self) {
        self.sum_up();
        self.put_on_record().await;
    }

    fn sum_up(&self) {
        let door = self.door.as_str();
        for repeated in self.for_log.count() {
            let RepeatedEvent {
                kind: (reason, peer),
                times,
                networks,
                most_from,
            } = repeated;
            let most_from = most_from.map(|network| network.to_string());
            tracing::warn!(
                door,
                reason,
                peer,
                times,
                networks,
                most_from,
                "more connections refused"
            );
        }
    }

    async fn put_on_record(&self) {
        for RepeatedEvent {
            kind: (reason, peer),
            times,
            ..
        } in self.for_journal.count()
        {
            self.record(peer, reason, times).await;
        }
    }

    async fn record(&self, peer: String, reason: &'static str, times: u64) {
        let entry = Entry::connections(peer, self.door.as_str(), reason, times);
        if let Err(error) = self.journal.append(entry).await {
            tracing::error!(%error, "the refusal of a connection is not on record");
        }
    }
}
