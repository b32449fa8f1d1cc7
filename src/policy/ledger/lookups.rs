//! What one grant's questions have guessed at in a day: values that nothing was found of, and filters of counts.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use super::Spending;
use super::counter::Day;

/// Values of one day that were looked up or verified in vain.
#[derive(Debug, Default)]
pub(super) struct Misses(Mutex<DayOfMisses>);

#[derive(Debug, Default)]
struct DayOfMisses {
    day: Day,
    missed: u32,
    /// Held back for questions that are under way.
    held: u32,
    told: Option<Spending>,
}

impl Misses {
    /// Holds values back while fewer than `limit` are missed or held. The day that they are held of, which may be a later one.
    pub(super) fn hold(&self, day: Day, values: u32, limit: u32) -> Option<Day> {
        let mut misses = self.on(day);
        if misses.missed.saturating_add(misses.held) >= limit {
            return None;
        }
        misses.held = misses.held.saturating_add(values);
        Some(misses.day)
    }

    /// Gives back what was held of that day, and counts what was missed of it. What was held of a day that is over is past.
    pub(super) fn settle(&self, day: Day, held: u32, missed: u32, limit: u32) -> Option<Spending> {
        let mut misses = self.on(day);
        if misses.day != day {
            return None;
        }
        misses.held = misses.held.saturating_sub(held);
        if missed == 0 {
            return None;
        }
        misses.missed = misses.missed.saturating_add(missed);
        let spending = spending(misses.missed, limit);
        let news = spending.filter(|_| spending > misses.told);
        misses.told = misses.told.max(spending);
        news
    }

    /// Counts what was missed on that day, unless the day is past.
    pub(super) fn restore(&self, day: Day, missed: u32) {
        let mut misses = self.on(day);
        if misses.day == day {
            misses.missed = misses.missed.saturating_add(missed);
        }
    }

    pub(super) fn missed(&self, day: Day) -> u32 {
        self.on(day).missed
    }

    /// The misses of the day, or of a later one that has begun: a clock that goes back does not forget them.
    fn on(&self, day: Day) -> MutexGuard<'_, DayOfMisses> {
        let mut misses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if day > misses.day {
            *misses = DayOfMisses {
                day,
                ..DayOfMisses::default()
            };
        }
        misses
    }
}

fn spending(missed: u32, limit: u32) -> Option<Spending> {
    if missed >= limit {
        Some(Spending::All)
    } else if missed >= limit.div_ceil(2) {
        Some(Spending::Half)
    } else {
        None
    }
}

/// The different filters of one day's counts, by their tags.
#[derive(Debug, Default)]
pub(super) struct Filters(Mutex<(Day, HashSet<[u8; 16]>)>);

impl Filters {
    /// Whether the filter is among the day's, where it is added while there are fewer than `limit`.
    pub(super) fn admit(&self, day: Day, tag: &[u8; 16], limit: u32) -> bool {
        let (_, tags) = &mut *self.on(day);
        if tags.contains(tag) {
            return true;
        }
        let free = tags.len() < limit as usize;
        free && tags.insert(*tag)
    }

    /// Adds a filter of that day, unless the day is past.
    pub(super) fn restore(&self, day: Day, tag: &[u8; 16]) {
        let (current, tags) = &mut *self.on(day);
        if *current == day {
            tags.insert(*tag);
        }
    }

    fn on(&self, day: Day) -> MutexGuard<'_, (Day, HashSet<[u8; 16]>)> {
        let mut filters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if day > filters.0 {
            *filters = (day, HashSet::new());
        }
        filters
    }
}
