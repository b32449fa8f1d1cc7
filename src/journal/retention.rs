//! Retention: how long the journal keeps which records.

use std::fmt;
use std::str::FromStr;

use time::Date;
use time::Duration;
use time::Month;
use time::OffsetDateTime;
use time::UtcOffset;

use crate::clock::Moment;
use crate::name::Purpose;
use crate::name::RecordType;
use crate::pb;
use crate::pb::journal_record::Kind;

/// The greatest term that settings may name.
const MOST_YEARS: u16 = 100;
const MOST_DAYS: u16 = 36_500;

/// How long a record is kept: calendar years or days, from its entry's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Years(u16),
    Days(u16),
}

/// Text that is no term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a term such as `3y` or `180d`")]
pub struct BadKeep;

/// Records that are kept equally long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub name: String,
    pub keep: Keep,
    /// Empty: of every type.
    pub record_types: Vec<RecordType>,
    /// Empty: for every purpose.
    pub purposes: Vec<Purpose>,
}

/// A department's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The first that fits counts.
    pub classes: Vec<Class>,
    /// For what fits none of them, and for what is no exchange.
    pub default: Keep,
}

/// The name, in erasure entries, of what no class takes in.
pub const DEFAULT: &str = "default";

impl Retention {
    /// How long a record is kept, with its class's name. `None`: for ever.
    ///
    /// Decided from the record when its term may end, not marked on it when it is written: a rule that was wrong can be
    /// corrected, and then holds for what is there already.
    pub fn of(&self, record: &pb::JournalRecord) -> Option<(&str, Keep)> {
        let (record_type, purpose) = match record.kind.as_ref() {
            Some(Kind::Exchange(exchange)) => (&exchange.record_type, &exchange.purpose),
            Some(Kind::StreamEnd(end)) => (&end.record_type, &end.purpose),
            // Without it nobody could tell an erased record from one that is withheld.
            Some(Kind::Erasure(_)) => return None,
            _ => return Some((DEFAULT, self.default)),
        };
        let class = self
            .classes
            .iter()
            .find(|class| class.fits(record_type, purpose));
        Some(class.map_or((DEFAULT, self.default), |class| (&class.name, class.keep)))
    }

    /// Before this moment no record of that time is due.
    pub fn earliest_due(&self, time: Moment) -> Moment {
        self.keeps()
            .map(|keep| keep.due(time))
            .min()
            .unwrap_or(time)
    }

    /// When a record of that time may be erased at the earliest under the class of that name; if there is none of it any
    /// more, under any.
    pub fn due_in(&self, class: &str, time: Moment) -> Moment {
        let named = self.classes.iter().find(|known| known.name == class);
        match named {
            Some(class) => class.keep.due(time),
            None if class == DEFAULT => self.default.due(time),
            None => self.earliest_due(time),
        }
    }

    fn keeps(&self) -> impl Iterator<Item = Keep> {
        let classes = self.classes.iter().map(|class| class.keep);
        classes.chain([self.default])
    }
}

impl Class {
    fn fits(&self, record_type: &str, purpose: &str) -> bool {
        let of_type = |name: &RecordType| name.as_str() == record_type;
        let for_purpose = |name: &Purpose| name.as_str() == purpose;
        (self.record_types.is_empty() || self.record_types.iter().any(of_type))
            && (self.purposes.is_empty() || self.purposes.iter().any(for_purpose))
    }
}

impl Keep {
    /// When a record of that time may be erased: at the end of the day, UTC, on which its term ends. By the day, so that a
    /// segment is rewritten once for all of a day's records; in UTC, so that whoever verifies need not know the settings.
    pub fn due(self, time: Moment) -> Moment {
        let day = time.date(UtcOffset::UTC);
        let last = match self {
            Self::Years(years) => day
                .replace_year(day.year() + i32::from(years))
                // The 29th of February has its anniversary on the first of March.
                .or_else(|_| {
                    Date::from_calendar_date(day.year() + i32::from(years), Month::March, 1)
                })
                .ok(),
            Self::Days(days) => day.checked_add(Duration::days(i64::from(days))),
        };
        let end = last.and_then(Date::next_day);
        // Beyond the calendar's end nothing ends.
        end.map_or(Moment::from_micros(i64::MAX), |day| {
            let midnight = OffsetDateTime::new_utc(day, time::Time::MIDNIGHT);
            Moment::from_micros(midnight.unix_timestamp().saturating_mul(1_000_000))
        })
    }

    /// At least so many days, whichever year it is.
    pub fn least_days(self) -> u32 {
        match self {
            Self::Years(years) => u32::from(years) * 365,
            Self::Days(days) => days.into(),
        }
    }
}

impl FromStr for Keep {
    type Err = BadKeep;

    /// Reads a number with `y` or `d`: at least `1d`, at most `100y` or `36500d`.
    fn from_str(s: &str) -> Result<Self, BadKeep> {
        let unit = s.chars().next_back().ok_or(BadKeep)?;
        let number = s.strip_suffix(unit).unwrap_or_default();
        // A term has one form only.
        let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        let number: u16 = number.parse().ok().filter(|_| plain).ok_or(BadKeep)?;
        match unit {
            'y' if number <= MOST_YEARS => Ok(Self::Years(number)),
            'd' if number <= MOST_DAYS => Ok(Self::Days(number)),
            _ => Err(BadKeep),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Years(years) => write!(f, "{years}y"),
            Self::Days(days) => write!(f, "{days}d"),
        }
    }
}

#[cfg(test)]
mod tests;
