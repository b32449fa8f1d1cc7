use std::net::IpAddr;
use std::net::Ipv4Addr;

use futures::FutureExt;

use super::*;

fn host(number: u32) -> Network {
    Network::of(IpAddr::V4(Ipv4Addr::from(number)))
}

/// Nothing while it waits.
fn granted(waiting: &mut Waiting) -> Option<Turn> {
    waiting.now_or_never().flatten()
}

#[test]
fn networks_go_in_turn_and_of_each_who_had_a_turn_and_then_the_last_to_come() {
    let turns = Turns::new(1);
    let turn = granted(&mut turns.wait(host(9), false, false)).unwrap();
    let mut waiting: Vec<_> = [(1, false), (1, true), (1, false), (2, false), (3, false)]
        .map(|(n, had_one)| turns.wait(host(n), false, had_one))
        .into_iter()
        .enumerate()
        .collect();
    let mut order = Vec::new();
    let mut held = Some(turn);
    while held.take().is_some() {
        let next = waiting
            .iter_mut()
            .find_map(|(place, one)| Some((*place, granted(one)?)));
        let Some((place, turn)) = next else { break };
        waiting.retain(|(other, _)| *other != place);
        order.push(place);
        held = Some(turn);
    }
    assert_eq!(order, [1, 3, 4, 2, 0]);
    assert_eq!(turns.state().free, 1);
}

#[test]
fn every_second_turn_is_for_networks_that_are_known() {
    let turns = Turns::new(1);
    let turn = granted(&mut turns.wait(host(1), false, false)).unwrap();
    let mut strangers: Vec<_> = (1..100)
        .map(|n| turns.wait(host(n), false, false))
        .collect();
    let mut known = turns.wait(host(500), true, false);
    drop(turn);
    let first = granted(&mut known).unwrap();
    assert!(strangers.iter_mut().all(|one| granted(one).is_none()));
    let mut again = turns.wait(host(500), true, false);
    drop(first);
    assert!(granted(&mut again).is_none());
    assert_eq!(strangers.iter_mut().filter_map(granted).count(), 1);
    assert!(granted(&mut again).is_some());
}

#[test]
fn whoever_goes_away_leaves_its_turn_to_others() {
    let turns = Turns::new(2);
    let taken = [(); 2].map(|()| granted(&mut turns.wait(host(1), false, false)).unwrap());
    let (gone, granted_and_gone) = (
        turns.wait(host(2), false, false),
        turns.wait(host(3), false, false),
    );
    let mut stays = turns.wait(host(4), false, false);
    drop(gone);
    drop(taken);
    drop(granted_and_gone);
    assert!(granted(&mut stays).is_some());
    drop(stays);
    assert_eq!(turns.state().free, 2);
    assert!(turns.state().unknown.waiting.is_empty());
}
