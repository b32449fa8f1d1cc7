//! Gateways that are killed again and again under load: what was answered is in both journals, every time.
//!
//! `LANDBRIDGE_KILLS` says how often (12 if it does not), `LANDBRIDGE_SEED` by which random numbers.

use std::sync::Arc;

use landbridge::name::ExchangeId;

use crate::harness::World;
use crate::harness::books::Book;
use crate::harness::books::assert_agreed;
use crate::harness::books::assert_logged;
use crate::harness::crowd::Crowd;
use crate::harness::crowd::Got;
use crate::harness::crowd::Records;
use crate::harness::gateway::Gateway;
use crate::harness::random::Random;
use crate::harness::random::number;
use crate::harness::random::seed;

const KILLS: u64 = 12;
/// Before a kill come fewer answers than this.
const ANSWERS: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_in_both_journals_however_often_gateways_are_killed() {
    let kills = number("LANDBRIDGE_KILLS").unwrap_or(KILLS);
    let seed = seed();
    eprintln!("{kills} kills by the random numbers of LANDBRIDGE_SEED={seed}");
    let mut random = Random::new(seed);
    let world = World::witnessed(100).await;
    world.amend("\"200/s\"", "\"100000/s\"");
    world.amend("50000", "4000000000");
    let (mut civil, mut tax) = world.pair().await;
    let mut books = [Book::of("tax"), Book::of("civil")];
    let (mut answers, records) = (0, Arc::new(Records::default()));
    for _ in 0..kills {
        let mut crowd = Crowd::at(&world, &mut random, &records);
        let mut got = crowd.gets(random.below(ANSWERS)).await;
        let both = strike(&world, civil, tax, &mut random, crowd).await;
        (civil, tax) = both.0;
        got.extend(both.1);
        books.iter_mut().for_each(|book| book.read_on(&world));
        for (exchange, what) in &got {
            assert_logged(&books[0], &books[1], *exchange, *what);
        }
        answers += got.iter().filter(|(_, what)| *what != Got::Header).count();
    }
    for gateway in [&mut tax, &mut civil] {
        gateway.stops().await;
    }
    records.assert_released(&world);
    let agreed = assert_agreed(&world);
    eprintln!(
        "{answers} answers before {kills} kills, all in both journals, which agree on {agreed}"
    );
    assert!(agreed >= answers as u64);
}

/// Kills one of the two, or both, lets the crowd leave, and starts again what was killed.
async fn strike(
    world: &World,
    civil: Gateway,
    tax: Gateway,
    random: &mut Random,
    crowd: Crowd,
) -> ((Gateway, Gateway), Vec<(ExchangeId, Got)>) {
    match random.below(3) {
        0 => {
            civil.kill();
            let got = crowd.leaves().await;
            ((world.start("civil").await, tax), got)
        }
        1 => {
            tax.kill();
            let got = crowd.leaves().await;
            ((civil, world.start("tax").await), got)
        }
        _ => {
            civil.kill();
            tax.kill();
            let got = crowd.leaves().await;
            // Each is the other's witness, and ready when that one answers.
            (world.pair().await, got)
        }
    }
}
