//! Sees entries one after another, in the order of their times, and tells what it noticed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::mem;

use time::UtcOffset;
use time::Weekday;

use super::Alarm;
use super::DAYS_KNOWN;
use super::KEYS_AN_HOUR;
use super::LEAST_RECORDS;
use super::MISSES_A_DAY;
use super::OFF_HOURS_SHARE;
use super::OFFICE_HOURS;
use super::Pattern;
use super::STREAK;
use super::TIMES_USUAL;
use crate::clock::Moment;
use crate::journal::Kind as Entry;
use crate::journal::Leaf;
use crate::journal::Outcome;
use crate::pb;
use crate::pb::journal_record::Kind;

const HOUR_MICROS: i64 = 3_600 * 1_000_000;
/// Keys of one system and hour that are told apart; beyond it they are only known to be very many.
const MOST_KEYS: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asker {
    department: String,
    system: String,
}

/// Exchanges that belong together.
#[derive(Debug, Clone, Copy)]
struct Span {
    count: u64,
    since: Moment,
    until: Moment,
}

/// The keys that a system has asked for within one hour.
#[derive(Debug)]
struct Hour {
    number: i64,
    span: Span,
    keys: BTreeSet<[u8; 8]>,
}

/// When a system had answers.
#[derive(Debug, Default)]
struct Hours {
    all: u64,
    off: Option<Span>,
}

pub(super) struct Watch {
    offset: UtcOffset,
    streaks: BTreeMap<Asker, Span>,
    keys: BTreeMap<(Asker, String), Hour>,
    /// Records by the day.
    volumes: BTreeMap<(Asker, String), BTreeMap<i32, Span>>,
    /// Values looked up in vain, by the day.
    misses: BTreeMap<(Asker, String), BTreeMap<i32, Span>>,
    hours: BTreeMap<Asker, Hours>,
    /// The openings of streams tell who asked; their ends do not.
    systems: BTreeMap<[u8; 16], String>,
    found: Vec<Alarm>,
}

impl Span {
    fn at(time: Moment, count: u64) -> Self {
        Self {
            count,
            since: time,
            until: time,
        }
    }

    fn add(&mut self, time: Moment, count: u64) {
        self.count += count;
        self.until = time;
    }
}

impl Watch {
    pub(super) fn new(offset: UtcOffset) -> Self {
        Self {
            offset,
            streaks: BTreeMap::new(),
            keys: BTreeMap::new(),
            volumes: BTreeMap::new(),
            misses: BTreeMap::new(),
            hours: BTreeMap::new(),
            systems: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    pub(super) fn see(&mut self, leaf: &Leaf, record: &pb::JournalRecord) {
        let exchange = leaf.exchange.map(|exchange| *exchange.bytes());
        match &record.kind {
            Some(Kind::Exchange(record)) => {
                let asker = Asker {
                    department: record.consumer.clone(),
                    system: record.system.clone(),
                };
                self.key(&asker, record, leaf.time);
                if leaf.kind == Entry::Intent {
                    self.systems
                        .extend(exchange.map(|id| (id, record.system.clone())));
                } else {
                    self.note_misses(&asker, &record.record_type, leaf.time, record.lookup_misses);
                    self.note_exchange(asker, &record.record_type, leaf, record.records);
                }
            }
            Some(Kind::StreamEnd(record)) => {
                let system = exchange.and_then(|id| self.systems.remove(&id));
                let asker = Asker {
                    department: record.consumer.clone(),
                    system: system.unwrap_or_default(),
                };
                self.note_misses(&asker, &record.record_type, leaf.time, record.lookup_misses);
                self.note_exchange(asker, &record.record_type, leaf, record.records);
            }
            Some(Kind::Reconciliation(record)) if record.differing > 0 => {
                self.note_comparison(Pattern::Orphaned, record, record.differing);
            }
            Some(Kind::Reconciliation(record)) if !record.uncompared.is_empty() => {
                self.note_comparison(Pattern::Uncompared, record, 1);
            }
            _ => {}
        }
    }

    fn note_comparison(&mut self, pattern: Pattern, record: &pb::ReconciliationRecord, count: u64) {
        self.found.push(Alarm {
            pattern,
            department: record.peer.clone(),
            system: String::new(),
            record_type: String::new(),
            count,
            since: window(record, 0),
            until: window(record, i64::from(record.window_ms)),
        });
    }

    pub(super) fn done(mut self) -> Vec<Alarm> {
        for (asker, streak) in mem::take(&mut self.streaks) {
            self.streak_over(asker, streak);
        }
        for ((asker, record_type), hour) in mem::take(&mut self.keys) {
            self.hour_over(asker, record_type, &hour);
        }
        self.unusual_days();
        self.guessing_days();
        self.unusual_hours();
        self.found
            .sort_by_key(|alarm| (std::cmp::Reverse(alarm.until), alarm.pattern));
        self.found
    }

    fn note_exchange(&mut self, asker: Asker, record_type: &str, leaf: &Leaf, records: u64) {
        let time = leaf.time;
        if leaf.outcome == Outcome::Denied {
            self.streaks
                .entry(asker)
                .and_modify(|streak| streak.add(time, 1))
                .or_insert(Span::at(time, 1));
            return;
        }
        if leaf.outcome != Outcome::Answered {
            return;
        }
        if let Some(streak) = self.streaks.remove(&asker) {
            self.streak_over(asker.clone(), streak);
        }
        let is_off = self.is_off_hours(time);
        let hours = self.hours.entry(asker.clone()).or_default();
        hours.all += 1;
        if is_off {
            hours.off.get_or_insert(Span::at(time, 0)).add(time, 1);
        }
        let day = time.date(self.offset).to_julian_day();
        let days = self
            .volumes
            .entry((asker, record_type.to_owned()))
            .or_default();
        days.entry(day)
            .or_insert(Span::at(time, 0))
            .add(time, records);
    }

    fn note_misses(&mut self, asker: &Asker, record_type: &str, time: Moment, values: u32) {
        if values == 0 {
            return;
        }
        let day = time.date(self.offset).to_julian_day();
        let place = (asker.clone(), record_type.to_owned());
        let days = self.misses.entry(place).or_default();
        days.entry(day)
            .or_insert(Span::at(time, 0))
            .add(time, values.into());
    }

    fn streak_over(&mut self, asker: Asker, streak: Span) {
        if streak.count >= STREAK {
            self.raise(Pattern::RefusedStreak, asker, String::new(), streak);
        }
    }

    fn key(&mut self, asker: &Asker, record: &pb::ExchangeRecord, time: Moment) {
        let Some(tag) = record.key_tag.first_chunk::<8>() else {
            return;
        };
        let number = time.micros().div_euclid(HOUR_MICROS);
        let fresh = || Hour {
            number,
            span: Span::at(time, 0),
            keys: BTreeSet::new(),
        };
        let place = (asker.clone(), record.record_type.clone());
        let hour = self.keys.entry(place).or_insert_with(fresh);
        let over = (hour.number != number).then(|| mem::replace(hour, fresh()));
        hour.span.add(time, 1);
        if hour.keys.len() < MOST_KEYS {
            hour.keys.insert(*tag);
        }
        if let Some(over) = over {
            self.hour_over(asker.clone(), record.record_type.clone(), &over);
        }
    }

    fn hour_over(&mut self, asker: Asker, record_type: String, hour: &Hour) {
        let keys = hour.keys.len();
        if keys >= KEYS_AN_HOUR {
            let span = Span {
                count: keys as u64,
                ..hour.span
            };
            self.raise(Pattern::Enumeration, asker, record_type, span);
        }
    }

    fn unusual_days(&mut self) {
        for ((asker, record_type), days) in mem::take(&mut self.volumes) {
            for (day, span) in &days {
                let mut others: Vec<_> = days
                    .iter()
                    .filter(|(other, _)| *other != day)
                    .map(|(_, span)| span.count)
                    .collect();
                others.sort_unstable();
                let Some(&usual) = others
                    .get(others.len() / 2)
                    .filter(|_| others.len() >= DAYS_KNOWN)
                else {
                    continue;
                };
                if span.count >= LEAST_RECORDS && span.count > usual.saturating_mul(TIMES_USUAL) {
                    self.raise(
                        Pattern::UnusualVolume,
                        asker.clone(),
                        record_type.clone(),
                        *span,
                    );
                }
            }
        }
    }

    fn guessing_days(&mut self) {
        for ((asker, record_type), days) in mem::take(&mut self.misses) {
            for span in days.into_values().filter(|span| span.count >= MISSES_A_DAY) {
                self.raise(Pattern::Guessing, asker.clone(), record_type.clone(), span);
            }
        }
    }

    fn unusual_hours(&mut self) {
        for (asker, hours) in mem::take(&mut self.hours) {
            if let Some(off) = hours
                .off
                .filter(|off| off.count * OFF_HOURS_SHARE < hours.all)
            {
                self.raise(Pattern::OffHours, asker, String::new(), off);
            }
        }
    }

    fn raise(&mut self, pattern: Pattern, asker: Asker, record_type: String, span: Span) {
        self.found.push(Alarm {
            pattern,
            department: asker.department,
            system: asker.system,
            record_type,
            count: span.count,
            since: span.since,
            until: span.until,
        });
    }

    fn is_off_hours(&self, time: Moment) -> bool {
        let local = time.at(self.offset);
        matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday)
            || !OFFICE_HOURS.contains(&local.hour())
    }
}

fn window(record: &pb::ReconciliationRecord, after_ms: i64) -> Moment {
    let start = i64::try_from(record.window_start_ms).unwrap_or(i64::MAX);
    Moment::from_micros(start.saturating_add(after_ms).saturating_mul(1_000))
}
