//! A permitted exchange, from a system through two gateways to the database and back.

use landbridge::journal::Kind;
use landbridge::journal::Outcome;
use landbridge::journal::Role;
use landbridge::pb::VerdictOutcome;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::asked::RESIDENT;
use crate::harness::client::Answer;
use crate::harness::journal::Entry;
use crate::harness::records::Resident;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE_ID: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

/// The entries of one exchange at tax and at civil: the same exchange, the same account of it, both journals proven.
fn accounts(world: &World, answer: &Answer, entries: usize) -> (Vec<Entry>, Vec<Entry>) {
    let (tax, civil) = (world.journal("tax"), world.journal("civil"));
    let (at_tax, at_civil) = (
        tax.of_exchange(answer.exchange()),
        civil.of_exchange(answer.exchange()),
    );
    assert_eq!(
        (at_tax.len(), at_civil.len()),
        (entries, entries),
        "tax:\n{}civil:\n{}",
        tax.text(),
        civil.text()
    );
    let (last_tax, last_civil) = (&at_tax[entries - 1].leaf, &at_civil[entries - 1].leaf);
    assert_eq!(last_tax.exchange_digest, last_civil.exchange_digest);
    assert_ne!(last_tax.exchange_digest, [0; 32]);
    assert_eq!(
        (last_tax.role, last_civil.role),
        (Role::Consumer, Role::Provider)
    );
    assert_eq!(
        (last_tax.outcome, last_civil.outcome),
        (Outcome::Answered, Outcome::Answered)
    );
    let evidence = last_tax.peer.unwrap();
    assert_eq!(
        evidence.index,
        at_civil[entries - 1].index,
        "the consumer names the provider's entry"
    );
    for entry in [&at_tax[0], &at_civil[0]] {
        assert_eq!(*entry.exchange().unwrap().trace_id, TRACE_ID.to_be_bytes());
    }
    tax.verified();
    civil.verified();
    (at_tax, at_civil)
}

#[tokio::test]
async fn a_permitted_get_gives_the_released_fields_masked_and_one_entry_at_each_gateway() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let resident = Resident(7);
    let asked = Asked::get(&resident.key()).trace(TRACEPARENT);
    let answer = world.system("tax", "assessment").ask(&asked).await.unwrap();

    assert_eq!(
        world.decode(RESIDENT, &answer.records[0]),
        resident.released()
    );
    assert_eq!(answer.info.provider, "civil");
    assert_eq!(answer.info.agreement, "CIV-TAX-2026-01");
    assert_eq!(answer.info.masked, ["national_id", "birth_date"]);
    let (at_tax, at_civil) = accounts(&world, &answer, 1);
    let receipt = answer.info.receipt.unwrap();
    assert_eq!(
        (receipt.origin.as_str(), receipt.index),
        ("gov.example/tax/1", at_tax[0].index)
    );
    for entry in [&at_tax[0], &at_civil[0]] {
        let exchange = entry.exchange().unwrap();
        assert_eq!(
            (exchange.reason.as_str(), exchange.records),
            ("answered", 1)
        );
        assert_eq!(
            (exchange.consumer.as_str(), exchange.provider.as_str()),
            ("tax", "civil")
        );
        assert_eq!(
            (exchange.system.as_str(), exchange.officer.as_str()),
            ("assessment", "W. Example")
        );
        assert_eq!(
            (exchange.purpose.as_str(), exchange.case_reference.as_str()),
            ("tax-assessment", "CASE-1")
        );
    }
}

#[tokio::test]
async fn a_get_of_some_fields_gives_those_and_no_others() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let asked = Asked::get(&Resident(7).key()).fields(&["full_name"]);
    let answer = world.system("tax", "assessment").ask(&asked).await.unwrap();
    assert_eq!(
        world.decode(RESIDENT, &answer.records[0]),
        serde_json::json!({ "full_name": "王7" })
    );
    assert_eq!(answer.info.fields, ["full_name"]);
}

#[tokio::test]
async fn a_permitted_query_streams_the_shared_rows_and_leaves_an_opening_and_an_end_at_each_gateway()
 {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let asked = Asked::query("").trace(TRACEPARENT);
    let answer = world.system("tax", "assessment").ask(&asked).await.unwrap();

    let got: Vec<_> = answer
        .records
        .iter()
        .map(|record| world.decode(RESIDENT, record))
        .collect();
    let expected: Vec<_> = Resident::shared(100)
        .map(|resident| resident.released())
        .collect();
    assert_eq!(got, expected);
    assert_eq!(answer.trailer.records, expected.len() as u64);
    assert_eq!(
        answer.trailer.bytes,
        answer
            .records
            .iter()
            .map(|record| record.len() as u64)
            .sum::<u64>()
    );
    assert!(answer.trailer.next_cursor.is_empty());
    let (at_tax, at_civil) = accounts(&world, &answer, 2);
    for entries in [at_tax, at_civil] {
        assert_eq!(
            [entries[0].leaf.kind, entries[1].leaf.kind],
            [Kind::Intent, Kind::StreamEnd]
        );
        assert_eq!(
            [entries[0].reason(), entries[1].reason()],
            ["opened", "answered"]
        );
    }
}

#[tokio::test]
async fn a_permitted_verify_confirms_and_denies_and_discloses_nothing() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let resident = Resident(7);
    let claims = [
        ("national_id", resident.national_id()),
        ("full_name", "someone else".to_owned()),
    ];
    let claims: Vec<_> = claims
        .iter()
        .map(|(field, text)| (*field, text.as_str()))
        .collect();
    let asked = Asked::verify(&resident.key(), &claims).trace(TRACEPARENT);
    let answer = world.system("tax", "assessment").ask(&asked).await.unwrap();

    let outcomes: Vec<_> = answer
        .verdicts
        .iter()
        .map(|verdict| verdict.outcome())
        .collect();
    assert_eq!(outcomes, [VerdictOutcome::Match, VerdictOutcome::Mismatch]);
    let (at_tax, at_civil) = accounts(&world, &answer, 1);
    for entry in [&at_tax[0], &at_civil[0]] {
        assert_eq!(entry.exchange().unwrap().mismatches, 1);
    }
}

#[tokio::test]
async fn a_permitted_count_counts_only_the_shared_rows() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let asked = Asked::count("").trace(TRACEPARENT);
    let answer = world.system("tax", "assessment").ask(&asked).await.unwrap();

    assert_eq!(answer.count.count, Resident::shared(100).count() as u64);
    assert!(!answer.count.suppressed);
    accounts(&world, &answer, 1);
}

#[tokio::test]
async fn a_department_asks_for_its_own_records_on_the_same_path() {
    let world = World::new().await;
    let _civil = world.start("civil").await;
    let asked = Asked::get(&Resident(8).key())
        .purpose("counter-service")
        .fields(&["national_id", "address.district"]);
    let answer = world.system("civil", "counter").ask(&asked).await.unwrap();

    let record = world.decode(RESIDENT, &answer.records[0]);
    assert_eq!(record["national_id"], Resident(8).national_id());
    assert_eq!(record["address"]["district"], "Yunyan");
    let journal = world.journal("civil");
    assert_eq!(journal.of_exchange(answer.exchange()).len(), 1);
    journal.verified();
}

#[tokio::test]
async fn a_record_beyond_the_agreements_rows_is_not_found() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let asked = Asked::get(&Resident(8).key());
    let refused = world
        .system("tax", "assessment")
        .ask(&asked)
        .await
        .err()
        .unwrap();
    assert!(
        refused.is(tonic::Code::NotFound, "NOT_FOUND"),
        "{refused:?}"
    );
    for department in ["tax", "civil"] {
        assert_eq!(
            world.journal(department).of_case("CASE-1").len(),
            1,
            "{department}"
        );
    }
}
