//! What strangers can cause again and again, counted so that they fill neither the log nor the journal.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::identity::network::Network;

/// So many of a kind are told one by one, from one count to the next.
const SINGLY: u64 = 10;
/// Networks that are told apart within a kind, and kinds: what is beyond is counted with the last.
const MAX_NETWORKS: usize = 256;
const MAX_KINDS: usize = 1_024;

/// Events by their kind, since they were last counted.
#[derive(Debug)]
pub(crate) struct Tally<K>(Mutex<BTreeMap<K, Events>>);

#[derive(Debug, Default)]
struct Events {
    times: u64,
    networks: BTreeMap<Network, u64>,
}

/// Events of one kind that were not told one by one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RepeatedEvent<K> {
    pub(crate) kind: K,
    pub(crate) times: u64,
    /// Of all events of the kind; no more than [`MAX_NETWORKS`] are counted.
    pub(crate) networks: usize,
    pub(crate) most_from: Option<Network>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord> Tally<K> {
    /// Counts an event. Whether it is to be told by itself.
    pub(crate) fn add(&self, kind: K, from: Network) -> bool {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&kind) {
            if let Some(mut last) = kinds.last_entry() {
                last.get_mut().times += 1;
            }
            return false;
        }
        let events = kinds.entry(kind).or_default();
        events.times += 1;
        if events.networks.len() < MAX_NETWORKS || events.networks.contains_key(&from) {
            *events.networks.entry(from).or_default() += 1;
        }
        events.times <= SINGLY
    }

    /// What was not told by itself; begins anew.
    pub(crate) fn count(&self) -> Vec<RepeatedEvent<K>> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *kinds).into_iter();
        all.filter(|(_, events)| events.times > SINGLY)
            .map(|(kind, events)| RepeatedEvent {
                kind,
                times: events.times - SINGLY,
                networks: events.networks.len(),
                most_from: events
                    .networks
                    .into_iter()
                    .max_by_key(|(_, times)| *times)
                    .map(|(network, _)| network),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn the_first_of_a_kind_are_told_and_the_rest_are_counted() {
        let tally = Tally::default();
        let told = (0..1_000)
            .filter(|n| tally.add("LATE", from(if n % 3 == 0 { "::1" } else { "192.0.2.1" })));
        assert_eq!(told.count(), 10);
        assert!(tally.add("FAILED", from("192.0.2.1")));
        let counted = tally.count();
        let late = RepeatedEvent {
            kind: "LATE",
            times: 990,
            networks: 2,
            most_from: Some(from("192.0.2.1")),
        };
        assert_eq!(counted, [late]);
        assert!(tally.count().is_empty());
        assert!(tally.add("LATE", from("::1")));
    }

    #[test]
    fn neither_kinds_nor_networks_take_memory_without_end() {
        let tally = Tally::default();
        for n in 0..5_000_u32 {
            tally.add(n, from("::1"));
            tally.add(0, Network::of(std::net::Ipv4Addr::from(n).into()));
        }
        let kinds = tally.0.lock().unwrap();
        assert_eq!(
            (kinds.len(), kinds[&0].networks.len()),
            (MAX_KINDS, MAX_NETWORKS)
        );
    }
}
