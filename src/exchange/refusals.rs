//! Refusals of what peers ask: so many of a peer in an hour have an entry each, and what is more is one entry with its number.

use std::time::Duration;

use crate::clock::Moment;
use crate::hourly::Hourly;
use crate::hourly::HourlyCount;
use crate::hourly::rest;
use crate::name::DepartmentId;

/// By peer and hour.
#[derive(Debug)]
pub struct Refusals {
    most: u64,
    counted: Hourly<DepartmentId>,
}

/// A refusal that has no entry of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnrecordedRefusal {
    /// The first of its peer in this hour.
    pub(super) is_first: bool,
    /// Until refusals have an entry each again.
    pub(super) wait: Duration,
}

impl Refusals {
    /// `most` of a peer have an entry each within an hour.
    pub fn new(most: u64) -> Self {
        Self {
            most,
            counted: Hourly::default(),
        }
    }

    /// Counts one more.
    pub(super) fn add(&self, peer: &DepartmentId, now: Moment) -> Result<(), UnrecordedRefusal> {
        let before = self.counted.add(peer.clone(), 1, now);
        if before < self.most {
            return Ok(());
        }
        Err(UnrecordedRefusal {
            is_first: before == self.most,
            wait: rest(now),
        })
    }

    /// Whose refusals have no entry of their own, and how many, in hours that are over; once.
    pub fn take_over(&self, now: Moment) -> Vec<(DepartmentId, u64)> {
        self.untold(self.counted.take_over(now))
    }

    /// The same with this hour's: nobody asks on.
    pub fn take_all(&self) -> Vec<(DepartmentId, u64)> {
        self.untold(self.counted.take_all())
    }

    fn untold(&self, counted: Vec<HourlyCount<DepartmentId>>) -> Vec<(DepartmentId, u64)> {
        let beyond = counted.into_iter().map(|HourlyCount { key, count, .. }| {
            let untold = count.saturating_sub(self.most);
            (key, untold)
        });
        beyond.filter(|(_, untold)| *untold > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_counted_by_peer_and_hour() {
        let refusals = Refusals::new(2);
        let (tax, civil): (DepartmentId, DepartmentId) =
            ("tax".parse().unwrap(), "civil".parse().unwrap());
        let at = |seconds: i64| Moment::from_micros(seconds * 1_000_000);
        let untold = |is_first, seconds| {
            let wait = Duration::from_secs(seconds);
            Err(UnrecordedRefusal { is_first, wait })
        };
        assert_eq!(refusals.add(&tax, at(10)), Ok(()));
        assert_eq!(refusals.add(&tax, at(10)), Ok(()));
        assert_eq!(refusals.add(&civil, at(10)), Ok(()));
        assert_eq!(refusals.add(&tax, at(3_000)), untold(true, 600));
        assert_eq!(refusals.add(&tax, at(3_599)), untold(false, 1));
        assert!(refusals.take_over(at(3_599)).is_empty());
        assert_eq!(refusals.add(&tax, at(3_600)), Ok(()));
        assert_eq!(refusals.take_over(at(3_600)), [(tax, 2)]);
        assert!(refusals.take_all().is_empty());
    }
}
