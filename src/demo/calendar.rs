//! Dates as records state them.

use time::Date;
use time::Duration;
use time::macros::date;

use super::random::Random;

/// The day on which the data stand.
pub(super) const TODAY: Date = date!(2025 - 12 - 31);

/// The same day some years later, within a day.
pub(super) fn years_after(date: Date, years: u32) -> Date {
    days_after(date, years * 1461 / 4)
}

pub(super) fn years_before(date: Date, years: u32) -> Date {
    days_before(date, years * 1461 / 4)
}

pub(super) fn days_after(date: Date, days: u32) -> Date {
    date.saturating_add(Duration::days(days.into()))
}

pub(super) fn days_before(date: Date, days: u32) -> Date {
    date.saturating_sub(Duration::days(days.into()))
}

/// A birth date that many full years ago.
pub(super) fn born(age: u32, random: &mut Random) -> Date {
    days_before(TODAY, age * 1461 / 4 + random.within(1..=365))
}

/// Full years between a date and the day on which the data stand.
pub(super) fn age(date: Date) -> u32 {
    let days = (TODAY - date).whole_days().max(0) as u32;
    days * 4 / 1461
}

/// `YYYY-MM-DD`.
pub(super) fn iso(date: Date) -> String {
    let (year, month, day) = date.to_calendar_date();
    format!("{year:04}-{:02}-{day:02}", u8::from(month))
}

/// A moment within the office hours of China on that day, as protobuf's JSON form states it.
pub(super) fn office_time(date: Date, random: &mut Random) -> String {
    let (hour, minute, second) = (
        random.within(1..=8),
        random.within(0..=59),
        random.within(0..=59),
    );
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", iso(date))
}
