//! Places divided among those who ask, so that none can take all of them.
//!
//! The rule is that of shared buffers in switches (dynamic thresholds, Choudhury and Hahne 1998): a consumer may hold at
//! most [`GREED`] times what it leaves free. One greedy consumer ends at 4/5 of the places, two at 4/9 each, and there
//! is always room for one that has less. Nobody's share is set, or lies idle because somebody else has gone.

use std::collections::HashMap;
use std::hash::Hash;

/// How many places one consumer may hold for each that it leaves free.
const GREED: u64 = 4;

/// Who holds how many places.
#[derive(Debug)]
pub(crate) struct Shares<K> {
    held: HashMap<K, u64>,
    total: u64,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoShare {
    /// One that holds less would still get a place.
    Share,
    /// Nobody would.
    Full,
}

impl<K: Eq + Hash + Clone> Shares<K> {
    pub(crate) fn new() -> Self {
        Self {
            held: HashMap::new(),
            total: 0,
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Takes one of `limit` places.
    pub(crate) fn take(&mut self, who: &K, limit: u64, ceiling: u64) -> Result<(), NoShare> {
        self.take_many(who, 1, limit, ceiling)
    }

    /// Takes so many of `limit` places. A consumer that holds less than half of an even share only has to stay within
    /// `ceiling`: a limit that has just fallen is no reason to turn away one that had no part in it.
    pub(crate) fn take_many(
        &mut self,
        who: &K,
        places: u64,
        limit: u64,
        ceiling: u64,
    ) -> Result<(), NoShare> {
        let held = self.held.get(who).copied().unwrap_or(0);
        let after = self.total + places;
        let free_after = limit.saturating_sub(after);
        let holders = self.held.len() as u64 + u64::from(held == 0);
        let is_small = held == 0 || (self.total >= limit && held * 2 * holders < limit);
        let is_modest = after <= limit && held + places <= GREED.saturating_mul(free_after);
        let fits = is_modest || (is_small && after <= ceiling);
        if !fits {
            return Err(self.over(held, limit));
        }
        *self.held.entry(who.clone()).or_default() += places;
        self.total = after;
        Ok(())
    }

    pub(crate) fn give_back(&mut self, who: &K) {
        self.give_back_many(who, 1);
    }

    /// At most as many as it holds.
    pub(crate) fn give_back_many(&mut self, who: &K, places: u64) {
        let Some(held) = self.held.get_mut(who) else {
            return;
        };
        let places = places.min(*held);
        *held -= places;
        self.total -= places;
        if *held == 0 {
            // Whoever is not there takes no memory.
            self.held.remove(who);
        }
    }

    fn over(&self, held: u64, limit: u64) -> NoShare {
        let holders = self.held.len() as u64;
        if self.total < limit || held.saturating_mul(holders) > limit {
            NoShare::Share
        } else {
            NoShare::Full
        }
    }
}
