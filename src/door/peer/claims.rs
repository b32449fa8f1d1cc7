//! What peers claim and cause at the peers door, bounded by the hour: true alarms must not drown in invented ones.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::PeerDoor;
use crate::clock::Moment;
use crate::door::admission::AdmissionRefusal;
use crate::door::status;
use crate::evidence::reconcile::Difference;
use crate::exchange::refusal::TOO_MANY_REFUSALS;
use crate::hourly::Hourly;
use crate::hourly::HourlyCount;
use crate::identity::Door;
use crate::identity::spiffe::SpiffeId;
use crate::journal::Entry;
use crate::journal::Role;
use crate::name::DepartmentId;
use crate::pb;

/// Comparisons that are put on record: of windows of a minute, as many as ten hours have.
const COMPARISONS: u64 = 600;
/// Changes that a peer may tell of.
const NOTICES: u64 = 600;
const HOUR_MS: u32 = 3_600_000;
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// By peer and hour.
#[derive(Debug, Default)]
pub(super) struct Claims {
    comparisons: Hourly<DepartmentId>,
    notices: Hourly<DepartmentId>,
    /// Comparisons that differ, for the log.
    differing: Hourly<DepartmentId>,
    /// Claims of exchanges in windows in which this gateway had none with the peer.
    unfounded: Hourly<(DepartmentId, ClaimKind)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ClaimKind {
    Windows,
    Exchanges,
}

impl Claims {
    /// A peer that has others put so much on record must wait.
    pub(super) fn compare(&self, peer: &DepartmentId, now: Moment) -> Result<(), Status> {
        let before = self.comparisons.add(peer.clone(), 1, now);
        if before < COMPARISONS {
            Ok(())
        } else {
            Err(status::of_admission(AdmissionRefusal::OverShare))
        }
    }

    pub(super) fn notify(&self, peer: &DepartmentId, now: Moment) -> Result<(), Status> {
        let before = self.notices.add(peer.clone(), 1, now);
        if before < NOTICES {
            Ok(())
        } else {
            Err(status::of_admission(AdmissionRefusal::OverShare))
        }
    }

    /// Whether it is the first difference of the peer in this hour.
    pub(super) fn differs(&self, peer: &DepartmentId, now: Moment) -> bool {
        self.differing.add(peer.clone(), 1, now) == 0
    }

    /// Whether it is the peer's first claim without a ground in this hour: the only one that has an entry of its own.
    fn is_first(&self, peer: &DepartmentId, found: &[Difference], now: Moment) -> bool {
        let exchanges = (peer.clone(), ClaimKind::Exchanges);
        self.unfounded.add(exchanges, found.len() as u64, now);
        self.unfounded
            .add((peer.clone(), ClaimKind::Windows), 1, now)
            == 0
    }
}

impl PeerDoor {
    /// Whether a claim is to be put on record now. Beyond the first one of the hour it is counted.
    pub(super) fn is_to_be_recorded(&self, peer: &DepartmentId, found: &[Difference]) -> bool {
        self.claims
            .is_first(peer, found, self.exchange.clock().now())
    }

    /// Puts on record, until the gateway stops, what was claimed without a ground in each hour.
    pub async fn sum_up(self, stop: CancellationToken) {
        let mut look = tokio::time::interval(CHECK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let now = self.exchange.clock().now();
            let Claims {
                comparisons,
                notices,
                differing,
                ..
            } = &*self.claims;
            for bounded in [comparisons, notices, differing] {
                // They bound an hour; how much it was, nobody needs to know.
                drop(bounded.take_over(now));
            }
            self.record_unfounded(self.claims.unfounded.take_over(now))
                .await;
            self.record_refusals(self.exchange.refusals().take_over(now))
                .await;
        }
        self.record_unfounded(self.claims.unfounded.take_all())
            .await;
        self.record_refusals(self.exchange.refusals().take_all())
            .await;
    }

    /// How many questions of each peer were refused beyond those that have an entry each.
    async fn record_refusals(&self, refused: Vec<(DepartmentId, u64)>) {
        for (peer, times) in refused {
            let id = SpiffeId::department_of(self.domain.clone(), peer).to_string();
            let entry = Entry::connections(id, Door::Peers.as_str(), TOO_MANY_REFUSALS, times);
            if let Err(error) = self.books.journal().append(entry).await {
                tracing::error!(%error, times, "that questions of a peer were refused is not on record");
            }
        }
    }

    async fn record_unfounded(&self, counted: Vec<HourlyCount<(DepartmentId, ClaimKind)>>) {
        let mut by_peer: BTreeMap<(DepartmentId, Moment), (u64, u64)> = BTreeMap::new();
        for HourlyCount { since, key, count } in counted {
            let (peer, claimed) = key;
            let (windows, exchanges) = by_peer.entry((peer, since)).or_default();
            *(match claimed {
                ClaimKind::Windows => windows,
                ClaimKind::Exchanges => exchanges,
            }) += count;
        }
        for ((peer, since), (windows, exchanges)) in by_peer {
            // The first one has an entry of its own.
            if windows <= 1 {
                continue;
            }
            tracing::error!(%peer, windows, exchanges, "a peer claimed exchanges within an hour that nobody had with it");
            let record = pb::ReconciliationRecord {
                peer: peer.to_string(),
                side: Role::Provider.as_str().to_owned(),
                window_start_ms: u64::try_from(since.millis()).unwrap_or(0),
                window_ms: HOUR_MS,
                differing: exchanges,
                unfounded: windows,
                ..Default::default()
            };
            let written = self.books.journal().append(Entry::reconciliation(record));
            if let Err(error) = written.await {
                tracing::error!(%error, "what a peer claimed is not on record");
            }
        }
    }
}
