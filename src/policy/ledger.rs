//! What has been spent of each grant's limits. Restored from the journal at start; spent before disclosure, refunded never.

mod counter;
mod lookups;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use time::Time;
use time::UtcOffset;

use super::decision::Denial;
use super::decision::Permit;
use crate::clock::Moment;
use crate::name::AgreementId;
use crate::name::RecordType;
use counter::Daily;
use counter::Day;
use counter::Rate;
use counter::Tries;
use lookups::Filters;
use lookups::Misses;

/// The counters of one gateway. Outlives reloads, and so knows a grant by its names, not by its address.
#[derive(Debug)]
pub struct Ledger {
    offset: UtcOffset,
    /// Grows by one entry for each grant ever used or restored; written only then.
    grants: RwLock<HashMap<Line, Arc<Counters>>>,
}

/// The record type is part of it, so that a file whose grants change places does not mix their counts.
type Line = (AgreementId, usize, RecordType);

#[derive(Debug, Default)]
struct Counters {
    rate: Rate,
    records: Daily,
    tries: Tries,
    misses: Misses,
    filters: Filters,
}

/// What a question may miss of the day's look-ups, held back until it is known. Dropped before that, all of it is missed:
/// whoever goes away must not learn for nothing.
#[derive(Debug)]
#[must_use = "a guess that is dropped is missed"]
pub struct Guess(Option<HeldGuess>);

#[derive(Debug)]
struct HeldGuess {
    counters: Arc<Counters>,
    day: Day,
    values: u32,
    /// Values a day.
    limit: u32,
}

/// So much of a grant's look-ups of the day has found nothing; told once a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spending {
    Half,
    All,
}

/// Days in UTC.
impl Default for Ledger {
    fn default() -> Self {
        Self::new(UtcOffset::UTC)
    }
}

impl Ledger {
    /// A ledger whose days begin at midnight at that offset.
    pub fn new(offset: UtcOffset) -> Self {
        Self {
            offset,
            grants: RwLock::default(),
        }
    }

    /// Lets one exchange begin: the rate, and that the day's quota is not used up.
    ///
    /// A grant's rate may be used in a burst of one second's worth.
    pub fn admit(&self, permit: &Permit, at: Moment) -> Result<(), Denial> {
        let grant = permit.grant();
        let counters = self.counters_of(permit);
        if let Some(daily) = grant.daily
            && counters.records.used(self.day(at)) >= daily
        {
            return Err(self.daily_denial(permit, daily, at));
        }
        let Some(rate) = grant.rate else {
            return Ok(());
        };
        counters
            .rate
            .take(rate, at)
            .map_err(|retry| Denial::RateLimited {
                agreement: permit.agreement().id.clone(),
                rate,
                retry,
            })
    }

    /// Spends records of the day's quota, before they are sent: all of them or none.
    pub fn spend(&self, permit: &Permit, records: u64, at: Moment) -> Result<(), Denial> {
        let daily = permit.grant().daily;
        let counters = self.counters_of(permit);
        // Counted without a quota too: a reload may bring one in the middle of a day.
        let spent = counters
            .records
            .spend(self.day(at), records, daily.unwrap_or(u64::MAX));
        match daily {
            Some(daily) if !spent => Err(self.daily_denial(permit, daily, at)),
            _ => Ok(()),
        }
    }

    /// Whether another verification of the record with that key tag may be tried. It holds one try back until
    /// `mismatched` settles it, so that verifications side by side cannot guess more often than the grant allows. (A
    /// verification states no field twice: it makes one guess at each.)
    pub fn may_verify(
        &self,
        permit: &Permit,
        key_tag: &[u8; 16],
        at: Moment,
    ) -> Result<(), Denial> {
        let tries = permit.grant().verify_tries;
        let counters = self.counters_of(permit);
        if counters.tries.hold(self.day(at), key_tag, tries) {
            return Ok(());
        }
        Err(Denial::TooManyTries {
            agreement: permit.agreement().id.clone(),
            tries,
            retry: self.until_tomorrow(at),
        })
    }

    /// Counts values that were not confirmed, and settles the `may_verify` that let them be tried: it is owed one call
    /// for each, with 0 too. One that never comes (the exchange failed) leaves its try spent for the day.
    pub fn record_mismatches(&self, permit: &Permit, key_tag: &[u8; 16], values: u32, at: Moment) {
        let counters = self.counters_of(permit);
        counters.tries.settle(self.day(at), key_tag, values);
    }

    /// Lets a question guess at what it states, whatever the mode. It holds the values back, so that questions side by side
    /// do not miss more often than the grant allows: a verification of several values may go over by what it states itself.
    pub fn guess(&self, permit: &Permit, at: Moment) -> Result<Guess, Denial> {
        let values = permit.guesses();
        if values == 0 {
            return Ok(Guess::none());
        }
        let (limit, counters) = (permit.grant().lookup_misses, self.counters_of(permit));
        match counters.misses.hold(self.day(at), values, limit) {
            Some(day) => Ok(Guess(Some(HeldGuess {
                counters,
                day,
                values,
                limit,
            }))),
            None => Err(Denial::LookupMissesExhausted {
                agreement: permit.agreement().id.clone(),
                misses: limit,
                retry: self.until_tomorrow(at),
            }),
        }
    }

    /// Whether a count with the filter of that tag may be answered: it was today, or there is room for another one.
    pub fn may_count(
        &self,
        permit: &Permit,
        filter_tag: &[u8; 16],
        at: Moment,
    ) -> Result<(), Denial> {
        let Some(limit) = permit.grant().distinct_counts else {
            return Ok(());
        };
        let counters = self.counters_of(permit);
        if counters.filters.admit(self.day(at), filter_tag, limit) {
            return Ok(());
        }
        Err(Denial::DistinctCountsExhausted {
            agreement: permit.agreement().id.clone(),
            counts: limit,
            retry: self.until_tomorrow(at),
        })
    }

    /// What a grant has spent of the day.
    pub fn spent(
        &self,
        agreement: &AgreementId,
        grant: usize,
        record: &RecordType,
        at: Moment,
    ) -> DailySpending {
        let line = (agreement.clone(), grant, record.clone());
        let grants = self.grants.read().unwrap_or_else(PoisonError::into_inner);
        let day = self.day(at);
        let spent = grants.get(&line).map(|counters| DailySpending {
            records: counters.records.used(day),
            lookup_misses: counters.misses.missed(day),
        });
        spent.unwrap_or_default()
    }

    /// Counts again, at start, what the journal says was spent at that time.
    pub fn restore(&self, spent: &SpentByEntry, at: Moment) {
        let line = (spent.agreement.clone(), spent.grant, spent.record.clone());
        let counters = self.counters(line);
        let day = self.day(at);
        counters.records.add(day, spent.records);
        if let Some(key_tag) = &spent.key_tag {
            counters.tries.restore(day, key_tag, spent.mismatches);
        }
        counters.misses.restore(day, spent.lookup_misses);
        if let Some(filter_tag) = &spent.filter_tag {
            counters.filters.restore(day, filter_tag);
        }
    }

    fn counters_of(&self, permit: &Permit) -> Arc<Counters> {
        self.counters((
            permit.agreement().id.clone(),
            permit.grant_number(),
            permit.grant().schema.name().clone(),
        ))
    }

    // A poisoned lock is taken all the same: every state of the map between two of its statements is whole.
    fn counters(&self, line: Line) -> Arc<Counters> {
        let grants = self.grants.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = grants.get(&line) {
            return counters.clone();
        }
        drop(grants);
        let mut grants = self.grants.write().unwrap_or_else(PoisonError::into_inner);
        grants.entry(line).or_default().clone()
    }

    fn day(&self, at: Moment) -> Day {
        Day::from(at.date(self.offset))
    }

    fn daily_denial(&self, permit: &Permit, daily: u64, at: Moment) -> Denial {
        Denial::QuotaExhausted {
            agreement: permit.agreement().id.clone(),
            daily,
            retry: self.until_tomorrow(at),
        }
    }

    fn until_tomorrow(&self, at: Moment) -> Duration {
        at.at(self.offset)
            .time()
            .duration_until(Time::MIDNIGHT)
            .unsigned_abs()
    }
}

impl Guess {
    /// Of a question that guesses at nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// How many values may turn out wrong.
    pub fn values(&self) -> u32 {
        self.0.as_ref().map_or(0, |held| held.values)
    }

    /// Gives back what was held, and counts what was missed. Tells when that is much, if it was not told today.
    pub fn settle(&mut self, missed: u32) -> Option<Spending> {
        self.0.take()?.settle(missed)
    }
}

impl HeldGuess {
    fn settle(self, missed: u32) -> Option<Spending> {
        let misses = &self.counters.misses;
        misses.settle(self.day, self.values, missed, self.limit)
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            let all = held.values;
            held.settle(all);
        }
    }
}

/// What a grant has spent of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DailySpending {
    pub records: u64,
    pub lookup_misses: u32,
}

/// What one journal entry says was spent.
#[derive(Debug, Clone)]
pub struct SpentByEntry {
    pub agreement: AgreementId,
    pub grant: usize,
    pub record: RecordType,
    pub records: u64,
    pub key_tag: Option<[u8; 16]>,
    pub mismatches: u32,
    pub lookup_misses: u32,
    pub filter_tag: Option<[u8; 16]>,
}
