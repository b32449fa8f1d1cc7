//! What is masked is not read by asking for it: one value a question, so many misses a day, and no count of a person.

use std::fs;

use futures::future::join_all;
use landbridge::pb;
use tonic::Code;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Asker;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;

const EXHAUSTED: &str = "LOOKUP_MISSES_EXHAUSTED";
const ALARM: &str = "so much of the grant's look-ups of the day has found nothing";

fn by_id(national_id: &str) -> String {
    format!("national_id == \"{national_id}\"")
}

/// Nobody has it.
fn guess(n: usize) -> Asked {
    Asked::query(&by_id(&format!("9901019{n:010}X")))
}

async fn refused(asker: &Asker, asked: &Asked) -> Refused {
    match asker.ask(asked).await {
        Ok(_) => panic!("it was answered"),
        Err(refused) => refused,
    }
}

/// Values that a department's journal has as looked up or verified in vain.
fn misses(world: &World, department: &str) -> u32 {
    let entries = world.journal(department).entries();
    let missed = entries.iter().filter_map(|entry| match &entry.kind {
        pb::journal_record::Kind::Exchange(record) if record.reason != "opened" => {
            Some(record.lookup_misses)
        }
        pb::journal_record::Kind::StreamEnd(end) => Some(end.lookup_misses),
        _ => None,
    });
    missed.sum()
}

#[tokio::test]
async fn a_masked_number_is_compared_with_one_value_in_a_question_at_either_gateway() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let (system, peer) = (
        world.system("tax", "assessment"),
        world.peer("tax", "civil"),
    );
    let known = Resident(9).national_id();
    let five_hundred: Vec<_> = (0..500)
        .map(|n| format!("\"{}\"", Resident(n).national_id()))
        .collect();
    let one = by_id(&known);
    for filter in [
        format!("national_id in [{}]", five_hundred.join(", ")),
        format!("national_id in [\"{known}\"]"),
        format!("{one} || {}", by_id("x")),
        format!("{one} || full_name.startsWith(\"王\")"),
        format!("full_name == \"x\" && ({one} || full_name == \"y\")"),
        format!("{one} && {one}"),
        format!("national_id != \"{known}\""),
        format!("!({one})"),
        format!("!(!({one}))"),
        "national_id.startsWith(\"990101\")".to_owned(),
        "has(national_id)".to_owned(),
    ] {
        let asked = Asked::query(&filter);
        for refused in [
            refused(&system, &asked).await,
            refused(&peer, &asked.clone().relayed_for("assessment")).await,
        ] {
            assert!(
                refused.is(Code::PermissionDenied, "FILTER_NOT_ALLOWED")
                    && refused
                        .message
                        .contains("write `national_id == \"…\"` once"),
                "{filter}: {refused:?}"
            );
        }
    }
    for filter in [
        one.clone(),
        format!("(full_name.startsWith(\"王\") && \"{known}\" == national_id)"),
    ] {
        let answer = system.ask(&Asked::query(&filter)).await.unwrap();
        assert_eq!(answer.records.len(), 1, "{filter}");
    }
    assert_eq!([misses(&world, "tax"), misses(&world, "civil")], [0, 0]);
}

#[tokio::test]
async fn what_is_looked_up_in_vain_is_limited_for_a_day_over_all_modes_and_told() {
    let world = World::new().await;
    world.amend("lookup_misses   = 100", "lookup_misses = 5");
    let (mut civil, mut tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    let ask = |asked: Asked| {
        let system = system.clone();
        async move { system.ask(&asked).await }
    };
    let known = by_id(&Resident(9).national_id());

    // Found, and so not missed: at once, page by page, and what is no look-up at all.
    let first = ask(Asked::query(&known).limit(1)).await.unwrap();
    assert_eq!(first.records.len(), 1);
    let cursor = &first.trailer.next_cursor;
    let second = ask(Asked::query(&known).limit(1).after(cursor))
        .await
        .unwrap();
    assert_eq!(second.records.len(), 0);
    // A page of another question is refused before anything is looked up.
    let other = refused(&system, &guess(0).after(cursor)).await;
    assert_eq!(other.reason, "CURSOR_INVALID");
    ask(Asked::query("full_name == \"nobody\"")).await.unwrap();
    assert_eq!(
        refused(&system, &Asked::get("R9999999999")).await.reason,
        "NOT_FOUND"
    );
    let key = Resident(9).key();
    ask(Asked::verify(&key, &[("full_name", "nobody")]))
        .await
        .unwrap();
    assert_eq!([misses(&world, "tax"), misses(&world, "civil")], [0, 0]);

    // Missed: nobody's number, somebody's of another name, two masked values that are wrong.
    assert!(ask(guess(1)).await.unwrap().records.is_empty());
    let narrowed = format!("{known} && full_name == \"nobody\"");
    assert!(
        ask(Asked::query(&narrowed))
            .await
            .unwrap()
            .records
            .is_empty()
    );
    let wrong = [
        ("national_id", "x"),
        ("birth_date", "y"),
        ("full_name", "z"),
    ];
    ask(Asked::verify(&key, &wrong)).await.unwrap();
    for gateway in [&mut civil, &mut tax] {
        let line = gateway.told(ALARM).await;
        assert_eq!(
            (line["share"].as_str(), line["agreement"].as_str()),
            (Some("half"), Some("CIV-TAX-2026-01"))
        );
        assert!(!line.to_string().contains("990101"), "{line}");
    }
    ask(guess(2)).await.unwrap();
    for gateway in [&mut civil, &mut tax] {
        assert_eq!(gateway.told(ALARM).await["share"], "all");
    }

    // Nothing is looked up any more, found or not; what needs no look-up is answered.
    for asked in [
        guess(3),
        Asked::query(&known),
        Asked::verify(&key, &[("national_id", "x")]),
    ] {
        let refused = refused(&system, &asked).await;
        assert!(
            refused.is(Code::ResourceExhausted, EXHAUSTED) && refused.retry,
            "{refused:?}"
        );
        assert_eq!(refused.metadata["limit"], "5");
    }
    ask(Asked::get(&key)).await.unwrap();
    ask(Asked::query("full_name == \"王9\"")).await.unwrap();
    ask(Asked::query(&known).limit(1).after(cursor))
        .await
        .unwrap();
    assert_eq!([misses(&world, "tax"), misses(&world, "civil")], [5, 5]);

    for gateway in [&civil, &tax] {
        let (_, page) = gateway.page("/metrics").await;
        for share in ["half", "all"] {
            let line = |line: &&str| {
                line.starts_with("landbridge_lookup_alarms_total")
                    && line.contains(share)
                    && line.ends_with(" 1")
            };
            assert_eq!(page.lines().filter(line).count(), 1, "{share}: {page}");
        }
        let missed = |line: &&str| {
            line.starts_with("landbridge_lookup_misses_total") && line.ends_with(" 5")
        };
        assert_eq!(page.lines().filter(missed).count(), 1, "{page}");
    }
}

#[tokio::test]
async fn guesses_side_by_side_miss_no_more_than_is_allowed_and_a_restart_forgets_none() {
    let world = World::new().await;
    world.amend("lookup_misses   = 100", "lookup_misses = 10");
    let (civil, tax) = world.pair().await;
    let system = world.system("tax", "assessment");
    let asked: Vec<_> = (0..60).map(guess).collect();
    let answers = join_all(asked.iter().map(|asked| system.ask(asked))).await;
    let (answered, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(answered.len(), 10);
    let mut reasons: Vec<_> = refused
        .into_iter()
        .filter_map(Result::err)
        .map(|r| r.reason)
        .collect();
    reasons.dedup();
    assert_eq!(reasons, [EXHAUSTED]);

    // As if it were halved by hand: none of the ways on is open, at neither gateway, now or after a restart.
    let exhausted = async || {
        for (asker, asked) in [
            (world.system("tax", "assessment"), guess(60)),
            (
                world.peer("tax", "civil"),
                guess(61).relayed_for("assessment"),
            ),
        ] {
            assert_eq!(self::refused(&asker, &asked).await.reason, EXHAUSTED);
        }
    };
    exhausted().await;
    civil.kill();
    tax.kill();
    let _gateways = world.pair().await;
    exhausted().await;
    assert_eq!([misses(&world, "tax"), misses(&world, "civil")], [10, 10]);
}

#[tokio::test]
async fn a_count_tests_nothing_that_is_masked() {
    let world = World::new().await;
    let _gateways = world.pair().await;
    let system = world.system("tax", "assessment");
    let one = by_id(&Resident(9).national_id());
    for filter in [
        one.clone(),
        format!("{one} || full_name.startsWith(\"王\")"),
        format!("!({one})"),
        "national_id != \"x\"".to_owned(),
    ] {
        let refused = refused(&system, &Asked::count(&filter)).await;
        assert!(
            refused.is(Code::PermissionDenied, "FILTER_NOT_ALLOWED"),
            "{filter}: {refused:?}"
        );
    }
    // What may be queried may be counted to the last record.
    let count = system
        .ask(&Asked::count("full_name.startsWith(\"王\")"))
        .await
        .unwrap()
        .count;
    assert_eq!(
        (count.count, count.count_step),
        (Resident::shared(100).count() as u64, 1)
    );
}

#[tokio::test]
async fn where_records_are_only_counted_two_counts_do_not_tell_of_one_person() {
    let world = World::new().await;
    let text = "id = \"TEST-counts\"\ntitle = \"Test\"\nprovider = \"civil\"\nconsumer = \"tax\"\nlegal_basis = \"Test\"\n\
                accountable = \"Test\"\nvalid_from = 2026-01-01\nvalid_until = 2035-12-31\npurposes = [\"statistics\"]\n\n\
                [[grant]]\nrecord = \"civil.v1.Resident\"\nmodes = [\"count\"]\nfields = [\"full_name\"]\ndistinct_counts = 41\n";
    for department in ["civil", "tax"] {
        fs::write(world.agreement(department, "TEST-counts"), text).unwrap();
    }
    let (civil, tax) = world.pair().await;
    let count = async |filter: &str| {
        let asked = Asked::count(filter).purpose("statistics");
        let answer = world.system("tax", "assessment").ask(&asked).await;
        answer.map(|answer| answer.count)
    };
    // Seventy-five people of whom one knows, and each of forty others: twenty who are there and twenty who are not.
    let crowd: Vec<_> = (1..=75)
        .map(|n| format!("\"{}\"", Resident(n).name()))
        .collect();
    let crowd = crowd.join(", ");
    let mut told = Vec::new();
    for n in 81..=120 {
        let with = count(&format!(
            "full_name in [{crowd}, \"{}\"]",
            Resident(n).name()
        ))
        .await
        .unwrap();
        assert_eq!((with.count_step, with.suppressed), (10, false), "{with:?}");
        assert!([70, 80].contains(&with.count), "{with:?}");
        told.push(with.count);
    }
    // Both answers come for those who are there and for those who are not.
    for half in told.chunks(20) {
        assert!(half.contains(&70) && half.contains(&80), "{told:?}");
    }

    let first = format!("full_name in [{crowd}, \"{}\"]", Resident(81).name());
    assert!(count("full_name == \"王7\"").await.unwrap().count <= 10);
    let over = count("full_name == \"王8\"").await.unwrap_err();
    assert!(
        over.is(Code::ResourceExhausted, "DISTINCT_COUNTS_EXHAUSTED") && over.retry,
        "{over:?}"
    );
    assert_eq!(count(&first).await.unwrap().count, told[0]);
    civil.kill();
    tax.kill();
    let _gateways = world.pair().await;
    assert_eq!(count(&first).await.unwrap().count, told[0]);
    assert_eq!(
        count("").await.unwrap_err().reason,
        "DISTINCT_COUNTS_EXHAUSTED"
    );
}
