use std::net::IpAddr;
use std::net::Ipv4Addr;

use futures::FutureExt;

use super::*;

fn host(number: u32) -> Network {
    Network::of(IpAddr::V4(Ipv4Addr::from(number)))
}

fn is_lost(place: &mut Place) -> bool {
    place.lost().now_or_never().is_some()
}

#[test]
fn there_is_always_a_place_and_the_oldest_of_the_greediest_network_pays_for_it() {
    let strangers = Strangers::new(4);
    let mut modest = strangers.enter(host(1));
    let mut greedy: Vec<_> = (0..3).map(|_| strangers.enter(host(2))).collect();
    let mut next = strangers.enter(host(3));
    let lost: Vec<_> = greedy.iter_mut().map(is_lost).collect();
    assert_eq!(lost, [true, false, false]);
    assert!(!is_lost(&mut modest) && !is_lost(&mut next));

    // Two networks hold one each and one holds two: again it is the one of two.
    let mut another = strangers.enter(host(4));
    assert!(is_lost(&mut greedy[1]) && !is_lost(&mut greedy[2]));
    // All hold one: the oldest of all goes.
    let mut last = strangers.enter(host(5));
    assert!(is_lost(&mut modest));
    assert!(!is_lost(&mut another) && !is_lost(&mut last) && !is_lost(&mut greedy[2]));
}

#[test]
fn a_place_that_is_given_back_displaces_nobody() {
    let strangers = Strangers::new(2);
    let mut first = strangers.enter(host(1));
    drop(strangers.enter(host(1)));
    let mut third = strangers.enter(host(1));
    assert!(!is_lost(&mut first) && !is_lost(&mut third));
    let _fourth = strangers.enter(host(1));
    assert!(is_lost(&mut first));
    // It is not counted a second time.
    drop(first);
    let _fifth = strangers.enter(host(2));
    assert!(is_lost(&mut third));
    assert_eq!(strangers.state().unknown.held, 2);
}

#[test]
fn where_somebody_was_let_in_from_has_places_that_no_stranger_takes() {
    let strangers = Strangers::new(2);
    strangers.enter(host(1)).leave_as_acquaintance();
    let mut again = strangers.enter(host(1));
    assert!(again.is_known());
    let crowd: Vec<_> = (2..1_000).map(|n| strangers.enter(host(n))).collect();
    assert!(!is_lost(&mut again));
    // Whoever shares its network has only those places to take.
    let same: Vec<_> = (0..2).map(|_| strangers.enter(host(1))).collect();
    assert!(is_lost(&mut again));
    drop((crowd, same));
    assert!(strangers.state().known.ranks.is_empty());
    assert!(strangers.state().unknown.by_network.is_empty());
}

#[test]
fn the_acquaintance_of_longest_ago_is_forgotten() {
    let strangers = Strangers::new(1);
    for number in 0..=ACQUAINTANCES as u32 {
        strangers.enter(host(number)).leave_as_acquaintance();
    }
    assert!(!strangers.enter(host(0)).is_known());
    assert!(strangers.enter(host(1)).is_known());
    assert_eq!(strangers.state().acquaintances.len(), ACQUAINTANCES);
}
