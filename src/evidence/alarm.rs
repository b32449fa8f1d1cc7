//! What in a journal an auditor should look at: patterns that have innocent causes, and others.

mod watch;

#[cfg(test)]
mod tests;

use time::UtcOffset;

use super::tally::Coverage;
use super::tally::each_record;
use crate::clock::Moment;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use watch::Watch;

/// Refusals without an answer between them, from which on they are a streak.
pub const STREAK: u64 = 10;
/// Different keys asked for by one system within an hour, from which on it looks like trying them all.
pub const KEYS_AN_HOUR: usize = 300;
/// Values of one day, looked up or verified in vain by one system, from which on it looks like guessing: half of what an
/// agreement allows that says nothing else.
pub const MISSES_A_DAY: u64 = 50;
/// Records a day, below which no day is unusual.
pub const LEAST_RECORDS: u64 = 1_000;
/// So many times what the system receives on the middle one of its other days is unusual.
pub const TIMES_USUAL: u64 = 5;
/// Of other days, from which on what is usual is known.
pub const DAYS_KNOWN: usize = 3;
/// A system of whose answers less than one in so many come off hours does not usually work then.
pub const OFF_HOURS_SHARE: u64 = 20;
/// Hours of the day in which offices work, at the department's offset; Saturdays and Sundays are off.
pub const OFFICE_HOURS: std::ops::Range<u8> = 6..22;

/// What was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// The two journals do not say the same of an exchange.
    Orphaned,
    /// The two journals have not been compared for too long.
    Uncompared,
    /// Very many different records, one after another.
    Enumeration,
    /// Refused again and again.
    RefusedStreak,
    /// Far more records than on other days.
    UnusualVolume,
    /// At a time at which the system usually does not ask.
    OffHours,
    /// Very many values that nothing was found of.
    Guessing,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub pattern: Pattern,
    /// Who asked; where journals are compared, the other department.
    pub department: String,
    pub system: String,
    /// Empty where it is of several.
    pub record_type: String,
    /// Of exchanges, keys, values or records, as the pattern has it.
    pub count: u64,
    /// Of the first and the last exchange that belongs to it.
    pub since: Moment,
    pub until: Moment,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alarms {
    /// The newest first.
    pub found: Vec<Alarm>,
    pub coverage: Coverage,
}

/// Looks through what a journal has from one time up to another.
pub fn alarms(
    reader: &Reader,
    since: Moment,
    until: Moment,
    offset: UtcOffset,
) -> Result<Alarms, ReadError> {
    let mut watch = Watch::new(offset);
    let coverage = each_record(reader, since, until, |leaf, record| {
        watch.see(leaf, &record)
    })?;
    Ok(Alarms {
        found: watch.done(),
        coverage,
    })
}
