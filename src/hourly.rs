//! What one party has caused within the hour: so much is told one by one, and what is more as a number.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::clock::Moment;

const HOUR_US: i64 = 3_600 * 1_000_000;
/// Parties and things that are told apart; more are not counted.
const MOST: usize = 10_000;

/// Counts by the hour. Held for a few instructions, never across an `await`.
#[derive(Debug)]
pub(crate) struct Hourly<K>(Mutex<Hours<K>>);

#[derive(Debug)]
struct Hours<K> {
    hour: i64,
    counts: BTreeMap<K, u64>,
    /// Of hours that are over.
    over: Vec<HourlyCount<K>>,
}

/// What was counted in an hour that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HourlyCount<K> {
    /// When the hour began.
    pub(crate) since: Moment,
    pub(crate) key: K,
    pub(crate) count: u64,
}

/// How long the hour still is.
pub(crate) fn rest(now: Moment) -> Duration {
    let gone = now.micros().rem_euclid(HOUR_US);
    Duration::from_micros(u64::try_from(HOUR_US - gone).unwrap_or_default())
}

impl<K> Default for Hourly<K> {
    fn default() -> Self {
        Self(Mutex::new(Hours {
            hour: 0,
            counts: BTreeMap::new(),
            over: Vec::new(),
        }))
    }
}

impl<K: Ord> Hourly<K> {
    /// Counts so many more; tells how many there were in this hour before.
    pub(crate) fn add(&self, key: K, more: u64, now: Moment) -> u64 {
        let mut hours = self.lock();
        hours.turn(now.micros().div_euclid(HOUR_US));
        if hours.counts.len() >= MOST && !hours.counts.contains_key(&key) {
            return u64::MAX;
        }
        let count = hours.counts.entry(key).or_default();
        let before = *count;
        *count = count.saturating_add(more);
        before
    }

    /// What was counted in the hours that are over; once.
    pub(crate) fn take_over(&self, now: Moment) -> Vec<HourlyCount<K>> {
        let mut hours = self.lock();
        hours.turn(now.micros().div_euclid(HOUR_US));
        mem::take(&mut hours.over)
    }

    /// The same with what has been counted in this hour: nobody counts on.
    pub(crate) fn take_all(&self) -> Vec<HourlyCount<K>> {
        let mut hours = self.lock();
        let next = hours.hour + 1;
        hours.turn(next);
        mem::take(&mut hours.over)
    }

    fn lock(&self) -> MutexGuard<'_, Hours<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Hours<K> {
    fn turn(&mut self, hour: i64) {
        if hour == self.hour {
            return;
        }
        let since = Moment::from_micros(self.hour.saturating_mul(HOUR_US));
        let counts = mem::take(&mut self.counts).into_iter();
        self.over
            .extend(counts.map(|(key, count)| HourlyCount { since, key, count }));
        self.hour = hour;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hour_is_counted_by_itself_and_told_once() {
        let hourly = Hourly::default();
        let at = |hour: i64| Moment::from_micros(hour * HOUR_US + 7);
        assert_eq!(hourly.add("a", 1, at(5)), 0);
        assert_eq!(hourly.add("a", 2, at(5)), 1);
        assert_eq!(hourly.add("b", 1, at(5)), 0);
        assert!(hourly.take_over(at(5)).is_empty());
        assert_eq!(hourly.add("a", 1, at(6)), 0);
        let since = Moment::from_micros(5 * HOUR_US);
        let counted = |key, count| HourlyCount { since, key, count };
        assert_eq!(hourly.take_over(at(6)), [counted("a", 3), counted("b", 1)]);
        assert!(hourly.take_over(at(6)).is_empty());
        assert_eq!(hourly.take_all().len(), 1);
    }

    #[test]
    fn more_parties_than_there_can_be_are_not_counted() {
        let hourly = Hourly::default();
        let now = Moment::from_micros(0);
        for n in 0..MOST {
            assert_eq!(hourly.add(n, 1, now), 0);
        }
        assert_eq!(hourly.add(MOST, 1, now), u64::MAX);
        assert_eq!(hourly.add(0, 1, now), 1);
    }
}
