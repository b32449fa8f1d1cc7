use super::*;
use crate::journal::testing::NOON;

fn record(ranges: &[(u64, u64)]) -> pb::ErasureRecord {
    let range = |&(first, end): &(u64, u64)| pb::EntryRange { first, end };
    pb::ErasureRecord {
        class: "tax".to_owned(),
        keep: "30d".to_owned(),
        ranges: ranges.iter().map(range).collect(),
        epochs: vec![],
    }
}

#[test]
fn an_erasure_speaks_for_its_ranges_and_nothing_else() {
    let mut erasures = Erasures::default();
    erasures.add(20, NOON, &record(&[(2, 4), (7, 8)]));
    erasures.add(30, NOON, &record(&[(4, 6), (2, 3)]));
    let by = |entry| erasures.covering(entry).map(|erasure| erasure.index);
    let by: Vec<_> = (0..9).map(by).collect();
    let (first, second) = (Some(20), Some(30));
    assert_eq!(
        by,
        [None, None, second, first, second, second, None, first, None]
    );
    assert!(erasures.covers_any(0, 3) && erasures.covers_any(5, 6) && !erasures.covers_any(8, 20));
}

#[test]
fn the_later_of_two_that_speak_for_the_same_counts() {
    let mut erasures = Erasures::default();
    erasures.add(20, NOON, &record(&[(0, 4), (5, 6), (7, 12)]));
    erasures.add(30, NOON, &record(&[(2, 9)]));
    erasures.add(40, NOON, &record(&[(3, 4)]));
    let by: Vec<_> = (0..13)
        .map(|entry| erasures.covering(entry).map_or(0, |erasure| erasure.index))
        .collect();
    assert_eq!(by, [20, 20, 30, 40, 30, 30, 30, 30, 30, 20, 20, 20, 0]);
}

#[test]
fn an_erasure_cannot_speak_for_what_comes_after_it() {
    let mut erasures = Erasures::default();
    erasures.add(5, NOON, &record(&[(4, 6), (3, 3)]));
    assert_eq!(erasures.covering(4), None);
    assert_eq!(erasures.covering(3), None);
    erasures.add(6, NOON, &record(&[(4, 6)]));
    assert_eq!(erasures.covering(5).unwrap().index, 6);
}

#[test]
fn what_names_no_term_permits_nothing() {
    let mut erasures = Erasures::default();
    let vague = pb::ErasureRecord {
        keep: "soon".to_owned(),
        ..record(&[(0, 1)])
    };
    erasures.add(1, NOON, &vague);
    assert!(
        !erasures
            .covering(0)
            .unwrap()
            .was_due(Moment::from_micros(0))
    );
}
