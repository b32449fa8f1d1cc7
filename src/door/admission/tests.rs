use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::HashMap;
use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A queue before workers that each take the same time for everything: what comes first is done first.
struct Queue {
    service: Duration,
    free_at: BinaryHeap<Reverse<Duration>>,
    begun: Instant,
    limit: Limit,
    shares: Shares<&'static str>,
    max: u64,
    /// Who was let in when, and is done when.
    under_way: VecDeque<(&'static str, Duration, Duration)>,
    took: Vec<(Duration, Duration)>,
    offered: HashMap<&'static str, u32>,
    refused: HashMap<&'static str, Vec<Duration>>,
}

impl Queue {
    fn new(workers: usize, service: Duration, max: u64) -> Self {
        Self {
            service,
            free_at: std::iter::repeat_n(Reverse(Duration::ZERO), workers).collect(),
            begun: Instant::now(),
            limit: Limit::new(max, TARGET),
            shares: Shares::new(),
            max,
            under_way: VecDeque::new(),
            took: Vec::new(),
            offered: HashMap::new(),
            refused: HashMap::new(),
        }
    }

    fn arrives(&mut self, who: &'static str, at: Duration) {
        while let Some(&(whose, let_in, done)) = self.under_way.front()
            && done <= at
        {
            self.under_way.pop_front();
            let under_way = self.shares.total();
            self.shares.give_back(&whose);
            let (begun, now) = (self.begun + let_in, self.begun + done);
            self.limit.add_latency(0, begun, now, under_way);
            self.took.push((let_in, done - let_in));
        }
        *self.offered.entry(who).or_default() += 1;
        if self.shares.take(&who, self.limit.now(), self.max).is_err() {
            self.refused.entry(who).or_default().push(at);
            return;
        }
        let Reverse(free) = self.free_at.pop().unwrap();
        let done = free.max(at) + self.service;
        self.free_at.push(Reverse(done));
        self.under_way.push_back((who, at, done));
    }

    /// Lets consumers send at so many a second each, evenly, until then.
    fn offer(&mut self, rates: &[(&'static str, f64)], until: Duration) {
        let mut next: Vec<_> = rates
            .iter()
            .map(|&(who, rate)| (0.5 / rate, who, rate))
            .collect();
        loop {
            let soonest = next.iter_mut().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
            let at = Duration::from_secs_f64(soonest.0);
            if at > until {
                return;
            }
            let who = soonest.1;
            soonest.0 += 1.0 / soonest.2;
            self.arrives(who, at);
        }
    }

    /// The worst time of what was let in after that, and how many were answered a second.
    fn after(&self, warm: Duration, until: Duration) -> (Duration, f64) {
        let late: Vec<_> = self.took.iter().filter(|(at, _)| *at >= warm).collect();
        let worst = late.iter().map(|(_, took)| *took).max().unwrap();
        (worst, late.len() as f64 / (until - warm).as_secs_f64())
    }
}

const TARGET: Duration = Duration::from_millis(250);
const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

#[test]
fn at_twice_the_capacity_what_is_let_in_is_answered_in_time_and_capacity_is_used() {
    // Workers, time of service: a fast gateway, a slow source, and a slower one.
    for (workers, service) in [(2, MS), (8, 100 * MS), (64, 500 * MS)] {
        let capacity = workers as f64 / service.as_secs_f64();
        let mut queue = Queue::new(workers, service, 4096);
        // It comes as life has it: first quiet, then too much for two minutes.
        queue.offer(&[("quiet", capacity * 0.5)], 10 * S);
        let mut rush = Queue {
            took: Vec::new(),
            ..queue
        };
        rush.begun += 11 * S;
        rush.free_at = rush
            .free_at
            .iter()
            .map(|_| Reverse(Duration::ZERO))
            .collect();
        rush.under_way.clear();
        rush.shares = Shares::new();
        rush.offer(&[("a", capacity), ("b", capacity)], 120 * S);
        let (worst, rate) = rush.after(20 * S, 120 * S);
        let bound = TARGET.max(2 * service).mul_f64(1.5);
        assert!(worst <= bound, "{workers} × {service:?}: {worst:?}");
        assert!(
            rate >= 0.9 * capacity,
            "{workers} × {service:?}: {rate} of {capacity}"
        );
    }
}

#[test]
fn one_that_asks_for_less_than_its_share_is_not_refused_for_one_that_asks_for_ten_times_the_capacity()
 {
    let mut queue = Queue::new(2, MS, 4096);
    queue.offer(&[("greedy", 20_000.0), ("modest", 500.0)], 30 * S);
    // Until the first windows of the rush are judged, the queue is as long as `max` allows.
    let refused = queue.refused.get("modest").into_iter().flatten();
    let refused = refused.filter(|at| **at > 5 * S).count();
    assert!(refused <= 125, "{refused} of 12,500");
    assert!(queue.refused["greedy"].len() > 400_000);
}

#[test]
fn a_slow_source_that_is_not_overloaded_is_not_held_back() {
    let mut queue = Queue::new(256, 2 * S, 4096);
    queue.offer(&[("a", 100.0)], 120 * S);
    assert_eq!(queue.refused.get("a"), None);
}

#[test]
fn a_refusal_says_whether_others_would_be_let_in() {
    let mut shares = Shares::new();
    let taken = (0..20).map_while(|_| shares.take(&"greedy", 10, 10).ok());
    assert_eq!(taken.count(), 8);
    assert_eq!(shares.take(&"greedy", 10, 10), Err(NoShare::Share));
    shares.take(&"modest", 10, 10).unwrap();
    shares.take(&"third", 10, 10).unwrap();
    assert_eq!(shares.take(&"greedy", 10, 10), Err(NoShare::Share));
    assert_eq!(shares.take(&"fourth", 10, 10), Err(NoShare::Full));
    // A limit that has fallen turns away those who hold places, and nobody else.
    shares.give_back(&"third");
    assert_eq!(shares.take(&"modest", 4, 10), Err(NoShare::Full));
    shares.take(&"fourth", 4, 10).unwrap();
}

#[test]
fn a_single_place_is_given_and_given_back() {
    let mut shares = Shares::new();
    shares.take(&"a", 1, 1).unwrap();
    assert_eq!(shares.take(&"a", 1, 1), Err(NoShare::Full));
    shares.give_back(&"a");
    shares.take(&"b", 1, 1).unwrap();
}

#[test]
fn nobody_holds_all_the_room_for_requests_that_are_being_read() {
    const MIB: usize = 1024 * 1024;
    let limits = AdmissionLimits {
        exchanges: 1,
        streams: 1,
        target: Duration::from_millis(250),
    };
    let admission = Admission::new(Door::Peers, limits);
    let who = |id: &str| id.parse::<SpiffeId>().unwrap();
    let (greedy, modest) = (
        who("spiffe://gov.example/department/civil"),
        who("spiffe://gov.example/department/tax"),
    );
    let mut half_read = Vec::new();
    let refused = loop {
        let mut room = admission.room(&greedy);
        match room.grow(MIB) {
            Ok(()) => half_read.push(room),
            Err(shed) => break shed,
        }
    };
    assert_eq!(
        (half_read.len(), refused),
        (204, AdmissionRefusal::OverShare)
    );
    admission.room(&modest).grow(MIB).unwrap();

    drop(half_read);
    assert_eq!(admission.state().reading.total(), 0);
    admission.room(&greedy).grow(MIB).unwrap();
}

proptest! {
    #[test]
    fn whoever_comes_and_goes_the_places_are_never_exceeded_and_all_come_back(
        limit in 1..64_u64,
        steps in prop::collection::vec((0..5_u8, any::<bool>()), 0..400),
    ) {
        let mut shares = Shares::new();
        let mut held = HashMap::<u8, u64>::new();
        for (who, comes) in steps {
            let own = held.entry(who).or_default();
            if comes {
                *own += u64::from(shares.take(&who, limit, limit).is_ok());
            } else if *own > 0 {
                *own -= 1;
                shares.give_back(&who);
            }
            prop_assert_eq!(shares.total(), held.values().sum::<u64>());
            prop_assert!(shares.total() <= limit);
        }
        for (who, own) in held {
            (0..own).for_each(|_| shares.give_back(&who));
        }
        prop_assert_eq!(shares.total(), 0);
    }
}
