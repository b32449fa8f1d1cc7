//! How much was exchanged between whom, what came of it and how long it took, and how corrections were answered: counted
//! from the journal's entries.

mod corrections;

use std::collections::BTreeMap;

use time::UtcOffset;

use crate::clock::Moment;
use crate::journal::Kind as LeafKind;
use crate::journal::Leaf;
use crate::journal::Outcome;
use crate::journal::Role;
use crate::journal::reader::ReadError;
use crate::journal::reader::Reader;
use crate::name::DepartmentId;
use crate::pb;
use crate::pb::journal_record::Kind;
pub use corrections::Corrections;
use corrections::Courses;

/// The most entries that one tally reads: some seconds of it.
pub const MOST_ENTRIES: u64 = 2_000_000;

/// From when until when, and in how many equal slots of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub since: Moment,
    /// Not in the period itself.
    pub until: Moment,
    pub slots: usize,
}

/// Between whom, and of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub consumer: String,
    /// Empty where the entry does not tell.
    pub provider: String,
    pub record_type: String,
}

/// What came of exchanges that have ended. Of a provider only that is said which it has answered for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    pub answered: u64,
    /// By the provider: by an agreement, a limit or a guardrail.
    pub denied: u64,
    /// The source failed, or the answer was cut short or not proven.
    pub failed: u64,
    /// Refused by the asker's own gateway, so that it did not reach the provider, or broken off by the asker's client.
    pub by_asker: u64,
    /// Nobody answered: whether it reached the provider is not on record.
    pub unanswered: u64,
    pub records: u64,
    /// Of what the provider has answered for.
    pub latencies: Latencies,
}

/// Latencies, each known to an eighth of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies(BTreeMap<u32, u64>);

/// The same over a whole period and over each of its slots, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    pub whole: Sum,
    pub slots: Vec<Sum>,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub lines: BTreeMap<Line, Series>,
    pub all: Series,
    /// By provider.
    pub corrections: BTreeMap<String, Corrections>,
    pub coverage: Coverage,
}

/// How much of a period was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Where reading stopped before the period's end: there were too many entries.
    pub stopped_at: Option<Moment>,
    /// Exchanges that are not among what was read: their records were erased.
    pub erased: u64,
}

impl Coverage {
    /// Whether what was not found is not there.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}

/// Counts what ended in a period, as the gateway of `own` saw it.
pub fn tally(
    reader: &Reader,
    own: &DepartmentId,
    period: Period,
    offset: UtcOffset,
) -> Result<Tally, ReadError> {
    let mut lines: BTreeMap<Line, Series> = BTreeMap::new();
    let mut all = Series::of(period);
    let mut courses = Courses::default();
    let coverage = each_record(reader, period.since, period.until, |leaf, record| {
        if let Some(Kind::Correction(correction)) = &record.kind {
            return courses.take(correction, own, leaf.time.date(offset));
        }
        if leaf.role == Role::None {
            return;
        }
        let Some(ended) = EndedExchange::of(leaf, record, own) else {
            return;
        };
        let line = lines
            .entry(ended.line.clone())
            .or_insert_with(|| Series::of(period));
        for series in [line, &mut all] {
            series.whole.add(leaf, &ended);
            if let Some(slot) = series.slots.get_mut(period.slot(leaf.time)) {
                slot.add(leaf, &ended);
            }
        }
    })?;
    Ok(Tally {
        lines,
        all,
        corrections: courses.count(),
        coverage,
    })
}

/// Gives what a journal has from one time up to another, in the order of time, but for what is erased, and at most
/// `MOST_ENTRIES`.
pub(crate) fn each_record(
    reader: &Reader,
    since: Moment,
    until: Moment,
    mut take: impl FnMut(&Leaf, pb::JournalRecord),
) -> Result<Coverage, ReadError> {
    let mut coverage = Coverage::default();
    for (read, stored) in (0..).zip(reader.since(since)?) {
        let stored = stored?;
        if stored.leaf.time >= until {
            break;
        }
        if read >= MOST_ENTRIES {
            coverage.stopped_at = Some(stored.leaf.time);
            break;
        }
        match stored.record()? {
            Some(record) => take(&stored.leaf, record),
            None => coverage.erased += u64::from(stored.leaf.outcome != Outcome::None),
        }
    }
    Ok(coverage)
}

/// An exchange that has ended.
struct EndedExchange {
    line: Line,
    records: u64,
    latency_us: u64,
    reason: String,
}

impl EndedExchange {
    fn is_by_asker(&self) -> bool {
        self.reason.starts_with("CLIENT_")
    }

    /// None for an entry by which no exchange ended.
    fn of(leaf: &Leaf, record: pb::JournalRecord, own: &DepartmentId) -> Option<Self> {
        match record.kind? {
            Kind::Exchange(record) if leaf.outcome != Outcome::None => Some(Self {
                line: Line {
                    consumer: record.consumer,
                    provider: record.provider,
                    record_type: record.record_type,
                },
                records: record.records,
                latency_us: record.latency_us,
                reason: record.reason,
            }),
            Kind::StreamEnd(record) => Some(Self {
                line: Line {
                    consumer: record.consumer,
                    provider: match leaf.role {
                        Role::Provider => own.to_string(),
                        Role::Consumer | Role::None => department_of(&record.peer_origin),
                    },
                    record_type: record.record_type,
                },
                records: record.records,
                latency_us: record.latency_us,
                reason: record.reason,
            }),
            _ => None,
        }
    }
}

/// The department in a journal's name, e.g. of `gov.example/civil/1`.
fn department_of(origin: &str) -> String {
    origin.split('/').nth(1).unwrap_or_default().to_owned()
}

impl Series {
    fn of(period: Period) -> Self {
        Self {
            whole: Sum::default(),
            slots: vec![Sum::default(); period.slots],
        }
    }
}

impl Period {
    fn slot(&self, time: Moment) -> usize {
        let whole = self.until.since(self.since).max(1);
        let slot = u128::from(time.since(self.since)) * self.slots as u128 / u128::from(whole);
        usize::try_from(slot).unwrap_or(usize::MAX)
    }

    /// When a slot begins; the one after the last begins when the period ends.
    pub fn begins(&self, slot: usize) -> Moment {
        let whole = u128::from(self.until.since(self.since));
        let after = whole * slot as u128 / self.slots.max(1) as u128;
        Moment::from_micros(
            self.since
                .micros()
                .saturating_add(i64::try_from(after).unwrap_or(i64::MAX)),
        )
    }
}

impl Sum {
    fn add(&mut self, leaf: &Leaf, ended: &EndedExchange) {
        let has_reached =
            leaf.role == Role::Provider || leaf.kind == LeafKind::StreamEnd || leaf.peer.is_some();
        self.records += ended.records;
        match (leaf.outcome, has_reached) {
            (Outcome::CutShort, true) if ended.is_by_asker() => return self.by_asker += 1,
            (Outcome::NoAnswer, _) | (Outcome::CutShort, false) => return self.unanswered += 1,
            (Outcome::Denied | Outcome::ProviderError | Outcome::None, false) => {
                return self.by_asker += 1;
            }
            (Outcome::Answered, _) => self.answered += 1,
            (Outcome::Denied, true) => self.denied += 1,
            (Outcome::ReceiptRefused, _)
            | (Outcome::CutShort | Outcome::ProviderError | Outcome::None, true) => {
                self.failed += 1
            }
        }
        self.latencies.add(ended.latency_us);
    }

    /// Adds what another line has.
    pub fn join(&mut self, other: &Self) {
        self.answered += other.answered;
        self.denied += other.denied;
        self.failed += other.failed;
        self.by_asker += other.by_asker;
        self.unanswered += other.unanswered;
        self.records += other.records;
        for (&step, &count) in &other.latencies.0 {
            *self.latencies.0.entry(step).or_default() += count;
        }
    }

    /// Those that the provider has answered for.
    pub fn requests(&self) -> u64 {
        self.answered + self.denied + self.failed
    }
}

impl Latencies {
    /// Eight steps to each doubling.
    fn add(&mut self, micros: u64) {
        *self.0.entry(step(micros)).or_default() += 1;
    }

    /// Within how many microseconds so many of a hundred had ended; 0 when there were none.
    pub fn within(&self, percent: u64) -> u64 {
        let all: u64 = self.0.values().sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut so_far = 0;
        for (&step, &count) in &self.0 {
            so_far += count;
            if so_far >= wanted {
                return top(step);
            }
        }
        0
    }
}

fn step(micros: u64) -> u32 {
    if micros < 8 {
        return micros as u32;
    }
    let octave = micros.ilog2();
    let eighth = (micros >> (octave - 3)) & 7;
    (octave - 2) * 8 + eighth as u32
}

/// The greatest number of a step.
fn top(step: u32) -> u64 {
    if step < 8 {
        return step.into();
    }
    let (octave, eighth) = (step / 8 + 2, u64::from(step % 8));
    ((9 + eighth) << (octave - 3)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::PeerEntry;

    #[test]
    fn a_provider_is_counted_only_what_it_has_answered_for() {
        let peer = Some(PeerEntry {
            log: [1; 8],
            index: 7,
            leaf_hash: [2; 32],
        });
        // The side, what came of it, whether the provider's entry is known, the reason; then what is counted.
        let rows = [
            (Role::Provider, Outcome::Denied, None, "DENIED", "denied"),
            (
                Role::Consumer,
                Outcome::Answered,
                peer,
                "answered",
                "answered",
            ),
            (Role::Consumer, Outcome::Denied, peer, "DENIED", "denied"),
            (
                Role::Consumer,
                Outcome::Denied,
                None,
                "SYSTEM_NOT_GRANTED",
                "by asker",
            ),
            (
                Role::Consumer,
                Outcome::ProviderError,
                peer,
                "SOURCE_MISFIT",
                "failed",
            ),
            (
                Role::Consumer,
                Outcome::ProviderError,
                None,
                "INTERNAL",
                "by asker",
            ),
            (
                Role::Consumer,
                Outcome::NoAnswer,
                None,
                "PROVIDER_UNREACHABLE",
                "unanswered",
            ),
            (
                Role::Consumer,
                Outcome::ReceiptRefused,
                None,
                "RECEIPT_REFUSED",
                "failed",
            ),
            (
                Role::Consumer,
                Outcome::CutShort,
                peer,
                "CLIENT_GONE",
                "by asker",
            ),
            (
                Role::Consumer,
                Outcome::CutShort,
                None,
                "CLIENT_GONE",
                "unanswered",
            ),
            (
                Role::Consumer,
                Outcome::CutShort,
                peer,
                "PEER_REVOKED",
                "failed",
            ),
        ];
        for (role, outcome, peer, reason, counted) in rows {
            let leaf = Leaf {
                kind: LeafKind::Exchange,
                role,
                outcome,
                time: Moment::from_micros(0),
                exchange: None,
                exchange_digest: [0; 32],
                record_commitment: [0; 32],
                peer,
                asker: None,
            };
            let ended = EndedExchange {
                line: Line {
                    consumer: "tax".to_owned(),
                    provider: "civil".to_owned(),
                    record_type: "civil.v1.Resident".to_owned(),
                },
                records: 0,
                latency_us: 1,
                reason: reason.to_owned(),
            };
            let mut sum = Sum::default();
            sum.add(&leaf, &ended);
            let told = [
                ("answered", sum.answered),
                ("denied", sum.denied),
                ("failed", sum.failed),
                ("by asker", sum.by_asker),
                ("unanswered", sum.unanswered),
            ];
            for (name, count) in told {
                assert_eq!(
                    count,
                    u64::from(name == counted),
                    "{outcome} {reason}: {name}"
                );
            }
            let is_charged = matches!(counted, "answered" | "denied" | "failed");
            assert_eq!(sum.requests(), u64::from(is_charged));
            assert_eq!(sum.latencies.within(50), u64::from(is_charged));
        }
    }

    #[test]
    fn a_latency_is_known_to_an_eighth() {
        for micros in (0..100_000).chain([u64::from(u32::MAX), u64::MAX / 16]) {
            let top = top(step(micros));
            assert!(
                top >= micros && top - micros <= micros / 8,
                "{micros}: {top}"
            );
        }
    }

    #[test]
    fn percentiles_are_those_of_what_was_added() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.within(50), 0);
        (1..=100).for_each(|n| latencies.add(n * 1_000));
        for (percent, exact) in [(1, 1_000), (50, 50_000), (95, 95_000), (100, 100_000)] {
            let told = latencies.within(percent);
            assert!(
                (exact..=exact + exact / 8).contains(&told),
                "{percent}: {told}"
            );
        }
    }

    #[test]
    fn slots_divide_a_period_and_the_last_ends_with_it() {
        let at = Moment::from_micros;
        let period = Period {
            since: at(1_000),
            until: at(2_000),
            slots: 7,
        };
        for slot in 0..7 {
            assert_eq!(period.slot(at(period.begins(slot).micros() + 1)), slot);
        }
        assert_eq!((period.begins(0), period.begins(7)), (at(1_000), at(2_000)));
        assert_eq!(period.slot(at(1_999)), 6);
    }
}
