use std::thread;

use super::*;

#[test]
fn whoever_waits_for_a_segment_ends_the_rest_of_its_filling() {
    let spare = SpareSegment::default();
    thread::scope(|scope| {
        let commit = scope.spawn(|| spare.take());
        assert!(spare.rest(Duration::MAX));
        spare.set(Spare::Ready);
        assert!(commit.join().unwrap().is_ok());
    });
    assert!(!spare.rest(Duration::ZERO));
    assert!(matches!(&*spare.lock(), Spare::Taken));
}
