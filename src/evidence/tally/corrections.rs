//! Whether corrections are answered in time.

use std::collections::BTreeMap;

use time::Date;

use crate::name::DepartmentId;
use crate::pb;
use crate::pb::CorrectionEvent;

/// What became of the corrections that came to a provider in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Corrections {
    pub in_time: u64,
    /// Answered after the day on which they were due.
    pub late: u64,
    /// Not answered before the period ended.
    pub open: u64,
}

/// The course of each correction that came in the period, by its id.
#[derive(Default)]
pub(super) struct Courses(BTreeMap<String, Course>);

struct Course {
    provider: String,
    /// Whether it was answered in time; none while it is open.
    answered: Option<bool>,
}

impl Courses {
    pub(super) fn take(&mut self, record: &pb::CorrectionRecord, own: &DepartmentId, day: Date) {
        let provider = match record.event() {
            CorrectionEvent::Filed => record.peer.clone(),
            CorrectionEvent::Received => own.to_string(),
            CorrectionEvent::Answered => {
                if let Some(course) = self.0.get_mut(&record.id) {
                    // ISO 8601 on both sides.
                    course.answered = Some(record.due.is_empty() || day.to_string() <= record.due);
                }
                return;
            }
            CorrectionEvent::Unspecified | CorrectionEvent::Told | CorrectionEvent::Heard => return,
        };
        let course = Course {
            provider,
            answered: None,
        };
        self.0.insert(record.id.clone(), course);
    }

    pub(super) fn count(self) -> BTreeMap<String, Corrections> {
        let mut counted: BTreeMap<_, Corrections> = BTreeMap::new();
        for course in self.0.into_values() {
            let counted = counted.entry(course.provider).or_default();
            match course.answered {
                Some(true) => counted.in_time += 1,
                Some(false) => counted.late += 1,
                None => counted.open += 1,
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_is_in_time_until_the_end_of_the_day_on_which_it_is_due() {
        let own: DepartmentId = "civil".parse().unwrap();
        let day = |day| Date::from_calendar_date(2026, time::Month::November, day).unwrap();
        let mut courses = Courses::default();
        let mut step = |event: CorrectionEvent, id: &str, on| {
            let record = pb::CorrectionRecord {
                event: event.into(),
                id: id.to_owned(),
                peer: "tax".to_owned(),
                due: "2026-11-10".to_owned(),
                ..pb::CorrectionRecord::default()
            };
            courses.take(&record, &own, day(on));
        };
        for id in ["a", "b", "c"] {
            step(CorrectionEvent::Received, id, 2);
        }
        step(CorrectionEvent::Filed, "d", 2);
        step(CorrectionEvent::Answered, "a", 10);
        step(CorrectionEvent::Answered, "b", 11);
        step(CorrectionEvent::Answered, "d", 3);
        step(CorrectionEvent::Answered, "of a former period", 3);
        let [in_time, late, open] = [1, 1, 1];
        let of_civil = Corrections {
            in_time,
            late,
            open,
        };
        let of_tax = Corrections {
            in_time: 1,
            ..Corrections::default()
        };
        let counted = courses.count();
        assert_eq!(
            counted,
            BTreeMap::from([("civil".to_owned(), of_civil), ("tax".to_owned(), of_tax)])
        );
    }
}
