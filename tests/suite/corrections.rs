//! Corrections (校核): from the consumer who finds a record wrong to all who have received it.

use std::process::Command;
use std::time::Duration;

use landbridge::clock::Clock;
use landbridge::correction::calendar::Calendar;
use landbridge::digest::hex;
use landbridge::pb;
use landbridge::pb::CorrectionEvent;
use landbridge::pb::CorrectionState;
use landbridge::pb::correction_service_client::CorrectionServiceClient;
use landbridge::pb::journal_record::Kind;
use serde_json::Value;
use tonic::Code;
use tonic::transport::Channel;

use crate::harness::PATIENCE;
use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Answer;
use crate::harness::edit;
use crate::harness::journal::Journal;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;
use crate::harness::table;

const STATEMENT: &str = "The given name is written with another character";

/// Lets market fetch names, so that it is one of those who have received a record.
fn let_market_query(world: &World) {
    for department in ["civil", "market"] {
        let agreement = world.agreement(department, "CIV-MKT-2026-01");
        edit(&agreement, "[\"verify\"]", "[\"verify\", \"query\"]");
        // By querying for each of its few values it would be read.
        edit(&agreement, ", \"status\"]", "]");
        edit(
            &agreement,
            "fields       = []",
            "fields       = [\"full_name\"]",
        );
    }
}

fn desk(world: &World, department: &str, system: &str) -> CorrectionServiceClient<Channel> {
    CorrectionServiceClient::new(world.system(department, system).channel)
}

fn filing(exchange: &Answer, key: &str, field: &str) -> pb::FileCorrectionRequest {
    pb::FileCorrectionRequest {
        exchange_id: exchange.exchange().to_string(),
        key: key.to_owned(),
        field: field.to_owned(),
        statement: STATEMENT.to_owned(),
        evidence: "Identity card, seen on 2026-11-20".to_owned(),
        officer: "W. Example".to_owned(),
    }
}

/// `landbridge correction …` with civil's settings: how it ends, and what it prints.
fn at_civil(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .arg("correction")
        .args(arguments)
        .arg("--config")
        .arg(world.federation.settings("civil"))
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

/// Waits until what a system has filed is in that state.
async fn becomes(
    desk: &mut CorrectionServiceClient<Channel>,
    id: &str,
    state: CorrectionState,
) -> pb::Correction {
    let look = async {
        loop {
            let request = pb::ListCorrectionsRequest { open: false };
            let listed = desk.list_corrections(request).await.unwrap().into_inner();
            let found = listed
                .corrections
                .into_iter()
                .find(|c| c.correction_id == id);
            if let Some(found) = found.filter(|found| found.state() == state) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap()
}

/// Waits for the first notice that a system gets.
async fn noticed(world: &World, department: &str, system: &str) -> pb::ChangeNotice {
    let mut desk = desk(world, department, system);
    let look = async {
        loop {
            let request = pb::ListChangeNoticesRequest {};
            let listed = desk
                .list_change_notices(request)
                .await
                .unwrap()
                .into_inner();
            if let Some(notice) = listed.notices.into_iter().next() {
                return notice;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap()
}

/// Waits for a journal's entry of that step with that peer.
async fn on_record(journal: &Journal, event: CorrectionEvent, peer: &str) -> pb::CorrectionRecord {
    journal
        .awaits(|entry| match &entry.kind {
            Kind::Correction(record) if record.event() == event && record.peer == peer => {
                Some(record.clone())
            }
            _ => None,
        })
        .await
}

#[tokio::test]
async fn the_whole_course_of_a_correction_is_in_both_journals_and_all_who_have_the_record_are_told()
{
    let world = World::with_residents(100).await;
    let_market_query(&world);
    world.settle(
        "civil",
        "[corrections]\nworking_days = 3\nholidays = [\"2030-01-01\"]\n",
    );
    let [civil, _tax, _market] = world.trio().await;
    let wrong = Resident(7);
    let assessment = world.system("tax", "assessment");
    let received = assessment.ask(&Asked::get(&wrong.key())).await.unwrap();
    let at_counter = Asked::get(&wrong.key()).purpose("counter-service");
    world
        .system("civil", "counter")
        .ask(&at_counter)
        .await
        .unwrap();
    let in_bulk = Asked::query("").purpose("business-registration");
    world
        .system("market", "register")
        .ask(&in_bulk)
        .await
        .unwrap();

    let mut tax_desk = desk(&world, "tax", "assessment");
    let filed = tax_desk.file_correction(filing(&received, &wrong.key(), "full_name"));
    let id = filed.await.unwrap().into_inner().correction_id;
    let open = becomes(&mut tax_desk, &id, CorrectionState::Open).await;
    let calendar = Calendar {
        working_days: 3,
        ..Calendar::default()
    };
    let today = Clock::System
        .now()
        .date(time::UtcOffset::from_hms(8, 0, 0).unwrap());
    assert_eq!(open.due, calendar.due(today).to_string());

    let (exit, told) = at_civil(&world, &["queue", "--json"]);
    assert_eq!(exit, Some(0), "{told}");
    let row: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(row["correction"], id.as_str());
    assert_eq!(row["due"], open.due.as_str());
    assert_eq!(
        (&row["consumer"], &row["system"]),
        (&"tax".into(), &"assessment".into())
    );
    assert_eq!(row["key"], wrong.key().as_str());
    let (_, told) = at_civil(&world, &["show", &id]);
    let rows = table::of_text(&told);
    for row in [
        ["correction", id.as_str()],
        ["state", "open"],
        ["due", open.due.as_str()],
        ["filed by", "tax/assessment W. Example"],
        ["record", &format!("civil.v1.Resident {}", wrong.key())],
        ["field", "full_name"],
        ["statement", STATEMENT],
        ["evidence", "Identity card, seen on 2026-11-20"],
    ] {
        assert!(rows.iter().any(|cells| *cells == row), "{row:?}\n{told}");
    }
    let reply = "Corrected after the household book";
    let (exit, told) = at_civil(&world, &["answer", &id, "--corrected", "--reply", reply]);
    assert_eq!(exit, Some(0), "{told}");
    let (exit, told) = at_civil(&world, &["answer", &id, "--upheld", "--reply", "No"]);
    assert_eq!(exit, Some(64), "{told}");

    let answered = becomes(&mut tax_desk, &id, CorrectionState::Corrected).await;
    assert_eq!(answered.reply, reply);
    for (department, system) in [("market", "register"), ("civil", "counter")] {
        let notice = noticed(&world, department, system).await;
        assert_eq!(notice.key, wrong.key(), "{department}");
        assert_eq!(notice.field, "full_name");
        assert_eq!(notice.provider, "civil");
    }
    let request = pb::ListChangeNoticesRequest {};
    let to_tax = tax_desk.list_change_notices(request).await.unwrap();
    assert!(to_tax.into_inner().notices.is_empty(), "it has the answer");
    let mut audit = desk(&world, "tax", "audit");
    let request = pb::ListCorrectionsRequest { open: false };
    let others = audit.list_corrections(request).await.unwrap().into_inner();
    assert!(others.corrections.is_empty(), "another system filed it");

    let journal = |department: &str| world.journal(department);
    let digest = hex(&on_record(&journal("tax"), CorrectionEvent::Filed, "civil")
        .await
        .digest);
    let received = on_record(&journal("civil"), CorrectionEvent::Received, "tax").await;
    assert_eq!(hex(&received.digest), digest);
    assert_eq!(received.due, open.due);
    let decided = on_record(&journal("civil"), CorrectionEvent::Answered, "tax").await;
    let heard = on_record(&journal("tax"), CorrectionEvent::Answered, "civil").await;
    assert_eq!(decided.answer, "corrected");
    assert_eq!(decided.digest, heard.digest);
    let (_, shown) = at_civil(&world, &["show", &id, "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["digest"], hex(&decided.digest).as_str());
    let told = on_record(&journal("civil"), CorrectionEvent::Told, "market").await;
    let heard = on_record(&journal("market"), CorrectionEvent::Heard, "civil").await;
    assert_eq!(told.id, heard.id);
    for department in ["civil", "tax", "market"] {
        let entries = journal(department).text();
        assert!(!entries.contains(STATEMENT), "{department}");
        journal(department).verified();
    }
    assert!(!civil.log_text().contains(STATEMENT));
}

#[tokio::test]
async fn who_perhaps_received_the_record_is_told_so_and_not_which_it_is() {
    let world = World::with_residents(300).await;
    let_market_query(&world);
    let _gateways = world.trio().await;
    let wrong = Resident(207);
    let register = world.system("market", "register");
    let everybody = Asked::query("").purpose("business-registration");
    let assessment = world.system("tax", "assessment");
    let received = assessment.ask(&Asked::get(&wrong.key())).await.unwrap();
    // So many that the journal does not say whose data it was.
    let transfer = register.ask(&everybody).await.unwrap();

    let mut tax_desk = desk(&world, "tax", "assessment");
    let filed = tax_desk.file_correction(filing(&received, &wrong.key(), "full_name"));
    let id = filed.await.unwrap().into_inner().correction_id;
    becomes(&mut tax_desk, &id, CorrectionState::Open).await;
    let (exit, told) = at_civil(&world, &["answer", &id, "--corrected", "--reply", "Done"]);
    assert_eq!(exit, Some(0), "{told}");
    let notice = noticed(&world, "market", "register").await;
    assert_eq!(notice.key, "");
    assert_eq!(notice.exchange_id, transfer.exchange().to_string());
}

#[tokio::test]
async fn what_is_upheld_changes_nothing_for_others() {
    let world = World::with_residents(100).await;
    let_market_query(&world);
    let _gateways = world.trio().await;
    let assessment = world.system("tax", "assessment");
    let received = assessment
        .ask(&Asked::get(&Resident(7).key()))
        .await
        .unwrap();
    let in_bulk = Asked::query("").purpose("business-registration");
    world
        .system("market", "register")
        .ask(&in_bulk)
        .await
        .unwrap();
    let mut tax_desk = desk(&world, "tax", "assessment");
    let filed = tax_desk.file_correction(filing(&received, &Resident(7).key(), "full_name"));
    let id = filed.await.unwrap().into_inner().correction_id;
    becomes(&mut tax_desk, &id, CorrectionState::Open).await;
    at_civil(
        &world,
        &[
            "answer",
            &id,
            "--upheld",
            "--reply",
            "As in the household book",
        ],
    );
    becomes(&mut tax_desk, &id, CorrectionState::Upheld).await;
    let (_, told) = at_civil(&world, &["queue", "--json"]);
    assert_eq!(told, "");
    let told = world.journal("civil").entries().into_iter().any(|entry| {
        matches!(&entry.kind, Kind::Correction(record) if record.event() == CorrectionEvent::Told)
    });
    assert!(!told);
}

#[tokio::test]
async fn a_correction_waits_for_an_owner_that_is_down_and_outlives_restarts_of_both() {
    let world = World::with_residents(100).await;
    let (civil, tax) = world.pair().await;
    let assessment = world.system("tax", "assessment");
    let received = assessment
        .ask(&Asked::get(&Resident(7).key()))
        .await
        .unwrap();
    civil.kill();
    let mut tax_desk = desk(&world, "tax", "assessment");
    let filed = tax_desk.file_correction(filing(&received, &Resident(7).key(), "full_name"));
    let id = filed.await.unwrap().into_inner().correction_id;
    let waiting = becomes(&mut tax_desk, &id, CorrectionState::Filed).await;
    assert_eq!(waiting.due, "");
    tax.kill();

    let (civil, tax) = world.pair().await;
    let mut tax_desk = desk(&world, "tax", "assessment");
    let open = becomes(&mut tax_desk, &id, CorrectionState::Open).await;
    assert_eq!(open.due.len(), "2026-12-11".len());
    tax.kill();
    let (exit, told) = at_civil(&world, &["answer", &id, "--corrected", "--reply", "Done"]);
    assert_eq!(exit, Some(0), "{told}");
    on_record(&world.journal("civil"), CorrectionEvent::Answered, "tax").await;
    civil.kill();

    let _gateways = world.pair().await;
    let mut tax_desk = desk(&world, "tax", "assessment");
    becomes(&mut tax_desk, &id, CorrectionState::Corrected).await;
}

#[tokio::test]
async fn only_what_was_received_can_be_corrected_and_only_by_whom() {
    let world = World::with_residents(100).await;
    let (_civil, _tax) = world.pair().await;
    let assessment = world.system("tax", "assessment");
    let (right, key) = (Resident(7), Resident(7).key());
    let received = assessment.ask(&Asked::get(&key)).await.unwrap();
    let fit = filing(&received, &key, "full_name");
    let with = |change: fn(&mut pb::FileCorrectionRequest)| {
        let mut filing = fit.clone();
        change(&mut filing);
        filing
    };
    let rows: [(_, Code, &str); 7] = [
        (
            with(|f| f.exchange_id = other_exchange()),
            Code::NotFound,
            "EXCHANGE_UNKNOWN",
        ),
        (
            with(|f| f.exchange_id = "7".to_owned()),
            Code::InvalidArgument,
            "REQUEST_INVALID",
        ),
        (
            with(|f| f.field = "phone".to_owned()),
            Code::FailedPrecondition,
            "FIELD_NOT_RELEASED",
        ),
        (
            with(|f| f.key = Resident(9).key()),
            Code::InvalidArgument,
            "KEY_MISMATCH",
        ),
        (
            with(|f| f.statement = " ".to_owned()),
            Code::InvalidArgument,
            "REQUEST_INVALID",
        ),
        (
            with(|f| f.evidence = "x".repeat(2_001)),
            Code::InvalidArgument,
            "REQUEST_INVALID",
        ),
        (
            with(|f| f.officer = "a\u{7}b".to_owned()),
            Code::InvalidArgument,
            "REQUEST_INVALID",
        ),
    ];
    let mut own = desk(&world, "tax", "assessment");
    for (filing, code, reason) in rows {
        let status = own.file_correction(filing).await.unwrap_err();
        let refused = Refused::from(status);
        assert!(refused.is(code, reason), "{refused:?}");
        assert!(!refused.message.contains(&right.key()), "{refused:?}");
    }
    // Another system of the same department did not receive it.
    let mut audit = desk(&world, "tax", "audit");
    let refused = Refused::from(audit.file_correction(fit).await.unwrap_err());
    assert!(
        refused.is(Code::NotFound, "EXCHANGE_UNKNOWN"),
        "{refused:?}"
    );
    let events = world.journal("tax").entries().into_iter();
    let events = events.filter(|entry| matches!(entry.kind, Kind::Correction(_)));
    assert_eq!(events.count(), 0);
}

fn other_exchange() -> String {
    "01934f5c-7d1e-7c3a-b1a2-3c4d5e6f7a8b".to_owned()
}
