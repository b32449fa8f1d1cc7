//! A department's own service as a source: honest, mistaken, and away.

use std::sync::LazyLock;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::net::UnixListener;
use tonic::Code;
use tonic::Status;

use super::all_modes_answer;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::records::Resident;
use crate::harness::service::Population;

static GET: LazyLock<Asked> = LazyLock::new(|| Asked::get(&Resident(7).key()));

/// A service of civil's that its gateway is to ask.
async fn served() -> (World, Population) {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.fetch_residents_from(&format!("http://{}", listener.local_addr().unwrap()));
    let population = Population::of(&world);
    population.serve_tcp(listener);
    (world, population)
}

#[tokio::test]
async fn a_service_gives_records() {
    let (world, _population) = served().await;
    all_modes_answer(&world).await;
}

#[tokio::test]
async fn a_service_gives_records_through_a_socket() {
    let world = World::new().await;
    let listener = UnixListener::bind(world.path("config/population.sock")).unwrap();
    world.fetch_residents_from("unix:population.sock");
    Population::of(&world).serve_unix(listener);
    all_modes_answer(&world).await;
}

#[tokio::test]
async fn a_record_that_a_service_does_not_have_is_not_found() {
    let (world, _population) = served().await;
    let _gateways = world.pair().await;
    let asked = Asked::get(&Resident(999).key());
    let refused = world.system("tax", "assessment").ask(&asked).await.err();
    assert!(refused.unwrap().is(Code::NotFound, "NOT_FOUND"));
}

#[tokio::test]
async fn what_a_service_sends_amiss_is_the_providers_error_and_is_not_passed_on() {
    let (world, population) = served().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let other = population.encoded(&Resident(9));
    let query = Asked::query("");

    population.tells(move |_| Ok(vec![other.clone()]));
    let another_record = system.ask(&GET).await.err().unwrap();
    population.tells(|_| Ok(vec![Bytes::from_static(b"\xff")]));
    let no_record = system.ask(&GET).await.err().unwrap();
    let no_records = system.ask(&query).await.err().unwrap();
    population.tells(|mut records| {
        records.reverse();
        Ok(records)
    });
    let out_of_order = system.ask(&query).await.err().unwrap();
    population.tells(|mut records| {
        records.insert(2, records[1].clone());
        Ok(records)
    });
    let key_twice = system.ask(&query).await.err().unwrap();
    for refused in [
        another_record,
        no_record,
        no_records,
        out_of_order,
        key_twice,
    ] {
        assert!(refused.is(Code::Internal, "SOURCE_MISFIT"), "{refused:?}");
        let told = "a record of the provider does not fit its schema";
        assert_eq!(refused.message, told);
    }

    population.tells(Ok);
    system.ask(&GET).await.unwrap();
}

#[tokio::test]
async fn the_words_of_a_service_reach_nobody() {
    let (world, population) = served().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    population.tells(|_| Err(Status::internal("王7 is not well")));
    for asked in [GET.clone(), Asked::query("")] {
        let refused = system.ask(&asked.case("WORDS")).await.err().unwrap();
        assert!(refused.is(Code::Internal, "SOURCE_FAILED"), "{refused:?}");
        assert_eq!(refused.message, "the provider's records could not be read");
    }
    let entries = world.journal("civil").of_case("WORDS");
    let details = entries
        .iter()
        .map(|entry| &*entry.exchange().unwrap().detail);
    // That of the get, and of the opening of the stream.
    assert_eq!(details.collect::<Vec<_>>(), ["the source failed", ""]);
}

#[tokio::test]
async fn a_service_that_is_away_is_told_as_such_and_found_again_when_it_is_back() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    world.fetch_residents_from(&format!("http://{address}"));
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    for asked in [GET.clone(), Asked::query("")] {
        let refused = system.ask(&asked).await.err().unwrap();
        assert!(
            refused.is(Code::Unavailable, "SOURCE_UNAVAILABLE"),
            "{refused:?}"
        );
    }

    Population::of(&world).serve_tcp(TcpListener::bind(address).await.unwrap());
    system.ask(&GET).await.unwrap();
}
