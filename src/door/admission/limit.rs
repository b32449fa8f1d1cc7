//! How many exchanges may be under way, so that each is answered in a bounded time.
//!
//! At capacity the time that an exchange takes is proportional to the number under way (Little's law). So when a window of
//! answers took longer than is tolerated, the limit falls in that proportion, and it grows by tenths while they take
//! clearly less. Tolerated is the target, or twice what the same kind of exchange has lately taken at best where that is
//! more: a slow source is no overload. That best is measured again, at half the limit, so that an overload that lasts is not taken for it.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

/// Answers and time that a judgement needs.
const ANSWERS: u32 = 16;
const WINDOW: Duration = Duration::from_millis(100);
/// The limit falls no further, but for a moment to measure a best time.
const FLOOR: f64 = 16.0;
const PROBE_FLOOR: f64 = 2.0;
/// Under which part of what is tolerated the limit grows, and by how much.
const ROOM: f64 = 0.8;
const GROWTH: f64 = 1.1;
/// One answer counts for no more than so many tolerable ones: a single slow one is not an overload.
const OUTLIER: f64 = 4.0;
/// How long a best time is believed, and how often it is measured while it matters.
const BELIEVED: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(20);

/// The limit, and what it is judged by.
#[derive(Debug)]
pub(super) struct Limit {
    max: f64,
    now: f64,
    target: f64,
    /// Answers to what began before the last change tell of the time before it.
    since: Option<Instant>,
    window: Option<Window>,
    best: HashMap<u64, BestMean>,
    probed: Option<Instant>,
    /// The limit to return to after a probe.
    after_probe: Option<f64>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    answers: u32,
    took: f64,
    tolerated: f64,
    peak: u64,
    /// Whether a best time says what is tolerable, rather than the target, or would if these were taken for the best.
    leans: bool,
}

/// The best mean of a kind of exchange.
#[derive(Debug)]
struct BestMean {
    sum: f64,
    answers: u32,
    mean: Option<(f64, Instant)>,
}

impl Limit {
    pub(super) fn new(max: u64, target: Duration) -> Self {
        Self {
            max: max as f64,
            now: max as f64,
            target: target.as_secs_f64(),
            since: None,
            window: None,
            best: HashMap::new(),
            probed: None,
            after_probe: None,
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.now as u64
    }

    /// Takes in an answer to an exchange of that kind, while so many were under way.
    pub(super) fn add_latency(&mut self, kind: u64, begun: Instant, now: Instant, under_way: u64) {
        if self.since.is_some_and(|since| begun < since) {
            return;
        }
        let took = now.duration_since(begun).as_secs_f64();
        let best = self.best.entry(kind).or_insert_with(BestMean::new);
        let tolerated = best.add(took, now).map_or(took, |mean| 2.0 * mean);
        let leans = tolerated.max(2.0 * took) > self.target;
        let tolerated = tolerated.max(self.target);
        let window = self.window.get_or_insert_with(|| Window::at(now));
        window.answers += 1;
        window.took += took.min(OUTLIER * tolerated);
        window.tolerated += tolerated;
        window.peak = window.peak.max(under_way);
        window.leans |= leans;
        let is_over = now.duration_since(window.began) >= WINDOW && window.answers >= ANSWERS;
        if is_over && let Some(window) = self.window.take() {
            self.judge(&window, now);
        }
    }

    fn judge(&mut self, window: &Window, now: Instant) {
        if let Some(limit) = self.after_probe.take() {
            self.now = limit;
            return;
        }
        let slowness = window.took / window.tolerated;
        let is_due = now.duration_since(*self.probed.get_or_insert(now)) >= PROBE_EVERY;
        if slowness > 1.0 {
            let used = self.now.min(window.peak as f64);
            self.set((used * (1.0 / slowness).max(0.5)).max(FLOOR), now);
        } else if window.leans && is_due && slowness > 0.5 {
            self.after_probe = Some(self.now);
            self.probed = Some(now);
            let half = self.now.min(window.peak as f64) / 2.0;
            self.set(half.max(PROBE_FLOOR), now);
            self.best.values_mut().for_each(BestMean::begin_again);
        } else if slowness < ROOM {
            self.set(self.now * GROWTH + 1.0, now);
        }
    }

    fn set(&mut self, to: f64, now: Instant) {
        self.now = to.min(self.max);
        self.since = Some(now);
    }
}

impl Window {
    fn at(began: Instant) -> Self {
        Self {
            began,
            answers: 0,
            took: 0.0,
            tolerated: 0.0,
            peak: 0,
            leans: false,
        }
    }
}

impl BestMean {
    fn new() -> Self {
        Self {
            sum: 0.0,
            answers: 0,
            mean: None,
        }
    }

    /// Gives the best mean, once there is one.
    fn add(&mut self, took: f64, now: Instant) -> Option<f64> {
        self.sum += took;
        self.answers += 1;
        if self.answers == ANSWERS {
            let mean = self.sum / f64::from(ANSWERS);
            let is_best = self
                .mean
                .is_none_or(|(best, at)| mean < best || now.duration_since(at) > BELIEVED);
            if is_best {
                self.mean = Some((mean, now));
            }
            self.begin_again();
        }
        self.mean.map(|(mean, _)| mean)
    }

    fn begin_again(&mut self) {
        self.sum = 0.0;
        self.answers = 0;
    }
}
