//! The counters of one grant; each takes the time as it is given.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use time::Date;

use crate::clock::Moment;

/// A Julian day number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(u32);

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Self(u32::try_from(date.to_julian_day()).unwrap_or(0))
    }
}

/// The generic cell rate algorithm: the nanosecond at which the bucket will be empty again.
#[derive(Debug, Default)]
pub(super) struct Rate(AtomicI64);

impl Rate {
    /// Takes one of `rate` a second, or says how long to wait for it.
    pub(super) fn take(&self, rate: u32, at: Moment) -> Result<(), Duration> {
        let now = at.micros().saturating_mul(1_000);
        let period = 1_000_000_000 / i64::from(rate.max(1));
        let full = period * i64::from(rate.max(1));
        let mut wait = 0;
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |empty_at| {
                let level = empty_at.saturating_sub(now);
                // More than full: the clock went back. Waiting until it has caught up could take for ever.
                let level = if level > full { 0 } else { level.max(0) };
                wait = level + period - full;
                (wait <= 0).then(|| now.saturating_add(level + period))
            })
            .map(drop)
            .map_err(|_| Duration::from_nanos(wait.unsigned_abs()))
    }
}

/// Records of one day: the day in the upper 24 bits, the count in the lower 40, so that both change as one.
#[derive(Debug, Default)]
pub(super) struct Daily(AtomicU64);

impl Daily {
    const MAX: u64 = (1 << 40) - 1;

    /// Adds all of `records` if the day's count then stays within `limit`.
    pub(super) fn spend(&self, day: Day, records: u64, limit: u64) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
                let (day, used) = Self::on(packed, day);
                let used = used.saturating_add(records);
                (used <= limit).then(|| Self::pack(day, used))
            })
            .is_ok()
    }

    /// Adds what was spent on that day, unless the day is past.
    pub(super) fn add(&self, day: Day, records: u64) {
        if Self::on(self.0.load(Ordering::Relaxed), day).0 == day {
            self.spend(day, records, u64::MAX);
        }
    }

    pub(super) fn used(&self, day: Day) -> u64 {
        Self::on(self.0.load(Ordering::Relaxed), day).1
    }

    // A clock that goes back over midnight does not open a spent day again: the later day stays.
    fn on(packed: u64, day: Day) -> (Day, u64) {
        let stored = Day(u32::try_from(packed >> 40).unwrap_or(0));
        if day > stored {
            (day, 0)
        } else {
            (stored, packed & Self::MAX)
        }
    }

    fn pack(day: Day, used: u64) -> u64 {
        u64::from(day.0) << 40 | used.min(Self::MAX)
    }
}

/// Unconfirmed values of one day, for each record.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<DayOfTries>);

#[derive(Debug, Default)]
struct DayOfTries {
    day: Day,
    records: HashMap<[u8; 16], RecordTries>,
}

#[derive(Debug, Default, Clone, Copy)]
struct RecordTries {
    failed: u32,
    /// Held back for verifications that are under way.
    held: u32,
}

impl Tries {
    /// The most records that are remembered in a day, about 50 MB; further ones are refused.
    const MAX_RECORDS: usize = 1 << 20;

    /// Holds back a try of a record if no more than `limit` are then failed or held.
    pub(super) fn hold(&self, day: Day, key_tag: &[u8; 16], limit: u32) -> bool {
        let mut tries = self.on(day);
        let full = tries.records.len() >= Self::MAX_RECORDS;
        if full && !tries.records.contains_key(key_tag) {
            return false;
        }
        let tried = tries.records.entry(*key_tag).or_default();
        let free = tried.failed.saturating_add(tried.held) < limit;
        if free {
            tried.held += 1;
        }
        free
    }

    /// Gives back the try that was held, and counts the values that failed.
    pub(super) fn settle(&self, day: Day, key_tag: &[u8; 16], failed: u32) {
        let mut tries = self.on(day);
        let tried = tries.records.entry(*key_tag).or_default();
        tried.held = tried.held.saturating_sub(1);
        tried.failed = tried.failed.saturating_add(failed);
        if tried.failed == 0 && tried.held == 0 {
            tries.records.remove(key_tag);
        }
    }

    /// Counts what failed on that day, unless the day is past.
    pub(super) fn restore(&self, day: Day, key_tag: &[u8; 16], failed: u32) {
        let mut tries = self.on(day);
        if failed > 0 && tries.day == day {
            let tried = tries.records.entry(*key_tag).or_default();
            tried.failed = tried.failed.saturating_add(failed);
        }
    }

    /// The tries of the day, or of a later one that has begun: a clock that goes back does not forget them.
    fn on(&self, day: Day) -> MutexGuard<'_, DayOfTries> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if day > tries.day {
            *tries = DayOfTries {
                day,
                records: HashMap::new(),
            };
        }
        tries
    }
}
