use super::*;
use crate::journal::Kind;
use crate::journal::Leaf;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::pb;
use crate::pb::journal_record;

/// Monday, 2026-11-23, 00:00 UTC.
const MONDAY: i64 = 1_795_392_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn at(seconds: i64) -> Moment {
    Moment::from_micros((MONDAY + seconds) * 1_000_000)
}

struct Story(Watch);

impl Story {
    fn new() -> Self {
        Self(Watch::new(UtcOffset::UTC))
    }

    fn exchange(&mut self, seconds: i64, outcome: Outcome, key: u64, records: u64) {
        let leaf = leaf(seconds, outcome);
        let record = pb::ExchangeRecord {
            consumer: "tax".into(),
            provider: "civil".into(),
            system: "assessment".into(),
            record_type: "civil.v1.Resident".into(),
            key_tag: [key.to_be_bytes(), [0; 8]].concat().into(),
            records,
            ..Default::default()
        };
        self.0
            .see(&leaf, &of(journal_record::Kind::Exchange(record)));
    }

    /// A look-up that finds nothing: at once, or as a stream of two entries.
    fn miss(&mut self, seconds: i64, streamed: bool) {
        let exchange = crate::name::ExchangeId::new(uuid::Uuid::from_u128(seconds as u128));
        let mut leaf = Leaf {
            exchange: Some(exchange),
            ..leaf(seconds, Outcome::Answered)
        };
        let record = pb::ExchangeRecord {
            consumer: "tax".into(),
            system: "assessment".into(),
            record_type: "civil.v1.Resident".into(),
            lookup_misses: 1,
            ..Default::default()
        };
        if streamed {
            leaf.kind = Kind::Intent;
        }
        self.0
            .see(&leaf, &of(journal_record::Kind::Exchange(record)));
        if streamed {
            leaf.kind = Kind::StreamEnd;
            let end = pb::StreamEndRecord {
                consumer: "tax".into(),
                record_type: "civil.v1.Resident".into(),
                lookup_misses: 1,
                ..Default::default()
            };
            self.0.see(&leaf, &of(journal_record::Kind::StreamEnd(end)));
        }
    }

    fn told(self) -> Vec<(Pattern, u64, i64, i64)> {
        let relative = |moment: Moment| moment.seconds() - MONDAY;
        let found = self.0.done().into_iter();
        found
            .map(|alarm| {
                (
                    alarm.pattern,
                    alarm.count,
                    relative(alarm.since),
                    relative(alarm.until),
                )
            })
            .collect()
    }
}

fn leaf(seconds: i64, outcome: Outcome) -> Leaf {
    Leaf {
        kind: Kind::Exchange,
        role: Role::Provider,
        outcome,
        time: at(seconds),
        exchange: None,
        exchange_digest: [0; 32],
        record_commitment: [0; 32],
        peer: None,
        asker: None,
    }
}

fn of(kind: journal_record::Kind) -> pb::JournalRecord {
    pb::JournalRecord { kind: Some(kind) }
}

#[test]
fn ten_refusals_without_an_answer_between_them_are_a_streak() {
    let mut story = Story::new();
    let noon = 12 * HOUR;
    for n in 0..9 {
        story.exchange(noon + n, Outcome::Denied, 1, 0);
    }
    story.exchange(noon + 9, Outcome::Answered, 1, 1);
    for n in 10..22 {
        story.exchange(noon + n, Outcome::Denied, 1, 0);
    }
    // Neither ends it nor belongs to it.
    story.exchange(noon + 22, Outcome::NoAnswer, 1, 0);
    story.exchange(noon + 23, Outcome::Answered, 1, 1);
    assert_eq!(
        story.told(),
        [(Pattern::RefusedStreak, 12, noon + 10, noon + 21)]
    );
}

#[test]
fn three_hundred_keys_within_an_hour_look_like_trying_them_all() {
    for (keys, apart, found) in [
        (
            300,
            10,
            vec![(Pattern::Enumeration, 300, 10 * HOUR, 10 * HOUR + 2_990)],
        ),
        (299, 10, vec![]),
        (600, 24, vec![]),
    ] {
        let mut story = Story::new();
        for n in 0..keys {
            story.exchange(10 * HOUR + n * apart, Outcome::Answered, n as u64, 1);
            // The same once more is no other key.
            story.exchange(10 * HOUR + n * apart, Outcome::Answered, n as u64, 1);
        }
        assert_eq!(story.told(), found, "{keys}");
    }
}

#[test]
fn a_day_with_far_more_records_than_the_others_is_unusual() {
    for (records, found) in [(2_001, 1), (2_000, 0)] {
        let mut story = Story::new();
        for day in 0..5 {
            let records = if day == 3 { records } else { 400 };
            story.exchange(day * DAY + 12 * HOUR, Outcome::Answered, 1, records);
        }
        let told = story.told();
        assert_eq!(told.len(), found, "{told:?}");
        for alarm in told {
            assert_eq!(
                alarm,
                (
                    Pattern::UnusualVolume,
                    records,
                    3 * DAY + 12 * HOUR,
                    3 * DAY + 12 * HOUR
                )
            );
        }
    }
}

#[test]
fn one_answer_in_many_that_comes_at_night_is_told_and_nightly_work_is_not() {
    for (by_day, found) in [(41, 1), (19, 0)] {
        let mut story = Story::new();
        for n in 0..by_day {
            story.exchange(12 * HOUR + n, Outcome::Answered, 1, 1);
        }
        // Tuesday at three, and Saturday at noon.
        story.exchange(DAY + 3 * HOUR, Outcome::Answered, 1, 1);
        story.exchange(5 * DAY + 12 * HOUR, Outcome::Answered, 1, 1);
        let told = story.told();
        assert_eq!(told.len(), found, "{told:?}");
        for alarm in told {
            assert_eq!(
                alarm,
                (Pattern::OffHours, 2, DAY + 3 * HOUR, 5 * DAY + 12 * HOUR)
            );
        }
    }
}

#[test]
fn exchanges_of_which_the_other_journal_says_otherwise_are_told() {
    let mut watch = Watch::new(UtcOffset::UTC);
    for (start, differing) in [(0, 0), (60_000, 2)] {
        let record = pb::ReconciliationRecord {
            peer: "civil".into(),
            window_start_ms: start,
            window_ms: 60_000,
            differing,
            ..Default::default()
        };
        watch.see(
            &leaf(0, Outcome::None),
            &of(journal_record::Kind::Reconciliation(record)),
        );
    }
    let found = watch.done();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].pattern,
            found[0].department.as_str(),
            found[0].count
        ),
        (Pattern::Orphaned, "civil", 2)
    );
    assert_eq!(
        (found[0].since, found[0].until),
        (
            Moment::from_micros(60_000_000),
            Moment::from_micros(120_000_000)
        )
    );
}

#[test]
fn fifty_values_looked_up_in_vain_in_one_day_look_like_guessing() {
    let noon = 12 * HOUR;
    for (before, found) in [
        (0, vec![(Pattern::Guessing, 50, noon, noon + 49)]),
        (1, vec![]),
    ] {
        let mut story = Story::new();
        for n in 0..50 {
            // One of them the day before.
            let at = if n < before { noon - DAY } else { noon + n };
            story.miss(at, n % 2 == 0);
        }
        let mut told = story.told();
        told.retain(|(pattern, ..)| *pattern == Pattern::Guessing);
        assert_eq!(told, found);
    }
}

#[test]
fn that_journals_are_not_compared_is_told() {
    let mut watch = Watch::new(UtcOffset::UTC);
    let record = pb::ReconciliationRecord {
        peer: "civil".into(),
        window_start_ms: 60_000,
        window_ms: 60_000,
        uncompared: "the peer's answer makes no sense".into(),
        ..Default::default()
    };
    watch.see(
        &leaf(0, Outcome::NoAnswer),
        &of(journal_record::Kind::Reconciliation(record)),
    );
    let found = watch.done();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].pattern,
            found[0].department.as_str(),
            found[0].since
        ),
        (
            Pattern::Uncompared,
            "civil",
            Moment::from_micros(60_000_000)
        )
    );
}
