//! Places for connections that have not shown who they are, so that none of them keeps out another.
//!
//! There is always a place for one more: where all are taken, the oldest connection of the network that holds the most of
//! them goes. Whoever shows in a moment who it is is among the youngest until then. Networks from which somebody was let
//! in have as many places again, which other strangers cannot take.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::oneshot;

use crate::identity::network::Network;

/// How many networks are remembered for somebody who was let in from there; the one of longest ago is forgotten.
const ACQUAINTANCES: usize = 4_096;

/// The places of one door.
#[derive(Debug)]
pub struct Strangers {
    places: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// Connections from networks that are known, and those from elsewhere.
    known: Crowd,
    unknown: Crowd,
    /// When somebody was last let in from there, counted in connections.
    acquaintances: BTreeMap<Network, u64>,
}

#[derive(Debug, Default)]
struct Crowd {
    /// By age. Who holds the other end of the sender is told by its end that the place is lost.
    by_network: BTreeMap<Network, BTreeMap<u64, oneshot::Sender<Infallible>>>,
    /// The last of them is the next to lose a place.
    ranks: BTreeSet<Rank>,
    held: usize,
}

/// How many places a network holds, and its oldest connection: among equals the oldest goes.
type Rank = (usize, Reverse<u64>, Network);

/// A place, from the moment that a connection is there until it has shown who it is, or is gone.
#[derive(Debug)]
pub struct Place {
    strangers: Arc<Strangers>,
    network: Network,
    number: u64,
    is_known: bool,
    lost: oneshot::Receiver<Infallible>,
}

impl Strangers {
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            places,
            state: Mutex::default(),
        })
    }

    pub fn enter(self: &Arc<Self>, network: Network) -> Place {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        let is_known = state.acquaintances.contains_key(&network);
        let crowd = state.crowd(is_known);
        if crowd.held >= self.places {
            crowd.displace();
        }
        let (sender, lost) = oneshot::channel();
        crowd.add(network, number, sender);
        Place {
            strangers: Arc::clone(self),
            network,
            number,
            is_known,
            lost,
        }
    }

    /// Takes the place of one connection, if there is any: for want of something else than places.
    pub fn displace(&self) {
        let mut state = self.state();
        let is_known = state.unknown.held == 0;
        state.crowd(is_known).displace();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub fn network(&self) -> Network {
        self.network
    }

    /// Whether somebody was let in from there before.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// Returns when another connection has taken the place.
    pub async fn lost(&mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.lost).await;
    }

    /// Gives the place back: who it is has been shown.
    pub fn leave_as_acquaintance(self) {
        self.strangers.state().mark_known(self.network, self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.strangers.state();
        state.crowd(self.is_known).remove(self.network, self.number);
    }
}

impl State {
    fn crowd(&mut self, is_known: bool) -> &mut Crowd {
        match is_known {
            true => &mut self.known,
            false => &mut self.unknown,
        }
    }

    fn mark_known(&mut self, network: Network, number: u64) {
        self.acquaintances.insert(network, number);
        if self.acquaintances.len() <= ACQUAINTANCES {
            return;
        }
        let longest_ago = self.acquaintances.iter().min_by_key(|(_, number)| **number);
        if let Some((&network, _)) = longest_ago {
            self.acquaintances.remove(&network);
        }
    }
}

impl Crowd {
    fn add(&mut self, network: Network, number: u64, sender: oneshot::Sender<Infallible>) {
        self.change(network, |connections| {
            connections.insert(number, sender).is_none()
        });
        self.held += 1;
    }

    fn remove(&mut self, network: Network, number: u64) {
        if self.change(network, |connections| connections.remove(&number).is_some()) {
            self.held -= 1;
        }
    }

    fn displace(&mut self) {
        if let Some(&(_, Reverse(oldest), network)) = self.ranks.last() {
            self.remove(network, oldest);
        }
    }

    /// Keeps the rank of a network in step with its connections.
    fn change(
        &mut self,
        network: Network,
        change: impl FnOnce(&mut BTreeMap<u64, oneshot::Sender<Infallible>>) -> bool,
    ) -> bool {
        let connections = self.by_network.entry(network).or_default();
        if let Some(before) = rank(network, connections) {
            self.ranks.remove(&before);
        }
        let changed = change(connections);
        match rank(network, connections) {
            Some(after) => {
                self.ranks.insert(after);
            }
            None => {
                self.by_network.remove(&network);
            }
        }
        changed
    }
}

/// None where nothing is held.
fn rank<T>(network: Network, connections: &BTreeMap<u64, T>) -> Option<Rank> {
    let (&oldest, _) = connections.first_key_value()?;
    Some((connections.len(), Reverse(oldest), network))
}
