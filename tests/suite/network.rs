//! A network that loses, repeats and reorders packets makes answers late, and loses none.

use std::sync::Arc;

use crate::harness::World;
use crate::harness::books::Book;
use crate::harness::books::assert_agreed;
use crate::harness::books::assert_logged;
use crate::harness::crowd::Crowd;
use crate::harness::crowd::Records;
use crate::harness::packets::Packets;
use crate::harness::packets::Weather;
use crate::harness::random::Random;
use crate::harness::random::number;
use crate::harness::random::seed;

/// `LANDBRIDGE_ANSWERS` says another number.
const ANSWERS: u64 = 150;

async fn nothing_is_lost_in(weather: Weather) {
    let seed = seed();
    eprintln!("by the random numbers of LANDBRIDGE_SEED={seed}");
    let world = World::witnessed(100).await;
    world.amend("\"200/s\"", "\"100000/s\"");
    world.amend("50000", "4000000000");
    let Some(packets) = Packets::to(&world, "civil", weather, seed) else {
        eprintln!("not tried: there is no TUN device, or not for us");
        return;
    };
    let (mut civil, mut tax) = world.pair().await;
    let records = Arc::new(Records::default());
    let mut crowd = Crowd::at(&world, &mut Random::new(seed), &records);
    let mut got = crowd
        .gets(number("LANDBRIDGE_ANSWERS").unwrap_or(ANSWERS))
        .await;
    got.extend(crowd.leaves().await);
    tax.stops().await;
    civil.stops().await;

    let (all, lost) = packets.counted();
    assert!(lost > 0, "none of {all} packets got lost");
    let mut books = [Book::of("tax"), Book::of("civil")];
    books.iter_mut().for_each(|book| book.read_on(&world));
    for (exchange, what) in &got {
        assert_logged(&books[0], &books[1], *exchange, *what);
    }
    records.assert_released(&world);
    let agreed = assert_agreed(&world);
    eprintln!(
        "{} answers, {agreed} agreed on; {lost} of {all} packets lost",
        got.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_loses_and_reorders_packets_loses_no_answer() {
    for weather in [
        Weather {
            lost: 0.02,
            repeated: 0.02,
            delay: 0.005,
        },
        Weather {
            lost: 0.1,
            repeated: 0.05,
            delay: 0.02,
        },
    ] {
        nothing_is_lost_in(weather).await;
    }
}
