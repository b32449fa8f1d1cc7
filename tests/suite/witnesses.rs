//! Gateways that witness one another's journals: what they cosign, and what they keep a gateway from.

use std::fs;
use std::path::Path;
use std::process::Command;

use axum::body::Body;
use axum::body::to_bytes;
use http::Request;
use landbridge::evidence::cosigned::log_hash;
use landbridge::journal::reader::Reader;
use landbridge::tlog::quorum::WitnessPolicy;
use tonic::Code;
use tower::ServiceExt;

use crate::harness::World;
use crate::harness::asked::Asked;
use crate::harness::client::Asker;
use crate::harness::edit;
use crate::harness::gateway::Gateway;
use crate::harness::records::Resident;
use crate::harness::refusal::Refused;

fn policy(world: &World, department: &str) -> WitnessPolicy {
    let path = world.path(&format!("config/witnesses/{department}.policy"));
    WitnessPolicy::parse("policy", &fs::read_to_string(path).unwrap()).unwrap()
}

/// A resource of the peers door, as one who speaks plain HTTP reads it.
async fn read(asker: &Asker, path: &str) -> (u16, Vec<u8>) {
    let request = Request::get(path).body(tonic::body::Body::empty()).unwrap();
    let answer = asker.channel.clone().oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = to_bytes(Body::new(body), 1 << 20).await.unwrap();
    (head.status.as_u16(), body.to_vec())
}

fn get() -> Asked {
    Asked::get(&Resident(7).key())
}

async fn stop(mut gateway: Gateway) {
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// Asks until the answer is a refusal for that reason.
async fn refused_as(asker: &Asker, reason: &str) -> Refused {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
    let look = async {
        loop {
            ticks.tick().await;
            if let Err(refused) = asker.ask(&get()).await
                && refused.reason == reason
            {
                return refused;
            }
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, look)
        .await
        .unwrap_or_else(|_| panic!("no refusal for {reason}"))
}

#[tokio::test]
async fn every_entry_is_cosigned_by_the_other_departments() {
    let world = World::witnessed(100).await;
    let [_civil, tax, _market] = world.trio().await;
    let system = world.system("tax", "assessment");
    for _ in 0..3 {
        system.ask(&get()).await.unwrap();
    }
    for department in ["tax", "civil"] {
        let journal = world.journal(department);
        let entries = journal.entries().len() as u64;
        let checkpoint = journal.witnessed(entries).await;
        let witnessed = policy(&world, department).satisfied(&checkpoint).unwrap();
        assert!(witnessed.time.is_some());
        journal.verified();
    }
    let (_, metrics) = tax.page("/metrics").await;
    for name in [
        "landbridge_witness_lag_entries{witness=\"gov.example/civil/witness\"}",
        "landbridge_witness_requests_total{answer=\"cosigned\"}",
        "landbridge_witness_unwitnessed_seconds",
    ] {
        assert!(metrics.contains(name), "{name}:\n{metrics}");
    }
}

#[tokio::test]
async fn peers_read_the_witnessed_checkpoint_and_the_tiles_but_no_entries() {
    let world = World::witnessed(100).await;
    let [_civil, _tax, _market] = world.trio().await;
    let journal = world.journal("civil");
    let checkpoint = journal.witnessed(1).await;
    let peer = world.peer("tax", "civil");
    let (status, note) = read(&peer, "/journal/checkpoint").await;
    assert_eq!(
        (status, String::from_utf8(note).unwrap()),
        (200, checkpoint.note().to_owned())
    );
    let first = Reader::open(journal.dir()).entry(0).unwrap().unwrap();
    let (status, tile) = read(&peer, "/journal/tile/0/000.p/1").await;
    assert_eq!((status, tile), (200, first.leaf_hash().to_vec()));
    assert_eq!(read(&peer, "/journal/tile/entries/000.p/1").await.0, 403);
    assert_eq!(read(&peer, "/journal/seg").await.0, 404);

    let origin = log_hash("gov.example/civil/1");
    let witness = world.peer("civil", "tax");
    let (status, cosigned) = read(&witness, &format!("/witness/{origin}/checkpoint")).await;
    assert_eq!(status, 200);
    assert!(cosigned.starts_with(b"gov.example/civil/1\n"));
}

#[tokio::test]
async fn a_gateway_whose_journal_was_restored_from_an_older_copy_does_not_start() {
    let world = World::witnessed(100).await;
    let [_civil, tax, _market] = world.trio().await;
    let (journal, older) = (world.path("var/tax/journal"), world.path("var/tax/older"));
    stop(tax).await;
    copy(&journal, &older);
    let before = world.journal("tax").entries().len();

    let tax = world.start("tax").await;
    world.system("tax", "assessment").ask(&get()).await.unwrap();
    let entries = world.journal("tax").entries().len() as u64;
    world.journal("tax").witnessed(entries).await;
    tax.kill();
    fs::remove_dir_all(&journal).unwrap();
    copy(&older, &journal);

    let mut tax = world.launch("tax", &[]);
    assert!(!tax.ended().await.success());
    let told = tax.log_text();
    assert!(
        told.contains("it was restored from an older copy"),
        "{told}"
    );
    assert!(
        told.contains("gov.example/civil/witness") || told.contains("gov.example/market/witness")
    );
    assert_eq!(
        world.journal("tax").entries().len(),
        before,
        "nothing was added to the copy"
    );
}

#[tokio::test]
async fn a_provider_that_was_put_back_to_an_older_copy_has_no_answer_released() {
    let world = World::witnessed(100).await;
    let [civil, _tax, _market] = world.trio().await;
    let (journal, older) = (
        world.path("var/civil/journal"),
        world.path("var/civil/older"),
    );
    stop(civil).await;
    copy(&journal, &older);
    let civil = world.start("civil").await;
    let system = world.system("tax", "assessment");
    for _ in 0..10 {
        system.ask(&get()).await.unwrap();
    }
    let entries = world.journal("civil").entries().len() as u64;
    cosigned_by_tax(&world, entries).await;
    civil.kill();
    fs::remove_dir_all(&journal).unwrap();
    copy(&older, &journal);
    let policy = "policy = \"witnesses/civil.policy\"";
    edit(&world.federation.settings("civil"), policy, "");

    // Nobody keeps it from going on, but whoever has witnessed more releases nothing that rests on it.
    let _civil = world.start("civil").await;
    let before = world.journal("tax").entries().len();
    refused_as(&system, "RECEIPT_REFUSED").await;
    // Nor when it has grown beyond that again.
    while (world.journal("civil").entries().len() as u64) < entries + 3 {
        system.ask(&get()).await.err().unwrap();
    }
    let released = world.journal("tax").entries();
    let released = released[before..]
        .iter()
        .filter(|entry| entry.reason() == "answered");
    assert_eq!(released.count(), 0);
}

async fn cosigned_by_tax(world: &World, entries: u64) {
    let witness = world.peer("civil", "tax");
    let path = format!("/witness/{}/checkpoint", log_hash("gov.example/civil/1"));
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
    let look = async {
        loop {
            ticks.tick().await;
            let (_, note) = read(&witness, &path).await;
            let note = String::from_utf8(note).unwrap();
            let size = note.lines().nth(1).and_then(|size| size.parse().ok());
            if size.is_some_and(|size: u64| size >= entries) {
                return;
            }
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, look)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_rewritten_journal_is_cosigned_no_more_and_does_not_start_again() {
    let world = World::witnessed(100).await;
    let [_civil, tax, _market] = world.trio().await;
    world.journal("tax").witnessed(1).await;
    tax.kill();
    fs::remove_dir_all(world.path("var/tax/journal")).unwrap();

    let mut tax = world.launch_saying("tax", &[], &["--without-witnesses"]);
    tax.told("ready").await;
    assert!(tax.log_text().contains("started without witnesses"));
    for _ in 0..3 {
        world.system("tax", "assessment").ask(&get()).await.unwrap();
    }
    let said = tax
        .told("the journal contradicts what a witness has cosigned")
        .await;
    let trouble = said["trouble"].as_str().unwrap();
    assert!(trouble.starts_with("refuses with 422"), "{trouble}");
    // At once, not after the time that unwitnessed entries may wait.
    tax.becomes("/readyz", 503).await;
    let (_, why) = tax.page("/readyz").await;
    assert!(why.contains("another history"), "{why}");
    refused_as(&world.system("tax", "assessment"), "JOURNAL_UNAVAILABLE").await;
    let entries = world.journal("tax").entries();
    assert_eq!(entries[0].reason(), "started without witnesses");
    stop(tax).await;

    let mut tax = world.launch("tax", &[]);
    assert!(!tax.ended().await.success());
    assert!(
        tax.log_text().contains("it was rewritten"),
        "{}",
        tax.log_text()
    );
}

#[tokio::test]
async fn a_gateway_that_nobody_witnesses_stops_answering_until_somebody_does() {
    let world = World::witnessed(100).await;
    let age = [("WITNESS__MAX_UNWITNESSED_AGE", "2s")];
    let (civil, tax, market) = tokio::join!(
        world.start("civil"),
        world.start_with("tax", &age),
        world.start("market")
    );
    let system = world.system("tax", "assessment");
    system.ask(&get()).await.unwrap();
    civil.kill();
    // One of the two is enough.
    let entries = world.journal("tax").entries().len() as u64 + 1;
    system.ask(&get()).await.err().unwrap();
    world.journal("tax").witnessed(entries).await;
    market.kill();

    let refused = refused_as(&system, "JOURNAL_UNWITNESSED").await;
    assert!(
        refused.code == Code::Unavailable && refused.retry,
        "{refused:?}"
    );
    let (status, why) = tax.page("/readyz").await;
    assert_eq!(status, 503);
    assert!(
        why.contains("gov.example/market/witness` cannot be reached"),
        "{why}"
    );
    assert!(
        tax.log_text().contains("nobody witnesses the journal"),
        "{}",
        tax.log_text()
    );
    let journal = world.journal("tax");
    let is_refusal = |reason: &str| reason == "JOURNAL_UNWITNESSED";
    assert!(
        journal
            .entries()
            .iter()
            .any(|entry| is_refusal(entry.reason()))
    );

    let _civil = world.start("civil").await;
    tax.becomes("/readyz", 200).await;
    system.ask(&get()).await.unwrap();
}

#[tokio::test]
async fn before_a_witness_has_answered_nothing_is_answered_and_nothing_recorded() {
    let world = World::witnessed(100).await;
    let mut tax = world.launch("tax", &[]);
    tax.told("exchanges are refused until the journal's witnesses have answered")
        .await;
    let system = world.system("tax", "assessment");
    let refused = system.ask(&get()).await.err().unwrap();
    assert!(
        refused.is(Code::Unavailable, "JOURNAL_UNCONFIRMED") && refused.retry,
        "{refused:?}"
    );
    let (status, why) = tax.page("/readyz").await;
    assert_eq!(status, 503);
    assert!(
        why.starts_with("the witnesses have not confirmed the journal yet: "),
        "{why}"
    );
    assert_eq!(world.journal("tax").entries().len(), 0);

    // It is a witness all the same: two that start together do not wait for each other for ever.
    let _civil = world.start("civil").await;
    tax.told("ready").await;
    system.ask(&get()).await.unwrap();
    assert_eq!(world.journal("tax").entries()[0].reason(), "started");
}

#[tokio::test]
async fn a_gateway_that_waits_for_its_witnesses_can_be_stopped() {
    let world = World::witnessed(100).await;
    let mut tax = world.launch("tax", &[]);
    tax.told("exchanges are refused until the journal's witnesses have answered")
        .await;
    stop(tax).await;
    assert_eq!(world.journal("tax").entries().len(), 0);
}

#[tokio::test]
async fn a_witness_that_the_directory_does_not_know_is_a_fault_with_its_hint() {
    let world = World::witnessed(100).await;
    let text = fs::read_to_string(world.path("config/witnesses/tax.policy")).unwrap();
    let line = text
        .lines()
        .position(|line| line.starts_with("witness market"))
        .unwrap();
    let key = text.lines().nth(line).unwrap().rsplit(' ').next().unwrap();
    let directory = world.path("config/directory.toml");
    edit(&directory, &format!("witness = \"{key}\"\n"), "");
    let checked = Command::new(env!("CARGO_BIN_EXE_landbridge"))
        .args(["check", "--config"])
        .arg(world.federation.settings("tax"))
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(64));
    let told = String::from_utf8(checked.stderr).unwrap();
    let place = format!(
        "witnesses/tax.policy:{}: witness market: no department of ",
        line + 1
    );
    assert!(told.contains(&place), "{told}");
    assert!(
        told.contains(&format!(
            "put `witness = \"{key}\"` into its [[department]]"
        )),
        "{told}"
    );
}
