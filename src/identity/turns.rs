//! Turns at the processor for those who have not shown who they are, so that keys are computed for each network in turn.
//!
//! Within a network those go first who had a turn before and so have almost shown who they are, and then the last to come:
//! where more come than can be served, whoever has waited long is about to be given up by its other end, or to lose its
//! place. Networks from which somebody was let in take every second turn.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;

use tokio::sync::oneshot;

use crate::identity::network::Network;

#[derive(Debug)]
pub(super) struct Turns(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    free: usize,
    known: Queue,
    unknown: Queue,
    known_went_last: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<Network, BTreeMap<Rank, oneshot::Sender<Turn>>>,
    went_last: Option<Network>,
}

/// Whether it had a turn before, and when it came. The last goes first.
type Rank = (bool, u64);

/// Leave to compute, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Arc<Turns>);

/// Somebody who waits for a turn.
#[derive(Debug)]
pub(super) struct Waiting {
    turns: Arc<Turns>,
    network: Network,
    is_known: bool,
    rank: Rank,
    granted: oneshot::Receiver<Turn>,
}

impl Turns {
    /// So many at a time.
    pub(super) fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: at_once,
            ..State::default()
        })))
    }

    pub(super) fn wait(
        self: &Arc<Self>,
        network: Network,
        is_known: bool,
        had_one: bool,
    ) -> Waiting {
        let (sender, granted) = oneshot::channel();
        let mut state = self.state();
        state.last += 1;
        let rank = (had_one, state.last);
        let queue = state.queue(is_known);
        queue
            .waiting
            .entry(network)
            .or_default()
            .insert(rank, sender);
        let is_free = state.free > 0;
        if is_free {
            state.free -= 1;
        }
        drop(state);
        if is_free {
            self.pass_on();
        }
        Waiting {
            turns: Arc::clone(self),
            network,
            is_known,
            rank,
            granted,
        }
    }

    /// To whoever is next; free again when nobody waits.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let mut state = self.state();
            let Some(next) = state.next() else {
                state.free += 1;
                return;
            };
            drop(state);
            // One that has gone away in this moment drops its turn, which passes it on.
            if !next.is_closed() {
                let _ = next.send(Turn(Arc::clone(self)));
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue(&mut self, is_known: bool) -> &mut Queue {
        match is_known {
            true => &mut self.known,
            false => &mut self.unknown,
        }
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        for is_known in [!self.known_went_last, self.known_went_last] {
            if let Some(next) = self.queue(is_known).next() {
                self.known_went_last = is_known;
                return Some(next);
            }
        }
        None
    }
}

impl Queue {
    /// The first of the network after the one that went last.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let begin = self.went_last.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.waiting.range((begin, Bound::Unbounded)).next();
        let (&network, _) = behind.or_else(|| self.waiting.first_key_value())?;
        self.went_last = Some(network);
        let (&first, _) = self.waiting.get(&network)?.last_key_value()?;
        self.take(network, first)
    }

    fn take(&mut self, network: Network, rank: Rank) -> Option<oneshot::Sender<Turn>> {
        let of_network = self.waiting.get_mut(&network)?;
        let taken = of_network.remove(&rank);
        if of_network.is_empty() {
            self.waiting.remove(&network);
        }
        taken
    }
}

impl Future for Waiting {
    /// None if there are no turns any more.
    type Output = Option<Turn>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Turn>> {
        Pin::new(&mut self.granted).poll(context).map(Result::ok)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        let waited = state.queue(self.is_known).take(self.network, self.rank);
        // A turn that was granted and not taken is passed on when the channel is dropped, which wants the lock.
        drop(state);
        drop(waited);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.pass_on();
    }
}
