//! The live connections of one door, or of the connector, so that each can be judged again and cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::clock::Moment;
use crate::identity::peer::Peer;
use crate::identity::refusal::TrustRefusal;
use crate::identity::shares::Shares;
use crate::identity::spiffe::SpiffeId;

#[derive(Debug)]
pub(super) struct Connections {
    live: Mutex<BTreeMap<u64, Peer>>,
    last: AtomicU64,
    slots: Arc<Semaphore>,
    max: u64,
    /// Of the slots whose holders are known.
    shares: Mutex<Shares<SpiffeId>>,
}

/// A place for one connection until it is closed.
#[derive(Debug)]
pub(super) struct Slot {
    connections: Arc<Connections>,
    /// In whose share it counts.
    holder: Option<SpiffeId>,
    _permit: OwnedSemaphorePermit,
}

/// The entry of a connection. Dropped with it, which takes the entry out and frees the place.
#[derive(Debug)]
pub(super) struct Registration {
    connections: Arc<Connections>,
    number: u64,
    _slot: Slot,
}

/// A connection that was cut, and why.
#[derive(Debug)]
pub struct CutConnection {
    pub peer: Peer,
    pub refusal: TrustRefusal,
}

/// Which connections are judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejudgeScope {
    All,
    /// Those whose certificates have ended: cheap however many there are.
    Ended,
}

impl RejudgeScope {
    fn has(self, peer: &Peer, now: Moment) -> bool {
        match self {
            Self::All => true,
            Self::Ended => peer.has_ended(now),
        }
    }
}

impl Connections {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            live: Mutex::default(),
            last: AtomicU64::new(0),
            slots: Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))),
            max: max as u64,
            shares: Mutex::new(Shares::new()),
        })
    }

    /// Nothing when every place is taken.
    pub(super) fn slot(self: &Arc<Self>) -> Option<Slot> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Slot {
            connections: Arc::clone(self),
            holder: None,
            _permit: permit,
        })
    }

    pub(super) fn next_number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// From here on the connection is judged at each reload. One that shook hands while a reload went on was judged by
    /// the old trust, and the reload may have passed before it was entered: who registers it judges it again, by the
    /// trust that is then in force.
    pub(super) fn register(self: &Arc<Self>, peer: Peer, slot: Slot) -> Registration {
        let number = peer.connection();
        self.live().insert(number, peer);
        Registration {
            connections: Arc::clone(self),
            number,
            _slot: slot,
        }
    }

    pub(super) fn peers(&self) -> Vec<Peer> {
        self.live().values().cloned().collect()
    }

    /// Cuts the connections that are no longer trusted.
    pub(super) fn judge_again(
        &self,
        whom: RejudgeScope,
        now: Moment,
        judge: impl Fn(&Peer) -> Result<(), TrustRefusal>,
    ) -> Vec<CutConnection> {
        // A judgement takes a tenth of a millisecond, and the lock is in the way of new connections: not under it.
        let peers = self.peers();
        let still_open = peers
            .into_iter()
            .filter(|peer| !peer.cancelled().is_cancelled() && whom.has(peer, now));
        still_open
            .filter_map(|peer| {
                let refusal = judge(&peer).err()?;
                peer.cancelled().cancel();
                Some(CutConnection { peer, refusal })
            })
            .collect()
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<u64, Peer>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shares(&self) -> MutexGuard<'_, Shares<SpiffeId>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Counts it in the share of whoever was identified; nothing where that is full.
    pub(super) fn held_by(mut self, who: &SpiffeId) -> Option<Self> {
        let max = self.connections.max;
        self.connections.shares().take(who, max, max).ok()?;
        self.holder = Some(who.clone());
        Some(self)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(holder) = &self.holder {
            self.connections.shares().give_back(holder);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connections.live().remove(&self.number);
    }
}
