//! The days on which an office works, by which a correction is due.

use std::collections::BTreeSet;

use time::Date;
use time::Weekday;

/// The working days of a department.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// How many of them an answer may take; at least 1.
    pub working_days: u32,
    pub weekend: Vec<Weekday>,
    /// Days on which nobody works though it is no weekend.
    pub holidays: BTreeSet<Date>,
    /// Days of the weekend on which people work, to make up for a holiday (调休).
    pub workdays: BTreeSet<Date>,
}

impl Default for Calendar {
    /// Ten working days, from Monday to Friday.
    fn default() -> Self {
        Self {
            working_days: 10,
            weekend: vec![Weekday::Saturday, Weekday::Sunday],
            holidays: BTreeSet::new(),
            workdays: BTreeSet::new(),
        }
    }
}

impl Calendar {
    pub fn is_worked(&self, day: Date) -> bool {
        if self.workdays.contains(&day) {
            return true;
        }
        !self.weekend.contains(&day.weekday()) && !self.holidays.contains(&day)
    }

    /// The last day for an answer to what came in on that day, which itself does not count.
    pub fn due(&self, received: Date) -> Date {
        let (mut day, mut left) = (received, self.working_days);
        while left > 0 {
            let Some(next) = day.next_day() else {
                return day;
            };
            day = next;
            left -= u32::from(self.is_worked(day));
        }
        day
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::Calendar;

    #[test]
    fn ten_working_days_are_two_weeks_and_longer_over_a_holiday() {
        let plain = Calendar::default();
        // A Friday, then a Sunday.
        assert_eq!(plain.due(date!(2026 - 11 - 27)), date!(2026 - 12 - 11));
        assert_eq!(plain.due(date!(2026 - 11 - 29)), date!(2026 - 12 - 11));
        // The National Day week of 2026, with the Saturday before and the one after worked.
        let october = Calendar {
            holidays: (1..=7)
                .map(|day| date!(2026 - 10 - 01).replace_day(day).unwrap())
                .collect(),
            workdays: [date!(2026 - 09 - 27), date!(2026 - 10 - 10)].into(),
            ..Calendar::default()
        };
        assert_eq!(october.due(date!(2026 - 09 - 25)), date!(2026 - 10 - 14));
        assert_eq!(plain.due(date!(2026 - 09 - 25)), date!(2026 - 10 - 09));
    }
}
