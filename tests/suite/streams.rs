//! Answers that are streams: bounded when nobody reads, accounted for when nobody is left, continued by cursors.

use bytes::Bytes;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::asked::RESIDENT;
use crate::harness::client::Answer;
use crate::harness::client::Asker;
use crate::harness::client::broken;
use crate::harness::client::header;
use crate::harness::records::Resident;

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off_and_held_in_bounded_memory() {
    // 200 MiB of answer.
    let world = World::with_bulk(20_000).await;
    let (civil, tax) = tokio::join!(
        world.start("civil"),
        world.start_with("tax", &[("LIMITS__STALL_DEADLINE", "1s")])
    );
    let (idle_civil, idle_tax) = (civil.memory(), tax.memory());
    let system = world.system("tax", "assessment");
    let mut stream = system.open(&Asked::query("")).await.unwrap();
    let exchange = header(&mut stream)
        .await
        .unwrap()
        .exchange_id
        .parse()
        .unwrap();

    let end = world.journal("tax").end_of(exchange).await;
    assert_eq!(end.reason, "CLIENT_STALLED");
    assert!(
        end.records < 8_000,
        "{} records were taken for sent",
        end.records
    );
    let at_civil = world.journal("civil").end_of(exchange).await;
    assert_eq!(at_civil.reason, "CLIENT_GONE");
    let (civil, tax) = (civil.memory() - idle_civil, tax.memory() - idle_tax);
    assert!(
        civil < 32 && tax < 32,
        "{civil} MiB at civil and {tax} MiB at tax for one stalled client"
    );
    // It must not take what it got for the whole answer.
    let refused = broken(stream).await;
    assert!(
        refused.is(Code::DeadlineExceeded, "CLIENT_STALLED"),
        "{refused:?}"
    );
    system.ask(&Asked::get(&Resident(7).key())).await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_end_of_its_stream_in_both_journals() {
    let world = World::with_bulk(3_000).await;
    let _gateways = world.pair().await;
    let mut stream = world
        .system("tax", "assessment")
        .open(&Asked::query(""))
        .await
        .unwrap();
    let exchange = header(&mut stream)
        .await
        .unwrap()
        .exchange_id
        .parse()
        .unwrap();
    drop(stream);
    for department in ["tax", "civil"] {
        let journal = world.journal(department);
        let end = journal.end_of(exchange).await;
        assert_eq!(end.reason, "CLIENT_GONE", "{department}");
        assert!(
            end.records < Resident::shared(3_000).count() as u64,
            "{department}"
        );
        assert_eq!(journal.of_exchange(exchange).len(), 2, "{department}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_before_a_unary_answer_leaves_its_entries() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    for attempt in 0..20 {
        let asked = Asked::get(&Resident(7).key()).case(&format!("GONE-{attempt}"));
        // Some of them are given up when the request is on its way, some before.
        let given_up = tokio::time::timeout(
            std::time::Duration::from_micros(500 * attempt),
            system.ask(&asked),
        )
        .await;
        drop(given_up);
    }
    system
        .ask(&Asked::get(&Resident(7).key()).case("LAST"))
        .await
        .unwrap();
    let tax = world.journal("tax");
    for entry in tax
        .entries()
        .iter()
        .filter(|entry| entry.reason() == "answered")
    {
        let exchange = entry.leaf.exchange.unwrap();
        assert_eq!(world.journal("civil").of_exchange(exchange).len(), 1);
    }
    tax.verified();
}

/// All pages of a question.
async fn pages(asker: &Asker, asked: &Asked) -> Vec<Answer> {
    let mut pages = vec![asker.ask(asked).await.unwrap()];
    loop {
        let cursor = pages.last().unwrap().trailer.next_cursor.clone();
        if cursor.is_empty() {
            return pages;
        }
        assert!(pages.len() < 50, "the pages do not end");
        pages.push(asker.ask(&asked.clone().after(&cursor)).await.unwrap());
    }
}

#[tokio::test]
async fn pages_continue_exactly_where_the_one_before_stopped() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let expected: Vec<_> = Resident::shared(100)
        .map(|resident| resident.released())
        .collect();
    for (order, backwards) in [
        ("", false),
        ("resident_id desc", true),
        ("full_name, resident_id", false),
    ] {
        let asked = Asked::query("").order(order).limit(7);
        let pages = pages(&system, &asked).await;
        let mut got: Vec<_> = pages
            .iter()
            .flat_map(|page| &page.records)
            .map(|record| world.decode(RESIDENT, record))
            .collect();
        if order.starts_with("full_name") {
            assert!(
                got.is_sorted_by_key(|record| record["full_name"].as_str().unwrap().to_owned())
            );
            got.sort_by_key(|record| record["resident_id"].as_str().unwrap().to_owned());
        }
        if backwards {
            got.reverse();
        }
        assert_eq!(got, expected, "{order}");
        assert!(pages.iter().all(|page| page.records.len() <= 7));
    }
}

#[tokio::test]
async fn a_cursor_of_another_question_or_a_changed_one_is_refused() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let first = system.ask(&Asked::query("").limit(7)).await.unwrap();
    let cursor = first.trailer.next_cursor;
    let mut changed = cursor.to_vec();
    changed[20] ^= 1;
    let questions = [
        (
            "another filter",
            Asked::query("resident_id > \"R0000000009\"").after(&cursor),
        ),
        (
            "another order",
            Asked::query("").order("full_name").after(&cursor),
        ),
        (
            "a changed cursor",
            Asked::query("").after(&Bytes::from(changed)),
        ),
        (
            "a shortened cursor",
            Asked::query("").after(&cursor.slice(..cursor.len() - 1)),
        ),
    ];
    for (what, asked) in questions {
        let refused = system.ask(&asked.limit(7)).await.err();
        assert!(
            refused
                .as_ref()
                .is_some_and(|r| r.is(Code::InvalidArgument, "CURSOR_INVALID")),
            "{what}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_limit_of_nothing_or_beyond_the_grant_is_the_grants() {
    let world = World::new().await;
    world.amend("max_records = 1000", "max_records = 10");
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    for limit in [0, 11, u32::MAX] {
        let answer = system.ask(&Asked::query("").limit(limit)).await.unwrap();
        assert_eq!(answer.records.len(), 10, "{limit}");
        assert!(!answer.trailer.next_cursor.is_empty());
    }
    assert_eq!(
        system
            .ask(&Asked::query("").limit(3))
            .await
            .unwrap()
            .records
            .len(),
        3
    );
}

#[tokio::test]
async fn a_filter_selects_among_the_shared_rows_only() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let some = format!(
        "resident_id in [\"{}\", \"{}\"]",
        Resident(7).key(),
        Resident(8).key()
    );
    let answer = system.ask(&Asked::query(&some)).await.unwrap();
    let got: Vec<_> = answer
        .records
        .iter()
        .map(|record| world.decode(RESIDENT, record))
        .collect();
    assert_eq!(got, [Resident(7).released()], "resident 8 lives elsewhere");
    let by_lookup = format!("national_id == \"{}\"", Resident(9).national_id());
    let answer = system.ask(&Asked::query(&by_lookup)).await.unwrap();
    assert_eq!(answer.records.len(), 1);
    let by_key = format!("resident_id == \"{}\"", Resident(9).key());
    let count = system.ask(&Asked::count(&by_key)).await.unwrap().count;
    assert!(
        count.suppressed && count.count == 0,
        "a group of one is not counted: {count:?}"
    );
    // What would end the statement, were it not a value.
    let injected = system
        .ask(&Asked::query(
            "full_name == \"' OR 1=1; DROP TABLE residents; --\"",
        ))
        .await
        .unwrap();
    assert!(injected.records.is_empty());
    assert_eq!(
        system.ask(&Asked::query("")).await.unwrap().records.len(),
        Resident::shared(100).count()
    );
}
