//! The settings of corrections: where they are kept, and on which days the office works.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use time::Date;
use time::Weekday;
use time::macros::format_description;

use super::CorrectionsConfig;
use super::faults::Faults;
use super::paths::beside;
use super::quantity::DELAY;
use super::quantity::parse_delay;
use crate::correction::calendar::Calendar;

/// More would be no due day.
const MOST_DAYS: u32 = 250;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCorrections {
    path: Option<PathBuf>,
    working_days: u32,
    weekend: Vec<String>,
    holidays: Vec<String>,
    workdays: Vec<String>,
    keep: String,
}

impl Default for RawCorrections {
    fn default() -> Self {
        Self {
            path: None,
            working_days: 10,
            weekend: ["saturday", "sunday"].map(str::to_owned).to_vec(),
            holidays: Vec::new(),
            workdays: Vec::new(),
            keep: "365d".to_owned(),
        }
    }
}

impl RawCorrections {
    pub(super) fn check(
        self,
        settings: &Path,
        journal: &Path,
        faults: &mut Faults<'_>,
    ) -> CorrectionsConfig {
        if !(1..=MOST_DAYS).contains(&self.working_days) {
            let message = format!("must be from 1 to {MOST_DAYS}");
            faults.add("corrections.working_days", message);
        }
        let weekend: Vec<_> = self.weekend.iter().filter_map(|day| weekday(day)).collect();
        if weekend.len() != self.weekend.len() || weekend.len() > 6 {
            let message = "must be up to six days such as `saturday`".to_owned();
            faults.add("corrections.weekend", message);
        }
        CorrectionsConfig {
            path: match self.path {
                Some(given) => beside(settings, given),
                None => journal.with_file_name("corrections.sqlite"),
            },
            calendar: Calendar {
                working_days: self.working_days,
                weekend,
                holidays: dates("corrections.holidays", &self.holidays, faults),
                workdays: dates("corrections.workdays", &self.workdays, faults),
            },
            keep: faults.parsed("corrections.keep", &self.keep, DELAY, parse_delay),
        }
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn dates(key: &str, texts: &[String], faults: &mut Faults<'_>) -> BTreeSet<Date> {
    let format = format_description!("[year]-[month]-[day]");
    let mut dates = BTreeSet::new();
    for (number, text) in texts.iter().enumerate() {
        match Date::parse(text, format) {
            Ok(date) => _ = dates.insert(date),
            Err(_) => {
                let message = format!("`{text}` is not a day such as `2026-10-01`");
                faults.add(&format!("{key}[{number}]"), message);
            }
        }
    }
    dates
}
