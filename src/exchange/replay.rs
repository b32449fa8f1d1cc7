//! Which exchanges other gateways have begun here, so that none is asked twice.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::clock::Moment;
use crate::name::DepartmentId;
use crate::name::ExchangeId;

/// How far the clock of the asking gateway may be from ours.
pub const WINDOW: Duration = Duration::from_secs(5 * 60);
const WINDOW_MILLIS: u64 = WINDOW.as_secs() * 1_000;
/// The ids that are remembered of one department, about 12 MB of them. If it asks more within the window, the oldest are
/// forgotten, and whatever is as old as they are is refused.
const REMEMBERED: usize = 1 << 19;

/// The exchanges of each asking department within the window. One for each gateway.
#[derive(Debug)]
pub struct SeenExchanges {
    departments: Mutex<HashMap<DepartmentId, Ids>>,
    remembered: usize,
}

/// In the order of their time, since that is how a UUID version 7 begins.
#[derive(Debug, Default)]
struct Ids {
    seen: BTreeSet<ExchangeId>,
    /// The youngest that was forgotten. It or an older one may have been here, also when our clock has gone back since.
    forgotten: Option<ExchangeId>,
}

/// Why an exchange id is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadExchangeId {
    #[error("an exchange of this id was asked for already")]
    Replayed,
    #[error(
        "the exchange id was not made within 5 minutes of this gateway's clock; set the clocks of both gateways"
    )]
    OutOfTime,
}

impl Default for SeenExchanges {
    fn default() -> Self {
        Self {
            departments: Mutex::default(),
            remembered: REMEMBERED,
        }
    }
}

impl SeenExchanges {
    /// Takes an id that was not here before.
    pub fn admit(
        &self,
        consumer: &DepartmentId,
        exchange: ExchangeId,
        now: Moment,
    ) -> Result<(), BadExchangeId> {
        let now = u64::try_from(now.micros() / 1_000).unwrap_or(0);
        if exchange.millis().abs_diff(now) > WINDOW_MILLIS {
            return Err(BadExchangeId::OutOfTime);
        }
        let mut departments = self.lock();
        let ids = departments.entry(consumer.clone()).or_default();
        ids.forget_before(now.saturating_sub(WINDOW_MILLIS));
        ids.add(exchange, self.remembered)
    }

    /// An exchange that the journal has of an earlier run.
    pub fn restore(&self, consumer: &DepartmentId, exchange: ExchangeId) {
        let mut departments = self.lock();
        let ids = departments.entry(consumer.clone()).or_default();
        // One that stands there twice was refused the second time.
        let _ = ids.add(exchange, self.remembered);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DepartmentId, Ids>> {
        // The sets are whole at every moment.
        self.departments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ids {
    fn add(&mut self, exchange: ExchangeId, most: usize) -> Result<(), BadExchangeId> {
        if self
            .forgotten
            .is_some_and(|forgotten| exchange <= forgotten)
        {
            return Err(BadExchangeId::OutOfTime);
        }
        if !self.seen.insert(exchange) {
            return Err(BadExchangeId::Replayed);
        }
        if self.seen.len() > most {
            self.forgotten = self.seen.pop_first();
        }
        Ok(())
    }

    fn forget_before(&mut self, millis: u64) {
        while let Some(first) = self.seen.first()
            && first.millis() < millis
        {
            self.forgotten = self.seen.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(millis: u64, tail: u8) -> ExchangeId {
        let mut bytes = [tail; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6] = 0x70;
        ExchangeId::from_slice(&bytes).unwrap()
    }

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis as i64 * 1_000)
    }

    const NOON: u64 = 1_795_392_000_000;

    fn tax() -> DepartmentId {
        "tax".parse().unwrap()
    }

    #[test]
    fn an_id_is_taken_once_from_each_department() {
        let seen = SeenExchanges::default();
        let market = "market".parse().unwrap();
        assert_eq!(seen.admit(&tax(), id(NOON, 1), at(NOON)), Ok(()));
        assert_eq!(seen.admit(&market, id(NOON, 1), at(NOON)), Ok(()));
        assert_eq!(seen.admit(&tax(), id(NOON, 2), at(NOON)), Ok(()));
        let again = seen.admit(&tax(), id(NOON, 1), at(NOON + 1));
        assert_eq!(again, Err(BadExchangeId::Replayed));
    }

    #[test]
    fn an_id_is_taken_within_five_minutes_of_the_clock_only() {
        let seen = SeenExchanges::default();
        for (made, taken) in [
            (NOON - WINDOW_MILLIS, true),
            (NOON - WINDOW_MILLIS - 1, false),
            (NOON + WINDOW_MILLIS, true),
            (NOON + WINDOW_MILLIS + 1, false),
        ] {
            let admitted = seen.admit(&tax(), id(made, 1), at(NOON));
            assert_eq!(admitted.is_ok(), taken, "{made}: {admitted:?}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_lets_nothing_in_again() {
        let seen = SeenExchanges::default();
        seen.admit(&tax(), id(NOON, 1), at(NOON)).unwrap();
        let later = NOON + 2 * WINDOW_MILLIS;
        seen.admit(&tax(), id(later, 1), at(later)).unwrap();
        let again = seen.admit(&tax(), id(NOON, 1), at(NOON));
        assert_eq!(again, Err(BadExchangeId::OutOfTime));
    }

    #[test]
    fn beyond_what_is_remembered_the_oldest_are_refused_and_never_taken_twice() {
        let seen = SeenExchanges {
            remembered: 4,
            ..SeenExchanges::default()
        };
        for n in 0..10 {
            seen.admit(&tax(), id(NOON + n, 1), at(NOON)).unwrap();
        }
        for n in 0..10 {
            seen.admit(&tax(), id(NOON + n, 1), at(NOON)).unwrap_err();
        }
        assert_eq!(seen.lock().get(&tax()).unwrap().seen.len(), 4);
    }

    #[test]
    fn what_an_earlier_run_has_seen_is_not_taken_again() {
        let seen = SeenExchanges::default();
        seen.restore(&tax(), id(NOON, 1));
        let again = seen.admit(&tax(), id(NOON, 1), at(NOON));
        assert_eq!(again, Err(BadExchangeId::Replayed));
    }
}
